"""The span of one try of an Item: the request that submitted its Task is its parent."""

from __future__ import annotations

from contextlib import AbstractContextManager

from opentelemetry.trace import Span, SpanKind

from shared.ledger.records import Lease
from shared.process import traces

_UNSETTLED = "lost"  # until the ledger takes another outcome of this try


def item_span(lease: Lease) -> AbstractContextManager[Span]:
    """The span of one try of an Item, active in the block.

    While traces are off it records nothing, but the sender's trace id stays with it for the log.
    """
    return traces.tracer().start_as_current_span(
        f"{lease.kind} item",
        traces.context_of(lease.trace),
        SpanKind.CONSUMER,
        {
            "rushes.task_id": lease.task_id,
            "rushes.item_id": lease.item_id,
            "rushes.kind": lease.kind,
            "rushes.tries": lease.tries,
            "rushes.worker": lease.worker,
            "rushes.outcome": _UNSETTLED,
        },
    )
