"""A small OpenTelemetry collector: takes spans over OTLP/HTTP and remembers them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

from tests.support.waiting import wait_for

KINDS = trace_pb2.Span.SpanKind


@dataclass(frozen=True)
class Span:
    """One span as it came. Ids are hex digits; `parent_id` is "" where it is a root."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    tracestate: str
    start_ns: int
    end_ns: int
    has_failed: bool
    attributes: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]]
    resource: dict[str, Any]

    @property
    def service(self) -> str:
        return str(self.resource["service.name"])


@dataclass
class Collector:
    """`with collecting() as collector`; `url` is what RUSHES_TRACES_ENDPOINT is given."""

    url: str
    headers: list[dict[str, str]] = field(default_factory=list)  # of each batch
    spans: list[Span] = field(default_factory=list)

    def of(self, trace_id: str) -> list[Span]:
        return [span for span in self.spans if span.trace_id == trace_id]

    def wait(self, trace_id: str, *names: str, timeout_s: float = 20) -> dict[str, Span]:
        """Spans of a trace by name, once all of `names` have come."""

        def came() -> dict[str, Span] | None:
            found = {span.name: span for span in self.of(trace_id)}
            return found if set(names) <= set(found) else None

        return wait_for(
            came, timeout_s, lambda: f"{names}; came: {[s.name for s in self.of(trace_id)]}"
        )

    def ancestors(self, span: Span) -> list[Span]:
        """Its parent, the parent's parent …, as far as they have come."""
        by_id = {each.span_id: each for each in self.spans}
        found: list[Span] = []
        while span.parent_id in by_id:
            span = by_id[span.parent_id]
            found.append(span)
        return found

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        for resource_spans in request.resource_spans:
            resource = _values(resource_spans.resource.attributes)
            for scope in resource_spans.scope_spans:
                self.spans += [_span(span, resource) for span in scope.spans]


@contextmanager
def collecting(port: int = 0) -> Iterator[Collector]:
    """A collector that listens on 127.0.0.1 for the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path != "/v1/traces":
                self.send_error(404)
                return
            collector.headers.append(dict(self.headers))
            collector.take(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


def _span(span: trace_pb2.Span, resource: dict[str, Any]) -> Span:
    return Span(
        name=span.name,
        kind=KINDS.Name(span.kind),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        tracestate=span.trace_state,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        has_failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        attributes=_values(span.attributes),
        events=[(event.name, _values(event.attributes)) for event in span.events],
        resource=resource,
    )


def _values(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair) for pair in pairs}


def _value(pair: KeyValue) -> Any:
    kind = pair.value.WhichOneof("value")
    return getattr(pair.value, kind) if kind else None
