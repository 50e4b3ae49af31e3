"""Groupings of a Collection as files: `<kind>-<number>.npz`, each number by one publisher.

They are written once; any NumPy reads them. A reader takes the highest number that reads whole,
and checks what it reads: anybody may write to a share.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import struct
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import IO, Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from shared.cache import cache_files, limits
from shared.cache.arrays import read_npz
from shared.cache.cache_files import GONE
from shared.errors import CacheError, NotAllowed
from shared.opening import OpenedFolder, RootedPath
from shared.people.addition_log import remove, remove_temporaries
from shared.people.claims import turn
from shared.people.clustering import (
    FIXED_LENGTHS,
    NO_CLUSTER,
    Clustering,
    Memory,
    VoiceGrouping,
    shapes_of,
)
from shared.unusable_files import UnusableFile

_log = logging.getLogger(__name__)
_KEPT = 3
# A reader may be on its way from the listing to the file; of 100,000 faces each takes 25 MB.
_KEPT_S = 60.0
_CLAIM_WAIT_S = 0.1  # of another publisher, where a share has no links
_FILE = re.compile(r"([a-z]+)-(\d{9,15})\.npz")
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL)


class Stamp(NamedTuple):
    """Identity of a grouping's file, also after the folder was deleted and made again."""

    number: int
    name: str
    size: int
    mtime_ns: int


T = TypeVar("T", bound=Clustering | VoiceGrouping)


@dataclass(frozen=True, slots=True)
class GroupingKind(Generic[T]):
    """What is published under numbers of its own."""

    name: str  # what its files begin with
    what: str  # as people call it
    kind: type[T]
    limit: int  # bytes
    check: Callable[[T], None]  # raises ValueError for what readers could stumble over


class NumberedFiles(Generic[T]):
    """The published groupings of one kind in a folder. Safe for threads."""

    def __init__(
        self,
        kind: GroupingKind[T],
        folder: RootedPath,
        cache_root: RootedPath,
        create: Callable[[], None],
    ) -> None:
        """`create`: makes the folder, where it is not there."""
        self._kind: GroupingKind[T] = kind
        self._folder = folder
        self._root = cache_root
        self._create = create
        self._lock = threading.Lock()
        self._known: dict[Stamp, T | None] = {}  # what was read last; None: damaged

    def newest(self) -> T | None:
        """The newest grouping that reads whole; None while nothing was grouped."""
        with self._lock, cache_files.clear_errors(self._root):
            while True:
                (listed,) = stamps(self._folder, self._kind.name)
                try:
                    read: dict[Stamp, T | None] = {}
                    for stamp in listed:
                        read[stamp] = self._read(stamp)
                        if read[stamp] is not None:
                            break
                except OSError as error:
                    if error.errno not in GONE:
                        raise
                    continue  # removed since: there is a newer one, or nothing at all
                self._known = read  # and the older ones are let go
                return next((found for found in read.values() if found is not None), None)

    def next_number(self) -> int:
        """The next grouping's number. Ask before reading the one that it is built on.

        Also a damaged file takes a number.
        """
        with cache_files.clear_errors(self._root):
            (listed,) = stamps(self._folder, self._kind.name)
        return 1 + (listed[0].number if listed else 0)

    def publish(self, grouping: T) -> bool:
        """Publish a grouping; False if somebody else's has this number or a higher one.

        Then read theirs and build on it. Nothing was published where it raises CacheError.
        """
        self._create()
        self._kind.check(grouping)
        kind = self._kind.name
        name = f"{kind}-{grouping.number:09d}.npz"
        temporary = cache_files.temporary_name(name, "publish")
        with cache_files.clear_errors(self._root), cache_files.folder(self._folder) as opened:
            try:
                with os.fdopen(opened.create(temporary), "wb") as file:
                    _encode(file, grouping)
                    file.flush()
                    cache_files.sync(file.fileno())
                    now = os.fstat(file.fileno()).st_mtime
                taken = _stamps(opened, kind, opened.names())
                if taken and taken[0].number >= grouping.number:
                    return False
                if not self._appears(opened, temporary, name):
                    return False
            finally:
                with contextlib.suppress(OSError):
                    opened.remove(temporary)
            opened.sync()
            _tidy(opened, kind, now)
        return True

    def _appears(self, folder: OpenedFolder, temporary: str, name: str) -> bool:
        """Give a written file its name; False where somebody else's file has it."""
        try:
            folder.link(temporary, name)
        except FileExistsError:
            # A share may do it and lose the answer, and deny the second try.
            return folder.status(temporary).st_nlink > 1
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            claim = f"{name.removesuffix('.npz')}.claim"
            with turn(self._folder, claim, _CLAIM_WAIT_S) as is_ours:
                if not is_ours or name in folder.names():
                    return False
                folder.rename(temporary, name)
        return True

    def rewrite(self, change: Callable[[T], T]) -> None:
        """Change the newest grouping that reads whole, and keep nothing of before.

        `change` gives back what it got where it changes nothing. What does not read goes, too: it
        may hold what is to go. Raises CacheError; asked again it goes on.
        """
        while True:
            kept = number = self.next_number()
            found = self.newest()
            changed = change(found) if found is not None else None
            if changed is None or changed is found:
                kept = found.number if found is not None else 0
                break
            if self.publish(replace(changed, number=number)):
                break
        with (
            cache_files.clear_errors(self._root),
            contextlib.suppress(FileNotFoundError, NotADirectoryError),
            cache_files.folder(self._folder) as opened,
        ):
            # At once: whoever is about to read finds that.
            there = _stamps(opened, self._kind.name, opened.names())
            before = max(kept, number)
            others = [s.name for s in there if s.number < before and s.number != kept]
            remove(opened, others)
            opened.sync()

    def _read(self, stamp: Stamp) -> T | None:
        if stamp not in self._known:
            try:
                self._known[stamp] = read_whole(self._folder / stamp.name, self._kind)
            except CacheError as error:
                _log.warning("%s The one before it counts.", error.message)
                self._known[stamp] = None
        return self._known[stamp]


def stamps(folder: RootedPath, *kinds: str) -> tuple[tuple[Stamp, ...], ...]:
    """The groupings of each kind in a folder, highest number first.

    Raises OSError and CacheError.
    """
    try:
        with cache_files.folder(folder) as opened:
            names = opened.names()
            return tuple(_stamps(opened, kind, names) for kind in kinds)
    except (FileNotFoundError, NotADirectoryError):
        return ((),) * len(kinds)


def _stamps(folder: OpenedFolder, kind: str, names: Iterable[str]) -> tuple[Stamp, ...]:
    found = []
    for name in names:
        if (named := _FILE.fullmatch(name)) and named[1] == kind:
            with contextlib.suppress(FileNotFoundError):
                is_ = folder.status(name)
                found.append(Stamp(int(named[2]), name, is_.st_size, is_.st_mtime_ns))
    return tuple(sorted(found, reverse=True))


def _tidy(folder: OpenedFolder, kind: str, now: float) -> None:
    """Remove old groupings, claims and temporaries. Never fails: that can wait."""
    try:
        names = folder.names()
        old = [stamp.name for stamp in _stamps(folder, kind, names)[_KEPT:]]
        old += [name for name in names if name.endswith(".claim")]  # of killed owners
        for name in old:
            with contextlib.suppress(FileNotFoundError):
                if folder.status(name).st_mtime < now - _KEPT_S:
                    folder.remove(name)
        remove_temporaries(folder, now)
        for part in ("members", "edits", "waiting"):
            with contextlib.suppress(FileNotFoundError), folder.folder(part) as below:
                remove_temporaries(below, now)
    except (OSError, NotAllowed) as error:
        _log.warning("could not tidy %s up: %s", folder.path, error)


_DAMAGE = (  # as a flipped bit can look
    *(ValueError, KeyError, EOFError, RuntimeError, TypeError, SyntaxError, AttributeError),
    *(OverflowError, MemoryError, zipfile.BadZipFile, zlib.error, struct.error),
)
_NUMBERS: dict[type, dict[str, type]] = {
    Clustering: {
        "number": int, "eps": float, "min_samples": int, "made_at": float, "grouped_faces": int,
    },
    VoiceGrouping: {"number": int, "made_at": float},
    Memory: {},
}  # fmt: skip
_TEXTS = ("media", "media_files")


def read_whole(path: RootedPath, kind: GroupingKind[T]) -> T:
    """Read a grouping from its file.

    Raises CacheError for a damaged file, OSError (FileNotFoundError) where there is none.
    """
    columns = (*shapes_of(kind.kind), *_NUMBERS[kind.kind], *_TEXTS)
    of_memory = ("media", *shapes_of(Memory)) if kind.kind is Clustering else ()
    names = ("model", *columns, *(f"memory_{name}" for name in of_memory))
    try:
        with cache_files.opened(path) as file:
            arrays = read_npz(file, kind.limit, names)
        fields: dict[str, Any] = {n: _decoded(kind.kind, n, arrays[n]) for n in columns}
        if of_memory:
            own = {n: _decoded(Memory, n, arrays[f"memory_{n}"]) for n in of_memory}
            fields["memory"] = Memory(**own)
        found = kind.kind(model=arrays["model"].item().decode(), **fields)
        kind.check(found)
    except (UnusableFile, *_DAMAGE) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise CacheError(f"The {kind.what} {path} is damaged: {why}.") from error
    return found


def check_clustering(clustering: Clustering) -> None:
    """Raise ValueError for a clustering that its readers could stumble over."""
    _check_fields(clustering, clustering.memory)
    for faces in (clustering, clustering.memory):
        same = faces.media_of[1:] == faces.media_of[:-1]
        if (faces.keys[1:] < faces.keys[:-1])[same].any():
            raise ValueError("the faces are not in order")
    for name in ("samples", "loose"):
        _require_within(getattr(clustering, name), -1, len(clustering), name)
    ids = clustering.cluster_ids
    if (ids[1:] <= ids[:-1]).any() or (len(ids) and ids[0] <= 0):
        raise ValueError("the cluster ids are not ascending")
    if not np.isin(clustering.labels, np.append(ids, np.int32(NO_CLUSTER))).all():
        raise ValueError("a label is no cluster")


def check_voices(grouping: VoiceGrouping) -> None:
    """Raise ValueError for a grouping that its readers could stumble over."""
    _check_fields(grouping)
    ids = grouping.ids
    same = grouping.media_of[1:] == grouping.media_of[:-1]
    if (ids[1:] <= ids[:-1])[same].any():
        raise ValueError("the voices are not in order")
    if len(ids) and (ids.min() < 1 or ids.max() >= 2**31 or grouping.labels.min() < 1):
        raise ValueError("an id is none")
    if not np.isfinite(grouping.rows).all() or (grouping.numbers < 0).any():
        raise ValueError("a row or a number is none")
    times = np.column_stack([grouping.excerpts, grouping.seconds])
    if not np.isfinite(times).all() or (times < 0).any() or (times[:, 1] < times[:, 0]).any():
        raise ValueError("a time is none")


def _check_fields(grouping: Clustering | VoiceGrouping, *parts: Memory) -> None:
    """Raise ValueError for arrays of another type or length, or MediaFiles out of order."""
    lengths = {**FIXED_LENGTHS, "n": len(grouping)}
    for part in (grouping, *parts):
        for name, (axes, dtype) in shapes_of(type(part)).items():
            array = getattr(part, name)
            if array.dtype != dtype or array.ndim != len(axes):
                raise ValueError(f"{name} is {array.dtype} with {array.ndim} axes")
            for letter, length in zip(axes, array.shape, strict=True):
                if lengths.setdefault(letter, length) != length:
                    raise ValueError(f"{name} has {length} where others have {lengths[letter]}")
        if not all(map(cache_files.is_hash, part.media)):  # they name folders
            raise ValueError("media are no hashes")
        if any(one >= other for one, other in pairwise(part.media)):
            raise ValueError("media are not in order")
        _require_within(part.media_of, 0, len(part.media), "media_of")
        if (part.media_of[1:] < part.media_of[:-1]).any():
            raise ValueError("media_of is not in order")
    if grouping.number < 1 or len(grouping.media) != len(grouping.media_files):
        raise ValueError("number or media are wrong")


def _require_within(values: NDArray[np.int32], first: int, end: int, name: str) -> None:
    if len(values) and not (first <= values.min() and values.max() < end):
        raise ValueError(f"{name} leads nowhere")


def _encode(file: IO[bytes], grouping: Clustering | VoiceGrouping) -> None:
    kind = type(grouping)
    fields = {name: getattr(grouping, name) for name in (*_NUMBERS[kind], *shapes_of(kind))}
    fields |= {name: np.array(getattr(grouping, name), np.bytes_) for name in _TEXTS}
    if isinstance(grouping, Clustering):
        memory = grouping.memory
        fields |= {f"memory_{name}": getattr(memory, name) for name in shapes_of(Memory)}
        fields["memory_media"] = np.array(memory.media, np.bytes_)
    np.savez(file, model=np.array(grouping.model.encode()), **fields)


def _decoded(kind: type, name: str, stored: NDArray[Any]) -> Any:
    """A field of a grouping or a memory as `_encode` has written it."""
    if name in _TEXTS:
        return tuple(text.decode() for text in stored.tolist())
    number = _NUMBERS[kind].get(name)
    return number(stored) if number else stored


CLUSTERINGS = GroupingKind(
    "clustering", "clustering", Clustering, limits.CLUSTERING, check_clustering
)
VOICES = GroupingKind("voices", "grouping of voices", VoiceGrouping, limits.VOICES, check_voices)
