"""Claims of a worker that a test plays, where none lives."""

from __future__ import annotations

from shared.ledger.ledger import Ledger
from shared.ledger.records import Lease

_TRIES = 3


def claim(ledger: Ledger, task_id: str, item_id: int, worker: str, nonce: str) -> Lease | None:
    """An Item, also of a Task that the API has parked, since no worker lives."""
    for _ in range(_TRIES):
        ledger.unpark(task_id)
        if lease := ledger.claim(task_id, item_id, worker, nonce):
            return lease
    return None
