"""What is noted of each request: an id and a line in the log, numbers of /metrics, and a span.

Pure ASGI middleware. The numbers are those of this process and begin anew with it; their names and
meanings stand in docs/operate/monitoring.md.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import version
from typing import Any

import prometheus_client
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.errors import TABLE, UNEXPECTED, error_of
from shared.process import traces
from shared.process.logs import bound_request, task_id_var

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"))
_SEARCH = "/api/v1/search/"
SEARCHES = ("text", "image", "frame", "transcript")
# A search over 100 hours takes tens of milliseconds; the first one after a start maps its index.
_SEARCH_S = (0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 2, 5, 10)
# The answer about clips waits for them, so minutes are not unusual.
_REQUEST_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600)
log = logging.getLogger(__name__)
QUIET = frozenset(("/api/v1/health", "/api/v1/ready", "/metrics"))  # polled every few seconds
# Dozens of pictures a page, pieces and ranges of what is played.
_MANY = ("/api/v1/frames/", "/api/v1/media/original/", "/api/v1/media/preview/")
_SIGNED = (*_MANY, "/api/v1/exports/")  # what follows shows something without a key
REQUEST_ID = "X-Request-Id"
_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_SANE_TASK = re.compile(r"[0-9a-f]{32}")
_HUNG_UP = 499  # what proxies log for a client that did not wait; nobody gets this answer
_PROPAGATOR = TraceContextTextMapPropagator()


class ProcessMetrics:
    """Metrics of one process, with its memory and processor time."""

    def __init__(self) -> None:
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Gauge(
            "rushes_build_info", "1; its label says which version.", ["version"], registry=registry
        ).labels(version("rushes")).set(1)
        self._requests = Counter(
            "rushes_http_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "rushes_http_request_duration_seconds",
            "From the request's head to the end of its answer.",
            ["method", "route"],
            buckets=_REQUEST_S,
            registry=registry,
        )
        self._searches = Histogram(
            "rushes_search_duration_seconds",
            "Searches that were answered with matches or none.",
            ["search"],
            buckets=_SEARCH_S,
            registry=registry,
        )
        self._errors = Counter(
            "rushes_errors", "Requests answered with an error.", ["kind"], registry=registry
        )
        for search in SEARCHES:
            self._searches.labels(search)
        for kind in (*(error.__name__ for error in TABLE), UNEXPECTED):
            self._errors.labels(kind)

    def observe(
        self, method: str, route: str, status: int, seconds: float, error: str | None
    ) -> None:
        """Count a request. `route`: template of its path, or ""; `error`: kind of its error."""
        method, template = method if method in _METHODS else "other", route or "unmatched"
        self._requests.labels(method, template, str(status)).inc()
        self._seconds.labels(method, template).observe(seconds)
        if error:
            self._errors.labels(error).inc()
        search = route.removeprefix(_SEARCH)
        if search in SEARCHES and status == 200:
            self._searches.labels(search).observe(seconds)


class RequestLog:
    """Logs, measures and traces every request; answers and log lines carry its id."""

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
        given = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = given if _SANE_ID.fullmatch(given) else secrets.token_hex(8)
        status: int | None = None
        began = time.perf_counter()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        with _span(scope, request_id) as span, bound_request(request_id):
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
                self._describe(span, scope, status or 500)
                self._note(scope, status or 500, time.perf_counter() - began)

    def _describe(self, span: trace.Span, scope: Scope, status: int) -> None:
        """Name a span by the route's template, which is known when the router has run."""
        span.set_attribute("http.response.status_code", status)
        template = self._templates.get(scope.get("endpoint"))
        if template:
            span.set_attribute("http.route", template)
            span.update_name(f"{scope['method']} {template}")
        if status >= 500 or status == _HUNG_UP:
            span.set_attribute("error.type", str(status))
            span.set_status(trace.StatusCode.ERROR)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method, path = scope["method"], shown_path(scope["path"])
        route = self._templates.get(scope.get("endpoint"), "")
        error = error_of(scope)
        kind = error.kind if error else None
        self._metrics.observe(method, route, status, seconds, kind)
        fields: dict[str, Any] = {"method": method, "route": route, "path": path}
        fields |= {"status": status, "ms": round(seconds * 1000, 1)}
        why = ""
        if error:
            fields["error"] = error.kind
            why = f": {error.kind}: {error.message}"
        if not _SANE_TASK.fullmatch(task_id_var.get() or ""):  # a path may name anything
            task_id_var.set(None)
        log.log(
            _level(path, status),
            *("%s %s %d %.0f ms%s", method, path, status, seconds * 1000, why),
            extra={"fields": fields},
        )


def shown_path(path: str) -> str:
    """A path without what gives rights to whoever reads it."""
    of_it = next((start for start in _SIGNED if path.startswith(start)), None)
    return f"{of_it}…" if of_it else path


def _level(path: str, status: int) -> int:
    if path in QUIET or (path.startswith(_MANY) and status < 400):
        return logging.DEBUG
    return logging.WARNING if status >= 500 else logging.INFO


def _span(scope: Scope, request_id: str) -> AbstractContextManager[trace.Span]:
    """Begin the span of a request, in the trace that the client's traceparent names, if any."""
    if scope["path"] in QUIET or not traces.is_on():  # or the client's trace would be carried on
        return nullcontext(trace.INVALID_SPAN)
    headers = Headers(scope=scope)
    carrier = {name: headers.getlist(name) for name in ("traceparent", "tracestate")}
    attributes = {
        "http.request.method": scope["method"],
        "url.path": shown_path(scope["path"]),
        "url.scheme": scope["scheme"],
        "rushes.request_id": request_id,
    }
    return traces.tracer().start_as_current_span(
        scope["method"],
        _PROPAGATOR.extract(carrier, Context()),
        trace.SpanKind.SERVER,
        attributes,
    )
