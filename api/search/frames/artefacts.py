"""Visual artefacts read out of a CacheDir, checked. Files of a CacheDir are never mapped."""

from __future__ import annotations

import io
import os
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.cache import cache_files, limits
from shared.cache.arrays import read_header
from shared.cache.cache_dir import CacheDir
from shared.domain import Manifest, Scene, Stage
from shared.errors import CacheError
from shared.media import MediaType
from shared.opening import OpenedFile, RootedPath

_HEAD = 64 << 10  # the longest header, and all of a small file
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
    path = manifest_path(cache, hash_str, model)
    while True:
        manifest = cache_files.read_manifest(path, deadline - time.monotonic())
        if manifest is None or manifest.model != model:
            return None
        data = cache.data_path(hash_str, manifest)
        try:
            with cache_files.opened(data, deadline - time.monotonic()) as file:
                vectors = _read_vectors(file, manifest)
        except FileNotFoundError:
            now = cache_files.read_manifest(path)
            if now is None or now.file == manifest.file:
                raise CacheError(f"The file {manifest.file} is missing.") from None
            continue  # replaced and collected meanwhile
        except OSError as error:
            raise CacheError(f"The file {manifest.file} cannot be read: {error}.") from error
        frames = cache.manifest(hash_str, Stage.FRAMES)
        try:
            rows = _rows(_seconds(manifest), frames)
        except (OverflowError, ValueError) as error:
            raise CacheError(f"The manifest of {manifest.file} is damaged: {error}.") from error
        return VisualData(manifest.file, frames.file if frames else "", vectors, rows)


def _read_vectors(opened: OpenedFile, manifest: Manifest) -> NDArray[np.float16]:
    head = os.pread(opened.fd, _HEAD, 0)
    file = io.BytesIO(head)
    try:
        shape, dtype = read_header(file)
    except ValueError as error:
        raise CacheError(f"The file {manifest.file} is no npy file: {error}.") from error
    _check_shape(shape, dtype, manifest)
    if opened.status.st_size - file.tell() != shape[0] * shape[1] * 2:
        raise CacheError(f"The file {manifest.file} is cut off or too long.")
    raw = bytearray(shape[0] * shape[1] * 2)
    target = memoryview(raw)
    done = len(head) - file.tell()
    target[:done] = head[file.tell() :]
    while done < len(target):
        read = os.preadv(opened.fd, [target[done:]], file.tell() + done)
        if not read:
            raise CacheError(f"The file {manifest.file} is cut off.")
        done += read
    vectors = np.frombuffer(raw, np.dtype("<f2")).reshape(shape)
    if not np.isfinite(vectors).all():
        raise CacheError(f"The file {manifest.file} holds values that are no numbers.")
    return vectors


def _check_shape(shape: tuple[int, ...], dtype: np.dtype[Any], manifest: Manifest) -> None:
    if len(shape) != 2 or dtype != np.dtype("<f2") or 0 in shape[1:]:
        raise CacheError(f"The file {manifest.file} does not hold float16 rows.")
    if shape[0] != manifest.rows or (manifest.dim or shape[1]) != shape[1]:
        raise CacheError(
            f"The file {manifest.file} holds {shape[0]} x {shape[1]} values, its manifest says "
            f"{manifest.rows} x {manifest.dim}."
        )
    if shape[1] > limits.DIMENSIONS or shape[0] * shape[1] * 2 > limits.VISUAL:
        raise CacheError(
            f"The file {manifest.file} holds {shape[0]:,} x {shape[1]:,} values; at most "
            f"{limits.DIMENSIONS:,} a row and {limits.VISUAL:,} bytes are read."
        )


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


def manifest_path(cache: CacheDir, hash_str: str, model: str) -> RootedPath:
    return cache_files.manifest_path(cache.root, hash_str, Stage.VISUAL, model)
