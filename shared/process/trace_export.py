"""Spans by OpenTelemetry, sent over OTLP/HTTP by a thread of their own.

Imported only where traces are on (traces.py). Standard OTEL_* variables count: sampler, headers,
resource attributes, limits, the batch's sizes and delays.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import PackageNotFoundError, version

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.process.traces import Kind, Value

log = logging.getLogger(__name__)

_EXPORTER_LOG = logging.getLogger(OTLPSpanExporter.__module__)

_PATH = "/v1/traces"  # below an OTLP endpoint
_TIMEOUT_S = 5  # of one batch, tries included
_EVERY_MS = 1000
_LAST_BATCH_S = 2.0
_KINDS: Mapping[Kind, SpanKind] = {
    "server": SpanKind.SERVER,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
    "internal": SpanKind.INTERNAL,
}
_PROPAGATOR = TraceContextTextMapPropagator()


class _OpenSpan:
    """As traces.OpenSpan says."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def active(self) -> AbstractContextManager[Span]:
        return trace.use_span(self._span, record_exception=False, set_status_on_exception=False)

    def end(self, error: BaseException | None = None) -> None:
        if error is not None:
            _record(self._span, error, fails=True, attributes={})
        self._span.end()


class Tracing:
    """All spans of one process. `endpoint` is that of the collector, e.g. http://collector:4318."""

    def __init__(self, endpoint: str, process: str, instance: str) -> None:
        exporter = _TellsOnce(endpoint)
        delay = None if "OTEL_BSP_SCHEDULE_DELAY" in os.environ else _EVERY_MS
        self._provider = TracerProvider(
            resource=_resource(process, instance), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=delay))
        self._tracer = self._provider.get_tracer("rushes")

    def shut_down(self) -> None:
        """In a thread, because a collector that does not answer would hold us for longer."""
        ending = threading.Thread(target=self._provider.shutdown, name="last-spans", daemon=True)
        ending.start()
        ending.join(_LAST_BATCH_S)

    @contextmanager
    def span(
        self, name: str, kind: Kind, parent: str | None, attributes: Mapping[str, Value]
    ) -> Iterator[None]:
        """`parent` as `carried` writes it; "": a new trace; None: within the active span."""
        within = None if parent is None else _context_of(parent)
        with self._tracer.start_as_current_span(name, within, _KINDS[kind], attributes):
            yield

    def begin(self, name: str, parent: str, attributes: Mapping[str, Value]) -> _OpenSpan:
        kind = SpanKind.CONSUMER
        return _OpenSpan(self._tracer.start_span(name, _context_of(parent), kind, attributes))

    def carried(self) -> str:
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier)
        return " ".join(filter(None, map(carrier.get, ("traceparent", "tracestate"))))

    def trace_id(self) -> str | None:
        found = trace.get_current_span().get_span_context()
        return trace.format_trace_id(found.trace_id) if found.is_valid else None

    def note(self, attributes: Mapping[str, Value]) -> None:
        trace.get_current_span().set_attributes(attributes)

    def describe(self, name: str, attributes: Mapping[str, Value], *, fails: bool) -> None:
        span = trace.get_current_span()
        span.update_name(name)
        span.set_attributes(attributes)
        if fails:
            span.set_status(Status(StatusCode.ERROR))

    def note_error(
        self, error: BaseException, *, fails: bool, attributes: Mapping[str, Value]
    ) -> None:
        _record(trace.get_current_span(), error, fails=fails, attributes=attributes)


class _TellsOnce(SpanExporter):
    """Sends spans, and says once that they do not arrive, and once that they do again."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._is_away = False
        self._reason = _LastWords()
        _EXPORTER_LOG.addFilter(self._reason)
        logging.getLogger("opentelemetry.sdk._shared_internal").setLevel(
            logging.ERROR
        )  # full queue
        url = endpoint.rstrip("/")
        self._exporter = OTLPSpanExporter(
            url if url.endswith(_PATH) else url + _PATH, timeout=_timeout_s()
        )

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._reason.words = ""
        result = self._exporter.export(spans)
        is_away = result is not SpanExportResult.SUCCESS
        if is_away and not self._is_away:
            log.warning(
                "Traces do not reach %s: %s Work goes on; spans are lost until they do.",
                self._endpoint,
                self._reason.words or "it did not answer in time.",
            )
        elif self._is_away and not is_away:
            log.warning("Traces reach %s again.", self._endpoint)
        self._is_away = is_away
        return result

    def shutdown(self) -> None:
        _EXPORTER_LOG.removeFilter(self._reason)
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class _LastWords(logging.Filter):
    """Keeps what the exporter says of failed tries out of the log, and remembers the first."""

    words = ""

    def filter(self, record: logging.LogRecord) -> bool:
        self.words = self.words or f"{record.getMessage().rstrip('.')}."
        return False


def _timeout_s() -> float | None:
    """None: as the standard variables say."""
    names = ("OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT")
    return None if any(os.environ.get(name) for name in names) else _TIMEOUT_S


def _resource(process: str, instance: str) -> Resource:
    """Who we are; what the standard variables say of it comes first."""
    host = socket.gethostname()
    ours: dict[str, str | int] = {
        "service.name": f"rushes-{process}",
        "service.namespace": "rushes",
        "service.instance.id": f"{process}-{host}-{os.getpid()}",
        "host.name": host,
        "process.pid": os.getpid(),
        "rushes.instance": instance,
    }
    try:
        ours["service.version"] = version("rushes")
    except PackageNotFoundError:
        log.debug("Rushes runs without being installed: spans carry no version")
    return Resource.create({**ours, **OTELResourceDetector().detect().attributes})


def _context_of(carried: str) -> contexts.Context:
    """What cannot be read begins a new trace."""
    traceparent, _, tracestate = carried.partition(" ")
    carrier = {"traceparent": traceparent, "tracestate": tracestate}
    return _PROPAGATOR.extract(carrier, contexts.Context())


def _record(
    span: Span, error: BaseException, *, fails: bool, attributes: Mapping[str, Value]
) -> None:
    span.record_exception(error, attributes)
    if fails:
        span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
