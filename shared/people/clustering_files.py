"""Groupings as files: `clustering-<number>.npz` of faces, `voices-<number>.npz` of voices."""

from __future__ import annotations

from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from shared.cache import limits
from shared.opening import RootedPath
from shared.people.clustering import NO_CLUSTER, SAMPLES, Clustering, Memory
from shared.people.numbered_files import GroupingKind
from shared.people.stored_arrays import (
    read_fields,
    read_whole,
    require_media,
    require_shapes,
    require_within,
    stored_fields,
)
from shared.people.voices import VoiceGrouping

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


def read(path: RootedPath) -> Clustering:
    """Read a clustering from its file.

    Raises CacheError for a damaged file, OSError (FileNotFoundError) where there is none.
    """
    return read_whole(path, "clustering", limits.CLUSTERING, _STORED, _decoded, check)


def check(clustering: Clustering) -> None:
    """Raise ValueError for a clustering that its readers could stumble over."""
    lengths: dict[str, int] = {"s": SAMPLES, "n": len(clustering.keys)}
    require_shapes(clustering, _ARRAYS, lengths)
    require_shapes(clustering.memory, _MEMORY, lengths)
    if clustering.number < 1 or len(clustering.media) != len(clustering.media_files):
        raise ValueError("number or media are wrong")
    for faces in (clustering, clustering.memory):
        _require_order(faces)
    for name in ("samples", "loose"):
        require_within(getattr(clustering, name), -1, len(clustering), name)
    ids = clustering.cluster_ids
    if (ids[1:] <= ids[:-1]).any() or (len(ids) and ids[0] <= 0):
        raise ValueError("the cluster ids are not ascending")
    known = np.append(ids, np.int32(NO_CLUSTER))
    if not np.isin(clustering.labels, known).all():
        raise ValueError("a label is no cluster")


def _require_order(faces: Clustering | Memory) -> None:
    require_media(faces.media, faces.media_of)
    media_of, keys = faces.media_of, faces.keys
    same = media_of[1:] == media_of[:-1]
    if (keys[1:] < keys[:-1])[same].any():
        raise ValueError("the faces are not in order")


def _encode(file: IO[bytes], clustering: Clustering) -> None:
    """The bytes of an uncompressed .npz; any NumPy reads it."""
    fields = stored_fields(clustering, (*_NUMBERS, *_ARRAYS), _TEXTS)
    memory = clustering.memory
    fields |= {f"memory_{name}": getattr(memory, name) for name in _MEMORY}
    fields["memory_media"] = np.array(memory.media, dtype=np.bytes_)
    np.savez(file, model=np.array(clustering.model.encode()), **fields)


def _decoded(arrays: dict[str, NDArray[Any]]) -> Clustering:
    fields = read_fields(arrays, _ARRAYS, _NUMBERS, _TEXTS)
    media = tuple(text.decode() for text in arrays["memory_media"].tolist())
    fields["memory"] = Memory(media, **{name: arrays[f"memory_{name}"] for name in _MEMORY})
    return Clustering(model=arrays["model"].item().decode(), **fields)


# `read` is looked up when it is called.
CLUSTERINGS = GroupingKind("clustering", lambda path: read(path), _encode, check)


_VOICE_NUMBERS = {"number": int, "made_at": float}

_VOICE_ARRAYS: dict[str, tuple[str, Any]] = {  # letters: lengths that must agree
    "media_of": ("n", np.int32),
    "ids": ("n", np.uint32),
    "numbers": ("n", np.int32),
    "rows": ("nd", np.float16),
    "seconds": ("n", np.float32),
    "excerpts": ("nt", np.float32),
    "labels": ("n", np.int32),
    "is_there": ("n", np.bool_),
}
_VOICES_STORED = (*_VOICE_ARRAYS, *_VOICE_NUMBERS, *_TEXTS, "model")


def read_voices(path: RootedPath) -> VoiceGrouping:
    """Raises CacheError for a damaged file, OSError (FileNotFoundError) where there is none."""
    return read_whole(
        path, "grouping of voices", limits.VOICES, _VOICES_STORED, _decoded_voices, check_voices
    )


def check_voices(grouping: VoiceGrouping) -> None:
    """Raise ValueError for a grouping that its readers could stumble over."""
    require_shapes(grouping, _VOICE_ARRAYS, {"t": 2, "n": len(grouping)})
    if grouping.number < 1 or len(grouping.media) != len(grouping.media_files):
        raise ValueError("number or media are wrong")
    require_media(grouping.media, grouping.media_of)
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


def _encode_voices(file: IO[bytes], grouping: VoiceGrouping) -> None:
    """The bytes of an uncompressed .npz; any NumPy reads it."""
    fields = stored_fields(grouping, (*_VOICE_NUMBERS, *_VOICE_ARRAYS), _TEXTS)
    np.savez(file, model=np.array(grouping.model.encode()), **fields)


def _decoded_voices(arrays: dict[str, NDArray[Any]]) -> VoiceGrouping:
    fields = read_fields(arrays, _VOICE_ARRAYS, _VOICE_NUMBERS, _TEXTS)
    return VoiceGrouping(model=arrays["model"].item().decode(), **fields)


VOICES = GroupingKind("voices", read_voices, _encode_voices, check_voices)
