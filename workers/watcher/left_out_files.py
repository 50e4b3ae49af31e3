"""Files of a watch folder that people left out are skipped, and taken again when they say so."""

from __future__ import annotations

from shared.ledger.left_out import mark_of
from shared.watch.choices import FileGroup
from workers.watcher.folder.reconciliation import take_again
from workers.watcher.folder.state import FolderState
from workers.watcher.scan.findings import FileStat

_DONE = (FileGroup.PROCESSED, FileGroup.SKIPPED)


class LeftOutFiles:
    """Follows the marks for one folder; for its own thread."""

    def __init__(self, state: FolderState) -> None:
        self._state = state
        self._version: str | None = None
        self._being_analyzed: set[str] = set()  # their Task ends first

    def follow(self) -> None:
        """Bring the files in line with the marks. Raises RedisAway."""
        state = self._state
        marks, cache_dir = state.context.left_out, state.folder.cache_dir
        version = marks.version(cache_dir)
        if version != self._version:
            before = state.left_out
            state.left_out = marks.all(cache_dir)  # what is marked meanwhile has another version
            self._version = version
            self._being_analyzed = set(state.left_out)
            for path in before.keys() - state.left_out.keys():
                self._take_again(path)
        for path in list(self._being_analyzed):
            self._skip(path)

    def _skip(self, path: str) -> None:
        state = self._state
        known = state.table.files.get(path)
        if known is not None and known.is_queued:
            return
        self._being_analyzed.discard(path)
        mark = mark_of(state.left_out, path)
        if known is not None and mark and known.group not in _DONE:
            found = FileStat(known.size, known.mtime_ns)
            state.report(path, found, FileGroup.SKIPPED, mark.words)

    def _take_again(self, path: str) -> None:
        known = self._state.table.files.get(path)
        if known is not None and known.group is FileGroup.SKIPPED:
            take_again(self._state, path)
