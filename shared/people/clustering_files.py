"""Clusterings as files: `clustering-<number>.npz`, written once, each number by one publisher."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import struct
import zipfile
import zlib
from itertools import pairwise
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.cache import cache_files, limits
from shared.cache.arrays import read_npz
from shared.errors import CacheError, NotAllowed
from shared.opening import OpenedFolder, RootedPath
from shared.people.addition_log import remove, remove_temporaries
from shared.people.claims import claimed
from shared.people.clustering import NO_CLUSTER, SAMPLES, Clustering, Memory
from shared.unusable_files import UnusableFile

_log = logging.getLogger(__name__)
_KEPT = 3
# A reader may be on its way from the listing to the file; of 100,000 faces each takes 25 MB.
_KEPT_S = 60.0
_FILE = re.compile(r"clustering-(\d{9,15})\.npz")
_CLAIM = re.compile(r"(?:clustering-.*|edits)\.claim")
_DAMAGE = (  # as a flipped bit can look
    *(ValueError, KeyError, EOFError, RuntimeError, TypeError, SyntaxError, AttributeError),
    *(OverflowError, MemoryError, zipfile.BadZipFile, zlib.error, struct.error),
)
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL)
_NUMBERS = {"number": int, "eps": float, "min_samples": int, "made_at": float, "grouped_faces": int}
_TEXTS = ("media", "media_files")
_ARRAYS: dict[str, tuple[str, Any]] = {  # letters: lengths that must agree
    "media_of": ("n", np.int32),
    "keys": ("n", np.uint64),
    "rows": ("n", np.int32),
    "labels": ("n", np.int32),
    "cluster_ids": ("c", np.int32),
    "means": ("cd", np.float32),
    "sizes": ("c", np.int32),
    "samples": ("cs", np.int32),
    "retired": ("r", np.int32),
    "loose": ("l", np.int32),
    "loose_embeddings": ("ld", np.float16),
}
_MEMORY: dict[str, tuple[str, Any]] = {
    "media_of": ("h", np.int32),
    "keys": ("h", np.uint64),
    "homes": ("h", np.int32),
}
_STORED = (
    *_ARRAYS,
    *_NUMBERS,
    *_TEXTS,
    *(f"memory_{name}" for name in (*_MEMORY, "media")),
    "model",
)


class Stamp(NamedTuple):
    """Identity of a clustering's file, also after the folder was deleted and made again."""

    number: int
    name: str
    size: int
    mtime_ns: int


def stamps(folder: RootedPath) -> tuple[Stamp, ...]:
    """The clusterings in a folder, highest number first. Raises OSError and CacheError."""
    try:
        with cache_files.folder(folder) as opened:
            return _stamps(opened)
    except (FileNotFoundError, NotADirectoryError):
        return ()


def _stamps(folder: OpenedFolder) -> tuple[Stamp, ...]:
    found = []
    for name in folder.names():
        if named := _FILE.fullmatch(name):
            with contextlib.suppress(FileNotFoundError):
                is_ = folder.status(name)
                found.append(Stamp(int(named[1]), name, is_.st_size, is_.st_mtime_ns))
    return tuple(sorted(found, reverse=True))


def read(path: RootedPath) -> Clustering:
    """Read a clustering from its file.

    Raises CacheError for a damaged file, OSError (FileNotFoundError) where there is none.
    """
    try:
        with cache_files.opened(path) as file:
            found = _decoded(read_npz(file, limits.CLUSTERING, _STORED))
        check(found)
    except (UnusableFile, *_DAMAGE) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise CacheError(f"The clustering {path} is damaged: {why}.") from error
    return found


def publish(folder: RootedPath, clustering: Clustering) -> bool:
    """Show a clustering under its number; False where that, or a higher one, is taken.

    Raises OSError and CacheError; then nothing was published.
    """
    check(clustering)
    name = f"clustering-{clustering.number:09d}.npz"
    temporary = cache_files.temporary_name(name, "publish")
    with cache_files.folder(folder) as opened:
        try:
            with os.fdopen(opened.create(temporary), "wb") as file:
                _encode(file, clustering)
                file.flush()
                cache_files.sync(file.fileno())
                now = os.fstat(file.fileno()).st_mtime
            taken = _stamps(opened)
            if taken and taken[0].number >= clustering.number:
                return False
            if not _appears(opened, temporary, name, now):
                return False
        finally:
            with contextlib.suppress(OSError):
                opened.remove(temporary)
        opened.sync()
        _tidy(opened, now)
    return True


def remove_former(folder: RootedPath) -> None:
    """Remove all clusterings but the newest, at once. Raises OSError and CacheError.

    Whoever is about to read one finds the newest.
    """
    with (
        contextlib.suppress(FileNotFoundError, NotADirectoryError),
        cache_files.folder(folder) as opened,
    ):
        remove(opened, [stamp.name for stamp in _stamps(opened)[1:]])
        opened.sync()


def check(clustering: Clustering) -> None:
    """Raise ValueError for a clustering that its readers could stumble over."""
    lengths: dict[str, int] = {"s": SAMPLES, "n": len(clustering.keys)}
    _require_shapes(clustering, _ARRAYS, lengths)
    _require_shapes(clustering.memory, _MEMORY, lengths)
    if clustering.number < 1 or len(clustering.media) != len(clustering.media_files):
        raise ValueError("number or media are wrong")
    for faces in (clustering, clustering.memory):
        _require_order(faces)
    for name in ("samples", "loose"):
        _require_within(getattr(clustering, name), -1, len(clustering), name)
    ids = clustering.cluster_ids
    if (ids[1:] <= ids[:-1]).any() or (len(ids) and ids[0] <= 0):
        raise ValueError("the cluster ids are not ascending")
    known = np.append(ids, np.int32(NO_CLUSTER))
    if not np.isin(clustering.labels, known).all():
        raise ValueError("a label is no cluster")


def _require_shapes(
    of: Clustering | Memory, wanted: dict[str, tuple[str, Any]], lengths: dict[str, int]
) -> None:
    for name, (shape, dtype) in wanted.items():
        array = getattr(of, name)
        if array.dtype != dtype or array.ndim != len(shape):
            raise ValueError(f"{name} is {array.dtype} with {array.ndim} axes")
        for letter, length in zip(shape, array.shape, strict=True):
            if lengths.setdefault(letter, length) != length:
                raise ValueError(f"{name} has {length} where others have {lengths[letter]}")


def _require_within(values: NDArray[np.int32], first: int, end: int, name: str) -> None:
    if len(values) and not (first <= values.min() and values.max() < end):
        raise ValueError(f"{name} leads nowhere")


def _require_order(faces: Clustering | Memory) -> None:
    if not all(map(cache_files.is_hash, faces.media)):  # they name folders
        raise ValueError("media are no hashes")
    if any(one >= other for one, other in pairwise(faces.media)):
        raise ValueError("media are not in order")
    _require_within(faces.media_of, 0, len(faces.media), "media_of")
    media_of, keys = faces.media_of, faces.keys
    same = media_of[1:] == media_of[:-1]
    if (media_of[1:] < media_of[:-1]).any() or (keys[1:] < keys[:-1])[same].any():
        raise ValueError("the faces are not in order")


def _encode(file: IO[bytes], clustering: Clustering) -> None:
    """The bytes of an uncompressed .npz; any NumPy reads it."""
    fields: dict[str, Any] = {name: getattr(clustering, name) for name in (*_NUMBERS, *_ARRAYS)}
    for name in _TEXTS:  # ASCII: hashes and names of our files
        fields[name] = np.array(getattr(clustering, name), dtype=np.bytes_)
    memory = clustering.memory
    fields |= {f"memory_{name}": getattr(memory, name) for name in _MEMORY}
    fields["memory_media"] = np.array(memory.media, dtype=np.bytes_)
    np.savez(file, model=np.array(clustering.model.encode()), **fields)


def _decoded(arrays: dict[str, NDArray[Any]]) -> Clustering:
    fields: dict[str, Any] = {name: arrays[name] for name in _ARRAYS}
    fields |= {name: kind(arrays[name]) for name, kind in _NUMBERS.items()}
    for name in _TEXTS:
        fields[name] = tuple(text.decode() for text in arrays[name].tolist())
    media = tuple(text.decode() for text in arrays["memory_media"].tolist())
    fields["memory"] = Memory(media, **{name: arrays[f"memory_{name}"] for name in _MEMORY})
    return Clustering(model=arrays["model"].item().decode(), **fields)


def _appears(folder: OpenedFolder, temporary: str, name: str, now: float) -> bool:
    """Give a written file its name; False where somebody else's file has it."""
    try:
        folder.link(temporary, name)
    except FileExistsError:
        # A share may do it and lose the answer, and deny the second try.
        return folder.status(temporary).st_nlink > 1
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        with claimed(folder, f"{name.removesuffix('.npz')}.claim", now) as is_ours:
            if not is_ours or name in folder.names():
                return False
            folder.rename(temporary, name)
    return True


def _tidy(folder: OpenedFolder, now: float) -> None:
    """Remove old clusterings, claims and temporaries. Never fails: that can wait."""
    try:
        old = [stamp.name for stamp in _stamps(folder)[_KEPT:]]
        old += [name for name in folder.names() if _CLAIM.fullmatch(name)]  # of killed owners
        for name in old:
            with contextlib.suppress(FileNotFoundError):
                if folder.status(name).st_mtime < now - _KEPT_S:
                    folder.remove(name)
        remove_temporaries(folder, now)
        for part in ("members", "edits"):
            with contextlib.suppress(FileNotFoundError), folder.folder(part) as below:
                remove_temporaries(below, now)
    except (OSError, NotAllowed) as error:
        _log.warning("could not tidy %s up: %s", folder.path, error)
