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
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import msgspec

from shared.cache import cache_files
from shared.cache.cache_files import SeenPath
from shared.domain import Stage
from shared.errors import CacheError
from shared.msgspec_decoding import UNDECODABLE

_log = logging.getLogger(__name__)
_WRITER_IDLE_S = 3600.0  # a writer that paused longer starts a new file,
_COMPACT_AFTER_S = 86_400.0  # so that a file idle for this long can be merged and removed safely


class Artefact(msgspec.Struct, frozen=True, tag="artefact"):
    """Catalogue entry: a manifest was replaced; `file` is (or was) its stage and model's data."""

    hash_str: str
    stage: Stage
    model: str
    file: str
    rows: int
    bytes: int


class Seen(msgspec.Struct, frozen=True, tag="seen"):
    """Catalogue entry: a MediaFile was seen at this path."""

    hash_str: str
    path: str
    size: int
    mtime_ns: int
    seen_at: float


Entry = Artefact | Seen


class FollowState(msgspec.Struct):
    """How far a reader has read each writer's catalogue file; save it to go on later."""

    offsets: dict[str, int] = msgspec.field(default_factory=dict)


class Followed(msgspec.Struct, frozen=True):
    """New entries; `lost`: a file that was read before is gone and no snapshot replaces it."""

    entries: list[Entry]
    lost: bool


# (process, root) -> (name of the file it appends to, when it last did).
_writers: dict[tuple[int, Path], tuple[str, float]] = {}
_writers_lock = threading.Lock()


class Catalogue:
    """Reads and appends a CacheDir's catalogue. One object a CacheDir; safe for threads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = root / "catalog"

    def append(self, entries: Iterable[Entry]) -> None:
        """Add entries to this process's own catalogue file. Raises OSError."""
        lines = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
        with _writers_lock:
            now = time.monotonic()
            me = (os.getpid(), self._root)
            name, used = _writers.get(me, ("", 0.0))
            if not name or now - used > _WRITER_IDLE_S:
                name = f"{cache_files.writer_name()}.jsonl"
            self._folder.mkdir(parents=True, exist_ok=True)
            fd = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            try:
                # A torn line of ours (disk full) must not swallow the next one.
                if os.fstat(fd).st_size and not self._ends_whole(name):
                    lines = b"\n" + lines
                _write_all(fd, lines)
            finally:
                os.close(fd)
            _writers[me] = (name, now)

    def follow(self, state: FollowState, *, thorough: bool = False) -> Followed:
        """Entries added since `state`, which is brought up to date. Reads nothing else.

        `thorough` opens each file to learn its size, since shares keep old sizes for a minute.
        """
        sizes = self._sizes(thorough=thorough)
        lost = any(
            name not in sizes and not name.startswith("snapshot-") for name in state.offsets
        ) and not any(name.startswith("snapshot-") and name not in state.offsets for name in sizes)
        for name in [name for name in state.offsets if name not in sizes]:
            del state.offsets[name]
        entries: list[Entry] = []
        for name, size in sizes.items():
            start = state.offsets.get(name, 0)
            if size < start:  # restored from an older copy: lines are idempotent, read again
                start = 0
            if size > start or name not in state.offsets:
                state.offsets[name] = start + self._read(name, start, size, entries)
        return Followed(entries, lost)

    def hashes(self) -> set[str]:
        """Hashes of all MediaFiles that have a folder: one listing for each of the 256 prefixes."""
        found: set[str] = set()
        for prefix in _names(self._root / "media"):
            found.update(filter(cache_files.is_hash, _names(self._root / "media" / prefix)))
        return found

    def walk(self, skip: Collection[str] = ()) -> Iterator[Entry]:
        """Entries made anew from the folders of all MediaFiles that are not in `skip`."""
        for hash_str in sorted(self.hashes().difference(skip)):
            folder = cache_files.media_dir(self._root, hash_str)
            yield from _artefacts(hash_str, folder)
            for seen in read_paths(folder):
                yield Seen(hash_str, seen.path, seen.size, seen.mtime_ns, seen.seen_at)

    def compact(self) -> int:
        """Merge snapshots and idle writers' files into one snapshot; returns how many were merged.

        Safe for two processes at once: each removes only what its own snapshot holds.
        """
        names = self._mergeable()
        if len(names) < 2:
            return 0
        entries: list[Entry] = []
        for name in names:
            self._read(name, 0, os.stat(self._folder / name).st_size, entries)
        newest: dict[tuple[str, ...], Entry] = {}
        for entry in entries:
            known = newest.get(_key(entry))
            if not (isinstance(known, Seen) and isinstance(entry, Seen)) or (
                entry.seen_at >= known.seen_at
            ):
                newest[_key(entry)] = entry
        data = b"".join(msgspec.json.encode(entry) + b"\n" for entry in newest.values())
        snapshot = self._folder / f"snapshot-{secrets.token_hex(8)}.jsonl"
        cache_files.write_atomically(snapshot, data, "compact")
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._folder / name)
        return len(names)

    def _mergeable(self) -> list[str]:
        names: list[str] = []
        if not self._folder.is_dir():
            return names
        now = cache_files.share_clock(self._folder)
        for name in self._sizes():
            age = now - os.stat(self._folder / name).st_mtime
            if name.startswith("snapshot-") or age >= _COMPACT_AFTER_S:
                names.append(name)
        return sorted(names, key=lambda name: (not name.startswith("snapshot-"), name))

    def _sizes(self, *, thorough: bool = False) -> dict[str, int]:
        sizes = {}
        try:
            with os.scandir(self._folder) as found:
                for item in found:
                    if item.name.endswith(".jsonl"):
                        with contextlib.suppress(FileNotFoundError):
                            sizes[item.name] = (
                                _size_by_opening(item.path) if thorough else item.stat().st_size
                            )
        except (FileNotFoundError, NotADirectoryError):
            return {}
        return sizes

    def _read(self, name: str, start: int, size: int, entries: list[Entry]) -> int:
        """Read whole lines of a catalogue file; returns their bytes. A torn last line is left."""
        try:
            with open(self._folder / name, "rb") as file:
                file.seek(start)
                data = file.read(size - start)
        except FileNotFoundError:
            return 0
        whole = data.rfind(b"\n") + 1
        for line in data[:whole].splitlines():
            if not line:
                continue
            try:
                entry = msgspec.json.decode(line, type=Entry)
            except UNDECODABLE:
                _log.warning("skipped a damaged line of the catalogue file %s", name)
                continue
            if cache_files.is_hash(entry.hash_str):
                entries.append(entry)
        return whole

    def _ends_whole(self, name: str) -> bool:
        with open(self._folder / name, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"


def path_file(path: str) -> str:
    """Name of the file in paths/ that says how a MediaFile was seen at a path."""
    return f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:32]}.json"


def read_path(folder: Path, path: str) -> SeenPath | None:
    """The SeenPath of a path in a MediaFile's folder; None: never seen there, or damaged."""
    try:
        raw = (folder / "paths" / path_file(path)).read_bytes()
        found = msgspec.json.decode(raw, type=SeenPath)
    except (OSError, *UNDECODABLE):
        return None
    return found if found.path == path else None


def read_paths(folder: Path) -> list[SeenPath]:
    """All paths at which the MediaFile of this folder was seen, newest first."""
    paths = []
    for name in _names(folder / "paths"):
        if not name.endswith(".json") or name.startswith("."):
            continue
        try:
            paths.append(msgspec.json.decode((folder / "paths" / name).read_bytes(), type=SeenPath))
        except (OSError, *UNDECODABLE) as error:
            _log.warning("skipped the seen path %s of %s: %s", name, folder.name, error)
    return sorted(paths, key=lambda seen: (-seen.seen_at, seen.path))


def is_manifest(name: str) -> bool:
    return name.startswith("manifest.") and name.endswith(".json")


def manifest_names(folder: Path) -> list[str]:
    """Names of the manifests in a media folder."""
    return list(filter(is_manifest, _names(folder)))


def _artefacts(hash_str: str, folder: Path) -> Iterator[Artefact]:
    for name in manifest_names(folder):
        try:
            found = cache_files.read_manifest(folder / name)
        except CacheError:
            # Named all the same, so that a reader meets the broken manifest and reports it.
            stage, _, model = name.removeprefix("manifest.").removesuffix(".json").partition(".")
            if stage in set(Stage):
                yield Artefact(hash_str, Stage(stage), cache_files.decoded_model(model), "", 0, 0)
            continue
        if found is not None:
            yield Artefact(hash_str, found.stage, found.model, found.file, found.rows, found.bytes)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _key(entry: Entry) -> tuple[str, ...]:
    """Key of a catalogue entry: a later entry with the same key replaces it."""
    if isinstance(entry, Artefact):
        return ("artefact", entry.hash_str, entry.stage, entry.model)
    return ("seen", entry.hash_str, entry.path)


def _size_by_opening(path: str) -> int:
    with open(path, "rb") as file:
        return os.fstat(file.fileno()).st_size


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
