"""What lies beside a face: its box, the detector's score, the crop; read for a page of faces."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api.http.concurrency import own_slot
from shared.cache import cache_files
from shared.cache.cache_dir import CacheDir
from shared.cache.faces import face_keys, read_faces
from shared.cache.frame_packs import PackReader
from shared.domain import Stage
from shared.errors import CacheError
from shared.opening import RootedPath
from shared.people.clustering import Clustering

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pictured:
    """What could be read of a face; None: its file is gone or damaged."""

    box: tuple[float, float, float, float] | None = None
    score: float | None = None
    jpeg: bytes | None = None


_NOTHING = Pictured()


def pictured(
    cache: CacheDir, clustering: Clustering, faces: Sequence[int], pool: Executor
) -> list[Pictured]:
    """Pictures of faces (indexes into the clustering), in order; each file is opened once."""
    found = [_NOTHING] * len(faces)
    by_file: dict[int, list[int]] = {}
    media = clustering.media_of[np.asarray(faces, dtype=np.intp)].tolist()
    for place, number in enumerate(media):
        by_file.setdefault(number, []).append(place)

    def read(number: int) -> None:
        places = by_file[number]
        keys = clustering.keys[[faces[place] for place in places]]
        for place, face in zip(places, _of_file(cache, clustering, number, keys), strict=True):
            found[place] = face

    list(pool.map(read, by_file))
    return found


def _of_file(
    cache: CacheDir, clustering: Clustering, number: int, keys: NDArray[np.uint64]
) -> list[Pictured]:
    """Pictures from the artefact that was grouped, else from the one that has replaced it."""
    hash_str, file = clustering.media[number], clustering.media_files[number]
    tries: tuple[Callable[[], str | None], ...] = (
        lambda: file,
        lambda: _newest(cache, hash_str, clustering.model),
    )
    for name_of in tries:
        name = name_of()
        if not name or not cache_files.is_data(name):  # never follow a path out of the folder
            continue
        try:
            with own_slot(f"Reading faces of {hash_str}", CacheError):
                return _read(cache.media_dir(hash_str), name, keys)
        except CacheError as error:
            _log.info("faces of %s: %s", hash_str, error)
    return [_NOTHING] * len(keys)


def _newest(cache: CacheDir, hash_str: str, model: str) -> str | None:
    manifest = cache.manifest(hash_str, Stage.FACES, model)
    return manifest.file if manifest else None


def _read(folder: RootedPath, name: str, keys: NDArray[np.uint64]) -> list[Pictured]:
    """Pictures of the faces with these keys. Raises CacheError for rows that cannot be read.

    A pack that cannot be read costs the crops only.
    """
    stored = read_faces(folder / name, "seconds", "boxes", "scores")
    boxes, scores = stored["boxes"], stored["scores"]
    known = face_keys(stored["seconds"], boxes)
    rows = np.minimum(np.searchsorted(known, keys), max(0, len(known) - 1))
    is_there = known[rows] == keys if len(known) else np.zeros(len(keys), dtype=bool)
    rows_there = [
        row if there else None for row, there in zip(rows.tolist(), is_there, strict=True)
    ]
    crops = _crops(folder / f"{name.rpartition('.')[0]}.pack", rows_there)
    return [
        _NOTHING if row is None else Pictured(tuple(boxes[row].tolist()), float(scores[row]), jpeg)
        for row, jpeg in zip(rows_there, crops, strict=True)
    ]


def _crops(path: RootedPath, rows: Sequence[int | None]) -> list[bytes | None]:
    try:
        with PackReader(path) as pack:
            return [None if row is None else pack.read(row) for row in rows]
    except CacheError as error:
        _log.info("no crops from %s: %s", path.name, error)
        return [None] * len(rows)
