"""`python -m workers.alive [KIND]`: tells health checks whether a worker of this host lives.

Exit status 0 when one has a heartbeat, 1 when none has, 2 for wrong settings. While Redis is away
it is 0: nobody's heart is heard then, and a worker that waits for Redis must not be killed for it.
"""

from __future__ import annotations

import socket
import sys
from typing import get_args

from shared.errors import RedisAway, SettingsError
from shared.redis import heartbeats
from shared.redis.clients import connect
from shared.redis.heartbeats import WorkerKind
from shared.settings import Settings

_KINDS: tuple[WorkerKind, ...] = get_args(WorkerKind)
_WRONG_USE = 2


def main(arguments: list[str]) -> int:
    """Print one sentence on whether a worker lives and return the exit status."""
    if len(arguments) > 1 or any(word not in _KINDS for word in arguments):
        print(f"Usage: python -m workers.alive [{'|'.join(_KINDS)}]", file=sys.stderr)
        return _WRONG_USE
    kind = next((known for known in _KINDS if known in arguments), None)
    try:
        settings = Settings.from_env()
        if settings.redis_url is None:
            raise SettingsError("RUSHES_REDIS_URL is not set: heartbeats lie in that Redis.")
    except SettingsError as error:
        print(error.message, file=sys.stderr)
        return _WRONG_USE
    host = socket.gethostname()
    try:
        with connect(settings.redis_url) as client:
            beats = heartbeats.live(client, settings.instance, kind)
    except RedisAway as error:
        print(f"Nothing can be said of the workers of {host}: {error.message}")
        return 0
    ours = [beat for beat in beats if beat.host == host]
    for beat in ours:
        print(f"{beat.name}: {beat.state}{', ' + beat.message if beat.message else ''}")
    if not ours:
        print(
            f"No {kind or 'worker'} of {host} has said for {heartbeats.TTL_S:g} s that it is alive."
        )
    return 0 if ours else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
