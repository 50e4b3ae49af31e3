"""The ledger of the release before owners, as a process of it calls it: to run beside this one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import redis

from shared.domain import Fault, ProgressType, TaskKind, TaskState
from shared.errors import Busy
from shared.ledger.reading import LedgerReader
from shared.ledger.records import ItemJob, Lease, NewTask, OnBusy, Renewal, StopResult

_LUA = Path(__file__).parent / "lua"
_LOOK_EVERY_S = 0.02
_RESERVATION_SLACK_S = 0.5


class OldLedger(LedgerReader):
    """Writes with the scripts in lua/, which stay as they were released, and reads as today.

    Owners, parking and "replace-any" are unknown to it: it takes them for what comes nearest.
    """

    def __init__(
        self,
        client: redis.Redis,
        instance: str,
        *,
        clock: Callable[[], float],
        pause: Callable[[float], object],
    ) -> None:
        super().__init__(client, instance, clock=clock)
        self._now = clock
        self._pause = pause
        self._rq_queues = f"rq:queue:rushes-{instance}-"
        library = (_LUA / "library.lua").read_text(encoding="utf-8")
        self._scripts |= {
            path.stem: client.register_script(library + path.read_text(encoding="utf-8"))
            for path in _LUA.glob("*.lua")
            if path.stem != "library"
        }

    def submit(self, task: NewTask, on_busy: OnBusy = "replace", wait_s: float = 2.0) -> bool:
        """True where the Task has the lock, False where it waits in line. Raises Busy."""
        words: list[Any] = [task.task_id, 0]
        for item in task.items:
            units = list(item.units.items())
            words += [item.spec, msgspec.json.encode(item.files), msgspec.json.encode(units)]
        self._run("stage", *words)
        asked = "replace" if on_busy == "replace-any" else on_busy
        answer, holder = self._enter(task, asked, wait_s)
        deadline = self._now() + wait_s
        while answer == "wait" and self._now() < deadline:
            self._pause(_LOOK_EVERY_S)
            answer = self._run("check_reservation", task.task_id, holder)
        if answer == "wait":
            answer = self._run("end_reservation", task.task_id)
        if answer == "free":
            answer, holder = self._enter(task, "reserved", wait_s)
        if answer not in ("started", "queued"):
            raise Busy(holder)
        return bool(answer == "started")

    def _enter(self, task: NewTask, on_busy: str, wait_s: float) -> tuple[str, str]:
        kept_ms = round((wait_s + _RESERVATION_SLACK_S) * 1000)
        units = msgspec.json.encode(list(task.units.items()))
        words: list[Any] = [task.task_id, task.kind, task.queue, on_busy, kept_ms, task.message]
        words += [units, len(task.items), task.exclusive, task.leader, ""]
        answer, holder = self._run("submit", *words)
        return answer, holder

    def claim(self, task_id: str, item_id: int, worker: str, nonce: str) -> Lease | None:
        found = self._run("claim", task_id, item_id, worker, nonce)
        if found is None:
            return None
        token, spec, tries, kind = found[:4]
        names = (int(token), nonce, spec.encode(), int(tries), worker, TaskKind(kind))
        return Lease(task_id, item_id, *names)

    def renew(self, lease: Lease) -> Renewal:
        answer: Renewal = self._run("renew", *_of(lease), "")
        return answer

    def progress(
        self,
        lease: Lease,
        *,
        type: ProgressType,
        fraction: float,
        media_path: str = "",
        status: TaskState = TaskState.RUNNING,
    ) -> bool:
        words = (type, f"{fraction:.6f}", media_path, "", status)
        return bool(self._run("progress", *_of(lease), *words))

    def file_ended(
        self,
        lease: Lease,
        *,
        type: ProgressType,
        index: int,
        media_path: str,
        error: str | None = None,
        fault: Fault = Fault.FILE,
    ) -> bool:
        words = (type, index, media_path, error or "", lease.worker, fault, "")
        return bool(self._run("file_ended", *_of(lease), *words))

    def settle(self, lease: Lease, outcome: str, reason: str = "") -> bool:
        return bool(self._run("settle", *_of(lease), outcome, reason, Fault.INTERNAL, ""))

    def handback(self, lease: Lease) -> bool:
        return bool(self._run("settle", *_of(lease), "handback", "", "", ""))

    def refuse(self, lease: Lease, _reason: object, _host: str, _hosts: Sequence[str]) -> bool:
        """A worker of that release left to others what its machine could not do."""
        return self.handback(lease)

    def unpark(self, _task_id: str) -> None:
        """Nobody parked anything."""

    def stop(self, task_id: str | None = None, _owner: str | None = None) -> StopResult:
        """Ask a Task, or whichever has the lock, to stop."""
        was_open, stopped = self._run("stop", task_id or "")
        return StopResult(bool(was_open), stopped or None)

    def sweep(self) -> list[ItemJob]:
        words = self._run("sweep", self._rq_queues, 1000)
        return [
            ItemJob(words[at], int(words[at + 1]), words[at + 2], words[at + 3] == "1")
            for at in range(0, len(words), 4)
        ]


def _of(lease: Lease) -> tuple[str, int, int]:
    return lease.task_id, lease.item_id, lease.token
