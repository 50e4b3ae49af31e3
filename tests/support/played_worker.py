"""Claims of a worker that a test plays, where none lives."""

from __future__ import annotations

from shared.ledger.ledger import Ledger
from shared.ledger.records import Lease
from shared.redis import heartbeats
from shared.redis.clients import connect
from shared.redis.heartbeats import Heartbeat, WorkerKind
from tests.support.waiting import wait_for


def claim(ledger: Ledger, task_id: str, item_id: int, worker: str, nonce: str) -> Lease:
    """Claim an Item, also of a Task that the API has parked, since no worker lives.

    It tries again, since the API may not have queued the Task yet, or may park it meanwhile.
    """

    def try_once() -> Lease | None:
        ledger.unpark(task_id)
        return ledger.claim(task_id, item_id, worker, nonce)

    lease = wait_for(try_once, 10, f"Item {item_id} of task {task_id}")
    assert lease is not None
    return lease


def seem_alive(redis_url: str, kind: WorkerKind = "analysis") -> None:
    """A worker that works at nothing: for a minute the API parks no Task for want of one."""
    heart = Heartbeat(name=f"played {kind}", kind=kind, host="played", pid=1, started_at=0.0)
    with connect(redis_url) as client:
        heartbeats.publish(client, "default", heart, ttl_s=60)
