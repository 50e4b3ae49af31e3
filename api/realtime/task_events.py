"""What the room `tasks` is sent: that some task has changed, so that lists are asked for again."""

from __future__ import annotations

from api.http.services import CoreServices
from api.realtime.delivery import Event
from api.tasks.progress import no_worker
from shared.domain import TaskKind

TASKS_ROOM = "tasks"
EVERY_S = 1.0  # at most one event a second


class TaskEvents:
    """Payloads of the room `tasks`, numbered by this process in the order of what it heard."""

    def __init__(self) -> None:
        self._seq = 0
        self._has_changed = True
        self._last: object = None

    def note_change(self) -> None:
        """Some task has changed."""
        self._has_changed = True

    def event(self, services: CoreServices) -> Event:
        """The event for what is heard by now; newer than the last one if there is any news. Blocks.

        Workers that come and go change why tasks wait, and nobody says so.
        """
        has_changed, self._has_changed = self._has_changed, False
        seen = (
            services.task_lists.count_open(),
            [no_worker(services, kind) is None for kind in TaskKind],
        )
        if has_changed or seen != self._last:
            self._last = seen
            self._seq += 1
        payload = {"task_id": TASKS_ROOM, "type": "tasks", "open": seen[0], "seq": self._seq}
        return Event(self._seq, is_final=False, payload=payload)
