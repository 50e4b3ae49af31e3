"""Waking the workers for a Task that was accepted."""

from __future__ import annotations

import logging
import threading

from api.services import Services
from shared.errors import RedisAway
from shared.ledger.records import Bell, NewTask

log = logging.getLogger(__name__)
RUNG_AT_ONCE = 1_000  # a bell costs 90 us and more


def ring(services: Services, task: NewTask, *, front: bool = True) -> None:
    """Wake the workers; those of a large task that the client need not wait for, in a thread."""
    bells = [Bell(task.task_id, n, task.queue, front) for n in range(len(task.items))]
    _ring_or_warn(services, bells[:RUNG_AT_ONCE])
    if len(bells) > RUNG_AT_ONCE:
        rest = bells[RUNG_AT_ONCE:]
        threading.Thread(target=_ring_or_warn, args=(services, rest), daemon=True).start()


def _ring_or_warn(services: Services, bells: list[Bell]) -> None:
    """The Task is accepted already, and a lost bell is rung by the sweep."""
    try:
        services.bells.ring(bells)
    except RedisAway as error:
        log.warning(
            "task %s is accepted, its bells come later: %s", bells[0].task_id, error.message
        )
