"""Publishing: what is written whole becomes visible and durable, for many artefacts together.

What was replaced or deleted a day ago, or left by killed writers, is removed beside it.

Each step is done for all of them before the next begins, so that small files share the disk's
waits: everything is synced under temporary names, manifests and notes of paths as well; data gets
its names, which are synced; then manifests get theirs, and last the notes of paths; then the
catalogue says so. Whatever ends it in between, an artefact is visible whole or not at all.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache, partial
from typing import BinaryIO, TypeAlias, TypeVar

import msgspec

from shared.cache import cache_files, catalogue, limits
from shared.cache.cache_files import ArtefactFiles, SeenPath
from shared.cache.catalogue import Artefact, Catalogue, Entry, Seen
from shared.domain import Manifest, Stage
from shared.errors import CacheError, RushesError
from shared.opening import OpenedFolder, RootedPath

T = TypeVar("T")

_SYNCS_AT_ONCE = 8  # they share the commits of a journal, and the way to a file server
_log = logging.getLogger(__name__)
KEPT_S = 86_400.0  # a reader may still be on its way from the old manifest to the old data
_TEMPORARY_KEPT_S = 7 * KEPT_S  # it is begun when its analysis begins, which may take days
_MARKER = "collected"
DELETIONS = "deletions"  # folder of the records of what was deleted
_DELETION = re.compile(r"[0-9a-f]{16}\.json")
_LOOK_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class FinishedArtefact:
    """An artefact that is written whole, under temporary names, which nobody reads.

    `files` are open and flushed, each with the name that it gets; a pack comes before the data
    that points to it. `token` names the lease they were written under.
    """

    hash_str: str
    manifest: Manifest
    files: tuple[tuple[BinaryIO, str], ...]
    token: str


@dataclass(frozen=True, slots=True)
class PathSighting:
    """A MediaFile was seen at a path; fields as of SeenPath, `token` as of FinishedArtefact."""

    hash_str: str
    path: str
    size: int
    mtime_ns: int
    full_crc: str | None = None
    changed_at: float = 0.0
    token: str = "path"


def publish(
    announced_in: Catalogue,
    artefacts: Iterable[FinishedArtefact],
    sightings: Iterable[PathSighting] = (),
    entries: Iterable[Entry] = (),
    checkpoint: Callable[[], None] = lambda: None,
) -> None:
    """Show artefacts of the catalogue's CacheDir together, then note where files were seen.

    `entries`: what the catalogue shall say besides. `checkpoint` is called after each sync before
    anything is shown. Raises as it does, and CacheError: then what is not shown whole leaves no
    trace.
    """
    root = announced_in.root
    with cache_files.clear_errors(root), ExitStack() as at_end:
        group = _Group(root, at_end)
        for artefact in artefacts:
            group.add(artefact)
        for sighting in sightings:
            group.note(sighting)
        if announced := [*entries, *group.show(checkpoint)]:
            announced_in.append(announced)
        group.tidy()


@dataclass(slots=True)
class _Naming:
    """A written file on its way from a temporary name to its own."""

    folder: OpenedFolder
    file: BinaryIO
    name: str
    now: str  # what it is called
    is_kept: bool = False

    def do(self) -> None:
        self.folder.rename(self.now, self.name)
        self.now = self.name

    def remove_unless_kept(self) -> None:
        if not self.is_kept:
            with contextlib.suppress(OSError):
                self.folder.remove(self.now)


@dataclass(slots=True)
class _Group:
    """What is published together. Its folders and small files are open until `at_end`."""

    root: RootedPath
    at_end: ExitStack
    _folders: dict[str, OpenedFolder] = field(default_factory=dict)  # of MediaFiles, by hash
    _data: list[_Naming] = field(default_factory=list)
    _manifests: list[tuple[FinishedArtefact, list[_Naming], _Naming]] = field(default_factory=list)
    _notes: list[_Naming] = field(default_factory=list)
    _seen: list[tuple[str, SeenPath]] = field(default_factory=list)

    def add(self, artefact: FinishedArtefact) -> None:
        """Take an artefact in: its manifest is written beside its data."""
        folder = self._folder(artefact.hash_str)
        data = [self._naming(folder, file, name, file.name) for file, name in artefact.files]
        manifest = artefact.manifest
        name = cache_files.manifest_name(manifest.stage, manifest.model)
        written = self._written(folder, name, msgspec.json.encode(manifest), artefact.token)
        self._data += data
        self._manifests.append((artefact, data, written))

    def note(self, sighting: PathSighting) -> None:
        """Take in where a MediaFile was seen, unless its newest note says just that."""
        hash_str = sighting.hash_str
        media = self._folder(hash_str, create=True)
        known = [seen for other, seen in reversed(self._seen) if other == hash_str]
        known += catalogue.seen_paths(media)
        if seen := _news(sighting, known):
            paths = self.at_end.enter_context(media.folder("paths", create=True))
            raw, name = msgspec.json.encode(seen), catalogue.path_file(seen.path)
            self._notes.append(self._written(paths, name, raw, sighting.token))
            self._seen.append((hash_str, seen))

    def show(self, checkpoint: Callable[[], None]) -> list[Entry]:
        """Give everything its name, step by step, durably; what the catalogue should say."""
        small = [naming for _, _, naming in self._manifests] + self._notes
        files = [naming.file.fileno() for naming in (*self._data, *small)]
        _at_once(cache_files.sync, files, checkpoint)
        for naming in self._data:
            naming.do()
        _sync_folders(self._data)
        entries = list[Entry]()
        for artefact, data, naming in self._manifests:
            replaced = _replaced(naming, artefact.manifest.model)
            naming.do()
            for each in (naming, *data):
                each.is_kept = True
            _touch(naming.folder, replaced.names if replaced else ())
            if catalogue.is_announced(artefact.manifest) or (replaced and replaced.rows):
                entries.append(Artefact.of(artefact.hash_str, artefact.manifest))
        for naming in self._notes:
            naming.do()
            naming.is_kept = True
        _sync_folders(small)
        return entries + [Seen.of(hash_str, seen) for hash_str, seen in self._seen]

    def tidy(self) -> None:
        """Remove what was replaced long ago from the folders of what was shown."""
        by_hash = {artefact.hash_str: naming for artefact, _, naming in self._manifests}
        for naming in by_hash.values():
            with contextlib.suppress(OSError):
                now = os.fstat(naming.file.fileno()).st_mtime  # by the share's clock
                collect_media(naming.folder, now - KEPT_S)

    def _folder(self, hash_str: str, *, create: bool = False) -> OpenedFolder:
        if hash_str not in self._folders:
            place = cache_files.media_dir(self.root, hash_str)
            opened = cache_files.folder(place, create=create)
            self._folders[hash_str] = self.at_end.enter_context(opened)
        return self._folders[hash_str]

    def _written(self, folder: OpenedFolder, name: str, raw: bytes, token: str) -> _Naming:
        """A small file under a temporary name, not yet synced."""
        temporary = cache_files.temporary_name(name, token)
        file = self.at_end.enter_context(os.fdopen(folder.create(temporary), "wb"))
        naming = self._naming(folder, file, name, temporary)
        file.write(raw)
        file.flush()
        return naming

    def _naming(self, folder: OpenedFolder, file: BinaryIO, name: str, now: str) -> _Naming:
        naming = _Naming(folder, file, name, now)
        self.at_end.callback(naming.remove_unless_kept)
        return naming


def _news(sighting: PathSighting, known: Sequence[SeenPath]) -> SeenPath | None:
    """What is to be noted; None where the newest of what is `known` says it already."""
    path, size, mtime_ns = sighting.path, sighting.size, sighting.mtime_ns
    if known and (known[0].path, known[0].size, known[0].mtime_ns) == (path, size, mtime_ns):
        return None
    newest = known[0].seen_at if known else 0.0
    # Machines' clocks differ: what is noted later counts as newer.
    seen_at = max(time.time(), newest + 1e-6)
    first_at = next((seen.since for seen in known if seen.path == path), seen_at)
    return SeenPath(path, size, mtime_ns, seen_at, sighting.full_crc, sighting.changed_at, first_at)


class _Replaced(ArtefactFiles, frozen=True):
    """What a manifest names that is about to be replaced."""

    rows: int = 0


def _replaced(naming: _Naming, model: str) -> _Replaced | None:
    for _, found in cache_files.manifests_in(naming.folder, _Replaced, naming.name.__eq__):
        if isinstance(found, _Replaced) and found.model == model:
            return found
    return None


def _touch(folder: OpenedFolder, names: Iterable[str]) -> None:
    """Readers may just be opening the old data: its 24 hours begin now."""
    for name in names:
        with contextlib.suppress(OSError):
            os.utime(name, dir_fd=folder.fd, follow_symlinks=False)


def _sync_folders(namings: Iterable[_Naming]) -> None:
    folders = {naming.folder.fd: naming.folder for naming in namings}
    _at_once(OpenedFolder.sync, list(folders.values()))


def _at_once(
    action: Callable[[T], object],
    things: Sequence[T],
    checkpoint: Callable[[], None] = lambda: None,
) -> None:
    """Call an action for each thing, several at a time, and `checkpoint` after each.

    Raises the first failure; what has not begun by then never does.
    """
    if len(things) < 2:
        for thing in things:
            action(thing)
        return
    threads = ThreadPoolExecutor(min(_SYNCS_AT_ONCE, len(things)), "sync")
    try:
        for done in [threads.submit(action, thing) for thing in things]:
            done.result()
            checkpoint()
    finally:
        threads.shutdown(cancel_futures=True)


IsOver: TypeAlias = Callable[[str], bool]  # of a lease (Lease.writer)
_next_look: dict[RootedPath, float] = {}  # of this process: when to look at the marker again


def collect_when_due(root: RootedPath, is_over: IsOver) -> threading.Thread | None:
    """Start `collect` in a thread unless some machine did within a day, by the share's clock.

    At the first look of a process within an hour, for the one before it may have died. Never fails:
    what cannot be tidied now is tidied another day.
    """
    now = time.monotonic()
    if now < _next_look.get(root, 0.0):
        return None
    kept_s = KEPT_S if root in _next_look else _LOOK_EVERY_S
    _next_look[root] = now + _LOOK_EVERY_S
    try:
        if not _is_due(root / "catalog", kept_s):
            return None
    except (OSError, CacheError) as error:
        _log.warning("could not tidy %s up: %s", root, error)
        return None
    work = partial(_collect_quietly, root, is_over)
    thread = threading.Thread(target=work, name="collect", daemon=True)
    thread.start()
    return thread


def _is_due(catalog: RootedPath, after_s: float) -> bool:
    """Return True if so much time has passed since the marker was touched; if so, touch it."""
    with cache_files.folder(catalog, create=True) as folder:
        now = cache_files.share_clock(folder)
        with contextlib.suppress(FileNotFoundError):
            if now - folder.status(_MARKER).st_mtime < after_s:
                return False
        cache_files.write_atomically(folder, _MARKER, b"", "marker")
    return True


def collect(root: RootedPath, is_over: IsOver) -> int:
    """Remove replaced data and left temporaries, merge old catalogue files; returns how many went.

    Walks the whole folder. `is_over`: whether a lease is known and no longer held.
    """
    is_over = cache(is_over)
    with cache_files.folder(root) as folder:
        now = cache_files.share_clock(folder)
    old = now - _TEMPORARY_KEPT_S
    known = catalogue.Catalogue(root)
    removed = sum(len(_remove_dead(place, is_over, old)) for place in (root, root / "catalog"))
    removed += _forget_records(root / DELETIONS, now - KEPT_S)
    for hash_str in known.hashes():
        media = cache_files.media_dir(root, hash_str)
        removed += len(remove_dead(media, is_over, old))
        with (
            contextlib.suppress(FileNotFoundError, NotADirectoryError, CacheError),
            cache_files.folder(media) as folder,
        ):
            removed += collect_media(folder, now - KEPT_S)
    known.compact()
    return removed


def remove_dead(media: RootedPath, is_over: IsOver, before: float = 0.0) -> list[str]:
    """Remove temporary files of one MediaFile as `cache_files.remove_dead`. Never fails."""
    return _remove_dead(media, is_over, before) + _remove_dead(media / "paths", is_over, before)


def _remove_dead(place: RootedPath, is_over: IsOver, before: float) -> list[str]:
    try:
        with cache_files.folder(place) as folder:
            return cache_files.remove_dead(folder, is_over, before)
    except (OSError, RushesError):  # another time
        return []


def collect_media(folder: OpenedFolder, before: float) -> int:
    """Delete data of one MediaFile that is unused and was last touched before that time."""
    removed = 0
    with contextlib.suppress(FileNotFoundError, CacheError):
        names = set(folder.names())
        forgotten = _forget_deleted(folder, names, before)
        names -= forgotten
        removed += len(forgotten)
        if cache_files.EXACT_CUTS in names and not any(map(_names_frames, names)):
            folder.remove(cache_files.EXACT_CUTS)
            removed += 1
        data = list(filter(cache_files.is_data, names))
        manifests = sum(map(_names_data, names))
        if len(data) <= manifests:  # nothing can be left over: no need to read them
            return removed
        if manifests > limits.MANIFESTS:
            return removed
        used: set[str] = set()
        for _, found in cache_files.manifests_in(folder, ArtefactFiles, _names_data):
            if isinstance(found, CacheError):  # it hides what it names: then nothing is removed
                return removed
            used.update(found.names)
        for name in data:
            if name not in used and folder.status(name).st_mtime < before:
                folder.remove(name)
                removed += 1
    return removed


def _forget_records(deletions: RootedPath, before: float) -> int:
    """Remove records of deletions that are over; what else lies there is not ours."""
    removed = 0
    with (
        contextlib.suppress(OSError, CacheError),
        cache_files.folder(deletions) as folder,
    ):
        for name in filter(is_deletion, folder.names()):
            with contextlib.suppress(OSError):
                if folder.status(name).st_mtime < before:
                    folder.remove(name)
                    removed += 1
    return removed


def is_deletion(name: str) -> bool:
    """Whether a file in DELETIONS is named like the record of a deletion: by its id."""
    return _DELETION.fullmatch(name) is not None


def _names_data(name: str) -> bool:
    return cache_files.is_manifest(name) or cache_files.is_deleted_manifest(name)


def _names_frames(name: str) -> bool:
    return _names_data(name) and name.endswith(cache_files.manifest_name(Stage.FRAMES, ""))


def _forget_deleted(folder: OpenedFolder, names: Iterable[str], before: float) -> set[str]:
    """Remove manifests that were deleted before that time, which nothing brings back from then on.

    Returns their names.
    """
    deleted = filter(cache_files.is_deleted_manifest, names)
    old = {name for name in deleted if folder.status(name).st_mtime < before}
    for name in old:
        folder.remove(name)
    return old


def _collect_quietly(root: RootedPath, is_over: IsOver) -> None:
    try:
        if removed := collect(root, is_over):
            _log.info("removed %d files that nobody uses from %s", removed, root)
    except (OSError, RushesError) as error:
        _log.warning("could not tidy %s up: %s", root, error)
