"""How a worker of a test ends itself, as a crash would."""

from __future__ import annotations

import os
import signal

from shared.redis.clients import connect
from shared.redis.heartbeats import live
from shared.settings import Settings
from tests.support.waiting import wait_for


def die(number: int = signal.SIGKILL) -> None:
    """End this process by a signal, once its heartbeat is there.

    The other workers of this machine miss it at once then, and not when its leases are over.
    """
    settings, own = Settings.from_env(), os.getpid()
    assert settings.redis_url
    with connect(settings.redis_url) as client:
        wait_for(
            lambda: own in {beat.pid for beat in live(client, settings.instance)},
            20,
            "its own heartbeat",
        )
    os.kill(own, number)
