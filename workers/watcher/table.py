"""The files of one watch folder in memory: what each is, and which of them want something done.

Knows no disk and no Redis; `take_changes` is what has to be written.
"""

from __future__ import annotations

import heapq
import os
from dataclasses import dataclass, field

from shared.watch.files import FileGroup, WatchedFile
from workers.watcher.looking.scan import Found

TRIES = 3
PAUSES_S = (60.0, 300.0)  # before the second and the third try
LONGEST_PAUSE_S = 300.0


ContentKey = tuple[str, str]  # id of the CacheDir, hash_str


@dataclass(slots=True)
class Look:
    """When a file that may still be written was first seen as it is now."""

    found: Found
    since: float


@dataclass(slots=True)
class Table:
    """`files` by path. A pending file is in exactly one of the waiting places, or queued."""

    files: dict[str, WatchedFile] = field(default_factory=dict)
    settling: dict[str, Look] = field(default_factory=dict)  # oldest look first
    ready: dict[str, None] = field(default_factory=dict)  # in the order they became it
    parked: dict[str, ContentKey] = field(default_factory=dict)  # until that content is analysed
    copies: dict[ContentKey, dict[str, None]] = field(default_factory=dict)  # the same by content
    queued: dict[str, set[str]] = field(default_factory=dict)  # by task_id
    _delayed: list[tuple[float, str]] = field(default_factory=list)
    _changes: dict[str, WatchedFile | None] = field(default_factory=dict)
    _by_folder: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, files: dict[str, WatchedFile]) -> Table:
        """What an earlier watcher knew; files that it left in the middle go on from there."""
        table = cls()
        for path, file in files.items():
            table._add(path, file)
            if file.is_queued:
                table.queued.setdefault(file.task_id, set()).add(path)
            elif file.group is FileGroup.PENDING and file.next_try_at:
                heapq.heappush(table._delayed, (file.next_try_at, path))
        return table

    def put(self, path: str, file: WatchedFile) -> None:
        """Know a file, or know it as something else; it leaves the place where it waited."""
        self._leave(path)
        self._add(path, file)
        self._changes[path] = file

    def settle(self, path: str, file: WatchedFile, look: Look) -> None:
        """It waits until it has settled."""
        if self.files.get(path) != file:
            self.put(path, file)
        else:
            self._leave(path)
        self.settling[path] = look

    def make_ready(self, path: str, file: WatchedFile) -> None:
        """It waits for its turn."""
        if self.files.get(path) != file:
            self.put(path, file)
        else:
            self._leave(path)
        self.ready[path] = None

    def delay(self, path: str, file: WatchedFile) -> None:
        """It waits until `next_try_at`."""
        self.put(path, file)
        heapq.heappush(self._delayed, (file.next_try_at, path))

    def queue(self, path: str, file: WatchedFile) -> None:
        """Its `task_id` has it."""
        self.put(path, file)
        self.queued.setdefault(file.task_id, set()).add(path)

    def forget(self, path: str) -> None:
        """It is not in the folder any more."""
        self._leave(path)
        del self.files[path]
        folder = os.path.dirname(path)
        self._by_folder[folder].discard(path)
        if not self._by_folder[folder]:
            del self._by_folder[folder]
        self._changes[path] = None

    def park(self, path: str, file: WatchedFile, key: ContentKey) -> None:
        """The same content is being analysed; it waits for the end of that."""
        self.make_ready(path, file)
        del self.ready[path]
        self.parked[path] = key
        self.copies.setdefault(key, {})[path] = None

    def wake_delayed(self, now: float) -> None:
        """Files whose pause is over have their turn."""
        far = now + LONGEST_PAUSE_S + 1  # later than that: the clock was set back
        while self._delayed and not now < self._delayed[0][0] <= far:
            at, path = heapq.heappop(self._delayed)
            file = self.files.get(path)
            if file is None or file.group is not FileGroup.PENDING or file.next_try_at != at:
                continue  # it has become something else meanwhile
            if not file.is_queued and path not in self.settling:
                self.ready.setdefault(path)

    def is_idle(self) -> bool:
        """Whether no file wants anything done."""
        return not (self.settling or self.ready or self.parked or self.queued or self._delayed)

    def is_waiting(self, path: str) -> bool:
        """Whether a pending file waits in a place from which it will go on."""
        file = self.files[path]
        places = (self.settling, self.ready, self.parked)
        return file.is_queued or bool(file.next_try_at) or any(path in place for place in places)

    def folders(self) -> list[str]:
        """Directories with known files."""
        return list(self._by_folder)

    def in_folder(self, folder: str) -> list[str]:
        """Paths of the known files of one directory."""
        return list(self._by_folder.get(folder, ()))

    def take_changes(self) -> dict[str, WatchedFile | None]:
        """What has changed since the last call."""
        changes, self._changes = self._changes, {}
        return changes

    def keep_changes(self, changes: dict[str, WatchedFile | None]) -> None:
        """They could not be written: newer ones of the same files count."""
        self._changes = {**changes, **self._changes}

    def in_flight(self) -> int:
        return sum(map(len, self.queued.values()))

    def _add(self, path: str, file: WatchedFile) -> None:
        if path not in self.files:
            self._by_folder.setdefault(os.path.dirname(path), set()).add(path)
        self.files[path] = file

    def _leave(self, path: str) -> None:
        self.settling.pop(path, None)
        self.ready.pop(path, None)
        if key := self.parked.pop(path, None):
            self.copies[key].pop(path)
            if not self.copies[key]:
                del self.copies[key]
        file = self.files.get(path)
        if file and file.is_queued and file.task_id in self.queued:
            self.queued[file.task_id].discard(path)
            if not self.queued[file.task_id]:
                del self.queued[file.task_id]
