"""RQ's worker as ours: without forks, commands and opinions."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from rq.worker.base import StopRequested

from shared.ledger.jobs import rq_queue
from shared.redis.clients import connect
from workers.worker import RqWorker


def test_a_stop_that_was_lost_where_it_arrived_is_heard_at_the_next_heartbeat(
    redis_url: str,
) -> None:
    """An exception of a signal handler vanishes in a destructor, as of a connection that broke."""
    with connect(redis_url, decode=False) as client:
        owner = SimpleNamespace(name="analysis-test", is_stopping=True)
        worker = RqWorker(owner, rq_queue(client, "test", "analysis"), client)  # type: ignore[arg-type]
        with pytest.raises(StopRequested):
            worker.heartbeat()
