"""What the room `watch-folders` is sent: the watch status, where it has changed."""

from __future__ import annotations

from typing import Any

import msgspec

from api.realtime.delivery import Event
from api.watch.answers import WatchStatus
from shared.watch.live import ROOM


def watch_payload(found: WatchStatus) -> dict[str, Any]:
    """Return the payload of the room for a status."""
    return {"task_id": ROOM, "type": "ingest", **msgspec.to_builtins(found)}


class WatchEvents:
    """Payloads of the room `watch-folders`, numbered in the order in which they differ.

    The number is this process's own: one from Redis would begin again when Redis comes up empty,
    and what has come from elsewhere (the lock) does not count it up.
    """

    def __init__(self) -> None:
        self._last: dict[str, Any] = {}
        self._seq = 0

    def event(self, found: WatchStatus) -> Event:
        """The event for this status; newer than the last one if it says something else."""
        payload = watch_payload(found)
        if payload != self._last:
            self._last = payload
            self._seq += 1
        return Event(self._seq, is_final=False, payload=payload)
