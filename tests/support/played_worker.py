"""Claims of a worker that a test plays, where none lives."""

from __future__ import annotations

from shared.ledger.ledger import Ledger
from shared.ledger.records import Lease
from shared.redis import heartbeats
from shared.redis.clients import connect
from shared.redis.heartbeats import Heartbeat, WorkerKind
from tests.support.waiting import wait_for

_TRIES = 50  # the API may park it again between the two calls


def claim(ledger: Ledger, task_id: str, item_id: int, worker: str, nonce: str) -> Lease:
    """Claim an Item. Fail the test where the API has not queued its Task within 10 s."""
    what = f"Item {item_id} of task {task_id}"
    lease = wait_for(lambda: _try_to_claim(ledger, task_id, item_id, worker, nonce), 10, what)
    assert lease is not None
    return lease


def claim_all(ledger: Ledger, task_id: str) -> list[Lease]:
    """Claim the Items of a Task."""
    leases = [claim(ledger, task_id, 0, "worker", "nonce")]
    while lease := _try_to_claim(ledger, task_id, len(leases), "worker", "nonce"):
        leases.append(lease)
    return leases


def _try_to_claim(
    ledger: Ledger, task_id: str, item_id: int, worker: str, nonce: str
) -> Lease | None:
    """Claim an Item, also of a Task that the API has parked, since no worker lives."""
    for _ in range(_TRIES):
        ledger.unpark(task_id)
        if lease := ledger.claim(task_id, item_id, worker, nonce):
            return lease
    return None


def seem_alive(redis_url: str, kind: WorkerKind = "analysis") -> None:
    """A worker that works at nothing: for a minute the API parks no Task for want of one."""
    heart = Heartbeat(name=f"played {kind}", kind=kind, host="played", pid=1, started_at=0.0)
    with connect(redis_url) as client:
        heartbeats.publish(client, "default", heart, ttl_s=60)
