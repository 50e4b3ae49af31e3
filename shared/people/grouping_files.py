"""Groupings of faces and of voices as files, `<kind>-<number>.npz`: any NumPy reads them.

Readers check what they read: anybody may write to a share.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable
from itertools import pairwise
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from shared.cache import cache_files, limits
from shared.cache.arrays import read_npz
from shared.errors import CacheError
from shared.opening import RootedPath
from shared.people.clustering import (
    FIXED_LENGTHS,
    NO_CLUSTER,
    Clustering,
    Memory,
    VoiceGrouping,
    shapes_of,
)
from shared.people.numbered_files import GroupingKind
from shared.unusable_files import UnusableFile

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
T = TypeVar("T", Clustering, VoiceGrouping)


def _read_whole(
    path: RootedPath, what: str, limit: int, kind: type[T], check: Callable[[T], None]
) -> T:
    """Read a grouping from its file; `what`: as people call it.

    Raises CacheError for a damaged file, OSError (FileNotFoundError) where there is none.
    """
    columns = (*shapes_of(kind), *_NUMBERS[kind], *_TEXTS)
    of_memory = ("media", *shapes_of(Memory)) if kind is Clustering else ()
    names = ("model", *columns, *(f"memory_{name}" for name in of_memory))
    try:
        with cache_files.opened(path) as file:
            arrays = read_npz(file, limit, names)
        fields = {name: _decoded(kind, name, arrays[name]) for name in columns}
        if of_memory:
            own = {name: _decoded(Memory, name, arrays[f"memory_{name}"]) for name in of_memory}
            fields["memory"] = Memory(**own)
        found = kind(model=arrays["model"].item().decode(), **fields)
        check(found)
    except (UnusableFile, *_DAMAGE) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise CacheError(f"The {what} {path} is damaged: {why}.") from error
    return found


def read_clustering(path: RootedPath) -> Clustering:
    return _read_whole(path, "clustering", limits.CLUSTERING, Clustering, check_clustering)


def read_voices(path: RootedPath) -> VoiceGrouping:
    return _read_whole(path, "grouping of voices", limits.VOICES, VoiceGrouping, check_voices)


def check_clustering(clustering: Clustering) -> None:
    """Raise ValueError for a clustering that its readers could stumble over."""
    _check_fields(clustering, len(clustering))
    for faces in (clustering, clustering.memory):
        _require_media(faces.media, faces.media_of)
        same = faces.media_of[1:] == faces.media_of[:-1]
        if (faces.keys[1:] < faces.keys[:-1])[same].any():
            raise ValueError("the faces are not in order")
    for name in ("samples", "loose"):
        _require_within(getattr(clustering, name), -1, len(clustering), name)
    ids = clustering.cluster_ids
    if (ids[1:] <= ids[:-1]).any() or (len(ids) and ids[0] <= 0):
        raise ValueError("the cluster ids are not ascending")
    known = np.append(ids, np.int32(NO_CLUSTER))
    if not np.isin(clustering.labels, known).all():
        raise ValueError("a label is no cluster")


def check_voices(grouping: VoiceGrouping) -> None:
    """Raise ValueError for a grouping that its readers could stumble over."""
    _check_fields(grouping, len(grouping))
    _require_media(grouping.media, grouping.media_of)
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


def _check_fields(grouping: Clustering | VoiceGrouping, count: int) -> None:
    lengths = {**FIXED_LENGTHS, "n": count}
    _require_shapes(grouping, lengths)
    if isinstance(grouping, Clustering):
        _require_shapes(grouping.memory, lengths)
    if grouping.number < 1 or len(grouping.media) != len(grouping.media_files):
        raise ValueError("number or media are wrong")


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


def _require_shapes(of: Clustering | VoiceGrouping | Memory, lengths: dict[str, int]) -> None:
    """Raise ValueError for arrays of another type, or of lengths that do not agree."""
    for name, (shape, dtype) in shapes_of(type(of)).items():
        array = getattr(of, name)
        if array.dtype != dtype or array.ndim != len(shape):
            raise ValueError(f"{name} is {array.dtype} with {array.ndim} axes")
        for letter, length in zip(shape, array.shape, strict=True):
            if lengths.setdefault(letter, length) != length:
                raise ValueError(f"{name} has {length} where others have {lengths[letter]}")


def _require_within(values: NDArray[np.int32], first: int, end: int, name: str) -> None:
    if len(values) and not (first <= values.min() and values.max() < end):
        raise ValueError(f"{name} leads nowhere")


def _require_media(media: tuple[str, ...], media_of: NDArray[np.int32]) -> None:
    """Raise ValueError for MediaFiles, or for who is in them, that are out of order."""
    if not all(map(cache_files.is_hash, media)):  # they name folders
        raise ValueError("media are no hashes")
    if any(one >= other for one, other in pairwise(media)):
        raise ValueError("media are not in order")
    _require_within(media_of, 0, len(media), "media_of")
    if (media_of[1:] < media_of[:-1]).any():
        raise ValueError("media_of is not in order")


# `read_clustering` is looked up when it is called.
CLUSTERINGS: GroupingKind[Clustering] = GroupingKind(
    "clustering", lambda path: read_clustering(path), _encode, check_clustering
)
VOICES: GroupingKind[VoiceGrouping] = GroupingKind("voices", read_voices, _encode, check_voices)
