"""A log that any number of machines add to: one small file per addition, folded into snapshots.

A file is never changed once it has its name, and it is removed only after a snapshot that holds
it lies safely on the disk. What was added is the union of all files, in one order for everybody.
"""

from __future__ import annotations

import contextlib
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from shared.cache import cache_files, limits
from shared.cache.cache_files import GONE
from shared.errors import BadInput, CacheError
from shared.msgspec_decoding import UNDECODABLE
from shared.opening import OpenedFolder, RootedPath
from shared.unusable_files import UnusableFile

_log = logging.getLogger(__name__)
FOLD_AT = 256  # small files
TEMPORARY_KEPT_S = 3600.0  # a write takes seconds
_LARGE = limits.SMALL  # additions that leave room in a log, so that small ones can go on
_READ_WAIT_S = 5.0  # how long a share may go on listing files that are gone
_ID = re.compile(r"(\d{12,15})-[0-9a-f]{8}")
_FILE = re.compile(r"(?:snapshot-)?(\d{12,15})-[0-9a-f]{8}\.json")
_DAMAGE = (*UNDECODABLE, ValueError)

T = TypeVar("T")


class Addition(msgspec.Struct, Generic[T], frozen=True):
    """An entry of the log, ordered by Lamport time: what was seen comes before what is added."""

    id: str
    lamport: int
    at: float  # Unix seconds, by the clock of the machine that added it
    what: T


class AdditionLog(Generic[T]):
    """The log in one folder, which need not exist. Safe for threads; keeps what it has read."""

    def __init__(self, folder: RootedPath, kind: Any, root: RootedPath) -> None:
        """Open the log. `kind` is the type T; `root` the cache folder, which errors name."""
        self.folder = folder
        self._root = root
        self._one = msgspec.json.Decoder(Addition[kind])
        self._many = msgspec.json.Decoder(list[Addition[kind]])
        self._lock = threading.Lock()
        self._folding = threading.Lock()
        self._files: dict[str, tuple[Addition[T], ...]] = {}  # what was read
        self._sizes: dict[str, int] = {}  # of what was read, in bytes
        self._room = limits.ADDITIONS  # bytes that may still be read
        self._damaged: set[str] = set()  # names of files of which something cannot be read
        self._listed: tuple[str, ...] | None = None  # the names that the entries were read from
        self._entries: tuple[Addition[T], ...] = ()

    def names(self) -> tuple[str, ...]:
        """Names of the log's files, ascending: the same names hold the same additions."""
        try:
            return tuple(filter(_FILE.fullmatch, cache_files.names(self.folder)))
        except OSError as error:
            if error.errno in GONE:
                return ()
            raise cache_files.cache_error(self._root, error) from error

    def read(self) -> tuple[Addition[T], ...]:
        """All additions in order; the same tuple as long as nothing was added."""
        with self._lock:
            return self._read()

    def append(self, what: T) -> Addition[T]:
        """Add an entry durably, after everything that can be seen.

        Raises BadInput for what is too much to be read again.
        """
        names = self.names()
        lamport = 1 + max((int(m[1]) for name in names if (m := _FILE.fullmatch(name))), default=0)
        id_ = f"{lamport:012d}-{secrets.token_hex(4)}"
        added = Addition(id_, lamport, time.time(), what)
        raw = msgspec.json.encode(added)
        with (
            cache_files.clear_errors(self._root),
            cache_files.folder(self.folder, create=True) as folder,
        ):
            self._require_room(folder, names, len(raw))
            cache_files.write_atomically(folder, f"{id_}.json", raw, "add")
        with self._lock:
            self._files[f"{id_}.json"], self._sizes[f"{id_}.json"] = (added,), len(raw)
            small = {name for name in names if not _is_snapshot(name)} - self._damaged
        if len(small) >= FOLD_AT and self._folding.acquire(blocking=False):
            # Removing hundreds of files may take a second, for which nobody should wait.
            threading.Thread(target=self._fold_quietly, name="fold", daemon=True).start()
        return added

    def _require_room(self, folder: OpenedFolder, names: Iterable[str], size: int) -> None:
        """Raise BadInput where an addition of this size makes more of the log than is read."""
        with self._lock:
            sizes = dict(self._sizes)
        for name in names:
            if name not in sizes:
                with contextlib.suppress(FileNotFoundError):  # folded just now
                    sizes[name] = folder.status(name).st_size
        there = (sizes.get(name, 0) for name in names)
        held = sum(each for each in there if each <= limits.ADDITION)
        # Up to there it can be folded, and there is as much room again.
        most = limits.ADDITION if size > _LARGE else limits.ADDITIONS
        if held + size > most and size > _LARGE:
            held = len(_snapshot(self.read()))  # while others fold, much lies there twice
        if held + size > most:
            raise BadInput(
                f"This needs {_mb(size)} in the history, which holds {_mb(held)} of at most "
                f"{_mb(most)}: change fewer faces at once, or use a new collection."
            )

    def fold(self) -> None:
        """Put all additions into one snapshot and remove the files that it holds.

        Safe for several at once: each removes only what its own snapshot holds.
        """
        with self._lock:
            entries = self._read()
            ids = {added.id for added in entries}
            held = [
                name
                for name, found in self._files.items()
                if name not in self._damaged and ids.issuperset(added.id for added in found)
            ]
        if len(held) < 2 or not entries:
            return
        raw = _snapshot(entries)
        if len(raw) > limits.ADDITION:  # nobody would read it
            return
        name = f"snapshot-{entries[-1].lamport:012d}-{secrets.token_hex(4)}.json"
        with (
            cache_files.clear_errors(self._root),
            cache_files.folder(self.folder) as folder,
        ):
            written = cache_files.write_atomically(folder, name, raw, "fold")
            if not set(held) <= set(folder.names()):
                remove(folder, [name])  # others have folded or rewritten them: theirs counts
                return
            with self._lock:
                self._files[name], self._sizes[name] = entries, len(raw)
            remove(folder, held)
            remove_temporaries(folder, written.st_mtime)

    def rewrite(self, change: Callable[[T], T]) -> None:
        """Change what the additions say; ids and order stay. No file that said it before is left.

        Raises CacheError; asked again it goes on. An addition that comes meanwhile is changed, too.
        """

        def changed(found: tuple[Addition[T], ...]) -> tuple[Addition[T], ...]:
            return tuple(msgspec.structs.replace(each, what=change(each.what)) for each in found)

        with self._folding:  # of this process; what others fold meanwhile they take back
            while True:
                entries = self.read()
                with self._lock:
                    files, damaged = dict(self._files), set(self._damaged)
                if not damaged & files.keys() and all(
                    changed(found) == found for found in files.values()
                ):
                    return
                self._replace(files, changed(entries))

    def _replace(self, names: Iterable[str], entries: Sequence[Addition[T]]) -> None:
        """Put entries in place of these files, in snapshots that can be read."""
        with (
            cache_files.clear_errors(self._root),
            cache_files.folder(self.folder) as folder,
        ):
            for part in _parts(entries):
                name = f"snapshot-{part[-1].lamport:012d}-{secrets.token_hex(4)}.json"
                cache_files.write_atomically(folder, name, _snapshot(part), "rewrite")
            remove(folder, names)
            folder.sync()

    def _fold_quietly(self) -> None:
        try:
            self.fold()
        except CacheError as error:  # the additions are safe as they are
            _log.warning("could not fold %s: %s", self.folder, error)
        finally:
            self._folding.release()

    def _read(self) -> tuple[Addition[T], ...]:
        deadline = time.monotonic() + _READ_WAIT_S
        while (names := self.names()) != self._listed:
            self._sizes = {name: self._sizes[name] for name in names if name in self._sizes}
            self._room = limits.ADDITIONS - sum(self._sizes.values())
            files = {name: self._file(name) for name in names}
            # A listing made while others fold may have missed both the new snapshot and files
            # that it replaces. Any snapshot it missed shows in a second one.
            missed = any(map(_is_snapshot, set(self.names()).difference(names)))
            whole = not missed and None not in files.values()
            if whole or time.monotonic() > deadline:
                self._files = {name: found for name, found in files.items() if found is not None}
                self._entries = _in_order(self._files.values())
                self._listed = names if whole else None
                if not whole:
                    _log.warning("%s goes on listing files that are gone", self.folder)
                break
        return self._entries

    def _file(self, name: str) -> tuple[Addition[T], ...] | None:
        """The additions in a file of the log, none if it is damaged; None if it is gone."""
        if (known := self._files.get(name)) is not None:
            return known
        found: tuple[Addition[T], ...] = ()
        damage: Exception | None
        try:
            raw = cache_files.read(self.folder / name, min(limits.ADDITION, self._room))
            self._sizes[name] = len(raw)
            self._room -= len(raw)
            found, damage = self._decoded(name, raw)
        except (UnusableFile, CacheError) as error:
            damage = error
        except OSError as error:
            if error.errno in GONE:
                return None
            raise cache_files.cache_error(self._root, error) from error
        if damage is not None:
            _log.warning("skipped what is damaged in %s: %s", self.folder / name, damage)
            self._damaged.add(name)
        return found

    def _decoded(self, name: str, raw: bytes) -> tuple[tuple[Addition[T], ...], Exception | None]:
        """The additions that can be read from a file, and what is wrong with the rest."""
        try:
            if _is_snapshot(name):
                return tuple(map(_sound, self._many.decode(raw))), None
            return (_sound(self._one.decode(raw), name),), None
        except _DAMAGE as error:
            damage = error
        found = []
        for line in raw.splitlines() if _is_snapshot(name) else ():
            with contextlib.suppress(*_DAMAGE):
                found.append(_sound(self._one.decode(line.rstrip(b","))))
        return tuple(found), damage


def remove(folder: OpenedFolder, names: Iterable[str]) -> None:
    """Remove files that others may be removing too."""
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            folder.remove(name)


def remove_temporaries(folder: OpenedFolder, now: float) -> None:
    """Remove temporary files of killed writers. `now`: by the share's clock. Never fails."""
    try:
        for name in filter(cache_files.is_temporary, folder.names()):
            if folder.status(name).st_mtime < now - TEMPORARY_KEPT_S:
                remove(folder, [name])
    except OSError as error:  # tidied another time
        if error.errno not in GONE:
            _log.warning("could not tidy %s up: %s", folder.path, error)


def _mb(size: int) -> str:
    return f"{size / limits.MB:,.1f} MB"


def _is_snapshot(name: str) -> bool:
    return name.startswith("snapshot-")


def _sound(added: Addition[T], name: str = "") -> Addition[T]:
    """The addition, if its id is what it should be in the file of that name."""
    found = _ID.fullmatch(added.id)
    if not found or int(found[1]) != added.lamport or (name and name != f"{added.id}.json"):
        raise ValueError(f"strange id {added.id!r}")
    return added


def _parts(entries: Iterable[Addition[T]]) -> Iterator[list[Addition[T]]]:
    """The entries in parts that fit into one file each."""
    part: list[Addition[T]] = []
    room = limits.ADDITION // 2
    for added in entries:
        size = len(msgspec.json.encode(added)) + 2
        if part and size > room:
            yield part
            part, room = [], limits.ADDITION // 2
        part.append(added)
        room -= size
    if part:
        yield part


def _snapshot(entries: Iterable[Addition[T]]) -> bytes:
    """A JSON list, one line for each addition, so that damage to one leaves the others readable."""
    return b"[\n" + b",\n".join(map(msgspec.json.encode, entries)) + b"\n]\n"


def _in_order(files: Iterable[tuple[Addition[T], ...]]) -> tuple[Addition[T], ...]:
    by_id = {added.id: added for found in files for added in found}
    return tuple(sorted(by_id.values(), key=order))


def order(added: Addition[T]) -> tuple[int, str]:
    return (added.lamport, added.id)
