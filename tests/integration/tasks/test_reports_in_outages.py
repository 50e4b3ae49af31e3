"""The work goes on at its speed while Redis does not answer."""

from __future__ import annotations

from typing import Any

from shared.domain import ProgressType
from shared.ledger.ledger import Ledger
from shared.redis.clients import connect
from shared.settings import Settings
from tests.integration.ledger.ledger_world import World
from tests.support.private_redis import PrivateRedis
from workers.context import Bench, Context, NativeCalls
from workers.decode_pool import Cores, DecodePool
from workers.liveness import Signals, StallTimer
from workers.models.pool import ModelPool


class CountingLedger(Ledger):
    tries = 0

    def progress(self, *args: Any, **words: Any) -> bool:
        self.tries += 1
        return super().progress(*args, **words)


def test_one_report_waits_for_a_redis_that_hangs_and_not_each(own_redis: PrivateRedis) -> None:
    settings = Settings()
    with connect(own_redis.url) as client:
        world = World(client)
        lease = world.claimed(world.submitted())
        ledger = CountingLedger(client, "test")
        bench = Bench(settings, client, ledger, "w", ModelPool(settings), DecodePool(1))
        cores = Cores(1).enter()
        context = Context(bench, lease, Signals(), StallTimer(), NativeCalls(), cores)
        own_redis.freeze()
        for frame in range(5):
            context.progress.report(ProgressType.VIDEO, frame / 5, "/a.mov")
        own_redis.thaw()
        assert ledger.tries == 1
