"""Traces by OpenTelemetry: one tree of spans a request, across the queue.

Off until `start` finds an endpoint in the settings: until then the API's no-op tracer makes spans
that are none, and nothing of the SDK is imported (trace_export.py has all of it). Whoever makes or
describes a span calls OpenTelemetry itself; here is only what its API does not have.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.errors import SettingsError
from shared.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_LAST_BATCH_S = 2.0
_PROPAGATOR = TraceContextTextMapPropagator()
_OFF = trace.NoOpTracer()

# Not OpenTelemetry's global provider: that one can be set once a process and never taken back.
_provider: TracerProvider | None = None
_tracer: trace.Tracer = _OFF


def start(settings: Settings, process: str) -> None:
    """Trace this process, if the settings say where to; `process` becomes its service name.

    Raises SettingsError where the SDK is not installed, or a number among its own OTEL_*
    variables is none.
    """
    global _provider, _tracer
    new_provider = check(settings)
    if new_provider is None or settings.traces_endpoint is None or _provider is not None:
        return
    try:
        _provider = new_provider(settings.traces_endpoint, process, settings.instance)
    except ValueError as error:
        raise SettingsError(f"A variable OTEL_* is wrong ({error}): correct it.") from error
    _tracer = _provider.get_tracer("rushes")


def check(settings: Settings) -> Callable[[str, str, str], TracerProvider] | None:
    """What would set traces up; None: nothing shall. Raises SettingsError as `start` does."""
    if settings.traces_endpoint is None:
        return None
    try:
        from shared.process.trace_export import new_provider
    except ImportError as error:
        raise SettingsError(
            "RUSHES_TRACES_ENDPOINT needs OpenTelemetry, which is not installed here: run "
            "`pip install 'rushes[traces]'`, or unset it."
        ) from error
    return new_provider


def shut_down() -> None:
    """Send what is left, for 2 s at most. Further spans are lost."""
    global _provider, _tracer
    ending, _provider, _tracer = _provider, None, _OFF
    if ending is not None:
        # In a thread, because a collector that does not answer would hold us for longer.
        last = threading.Thread(target=ending.shutdown, name="last-spans", daemon=True)
        last.start()
        last.join(_LAST_BATCH_S)


def is_on() -> bool:
    """Return True if this process sends its spans somewhere."""
    return _provider is not None


def tracer() -> trace.Tracer:
    """The tracer of this process; the API's no-op while traces are off. Ask for it each time."""
    return _tracer


@contextmanager
def stage(name: str, attributes: Mapping[str, str] | None = None) -> Iterator[None]:
    """A span within the active one, and nothing where none is active. Also a decorator."""
    if not trace.get_current_span().get_span_context().is_valid:
        yield
        return
    with _tracer.start_as_current_span(name, attributes=attributes):
        yield


def carried() -> str:
    """The active span as text that travels with a Task or an ask: W3C traceparent, then a space
    and tracestate where there is one. "" where no span is active."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return " ".join(filter(None, map(carrier.get, ("traceparent", "tracestate"))))


def context_of(carried: str) -> Context:
    """The parent of a new span, from what `carried` said elsewhere.

    "" and what cannot be read begin a new trace.
    """
    traceparent, _, tracestate = carried.partition(" ")
    carrier = {"traceparent": traceparent, "tracestate": tracestate}
    return _PROPAGATOR.extract(carrier, Context())


def fail(span: trace.Span, error: BaseException) -> None:
    """Record on `span` that it has failed as a whole, and by what."""
    span.record_exception(error)
    span.set_status(trace.StatusCode.ERROR, f"{type(error).__name__}: {error}")
