"""The Tasks that have files of a watch folder, and what becomes of these files."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field

from shared.domain import Fault
from shared.errors import Missing
from shared.ledger.records import FileRecord, FileState, TaskRecord
from workers.presence.root_identity import Unreachable, identity_of
from workers.watcher.folder.file_table import LONGEST_PAUSE_S
from workers.watcher.folder.state import FolderState
from workers.watcher.scan.listing import FileStat

_CANCELLED_PAUSE_S = LONGEST_PAUSE_S
_UNSEEN_PAUSE_S = 60.0


@dataclass(slots=True)
class FolderTasks:
    """The open Tasks of a folder. `current_file` is in the client's form."""

    state: FolderState
    current_file: str | None = None
    stopped: set[str] = field(default_factory=set)  # that we, not a user, have asked to stop
    _seen: dict[str, int] = field(default_factory=dict)  # task_id -> seq
    _away: Unreachable | None = None  # found out now

    def collect(self) -> bool:
        """Note what has ended; whether any Task told something new.

        Raises Unreachable where the folder is to blame for it.
        """
        table = self.state.table
        is_news = False
        self.current_file = None
        self._away = None
        for task_id in list(table.queued):
            self.state.checkpoint()
            record = self.state.context.ledger.record(task_id)
            if record is None:  # it was never submitted, or Redis has lost it
                self._take_back(task_id)
                is_news = True
            elif self._seen.get(task_id) != record.seq:
                self._read(record)
                self._seen[task_id] = record.seq
                is_news = True
            if record and not record.status.is_final and record.media_path:
                self.current_file = record.media_path
            if task_id not in table.queued:
                self._seen.pop(task_id, None)
                self.stopped.discard(task_id)
        if self._away:
            raise self._away
        return is_news

    def stop_all(self) -> None:
        """Ask all of them to stop; their files are pending again then."""
        for task_id in set(self.state.table.queued) - self.stopped:
            with contextlib.suppress(Missing):  # not submitted yet, or lost
                self.state.context.ledger.stop(task_id)
            self.stopped.add(task_id)

    def _take_back(self, task_id: str) -> None:
        """Files of which the Task tells nothing."""
        for path in list(self.state.table.queued.get(task_id, ())):
            if path in self.state.gone:
                self.state.forget(path)
            else:
                self.state.turn_back(path, self.state.table.files[path])

    def _read(self, task: TaskRecord) -> None:
        state = self.state
        paths = {
            state.context.client_path(path, state.folder): path
            for path in state.table.queued[task.task_id]
        }
        for record in state.context.ledger.files(task.task_id):
            path = paths.get(record.media_path)
            is_over = record.state in (FileState.DONE, FileState.FAILED) or task.status.is_final
            if path is not None and is_over:
                self._end(path, record, task)
        if task.status.is_final:  # clients call the folder otherwise now
            self._take_back(task.task_id)

    def _end(self, path: str, record: FileRecord, task: TaskRecord) -> None:
        state = self.state
        file = state.table.files[path]
        if path in state.gone:
            state.forget(path)
        elif self._away or file.made != state.signature(path):  # other things are wanted by now
            state.turn_back(path, file)
        else:
            try:
                self._judge(path, record, task)
            except Unreachable as error:
                self._away = error
                state.turn_back(path, file)

    def _judge(self, path: str, record: FileRecord, task: TaskRecord) -> None:
        if record.state is FileState.DONE:
            if not self._has_changed(path):
                file = self.state.table.files[path]
                self.state.finish(path, file, task.task_id, record.not_applicable or "")
        elif record.state is FileState.FAILED:
            self._failed(path, record)
        else:
            self._cancelled(path, task)

    def _failed(self, path: str, record: FileRecord) -> None:
        state = self.state
        file = state.table.files[path]
        fault, reason = record.fault or Fault.FILE, record.error or "It failed."
        identity_of(state.folder.path)  # an absent root is no fault of the file
        if self._has_changed(path):
            return
        if fault in (Fault.CACHE, Fault.MODEL):
            state.turn_back(path, file)
            state.trip_breaker(reason)
            self.stop_all()
        elif fault is Fault.MISSING:  # we see it
            why = f"No worker sees it: is its folder mounted where they run? {reason}"
            state.postpone(path, file, _UNSEEN_PAUSE_S, why)
            # All at once: there may be many, and trying costs nothing.
            state.trip_breaker(why, one_file_first=False)
        elif fault is Fault.CHANGING:
            state.settle(path, FileStat(file.size, file.mtime_ns), reason)
        else:
            state.fail(path, file, fault, reason)

    def _cancelled(self, path: str, task: TaskRecord) -> None:
        state = self.state
        file = state.table.files[path]
        if task.task_id in self.stopped:
            state.turn_back(path, file)
        else:  # a user did not want it now
            state.postpone(path, file, _CANCELLED_PAUSE_S, "Its task was cancelled.")

    def _has_changed(self, path: str) -> bool:
        """Whether a file is other than when it was queued; then it has to settle anew."""
        file = self.state.table.files[path]
        try:
            found = os.stat(path)
        except OSError:
            identity_of(self.state.folder.path)
            self.state.forget(path)  # a look finds it again if it is there
            return True
        now = FileStat(found.st_size, found.st_mtime_ns)
        if now == (file.size, file.mtime_ns):
            return False
        self.state.settle(path, now)
        return True
