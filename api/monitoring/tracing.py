"""Pure ASGI middleware: a span a request, which continues the client's trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.datastructures import Headers
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.monitoring.request_log import QUIET
from shared.process import traces

_REQUEST_ID = "X-Request-Id"


def traced(app: ASGIApp, routes: Sequence[BaseRoute]) -> ASGIApp:
    """`app`, with a span a request while traces are on; else `app` itself."""
    if not traces.is_on():
        return app
    return _Traced(
        app, {route.endpoint: route.path for route in routes if isinstance(route, Route)}
    )


class _Traced:
    """Names its spans by the route's template, which it knows when the router has run."""

    def __init__(self, app: ASGIApp, templates: Mapping[object, str]) -> None:
        self._app = app
        self._templates = templates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in QUIET:
            await self._app(scope, receive, send)
            return
        status = 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if request_id := Headers(raw=message["headers"]).get(_REQUEST_ID):
                    traces.note(request_id=request_id)
            await send(message)

        method = scope["method"]
        attributes = {
            "http.request.method": method,
            "url.path": scope["path"],
            "url.scheme": scope["scheme"],
        }
        with traces.span(method, "server", _parent(scope), attributes):
            try:
                await self._app(scope, receive, noted)
            finally:
                self._describe(scope, status)

    def _describe(self, scope: Scope, status: int) -> None:
        attributes: dict[str, traces.Value] = {"http.response.status_code": status}
        template = self._templates.get(scope.get("endpoint"))
        if template:
            attributes["http.route"] = template
        has_failed = status >= 500
        if has_failed:
            attributes["error.type"] = str(status)
        name = f"{scope['method']} {template}" if template else scope["method"]
        traces.describe(name, attributes, fails=has_failed)


def _parent(scope: Scope) -> str:
    """As `traces.carried` writes it; "" where the client sends no traceparent."""
    headers = Headers(scope=scope)
    tracestate = ",".join(headers.getlist("tracestate"))
    return f"{headers.get('traceparent', '')} {tracestate}".strip()
