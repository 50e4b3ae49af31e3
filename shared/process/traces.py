"""Optional traces (OpenTelemetry): one tree of spans a request, across the queue.

Off until `start` finds an endpoint in the settings; while off nothing of OpenTelemetry is imported
and every function here returns at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Literal, Protocol

from shared.errors import SettingsError
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.process.trace_export import Tracing

Value = str | int | float | bool
Kind = Literal["server", "producer", "consumer", "internal"]

_tracing: Tracing | None = None


class OpenSpan(Protocol):
    """A span that is not bound to a block. For threads: `end` may be called in another one."""

    def active(self) -> AbstractContextManager[object]:
        """It is the active span in the block, and does not end with it."""

    def end(self, error: BaseException | None = None) -> None: ...


def start(settings: Settings, process: str) -> None:
    """Trace this process, if the settings say where to; `process` becomes its service name.

    Raises SettingsError where OpenTelemetry is not installed, or a number among its own OTEL_*
    variables is none.
    """
    global _tracing
    tracing = check(settings)
    if tracing is not None and settings.traces_endpoint and _tracing is None:
        try:
            _tracing = tracing(settings.traces_endpoint, process, settings.instance)
        except ValueError as error:
            raise SettingsError(f"A variable OTEL_* is wrong ({error}): correct it.") from error


def check(settings: Settings) -> type[Tracing] | None:
    """What would trace; None: nothing shall. Raises SettingsError as `start` does."""
    if settings.traces_endpoint is None:
        return None
    try:
        from shared.process.trace_export import Tracing
    except ImportError as error:
        raise SettingsError(
            "RUSHES_TRACES_ENDPOINT needs OpenTelemetry, which is not installed here: run "
            "`pip install 'rushes[traces]'`, or unset it."
        ) from error
    return Tracing


def shut_down() -> None:
    """Send what is left, for 2 s at most. Further spans are lost."""
    global _tracing
    ending, _tracing = _tracing, None
    if ending is not None:
        ending.shut_down()


def is_on() -> bool:
    return _tracing is not None


def carried() -> str:
    """The active span as text that travels with a Task or an ask: W3C traceparent, then a space
    and tracestate where there is one. "" where no span is active."""
    return _tracing.carried() if _tracing else ""


def trace_id() -> str | None:
    """32 hex digits of the active span's trace."""
    return _tracing.trace_id() if _tracing else None


def span(
    name: str,
    kind: Kind,
    parent: str = "",
    attributes: Mapping[str, Value] | None = None,
) -> AbstractContextManager[None]:
    """A span for the block. `parent`: what `carried` said elsewhere; "" begins a new trace.

    An Exception that leaves the block is recorded on it.
    """
    return _tracing.span(name, kind, parent, attributes or {}) if _tracing else nullcontext()


@contextmanager
def stage(name: str, **attributes: Value) -> Iterator[None]:
    """A span within the active one, and nothing where none is active. Also a decorator."""
    if _tracing is None or _tracing.trace_id() is None:
        yield
        return
    with _tracing.span(name, "internal", None, _ours(attributes)):
        yield


def begin(name: str, parent: str, **attributes: Value) -> OpenSpan | None:
    """A consumer's span that ends with its `end`, perhaps in another thread. None while off."""
    return _tracing.begin(name, parent, _ours(attributes)) if _tracing else None


def describe(name: str, attributes: Mapping[str, Value], *, fails: bool) -> None:
    """Name the active span anew, when more is known of it; `fails`: it has failed."""
    if _tracing:
        _tracing.describe(name, attributes, fails=fails)


def note(**attributes: Value) -> None:
    """Add to the active span, as `rushes.<name>`."""
    if _tracing:
        _tracing.note(_ours(attributes))


def note_error(error: BaseException, *, fails: bool = True, **attributes: Value) -> None:
    """Record an error on the active span; `fails`: the span as a whole has failed by it."""
    if _tracing:
        _tracing.note_error(error, fails=fails, attributes=_ours(attributes))


def _ours(attributes: Mapping[str, Value]) -> dict[str, Value]:
    return {f"rushes.{name}": value for name, value in attributes.items()}
