"""What follows when a Task was accepted: a line in the log, and its workers are woken."""

from __future__ import annotations

import logging
import threading

from api.http.services import CoreServices
from shared.errors import RedisAway
from shared.ledger.records import ItemJob, NewTask
from shared.process import logs

log = logging.getLogger(__name__)
AT_ONCE = 1_000  # a job costs 90 us and more


def note_accepted(task: NewTask, *, turn: str = "") -> None:
    """Log who sent it; what this thread logs from here on has its id."""
    logs.task_id_var.set(task.task_id)
    sender = task.sender
    words = (task.kind, sender.label or sender.owner, sender.address, sender.client)
    files = sum(len(item.files) for item in task.items)
    log.info("Accepted: %s of %s (%s, %s), %d files.%s", *words, files, turn)


def enqueue(services: CoreServices, task: NewTask, *, front: bool = True) -> None:
    """Wake the workers; those of a large task that the client need not wait for, in a thread."""
    jobs = [ItemJob(task.task_id, n, task.queue, front) for n in range(len(task.items))]
    _enqueue_or_warn(services, jobs[:AT_ONCE])
    if len(jobs) > AT_ONCE:
        rest = jobs[AT_ONCE:]
        threading.Thread(target=_enqueue_or_warn, args=(services, rest), daemon=True).start()


def _enqueue_or_warn(services: CoreServices, jobs: list[ItemJob]) -> None:
    """Enqueue jobs of a Task that is accepted already; the sweep enqueues a lost one again."""
    try:
        services.jobs.enqueue(jobs)
    except RedisAway as error:
        log.warning(
            "task %s is accepted, its jobs are enqueued later: %s", jobs[0].task_id, error.message
        )
