"""Clusterings as files: `clustering-<number>.npz`, written once, each number by one publisher."""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import os
import re
import secrets
import struct
import zipfile
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.cache import cache_files
from shared.errors import CacheError
from shared.people.addition_log import remove, remove_temporaries
from shared.people.clustering import NO_CLUSTER, SAMPLES, Clustering, Memory

_log = logging.getLogger(__name__)
_KEPT = 3
# A reader may be on its way from the listing to the file; of 100,000 faces each takes 25 MB.
_KEPT_S = 60.0
_CLAIM_KEPT_S = 60.0  # between claim and rename lies no more than a look at the folder
_FILE = re.compile(r"clustering-(\d{9,15})\.npz")
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


class Stamp(NamedTuple):
    """Identity of a clustering's file, also after the folder was deleted and made again."""

    number: int
    name: str
    size: int
    mtime_ns: int


def stamps(folder: Path) -> tuple[Stamp, ...]:
    """The clusterings in a folder, highest number first. Raises OSError."""
    found = []
    try:
        with os.scandir(folder) as items:
            for item in items:
                if named := _FILE.fullmatch(item.name):
                    with contextlib.suppress(FileNotFoundError):
                        is_ = item.stat()
                        found.append(Stamp(int(named[1]), item.name, is_.st_size, is_.st_mtime_ns))
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return tuple(sorted(found, reverse=True))


def read(path: Path) -> Clustering:
    """Read a clustering from its file.

    Raises CacheError for a damaged file, OSError (FileNotFoundError) where there is none.
    """
    raw = cache_files.read(path)
    try:
        found = _decoded(raw)
        check(found)
    except _DAMAGE as error:
        raise CacheError(f"The clustering {path} is damaged: {error}.") from error
    return found


def publish(folder: Path, clustering: Clustering) -> bool:
    """Show a clustering under its number; False where that, or a higher one, is taken.

    Raises OSError; then nothing was published.
    """
    check(clustering)
    name = f"clustering-{clustering.number:09d}.npz"
    temporary = cache_files.temporary_name(folder, name, "publish")
    try:
        with open(temporary, "xb") as file:
            _encode(file, clustering)
            file.flush()
            cache_files.sync(file.fileno())
            now = os.fstat(file.fileno()).st_mtime
        taken = stamps(folder)
        if taken and taken[0].number >= clustering.number:
            return False
        if not _appears(temporary, folder / name, now):
            return False
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    cache_files.sync_folder(folder)
    _tidy(folder, now)
    return True


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


def _decoded(raw: bytes) -> Clustering:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:

        def array(name: str) -> NDArray[Any]:
            # Whole, and so checked against its CRC, before anything in it is believed.
            member = io.BytesIO(archive.read(f"{name}.npy"))
            return np.lib.format.read_array(member, allow_pickle=False)

        fields: dict[str, Any] = {name: array(name) for name in _ARRAYS}
        fields |= {name: kind(array(name)) for name, kind in _NUMBERS.items()}
        for name in _TEXTS:
            fields[name] = tuple(text.decode() for text in array(name).tolist())
        media = tuple(text.decode() for text in array("memory_media").tolist())
        fields["memory"] = Memory(media, **{name: array(f"memory_{name}") for name in _MEMORY})
        return Clustering(model=array("model").item().decode(), **fields)


def _appears(temporary: Path, path: Path, now: float) -> bool:
    """Give a written file its name; False where somebody else's file has it."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        # A share may do it and lose the answer, and deny the second try.
        return os.stat(temporary).st_nlink > 1
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        with _claim(path.with_suffix(".claim"), now) as is_ours:
            if not is_ours or path.exists():
                return False
            os.rename(temporary, path)
    return True


@contextlib.contextmanager
def _claim(path: Path, now: float) -> Iterator[bool]:
    """Whether the caller alone may use the name that a claim stands for, on disks without links."""
    with contextlib.suppress(FileNotFoundError):
        if os.stat(path).st_mtime < now - _CLAIM_KEPT_S:  # its owner was killed
            # Of several who take it away, one can.
            dead = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
            os.rename(path, dead)
            remove([dead])
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    except FileExistsError:
        yield False
        return
    try:
        yield True
    finally:
        remove([path])


def _tidy(folder: Path, now: float) -> None:
    """Remove old clusterings, claims and temporaries. Never fails: that can wait."""
    try:
        old = [folder / stamp.name for stamp in stamps(folder)[_KEPT:]]
        old += folder.glob("clustering-*.claim")  # of owners that were killed
        for path in old:
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < now - _KEPT_S:
                    path.unlink()
    except OSError as error:
        _log.warning("could not tidy %s up: %s", folder, error)
    for name in ("", "members", "edits"):
        remove_temporaries(folder / name, now)
