"""The catalogue of a CacheDir: what was published, one append-only file a writing process.

It is a hint that saves walking a share. The manifests are the truth, so lines may be doubled,
torn or lost, and the whole folder may be deleted: `walk` finds everything again.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import secrets
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec

from shared.cache import cache_files, limits
from shared.cache.cache_files import SeenPath
from shared.domain import Manifest, Stage
from shared.errors import CacheError, NotAllowed
from shared.msgspec_decoding import UNDECODABLE
from shared.opening import OpenedFile, OpenedFolder, RootedPath
from shared.unusable_files import UnusableFile

_log = logging.getLogger(__name__)
_WRITER_IDLE_S = 3600.0  # a writer that paused longer starts a new file,
_PIECE = 1 << 20
_TOO_LARGE = f"it is larger than {limits.CATALOGUE:,} bytes, alone or with what was read before"
_COMPACT_AFTER_S = 86_400.0  # so that a file idle for this long can be merged and removed safely


class Artefact(msgspec.Struct, frozen=True, tag="artefact"):
    """Catalogue entry: a manifest was replaced; `file` is (or was) its stage and model's data."""

    hash_str: str
    stage: Stage
    model: str
    file: str
    rows: int
    bytes: int

    @classmethod
    def of(cls, hash_str: str, found: Manifest) -> Artefact:
        return cls(hash_str, found.stage, found.model, found.file, found.rows, found.bytes)


def is_announced(made: Manifest) -> bool:
    """Whether the catalogue names an artefact: captions of a file that has none interest nobody."""
    return made.stage is not Stage.CAPTIONS or made.rows > 0


class Seen(msgspec.Struct, frozen=True, tag="seen"):
    """Catalogue entry: a MediaFile was seen at this path."""

    hash_str: str
    path: str
    size: int
    mtime_ns: int
    seen_at: float
    first_at: float = 0.0

    @classmethod
    def of(cls, hash_str: str, seen: SeenPath) -> Seen:
        return cls(hash_str, seen.path, seen.size, seen.mtime_ns, seen.seen_at, seen.first_at)

    @property
    def since(self) -> float:
        """When this content was first seen there, as far as is known."""
        return self.first_at or self.seen_at

    def joined(self, other: Seen) -> Seen:
        """Return the later of two sightings at one path, with when the first one was."""
        later = other if other.seen_at >= self.seen_at else self
        return msgspec.structs.replace(later, first_at=min(self.since, other.since))


Entry = Artefact | Seen
_ENTRY = msgspec.json.Decoder(Entry)


class FollowState(msgspec.Struct):
    """How far a reader has read each writer's catalogue file; save it to go on later."""

    offsets: dict[str, int] = msgspec.field(default_factory=dict)
    read: dict[str, int] = msgspec.field(default_factory=dict)  # bytes that count for the limit


class Followed(msgspec.Struct, frozen=True):
    """New entries; `lost`: a file that was read before is gone and no snapshot replaces it."""

    entries: list[Entry]
    lost: bool


# (process, root) -> (name of the file it appends to, when it last did).
_writers: dict[tuple[int, RootedPath], tuple[str, float]] = {}
_writers_lock = threading.Lock()


class Catalogue:
    """Reads and appends a CacheDir's catalogue. One object a CacheDir; safe for threads."""

    def __init__(self, root: RootedPath) -> None:
        self.root = root
        self._folder = root / "catalog"
        self._warned: set[str] = set()

    def append(self, entries: Iterable[Entry]) -> None:
        """Add entries to this process's own file. Raises OSError, CacheError and NotAllowed."""
        lines = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
        with _writers_lock:
            now = time.monotonic()
            me = (os.getpid(), self.root)
            name, used = _writers.get(me, ("", 0.0))
            if not name or now - used > _WRITER_IDLE_S:
                name = f"{cache_files.writer_name()}.jsonl"
            with (
                cache_files.folder(self._folder, create=True) as folder,
                folder.append(name) as file,
            ):
                # A torn line of ours (disk full) must not swallow the next one.
                if file.status.st_size and not _ends_whole(folder, name):
                    lines = b"\n" + lines
                _write_all(file.fd, lines)
            _writers[me] = (name, now)

    def follow(self, state: FollowState, *, thorough: bool = False) -> Followed:
        """Entries added since `state`, which is brought up to date. Reads nothing else.

        `thorough` opens each file to learn its size, since shares keep old sizes for a minute.
        """
        try:
            with cache_files.folder(self._folder) as folder:
                return self._follow(folder, state, self._sizes(folder, thorough=thorough))
        except (FileNotFoundError, NotADirectoryError):
            pass
        except CacheError as error:
            self._warn("", error.message)
        return Followed([], _forget(state, {}))

    def _follow(
        self, folder: OpenedFolder, state: FollowState, sizes: Mapping[str, int]
    ) -> Followed:
        lost = _forget(state, sizes)
        entries: list[Entry] = []
        room = limits.CATALOGUE - sum(state.read.values())
        for name, size in sorted(sizes.items(), key=lambda item: item[1]):  # small ones are ours
            start = state.offsets.get(name, 0)
            if size < start:  # restored from an older copy: lines are idempotent, read again
                start = 0
            if size == start and name in state.offsets:
                continue
            if size - start > room:
                self._warn(name, _TOO_LARGE)
                state.offsets[name] = size
                continue
            try:
                state.offsets[name] = start + self._read(folder, name, start, size, entries)
                state.read[name] = state.offsets[name]
                room -= size - start
            except FileNotFoundError:
                continue
            except CacheError as error:
                self._warn(name, error.message)
                state.offsets[name] = size
        return Followed(entries, lost)

    def hashes(self) -> set[str]:
        """Hashes of all MediaFiles that have a folder: one listing for each of the 256 prefixes."""
        found: set[str] = set()
        media = self.root / "media"
        for prefix in self._names(media):
            found.update(filter(cache_files.is_hash, self._names(media / prefix)))
        return found

    def walk(self, skip: Collection[str] = ()) -> Iterator[Entry]:
        """Entries made anew from the folders of all MediaFiles that are not in `skip`."""
        for hash_str in sorted(self.hashes().difference(skip)):
            try:
                folder = cache_files.folder(cache_files.media_dir(self.root, hash_str))
            except (FileNotFoundError, NotADirectoryError):
                continue
            except CacheError as error:
                self._warn(hash_str, error.message)
                continue
            with folder:
                yield from _artefacts(hash_str, folder)
                for seen in seen_paths(folder):
                    yield Seen.of(hash_str, seen)

    def compact(self) -> int:
        """Merge snapshots and idle writers' files into one snapshot; returns how many were merged.

        Safe for two processes at once: each removes only what its own snapshot holds.
        """
        try:
            folder = cache_files.folder(self._folder)
        except (FileNotFoundError, NotADirectoryError):
            return 0
        with folder:
            entries: list[Entry] = []
            sizes = self._mergeable(folder).items()
            names = [name for name, size in sizes if self._is_merged(folder, name, size, entries)]
            if len(names) < 2:
                return 0
            data = b"".join(msgspec.json.encode(entry) + b"\n" for entry in _newest(entries))
            if len(data) > limits.CATALOGUE:
                return 0
            snapshot = f"snapshot-{secrets.token_hex(8)}.jsonl"
            cache_files.write_atomically(folder, snapshot, data, "compact")
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    folder.remove(name)
        return len(names)

    def _mergeable(self, folder: OpenedFolder) -> dict[str, int]:
        """Sizes of the files that nobody writes to any more, snapshots first."""
        now = cache_files.share_clock(folder)
        sizes, room = self._sizes(folder), limits.CATALOGUE
        names = []
        for name in sorted(sizes, key=sizes.__getitem__):
            age = now - folder.status(name).st_mtime
            if sizes[name] <= room and (name.startswith("snapshot-") or age >= _COMPACT_AFTER_S):
                names.append(name)
                room -= sizes[name]
        names.sort(key=lambda name: (not name.startswith("snapshot-"), name))
        return {name: sizes[name] for name in names} if len(names) > 1 else {}

    def _sizes(self, folder: OpenedFolder, *, thorough: bool = False) -> dict[str, int]:
        sizes = {}
        for item in folder.entries():
            if not item.name.endswith(".jsonl"):
                continue
            try:
                if thorough or item.is_symlink():
                    with cache_files.opened_in(folder, item.name) as file:
                        sizes[item.name] = file.status.st_size
                elif item.is_file():
                    sizes[item.name] = item.stat().st_size
            except FileNotFoundError:
                continue
            except UnusableFile as error:
                self._warn(item.name, f"it cannot be read: {error.strerror}")
            except CacheError as error:
                self._warn(item.name, error.message)
        return sizes

    def _is_merged(self, folder: OpenedFolder, name: str, size: int, entries: list[Entry]) -> bool:
        """Add the entries of a file; False where not all of it is a catalogue: it stays."""
        before = len(entries)
        try:
            self._read(folder, name, 0, size, entries)
        except (FileNotFoundError, CacheError):
            return False
        return len(entries) > before or size == 0

    def _read(
        self, folder: OpenedFolder, name: str, start: int, size: int, entries: list[Entry]
    ) -> int:
        """Read whole lines of a catalogue file; returns their bytes. A torn last line is left.

        Raises FileNotFoundError, and CacheError for what is no catalogue.
        """
        with cache_files.opened_in(folder, name) as file:
            return _read_lines(file, start, size, entries)

    def _names(self, path: RootedPath) -> list[str]:
        try:
            return cache_files.names(path)
        except CacheError as error:
            self._warn(path.name, error.message)
            return []

    def _warn(self, name: str, why: str) -> None:
        """Say what is unusable, once: the catalogue is followed at every request."""
        if name not in self._warned:
            self._warned.add(name)
            _log.warning("skipped %s in %s: %s", name or "the catalogue", self.root, why)


def _forget(state: FollowState, sizes: Mapping[str, int]) -> bool:
    """Forget files that are gone; whether any is gone that no snapshot replaces."""
    lost = any(
        name not in sizes and not name.startswith("snapshot-") for name in state.offsets
    ) and not any(name.startswith("snapshot-") and name not in state.offsets for name in sizes)
    for name in [name for name in state.offsets if name not in sizes]:
        del state.offsets[name]
        state.read.pop(name, None)
    return lost


def path_file(path: str) -> str:
    """Name of the file in paths/ that says how a MediaFile was seen at a path."""
    return f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:32]}.json"


def read_paths(folder: RootedPath) -> list[SeenPath]:
    """All paths at which the MediaFile of this folder was seen, newest first. Raises CacheError."""
    try:
        with cache_files.folder(folder) as opened:
            return seen_paths(opened)
    except (FileNotFoundError, NotADirectoryError):
        return []


def seen_paths(media: OpenedFolder) -> list[SeenPath]:
    """As `read_paths`, of an open folder."""
    paths: list[SeenPath] = []
    hash_str = os.path.basename(media.path)
    try:
        folder = media.folder("paths")
    except (FileNotFoundError, NotADirectoryError):
        return paths
    except NotAllowed as error:
        _log.warning("skipped the seen paths of %s: %s", hash_str, error.message)
        return paths
    with folder:
        for name in _newest_names(folder)[: limits.SEEN_PATHS]:
            try:
                raw = cache_files.read_in(folder, name, limits.SMALL)
                paths.append(msgspec.json.decode(raw, type=SeenPath))
            except (OSError, CacheError, *UNDECODABLE) as error:
                _log.warning("skipped the seen path %s of %s: %s", name, hash_str, error)
    return sorted(paths, key=lambda seen: (-seen.seen_at, seen.path))


def _newest_names(folder: OpenedFolder) -> list[str]:
    """Names of the seen paths, those that were written last first where they are too many."""
    names = [n for n in folder.names() if n.endswith(".json") and n[0] != "."]
    times: dict[str, float] = {}
    for name in names if len(names) > limits.SEEN_PATHS else ():
        with contextlib.suppress(FileNotFoundError):
            times[name] = folder.status(name).st_mtime
    return sorted(names, key=lambda name: (-times.get(name, 0.0), name))


def _artefacts(hash_str: str, folder: OpenedFolder) -> Iterator[Artefact]:
    for name, found in cache_files.manifests_in(folder, Manifest):
        if isinstance(found, CacheError):
            # Named all the same, so that a reader meets the broken manifest and reports it.
            stage, _, model = name.removeprefix("manifest.").removesuffix(".json").partition(".")
            if stage in set(Stage):
                yield Artefact(hash_str, Stage(stage), cache_files.decoded_model(model), "", 0, 0)
        else:
            yield Artefact.of(hash_str, found)


def _newest(entries: Iterable[Entry]) -> Iterable[Entry]:
    newest: dict[tuple[str, ...], Entry] = {}
    for entry in entries:
        known = newest.get(_key(entry))
        if isinstance(known, Seen) and isinstance(entry, Seen):
            entry = known.joined(entry)
        newest[_key(entry)] = entry
    return newest.values()


def _key(entry: Entry) -> tuple[str, ...]:
    """Key of a catalogue entry: a later entry with the same key replaces it."""
    if isinstance(entry, Artefact):
        return ("artefact", entry.hash_str, entry.stage, entry.model)
    return ("seen", entry.hash_str, entry.path)


def _read_lines(file: OpenedFile, start: int, size: int, entries: list[Entry]) -> int:
    name = os.path.basename(file.path)
    at, rest, damaged = start, b"", 0
    while at < size and (piece := os.pread(file.fd, min(_PIECE, size - at), at)):
        at += len(piece)
        data = rest + piece
        whole = data.rfind(b"\n") + 1
        damaged += sum(not _taken(line, entries) for line in data[:whole].splitlines())
        rest = data[whole:]
        if len(rest) > limits.CATALOGUE_LINE or damaged > limits.CATALOGUE_DAMAGED_LINES:
            raise CacheError("most of it is no catalogue")
    if damaged:
        _log.warning("skipped %d damaged lines of the catalogue file %s", damaged, name)
    return at - len(rest) - start


def _taken(line: bytes, entries: list[Entry]) -> bool:
    """Add the entry in a line; False for a damaged one."""
    try:
        entry = _ENTRY.decode(line)
    except UNDECODABLE:
        return False
    if cache_files.is_hash(entry.hash_str):
        entries.append(entry)
    return True


def _ends_whole(folder: OpenedFolder, name: str) -> bool:
    with cache_files.opened_in(folder, name) as file:
        return os.pread(file.fd, 1, file.status.st_size - 1) == b"\n"


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
