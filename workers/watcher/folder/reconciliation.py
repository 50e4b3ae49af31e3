"""From what lies in a watch folder to what is known of it: new, changed, gone, or as it was."""

from __future__ import annotations

import os
from itertools import chain

from msgspec.structs import replace

from shared.cache.cache_dir import CacheDir
from shared.errors import CacheError, NoCacheFolder, NotAllowed
from shared.ledger.left_out import mark_of
from shared.media import other_forms, unsupported_format
from shared.paths import Roots
from shared.watch.files import WatchedFile
from shared.watch.options import FileGroup
from workers.presence.root_identity import printable
from workers.watcher.folder.file_table import FilePhase
from workers.watcher.folder.state import FolderState
from workers.watcher.scan.listing import FileStat, NameKind
from workers.watcher.scan.scanner import ScanResult

_NOT_TEXT = "Its name is not valid UTF-8, so no client can name it; rename it."
_CHECK_EVERY = 200


def reconcile(state: FolderState, result: ScanResult) -> set[str]:
    """Bring the table up to date; returns the directories in which something was new."""
    scan = result.scan
    surprises: set[str] = set()
    odd = {path: found for path, found in scan.files.items() if not _is_text(path)}
    for n, (path, found) in enumerate(scan.files.items()):
        if n % _CHECK_EVERY == 0:
            state.checkpoint()
        if path not in odd and _see(state, path, found):
            surprises.add(os.path.dirname(path))
    for path, found in odd.items():
        state.report(printable(path), found, FileGroup.FAILED, _NOT_TEXT)
    for path, stills in scan.sequences.items():
        reason = (
            f'image_sequence: {stills} numbered stills; set image_sequences to "stills" to '
            "analyze them as pictures."
        )
        if _is_text(path):
            state.report(path, FileStat(stills, 0), FileGroup.SKIPPED, reason)
    shown = {printable(path) for path in odd}
    for path in _missing(state, result, shown):
        if state.table.files[path].is_queued:  # its content is still its own, wherever it lies now
            state.gone.add(path)
        else:
            state.forget(path)
    return surprises


def review(state: FolderState) -> None:
    """What is wanted has changed, or the CacheDir: look at everything that was settled again."""
    for n, (path, file) in enumerate(list(state.table.files.items())):
        if n % _CHECK_EVERY == 0:
            state.checkpoint()
        if _is_text(path) and not file.is_sequence:
            _consider(state, path, file)


def _see(state: FolderState, path: str, found: FileStat) -> bool:
    """True: the file is new, or other than it was."""
    known = state.table.files.get(path)
    state.gone.discard(path)
    if known is not None and _is_done_with(state, path, known, found):
        return False
    if _is_unsupported(state, path):
        return _report_unsupported(state, path, found)
    if known is None or (known.size, known.mtime_ns) != found:
        if known and known.is_queued:
            return True  # its Task ends first, then it is looked at
        if not _skip(state, path, found):
            state.stills.note(path)
            state.settle(path, found)
        return True
    _consider(state, path, known)
    return False


def _is_unsupported(state: FolderState, path: str) -> bool:
    return state.rules.kind(os.path.basename(path)) is NameKind.UNSUPPORTED


def _report_unsupported(state: FolderState, path: str, found: FileStat) -> bool:
    name = unsupported_format(path) or "This format"
    reason = f"{name} cannot be decoded here; watch proxies or transcoded copies instead."
    return state.report(path, found, FileGroup.UNSUPPORTED, reason)


def _is_done_with(state: FolderState, path: str, known: WatchedFile, found: FileStat) -> bool:
    """The quick answer for nearly all files of nearly all walks."""
    return (
        known.group is FileGroup.PROCESSED
        and known.mtime_ns == found.mtime_ns
        and known.size == found.size
        and known.made == state.signature(path)
    )


def _consider(state: FolderState, path: str, known: WatchedFile) -> None:
    """A file that is as it was: is there anything to do?"""
    found = FileStat(known.size, known.mtime_ns)
    if known.group is FileGroup.PENDING:
        is_wanted = known.is_queued or not _skip(state, path, found)
        if is_wanted and state.table.phase(path) is FilePhase.LEFT_OVER:
            state.settle(path, found)
    elif known.group is FileGroup.SKIPPED:
        if not _why_skipped(state, path):
            state.settle(path, found)
    elif known.made != state.signature(path) and not _skip(state, path, found):
        pending = replace(known, group=FileGroup.PENDING, reason="", tries=0, made="")
        state.table.make_ready(path, replace(pending, next_try_at=0.0))


def _skip(state: FolderState, path: str, found: FileStat) -> bool:
    """Whether nothing is done with such a file: a sound file where no speech is wanted."""
    reason = _why_skipped(state, path)
    if reason:
        state.report(path, found, FileGroup.SKIPPED, reason)
    return bool(reason)


def _why_skipped(state: FolderState, path: str) -> str:
    """Why nothing is done with such a file; "" where something is."""
    if mark := mark_of(state.left_out, path):
        return mark.words
    if state.signature(path):
        return ""
    kind = state.media_type(path).value
    return f"Nothing is wanted of {kind} files: see analyze_visual, _speech and _faces."


def _missing(state: FolderState, result: ScanResult, shown: set[str]) -> list[str]:
    """Known paths that have gone for sure."""
    scan, table = result.scan, state.table
    gone: list[str] = []
    prefixes = None
    if result.folders is not None:
        prefixes = tuple(f"{folder.rstrip('/')}/" for folder in result.folders)
    for folder in table.by_directory:
        if prefixes is not None and not f"{folder.rstrip('/')}/".startswith(prefixes):
            continue
        if folder not in scan.folders and not scan.covers(f"{folder}/-"):
            continue
        gone += [
            path
            for path in table.by_directory[folder]
            if path not in scan.files
            and path not in scan.sequences
            and path not in shown
            and scan.covers(path)
        ]
    return gone


def _is_text(path: str) -> bool:
    if path.isascii():
        return True
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


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
        """A file that was skipped is left out no more: it has all its tries before it."""
        known = self._state.table.files.get(path)
        if known is None or known.group is not FileGroup.SKIPPED or known.is_sequence:
            return
        found = FileStat(known.size, known.mtime_ns)
        if _is_unsupported(self._state, path):
            _report_unsupported(self._state, path, found)
        elif not _skip(self._state, path, found):
            self._state.settle(path, found)
