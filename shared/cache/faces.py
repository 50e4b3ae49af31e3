"""The faces of one MediaFile: what is kept of each detection, as arrays in a .npz file."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from enum import IntFlag
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from shared.cache import cache_files, limits
from shared.cache.arrays import read_npz
from shared.errors import BadInput, CacheError
from shared.opening import RootedPath

_DAMAGE = (  # as flipped bits and lengths that nobody can hold look
    *(OSError, ValueError, KeyError, EOFError, RuntimeError, TypeError, SyntaxError),
    *(AttributeError, OverflowError, MemoryError, zipfile.BadZipFile, zlib.error, struct.error),
)
_CENTRE_BITS = 12  # of x and of y, as parts of the picture's width and height
_FACE_ID = re.compile(r"([0-9a-f]{16})-(\d{1,9})-([0-9a-f]{6})")
_FIELDS: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {  # what each face has; -1: any
    "seconds": (np.uint32, ()),
    "boxes": (np.float32, (4,)),
    "landmarks": (np.float32, (5, 2)),
    "scores": (np.float32, ()),
    "sharpness": (np.float32, ()),
    "sizes": (np.float32, ()),
    "marks": (np.uint8, ()),
    "embeddings": (np.float16, (-1,)),
}


class FaceMark(IntFlag):
    """Why a face may join a cluster but never forms one; 0: it may form one."""

    SMALL = 1
    BLURRED = 2
    TURNED = 4  # seen from the side, from above or from below


@dataclass(frozen=True, slots=True)
class FaceRows:
    """n faces, ordered by key. Coordinates are parts (0 to 1) of the upright picture."""

    seconds: NDArray[np.uint32]  # [n] grid second
    boxes: NDArray[np.float32]  # [n, 4] x, y, width, height
    landmarks: NDArray[np.float32]  # [n, 5, 2] left eye, right eye, nose, mouth left, mouth right
    scores: NDArray[np.float32]  # [n] of the detector, 0 to 1
    sharpness: NDArray[np.float32]  # [n] higher is sharper
    sizes: NDArray[np.float32]  # [n] shorter side of the box in pixels of the source
    marks: NDArray[np.uint8]  # [n] FaceMark
    embeddings: NDArray[np.float16]  # [n, dim] unit rows

    def __len__(self) -> int:
        return len(self.seconds)

    @property
    def keys(self) -> NDArray[np.uint64]:
        """[n] keys that tell the faces of one MediaFile apart, ascending."""
        return face_keys(self.seconds, self.boxes)

    def take(self, order: NDArray[np.intp]) -> FaceRows:
        return FaceRows(*(getattr(self, name)[order] for name in FaceRows.__slots__))


def face_keys(seconds: NDArray[np.uint32], boxes: NDArray[np.float32]) -> NDArray[np.uint64]:
    """[n] second and centre of the box in one number: the same face again has the same key."""
    top = (1 << _CENTRE_BITS) - 1
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    at = np.clip(np.rint(centres * top), 0, top).astype(np.uint64)
    return (
        (seconds.astype(np.uint64) << np.uint64(2 * _CENTRE_BITS))
        | (at[:, 0] << np.uint64(_CENTRE_BITS))
        | at[:, 1]
    )


def face_id(hash_str: str, key: int) -> str:
    """The public id of a face: names the file, the second and the place in the picture."""
    bits = 2 * _CENTRE_BITS
    return f"{hash_str}-{key >> bits}-{key & ((1 << bits) - 1):06x}"


def parse_face_id(text: str) -> tuple[str, int]:
    """(hash_str, key) of a face_id. Raises BadInput for what is none."""
    found = _FACE_ID.fullmatch(text)
    if not found:
        raise BadInput(f"{text[:80]!r} is no face_id; take them from /faces/clusters/faces.")
    return found[1], int(found[2]) << (2 * _CENTRE_BITS) | int(found[3], 16)


def second_of(key: int) -> int:
    return key >> (2 * _CENTRE_BITS)


def seconds_of(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """[n] the grid second of each key."""
    return keys >> np.uint64(2 * _CENTRE_BITS)


def first_key(second: int) -> int:
    """Lowest key of a grid second's faces; all its keys lie below that of the next second."""
    return second << (2 * _CENTRE_BITS)


def centres_of(keys: NDArray[np.uint64]) -> NDArray[np.float32]:
    """[n, 2] x and y of the face centres in the keys, as parts of the picture."""
    top = np.uint64((1 << _CENTRE_BITS) - 1)
    at = np.stack([keys >> np.uint64(_CENTRE_BITS) & top, keys & top], axis=-1)
    return (at / np.float32(top)).astype(np.float32)


def write_faces(file: IO[bytes], rows: FaceRows) -> None:
    """Write an uncompressed .npz, one array a field; any NumPy reads it."""
    np.savez(file, **{name: getattr(rows, name) for name in FaceRows.__slots__})


def _check(arrays: dict[str, NDArray[Any]]) -> None:
    """Raise ValueError for arrays of faces that readers could stumble over."""
    for name, array in arrays.items():
        dtype, shape = _FIELDS[name]
        wide = array.shape[1:]
        is_so = len(wide) == len(shape) and all(
            w in (-1, n) for w, n in zip(shape, wide, strict=True)
        )
        if array.dtype != dtype or array.ndim == 0 or not is_so:
            raise ValueError(f"{name} is {array.dtype} of shape {array.shape}")
    if "embeddings" in arrays and arrays["embeddings"].shape[1] > limits.DIMENSIONS:
        raise ValueError(f"its vectors have more than {limits.DIMENSIONS} numbers")
    if len({len(array) for array in arrays.values()}) > 1:
        raise ValueError("its fields have different lengths")
    if "boxes" in arrays and not np.isfinite(arrays["boxes"]).all():
        raise ValueError("a box is nowhere")
    if "boxes" in arrays and "seconds" in arrays:
        keys = face_keys(arrays["seconds"], arrays["boxes"])
        if (keys[1:] <= keys[:-1]).any():
            raise ValueError("the faces are not in order")


def read_faces(path: RootedPath, *only: str) -> dict[str, NDArray[Any]]:
    """The named fields of a file of faces, all when none is named. Raises CacheError if damaged."""
    try:
        with cache_files.opened(path) as file:
            arrays = read_npz(file, limits.FACES, only or FaceRows.__slots__)
        _check(arrays)
        return arrays
    except FileNotFoundError as error:
        raise CacheError(f"The faces {path.name} are gone. Analyze again.") from error
    except _DAMAGE as error:
        raise CacheError(f"The faces {path.name} are damaged: {error}. Use force.") from error
