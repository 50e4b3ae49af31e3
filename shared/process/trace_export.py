"""OpenTelemetry's SDK: spans are sent over OTLP/HTTP by a thread of their own.

Imported only where traces are on (traces.py). Standard OTEL_* variables count: sampler, headers,
resource attributes, limits, the batch's sizes and delays.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

log = logging.getLogger(__name__)

_EXPORTER_LOG = logging.getLogger(OTLPSpanExporter.__module__)

_PATH = "/v1/traces"  # below an OTLP endpoint
_TIMEOUT_S = 5  # of one batch, tries included
_EVERY_MS = 1000


def new_provider(endpoint: str, process: str, instance: str) -> TracerProvider:
    """All spans of one process. `endpoint` is that of the collector, e.g. http://collector:4318."""
    provider = TracerProvider(resource=_resource(process, instance), shutdown_on_exit=False)
    delay = None if "OTEL_BSP_SCHEDULE_DELAY" in os.environ else _EVERY_MS
    exporter = _TellsOnce(endpoint)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=delay))
    return provider


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
