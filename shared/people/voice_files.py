"""Groupings of voices as files: `voices-<number>.npz`."""

from __future__ import annotations

from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from shared.cache import limits
from shared.opening import RootedPath
from shared.people.numbered_files import GroupingKind
from shared.people.stored_arrays import (
    read_fields,
    read_whole,
    require_media,
    require_shapes,
    stored_fields,
)
from shared.people.voices import VoiceGrouping

_NUMBERS = {"number": int, "made_at": float}
_TEXTS = ("media", "media_files")
_ARRAYS: dict[str, tuple[str, Any]] = {  # letters: lengths that must agree
    "media_of": ("n", np.int32),
    "ids": ("n", np.uint32),
    "numbers": ("n", np.int32),
    "rows": ("nd", np.float16),
    "seconds": ("n", np.float32),
    "excerpts": ("nt", np.float32),
    "labels": ("n", np.int32),
    "is_there": ("n", np.bool_),
}
_STORED = (*_ARRAYS, *_NUMBERS, *_TEXTS, "model")


def read(path: RootedPath) -> VoiceGrouping:
    """Raises CacheError for a damaged file, OSError (FileNotFoundError) where there is none."""
    return read_whole(path, "grouping of voices", limits.VOICES, _STORED, _decoded, check)


def check(grouping: VoiceGrouping) -> None:
    """Raise ValueError for a grouping that its readers could stumble over."""
    require_shapes(grouping, _ARRAYS, {"t": 2, "n": len(grouping)})
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


def _encode(file: IO[bytes], grouping: VoiceGrouping) -> None:
    """The bytes of an uncompressed .npz; any NumPy reads it."""
    fields = stored_fields(grouping, (*_NUMBERS, *_ARRAYS), _TEXTS)
    np.savez(file, model=np.array(grouping.model.encode()), **fields)


def _decoded(arrays: dict[str, NDArray[Any]]) -> VoiceGrouping:
    fields = read_fields(arrays, _ARRAYS, _NUMBERS, _TEXTS)
    return VoiceGrouping(model=arrays["model"].item().decode(), **fields)


VOICES = GroupingKind("voices", read, _encode, check)
