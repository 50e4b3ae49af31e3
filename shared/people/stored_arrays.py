"""Groupings as arrays: what an npz file holds of one, and whether its readers can trust it."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from shared.cache import cache_files
from shared.cache.arrays import read_npz
from shared.errors import CacheError
from shared.opening import RootedPath
from shared.unusable_files import UnusableFile

_DAMAGE = (  # as a flipped bit can look
    *(ValueError, KeyError, EOFError, RuntimeError, TypeError, SyntaxError, AttributeError),
    *(OverflowError, MemoryError, zipfile.BadZipFile, zlib.error, struct.error),
)
T = TypeVar("T")
Arrays = dict[str, NDArray[Any]]


def read_whole(
    path: RootedPath,
    what: str,
    limit: int,
    names: Iterable[str],
    decoded: Callable[[Arrays], T],
    check: Callable[[T], None],
) -> T:
    """Read a grouping from its file; `what`: as people call it.

    Raises CacheError for a damaged file, OSError (FileNotFoundError) where there is none.
    """
    try:
        with cache_files.opened(path) as file:
            found = decoded(read_npz(file, limit, names))
        check(found)
    except (UnusableFile, *_DAMAGE) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise CacheError(f"The {what} {path} is damaged: {why}.") from error
    return found


def stored_fields(of: object, plain: Iterable[str], texts: Iterable[str]) -> dict[str, Any]:
    """The fields of a grouping as np.savez takes them. `texts`: tuples of hashes and names."""
    fields = {name: getattr(of, name) for name in plain}
    return fields | {name: np.array(getattr(of, name), dtype=np.bytes_) for name in texts}


def read_fields(
    arrays: Arrays,
    plain: Iterable[str],
    numbers: Mapping[str, Callable[[Any], Any]],
    texts: Iterable[str],
) -> dict[str, Any]:
    """What `stored_fields` was made of."""
    fields: dict[str, Any] = {name: arrays[name] for name in plain}
    fields |= {name: kind(arrays[name]) for name, kind in numbers.items()}
    for name in texts:
        fields[name] = tuple(text.decode() for text in arrays[name].tolist())
    return fields


def require_shapes(
    of: object, wanted: Mapping[str, tuple[str, Any]], lengths: dict[str, int]
) -> None:
    """Raise ValueError for arrays of another type, or of lengths that do not agree.

    `wanted`: a letter for each axis, and the type. Axes with one letter have one length.
    """
    for name, (shape, dtype) in wanted.items():
        array = getattr(of, name)
        if array.dtype != dtype or array.ndim != len(shape):
            raise ValueError(f"{name} is {array.dtype} with {array.ndim} axes")
        for letter, length in zip(shape, array.shape, strict=True):
            if lengths.setdefault(letter, length) != length:
                raise ValueError(f"{name} has {length} where others have {lengths[letter]}")


def require_within(values: NDArray[np.int32], first: int, end: int, name: str) -> None:
    """Raise ValueError for places that there are not."""
    if len(values) and not (first <= values.min() and values.max() < end):
        raise ValueError(f"{name} leads nowhere")


def require_media(media: tuple[str, ...], media_of: NDArray[np.int32]) -> None:
    """Raise ValueError for MediaFiles, or for who is in them, that are out of order."""
    if not all(map(cache_files.is_hash, media)):  # they name folders
        raise ValueError("media are no hashes")
    if any(one >= other for one, other in pairwise(media)):
        raise ValueError("media are not in order")
    require_within(media_of, 0, len(media), "media_of")
    if (media_of[1:] < media_of[:-1]).any():
        raise ValueError("media_of is not in order")
