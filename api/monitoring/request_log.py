"""Pure ASGI middleware: an id, one log line and the numbers of /metrics for every request."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Sequence
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.errors import error_of
from api.monitoring.process_metrics import ProcessMetrics, Served
from shared.process.logs import bound_request, task_id_var

log = logging.getLogger(__name__)
QUIET = frozenset(("/api/v1/health", "/api/v1/ready", "/metrics"))  # polled every few seconds
# Dozens of pictures a page, pieces and ranges of what is played.
_MANY = ("/api/v1/frames/", "/api/v1/media/original/", "/api/v1/media/preview/")
_SIGNED = (*_MANY, "/api/v1/exports/")  # what follows shows something without a key
REQUEST_ID = "X-Request-Id"
_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_SANE_TASK = re.compile(r"[0-9a-f]{32}")
_HUNG_UP = 499  # what proxies log for a client that did not wait; nobody gets this answer


class RequestLog:
    """Logs and measures every request; answers and log lines carry its id."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute], metrics: ProcessMetrics) -> None:
        self._app = app
        self._metrics = metrics
        self._templates: dict[object, str] = {
            route.endpoint: route.path for route in routes if isinstance(route, Route)
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        status: int | None = None
        began = time.perf_counter()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        with bound_request(request_id):
            try:
                await self._app(scope, receive, noted)
            except ClientDisconnect:
                status = _HUNG_UP
            except Exception:
                # Logged here, where task and request are known. Its 500 has been sent.
                log.exception(
                    "%s %s failed by an error of ours", scope["method"], shown_path(scope["path"])
                )
                if status is None:
                    raise
            finally:
                self._note(scope, status or 500, time.perf_counter() - began)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method, path = scope["method"], shown_path(scope["path"])
        route = self._templates.get(scope.get("endpoint"), "")
        error = error_of(scope)
        kind = error.kind if error else None
        self._metrics.observe(Served(method, route, status, seconds, kind))
        fields: dict[str, Any] = {"method": method, "route": route, "path": path}
        fields |= {"status": status, "ms": round(seconds * 1000, 1)}
        why = ""
        if error:
            fields["error"] = error.kind
            why = f": {error.kind}: {error.message}"
        _drop_insane_task()
        log.log(
            _level(path, status),
            *("%s %s %d %.0f ms%s", method, path, status, seconds * 1000, why),
            extra={"fields": fields},
        )


def _request_id(scope: Scope) -> str:
    """The client's own where it is sane, else a new one."""
    given = Headers(scope=scope).get(REQUEST_ID, "")
    return given if _SANE_ID.fullmatch(given) else secrets.token_hex(8)


def _drop_insane_task() -> None:
    """A path may name anything as its task."""
    if not _SANE_TASK.fullmatch(task_id_var.get() or ""):
        task_id_var.set(None)


def shown_path(path: str) -> str:
    """A path without what gives rights to whoever reads it."""
    of_it = next((start for start in _SIGNED if path.startswith(start)), None)
    return f"{of_it}…" if of_it else path


def _level(path: str, status: int) -> int:
    if path in QUIET or (path.startswith(_MANY) and status < 400):
        return logging.DEBUG
    return logging.WARNING if status >= 500 else logging.INFO
