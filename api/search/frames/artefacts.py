"""Visual artefacts read out of a CacheDir, checked. Files of a CacheDir are never mapped."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from shared.cache import cache_files
from shared.cache.cache_dir import CacheDir
from shared.domain import Manifest, Scene, Stage
from shared.errors import CacheError
from shared.media import MediaType

# What ranking needs of a row, beside its vector. Rows of one scene are neighbours: the scene
# reaches `back` rows back and `ahead` rows ahead (itself counted), wherever the rows lie.
ROW = np.dtype(
    [
        ("second", "<u4"),
        ("back", "<u4"),
        ("ahead", "<u4"),
        ("scene_start", "<u4"),
        ("scene_end", "<u4"),
    ]
)


@dataclass(frozen=True, slots=True)
class VisualData:
    """Embeddings of one MediaFile and its rows; `file` and `frames` name what they came from."""

    file: str
    frames: str
    vectors: NDArray[np.float16]
    rows: NDArray[np.void]


def read_visual(cache: CacheDir, hash_str: str, model: str, *, wait_s: float) -> VisualData | None:
    """A visual artefact, None where none is published. Raises CacheError, with the reason.

    `wait_s`: how long to insist, because the catalogue names it and shares deny new files.
    """
    deadline = time.monotonic() + wait_s
    while True:
        path = manifest_path(cache, hash_str, model)
        if not cache_files.exists_after_listing(path, deadline - time.monotonic()):
            return None
        manifest = cache_files.read_manifest(path)
        if manifest is None or manifest.model != model:
            return None
        try:
            with open(cache.data_path(hash_str, manifest), "rb") as file:
                vectors = _read_vectors(file, manifest)
        except FileNotFoundError:
            # Replaced and collected since the manifest was read, or denied by a share.
            left = deadline - time.monotonic()
            data = cache.data_path(hash_str, manifest)
            if left <= 0 or not cache_files.exists_after_listing(data, left):
                raise CacheError(f"The file {manifest.file} is missing.") from None
            continue
        except OSError as error:
            raise CacheError(f"The file {manifest.file} cannot be read: {error}.") from error
        frames = cache.manifest(hash_str, Stage.FRAMES)
        rows = _rows(_seconds(manifest), frames)
        return VisualData(manifest.file, frames.file if frames else "", vectors, rows)


def _read_vectors(file: BinaryIO, manifest: Manifest) -> NDArray[np.float16]:
    try:
        version = npy.read_magic(file)
        header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, by_column, dtype = header(file)
    except ValueError as error:
        raise CacheError(f"The file {manifest.file} is no npy file: {error}.") from error
    if len(shape) != 2 or by_column or dtype != np.dtype("<f2") or 0 in shape[1:]:
        raise CacheError(f"The file {manifest.file} does not hold float16 rows.")
    if shape[0] != manifest.rows or (manifest.dim or shape[1]) != shape[1]:
        raise CacheError(
            f"The file {manifest.file} holds {shape[0]} x {shape[1]} values, its manifest says "
            f"{manifest.rows} x {manifest.dim}."
        )
    size = os.fstat(file.fileno()).st_size - file.tell()
    if size != shape[0] * shape[1] * 2:
        raise CacheError(f"The file {manifest.file} is cut off or too long.")
    raw = file.read(size)
    if len(raw) != size:
        raise CacheError(f"The file {manifest.file} is cut off.")
    vectors = np.frombuffer(raw, np.dtype("<f2")).reshape(shape)
    if not np.isfinite(vectors).all():
        raise CacheError(f"The file {manifest.file} holds values that are no numbers.")
    return vectors


def _seconds(manifest: Manifest) -> NDArray[np.int64]:
    if manifest.seconds is None:
        return np.arange(manifest.first_frame, manifest.first_frame + manifest.rows)
    seconds = np.array(manifest.seconds, dtype=np.int64)
    if len(seconds) != manifest.rows or (np.diff(seconds) <= 0).any():
        raise CacheError(f"The manifest of {manifest.file} lists wrong seconds.")
    return seconds


def _rows(seconds: NDArray[np.int64], frames: Manifest | None) -> NDArray[np.void]:
    """Rows with their scenes; without known scenes the whole file is one."""
    rows = np.zeros(len(seconds), dtype=ROW)
    if not len(seconds):
        return rows
    scenes = frames.scenes if frames else ()
    if not scenes:
        scenes = (Scene(int(seconds[0]), int(seconds[-1]) + 1),)
    starts = np.array([scene.start for scene in scenes], dtype=np.int64)
    ends = np.array([scene.end for scene in scenes], dtype=np.int64)
    if (np.diff(starts) <= 0).any():
        raise CacheError("The scenes in the manifest are not in order.")
    # A second outside every scene counts to the one before it (the first has none before).
    scene = np.maximum(np.searchsorted(starts, seconds, side="right") - 1, 0)
    first = np.searchsorted(scene, scene, side="left")
    after = np.searchsorted(scene, scene, side="right")
    place = np.arange(len(seconds))
    rows["second"] = seconds
    rows["back"] = place - first
    rows["ahead"] = after - place
    if frames and frames.probe and frames.probe.media_type is MediaType.IMAGE:
        return rows  # a still: Scene(0, 0)
    rows["scene_start"] = starts[scene]
    rows["scene_end"] = ends[scene]
    return rows


def manifest_path(cache: CacheDir, hash_str: str, model: str) -> Path:
    return cache_files.manifest_path(cache.root, hash_str, Stage.VISUAL, model)
