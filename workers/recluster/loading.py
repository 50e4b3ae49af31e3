"""Reads the faces of many MediaFiles out of a CacheDir, in the order of a Clustering."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.cache.cache_dir import CacheDir
from shared.cache.faces import face_keys, read_faces
from shared.domain import Stage
from shared.errors import CacheError
from workers.recluster.types import FaceSet, Step

log = logging.getLogger(__name__)

_SHARP = 20.0  # as sharp as faces need to be shown
_LARGE = 160.0  # pixels: as large
_SHOWN_LESS = 0.3  # of a marked face's worth to be shown


@dataclass(frozen=True, slots=True)
class FaceTable:
    """Which faces there are: ordered by (MediaFile, key), as in people.clustering.Clustering."""

    media: tuple[str, ...]  # hash_str, ascending
    media_files: tuple[str, ...]  # data file of each
    media_of: NDArray[np.int32]
    keys: NDArray[np.uint64]
    rows: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def columns(self) -> dict[str, Any]:
        """The fields, which are some of a Clustering's."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True)
class LoadedFaces:
    table: FaceTable
    faces: FaceSet


_Files = dict[str, tuple[str, dict[str, NDArray[Any]]]]  # data file and arrays by hash_str


def load_faces(
    cache: CacheDir,
    model: str,
    hashes: Iterable[str],
    step: Step,
    dim: int | None = None,
) -> LoadedFaces:
    """The faces of these MediaFiles by this model; files without (usable) faces data are left out.

    `step` is told the share of the files that are read. `dim`: length of the vectors that
    these ones join, else that of most of them; others cannot be compared and are left out.
    """
    found = _read(cache, model, sorted(hashes), step)
    shapes = {hash_str: arrays["embeddings"].shape for hash_str, (_, arrays) in found.items()}
    if dim is None:
        dims: Counter[int] = Counter()
        for count, own in shapes.values():
            dims[own] += count
        dim = dims.most_common(1)[0][0] if dims else 0
    for hash_str, (count, own) in shapes.items():
        if count and own != dim:
            log.warning(
                "%s is left out of the grouping: its vectors have %d numbers instead of %d. "
                "Use force.", hash_str, own, dim,
            )  # fmt: skip
            del found[hash_str]
    return _joined(found, dim)


def _read(cache: CacheDir, model: str, hashes: list[str], step: Step) -> _Files:
    found: _Files = {}
    for number, hash_str in enumerate(hashes):
        step(number / len(hashes), "Reading faces")
        manifest = cache.manifest(hash_str, Stage.FACES, model)
        if manifest is None:
            continue
        try:
            arrays = read_faces(cache.data_path(hash_str, manifest), *_none(0))
        except CacheError as error:
            log.warning("%s is left out of the grouping: %s", hash_str, error.message)
            continue
        found[hash_str] = manifest.file, arrays
    return found


def _joined(files: _Files, dim: int) -> LoadedFaces:
    counts = [len(arrays["seconds"]) for _, arrays in files.values()]
    media_of = np.repeat(np.arange(len(files), dtype=np.int32), counts)
    some = [arrays for _, arrays in files.values() if len(arrays["seconds"])]
    joined = {
        name: np.concatenate([none, *(arrays[name] for arrays in some)])
        for name, none in _none(dim).items()
    }
    table = FaceTable(
        media=tuple(files),
        media_files=tuple(file for file, _ in files.values()),
        media_of=media_of,
        keys=face_keys(joined["seconds"], joined["boxes"]),
        rows=np.concatenate([np.arange(n, dtype=np.int32) for n in [0, *counts]]),
    )
    faces = FaceSet(
        embeddings=joined["embeddings"],
        media_of=media_of,
        seconds=joined["seconds"],
        marks=joined["marks"],
        quality=_quality(joined),
        scores=joined["scores"],
    )
    return LoadedFaces(table, faces)


def _none(dim: int) -> dict[str, NDArray[Any]]:
    return {
        "seconds": np.zeros(0, np.uint32),
        "boxes": np.zeros((0, 4), np.float32),
        "scores": np.zeros(0, np.float32),
        "sharpness": np.zeros(0, np.float32),
        "sizes": np.zeros(0, np.float32),
        "marks": np.zeros(0, np.uint8),
        "embeddings": np.zeros((0, dim), np.float16),
    }


def _quality(arrays: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    """How well each face can be recognised by a person who looks at it, 0 to 1."""
    sharp = np.clip(arrays["sharpness"].astype(np.float32) / _SHARP, 0.1, 1)
    large = np.clip(arrays["sizes"].astype(np.float32) / _LARGE, 0.1, 1)
    marked = np.where(arrays["marks"].astype(np.uint8) == 0, 1.0, _SHOWN_LESS)
    quality: NDArray[np.float32] = (arrays["scores"] * sharp * large * marked).astype(np.float32)
    return quality
