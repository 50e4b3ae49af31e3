"""When the active watcher asks Redis whether it is the active one still."""

from __future__ import annotations

import time
from typing import cast

import pytest

from shared.watch.live import SoleLease
from workers.watcher.service import Leadership, LeadershipLost


class FakeLease:
    run = "first"

    def redis_run(self) -> str:
        return self.run

    def holder(self) -> None:
        """Nobody."""

    def acquire(self, token: str) -> bool:
        return True

    def renew(self, token: str) -> bool:
        return True

    def release(self, token: str) -> None:
        pass


def test_who_renews_often_hears_in_time_that_redis_was_started_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    lease = FakeLease()
    leadership = Leadership(cast(SoleLease, lease))
    leadership.campaign()
    lease.run = "second"
    now += 1.5
    leadership.renew()
    now += 1.0
    with pytest.raises(LeadershipLost, match="anew"):
        leadership.renew()
