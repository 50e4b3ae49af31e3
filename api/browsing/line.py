"""What a new analysis would have before it in line, and who would work on it."""

from __future__ import annotations

from dataclasses import dataclass

from api.http.answers import counted
from api.http.services import CoreServices
from api.tasks.progress import no_worker
from shared.domain import TaskKind, TaskState
from shared.ledger.records import TaskRecord
from shared.redis import heartbeats


@dataclass(frozen=True, slots=True)
class LineBefore:
    """Live analysis workers, and in words what is before a new analysis; None: nothing."""

    workers: int
    words: str | None


def line_before(services: CoreServices) -> LineBefore:
    """The line as it is now. Raises RedisAway."""
    workers = heartbeats.live(services.redis, services.settings.instance, "analysis")
    if reason := no_worker(services, TaskKind.ANALYZE):
        return LineBefore(0, reason.message)
    tasks = [one for _, one in services.task_lists.open() if one.kind is TaskKind.ANALYZE]
    waiting = [one for one in tasks if one.place is not None]
    running = services.ledger.holder()
    holder = next((one for one in tasks if one.task_id == running), None)
    return LineBefore(len(workers), _words(holder, len(waiting)))


def _words(holder: TaskRecord | None, waiting: int) -> str | None:
    if holder is None:
        return f"{counted(waiting, 'analysis task')} wait before it." if waiting else None
    owner = holder.sender.label or holder.sender.owner
    runs = f"Another analysis{f' of {owner}' if owner else ''} "
    runs += "is stopping" if holder.status is TaskState.STOPPING else "runs"
    if holder.eta_seconds is not None:
        runs += f", with about {_span(holder.eta_seconds)} left"
    return runs + (f"; {waiting} more wait." if waiting else ".")


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
