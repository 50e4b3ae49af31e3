"""Reads the faces of many MediaFiles out of a CacheDir, in the order of a Clustering."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.cache import CacheDir
from shared.domain import Stage
from shared.errors import CacheError
from shared.faces import face_keys, read_faces
from workers.recluster.types import Faces

log = logging.getLogger(__name__)

_SHARP = 20.0  # as sharp as faces need to be shown
_LARGE = 160.0  # pixels: as large
_SHOWN_LESS = 0.3  # of a marked face's worth to be shown
_FIELDS = ("seconds", "boxes", "scores", "sharpness", "sizes", "marks", "embeddings")


@dataclass(frozen=True, slots=True)
class FaceTable:
    """Which faces there are: ordered by (MediaFile, key), as in people.clustering.Clustering."""

    media: tuple[str, ...]  # hash_str, ascending
    files: tuple[str, ...]  # data file of each
    media_of: NDArray[np.int32]
    keys: NDArray[np.uint64]
    rows: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, slots=True)
class LoadedFaces:
    table: FaceTable
    faces: Faces


def load_faces(
    cache: CacheDir, model: str, hashes: Iterable[str], each: Callable[[float], None]
) -> LoadedFaces:
    """The faces of these MediaFiles by this model; files without (usable) faces data are left out.

    `each` is called with the share of the files that are read.
    """
    hashes = sorted(hashes)
    media: list[str] = []
    files: list[str] = []
    found: list[dict[str, NDArray[Any]]] = []
    for number, hash_str in enumerate(hashes):
        each(number / len(hashes))
        manifest = cache.manifest(hash_str, Stage.FACES, model)
        if manifest is None:
            continue
        try:
            arrays = read_faces(cache.data_path(hash_str, manifest), *_FIELDS)
        except CacheError as error:
            log.warning("%s is left out of the grouping: %s", hash_str, error.message)
            continue
        media.append(hash_str)
        files.append(manifest.file)
        found.append(arrays)
    counts = [len(arrays["seconds"]) for arrays in found]
    media_of = np.repeat(np.arange(len(media), dtype=np.int32), counts)
    joined = {name: _joined([arrays[name] for arrays in found]) for name in _FIELDS}
    table = FaceTable(
        media=tuple(media),
        files=tuple(files),
        media_of=media_of,
        keys=face_keys(joined["seconds"], joined["boxes"].reshape(-1, 4)),
        rows=np.concatenate([np.arange(n, dtype=np.int32) for n in [0, *counts]]),
    )
    faces = Faces(
        embeddings=joined["embeddings"],
        media_of=media_of,
        seconds=joined["seconds"],
        marks=joined["marks"],
        quality=_quality(joined),
    )
    return LoadedFaces(table, faces)


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    filled = [part for part in parts if len(part)]
    if filled:
        return np.concatenate(filled)
    return parts[0] if parts else np.zeros(0, np.float32)


def _quality(arrays: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    """How well each face can be recognised by a person who looks at it, 0 to 1."""
    sharp = np.clip(arrays["sharpness"].astype(np.float32) / _SHARP, 0.1, 1)
    large = np.clip(arrays["sizes"].astype(np.float32) / _LARGE, 0.1, 1)
    marked = np.where(arrays["marks"].astype(np.uint8) == 0, 1.0, _SHOWN_LESS)
    quality: NDArray[np.float32] = (arrays["scores"] * sharp * large * marked).astype(np.float32)
    return quality
