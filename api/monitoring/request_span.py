"""Pure ASGI middleware: a span a request, which continues the client's trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.monitoring.request_log import QUIET, shown_path
from shared.process import traces

_REQUEST_ID = "X-Request-Id"
_PROPAGATOR = TraceContextTextMapPropagator()


class RequestSpan:
    """Spans named by the route's template, which is known when the router has run."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._templates: Mapping[object, str] = {
            route.endpoint: route.path for route in routes if isinstance(route, Route)
        }

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
                    span.set_attribute("rushes.request_id", request_id)
            await send(message)

        method = scope["method"]
        attributes = {
            "http.request.method": method,
            "url.path": shown_path(scope["path"]),
            "url.scheme": scope["scheme"],
        }
        with traces.tracer().start_as_current_span(
            method, _parent(scope), trace.SpanKind.SERVER, attributes
        ) as span:
            try:
                await self._app(scope, receive, noted)
            finally:
                self._describe(span, scope, status)

    def _describe(self, span: trace.Span, scope: Scope, status: int) -> None:
        span.set_attribute("http.response.status_code", status)
        template = self._templates.get(scope.get("endpoint"))
        if template:
            span.set_attribute("http.route", template)
            span.update_name(f"{scope['method']} {template}")
        if status >= 500:
            span.set_attribute("error.type", str(status))
            span.set_status(trace.StatusCode.ERROR)


def _parent(scope: Scope) -> Context:
    """An empty one, which begins a new trace, where the client sends no traceparent."""
    headers = Headers(scope=scope)
    carrier = {name: headers.getlist(name) for name in ("traceparent", "tracestate")}
    return _PROPAGATOR.extract(carrier, Context())
