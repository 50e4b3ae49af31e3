"""Files of a watch folder that people left out are skipped, and taken again when they say so."""

from __future__ import annotations

from itertools import chain

from shared.cache.cache_dir import CacheDir
from shared.errors import CacheError, NoCacheFolder, NotAllowed
from shared.ledger.left_out import mark_of
from shared.media import other_forms
from shared.paths import Roots
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
        marks, cache_id = state.context.left_out, self._cache_id()
        version = marks.version(cache_id)
        if version != self._version:
            before = state.left_out
            state.left_out = marks.all(cache_id)  # what is marked meanwhile has another version
            self._version = version
            forms = ((path, *other_forms(path)) for path in state.left_out)
            self._being_analyzed = set(chain.from_iterable(forms)) & state.table.files.keys()
            for path in before.keys() - state.left_out.keys():
                for form in (path, *other_forms(path)):
                    self._take_again(form)
        for path in list(self._being_analyzed):
            self._skip(path)

    def _cache_id(self) -> str:
        """Of the CacheDir, which nobody has opened yet when the folder is new."""
        folder, context = self._state.folder, self._state.context
        if self._state.facts.cache_id:
            return self._state.facts.cache_id
        roots = Roots.cache(context.settings).within(folder.key_roots)
        try:
            return CacheDir.open(folder.cache_dir, roots, create=False).id
        except (NoCacheFolder, NotAllowed, CacheError):  # nobody has left files out of it
            return ""

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
        if known is not None and known.group is FileGroup.SKIPPED and not known.is_sequence:
            take_again(self._state, path)
