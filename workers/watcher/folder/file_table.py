"""The files of one watch folder in memory: what each is, and which of them want something done.

Knows no disk and no Redis; `unwritten` is what has to be written.
"""

from __future__ import annotations

import heapq
import os
from dataclasses import dataclass, field
from enum import Enum, auto

from shared.watch.files import WatchedFile
from shared.watch.options import FileGroup

LONGEST_PAUSE_S = 300.0

ContentKey = tuple[str, str]  # id of the CacheDir, hash_str


@dataclass(slots=True)
class FileTable:
    """`files` by path; change them by the methods alone. Raises IllegalTransition.

    Everything else is an index of it, by what the files wait for.
    """

    files: dict[str, WatchedFile] = field(default_factory=dict)
    settling: dict[str, float] = field(default_factory=dict)  # monotonic; the oldest look first
    ready: dict[str, None] = field(default_factory=dict)  # in the order they became it
    duplicates: dict[ContentKey, dict[str, None]] = field(default_factory=dict)
    queued: dict[str, set[str]] = field(default_factory=dict)  # by task_id
    by_directory: dict[str, set[str]] = field(default_factory=dict)
    unwritten: dict[str, WatchedFile | None] = field(default_factory=dict)  # None: forgotten
    _waiting: dict[str, FilePhase] = field(default_factory=dict)  # files of FileGroup.PENDING
    _content: dict[str, ContentKey] = field(default_factory=dict)  # of the duplicates
    _delayed: list[tuple[float, str]] = field(default_factory=list)

    @classmethod
    def of(cls, files: dict[str, WatchedFile]) -> FileTable:
        """What an earlier watcher knew; files that it left in the middle go on from there."""
        table = cls()
        for path, file in files.items():
            table._keep(path, file)
            if file.is_queued:
                table._enter_queue(path, file)
            elif file.group is FileGroup.PENDING and file.next_try_at:
                table._enter_delay(path, file)
        return table

    def phase(self, path: str) -> FilePhase | None:
        """What the file is; None: it is not known."""
        if (phase := self._waiting.get(path)) is not None:
            return phase
        file = self.files.get(path)
        return OF_GROUP[file.group] if file else None

    def settle(self, path: str, file: WatchedFile, seen_at: float) -> None:
        """Let a file settle, which was first seen as it is now at `seen_at` (monotonic seconds)."""
        self._move(path, file, FilePhase.SETTLING)
        self.settling[path] = seen_at

    def make_ready(self, path: str, file: WatchedFile) -> None:
        self._move(path, file, FilePhase.READY)
        self.ready[path] = None

    def delay(self, path: str, file: WatchedFile) -> None:
        """Put a file off until its `next_try_at`."""
        self._move(path, file, FilePhase.DELAYED)
        self._enter_delay(path, file)

    def queue(self, path: str, file: WatchedFile) -> None:
        """Note that the Task `file.task_id` has the file."""
        self._move(path, file, FilePhase.QUEUED)
        self._enter_queue(path, file)

    def hold_duplicate(self, path: str, file: WatchedFile, key: ContentKey) -> None:
        """Let a file wait until nobody analyses the content `key` any more."""
        self._move(path, file, FilePhase.DUPLICATE)
        self._content[path] = key
        self.duplicates.setdefault(key, {})[path] = None

    def conclude(self, path: str, file: WatchedFile) -> None:
        """Note what became of a file: its group, which is not PENDING."""
        self._move(path, file, OF_GROUP[file.group])

    def forget(self, path: str) -> None:
        """The file is not in the folder any more."""
        self._leave(path)
        del self.files[path]
        directory = os.path.dirname(path)
        self.by_directory[directory].discard(path)
        if not self.by_directory[directory]:
            del self.by_directory[directory]
        self.unwritten[path] = None

    def wake_delayed(self, now: float) -> None:
        """Files whose pause is over have their turn."""
        far = now + LONGEST_PAUSE_S + 1  # later than that: the clock was set back
        while self._delayed and not now < self._delayed[0][0] <= far:
            at, path = heapq.heappop(self._delayed)
            if self.phase(path) is FilePhase.DELAYED and self.files[path].next_try_at == at:
                self.make_ready(path, self.files[path])  # else it has become something else

    def is_idle(self) -> bool:
        """Whether no file wants anything done."""
        places = (self.settling, self.ready, self.duplicates, self.queued, self._delayed)
        return not any(places)

    def _move(self, path: str, file: WatchedFile, phase: FilePhase) -> None:
        check_transition(path, self.phase(path), phase)
        self._leave(path)
        if self.files.get(path) != file:
            self.unwritten[path] = file
        self._keep(path, file)
        if file.group is FileGroup.PENDING:
            self._waiting[path] = phase

    def _keep(self, path: str, file: WatchedFile) -> None:
        if path not in self.files:
            self.by_directory.setdefault(os.path.dirname(path), set()).add(path)
        self.files[path] = file

    def _enter_queue(self, path: str, file: WatchedFile) -> None:
        self._waiting[path] = FilePhase.QUEUED
        self.queued.setdefault(file.task_id, set()).add(path)

    def _enter_delay(self, path: str, file: WatchedFile) -> None:
        self._waiting[path] = FilePhase.DELAYED
        heapq.heappush(self._delayed, (file.next_try_at, path))

    def _leave(self, path: str) -> None:
        """Out of the index in which it waited."""
        phase = self._waiting.pop(path, None)
        if phase is FilePhase.SETTLING:
            del self.settling[path]
        elif phase is FilePhase.READY:
            del self.ready[path]
        elif phase is FilePhase.DUPLICATE:
            key = self._content.pop(path)
            del self.duplicates[key][path]
            if not self.duplicates[key]:
                del self.duplicates[key]
        elif phase is FilePhase.QUEUED:
            task_id = self.files[path].task_id
            self.queued[task_id].discard(path)
            if not self.queued[task_id]:
                del self.queued[task_id]


class FilePhase(Enum):
    """Clients see the first six as `pending`."""

    LEFT_OVER = auto()  # pending as an earlier watcher left it; the next walk takes it up
    SETTLING = auto()  # may still be written
    READY = auto()  # waits for its turn
    DUPLICATE = auto()  # waits for the analysis of the same content in another file
    DELAYED = auto()  # waits until its `next_try_at`
    QUEUED = auto()  # a Task has it
    PROCESSED = auto()
    FAILED = auto()
    UNSUPPORTED = auto()
    SKIPPED = auto()


_P = FilePhase
OF_GROUP = {
    FileGroup.PENDING: _P.LEFT_OVER,
    FileGroup.PROCESSED: _P.PROCESSED,
    FileGroup.FAILED: _P.FAILED,
    FileGroup.UNSUPPORTED: _P.UNSUPPORTED,
    FileGroup.SKIPPED: _P.SKIPPED,
}
# Whatever a file was, it may change on the disk, and be reported without being worked on.
_ALWAYS = frozenset({_P.SETTLING, _P.FAILED, _P.UNSUPPORTED, _P.SKIPPED})
_LEGAL = {
    None: _ALWAYS,  # a path that was not known
    _P.LEFT_OVER: _ALWAYS,
    _P.SETTLING: _ALWAYS | {_P.READY, _P.DELAYED},
    _P.READY: _ALWAYS | {_P.READY, _P.DUPLICATE, _P.DELAYED, _P.QUEUED, _P.PROCESSED},
    _P.DUPLICATE: _ALWAYS | {_P.READY},
    _P.DELAYED: _ALWAYS | {_P.READY},
    _P.QUEUED: _ALWAYS | {_P.READY, _P.DELAYED, _P.QUEUED, _P.PROCESSED},
    _P.PROCESSED: _ALWAYS | {_P.READY},  # more is wanted of it now
    _P.FAILED: _ALWAYS | {_P.READY},  # somebody asked for new tries
    _P.UNSUPPORTED: _ALWAYS | {_P.READY},
    _P.SKIPPED: _ALWAYS,
}


def check_transition(path: str, old: FilePhase | None, new: FilePhase) -> None:
    """Raise IllegalTransition. `old` None: the path was not known."""
    if new not in _LEGAL[old]:
        raise IllegalTransition(f"{path}: {old.name if old else 'unknown'} to {new.name}")


class IllegalTransition(Exception):
    """A step that the table of legal ones does not hold: an error of ours."""
