"""Snapshots of the vector log without a log: real films by the lite model, and made ones."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from api.search.frames.log import ROW, MergedFile, VectorSnapshot
from cli.demo.samples import fetch_samples
from tests.support.lite_models import lite_model
from tests.support.media.photos import SAMPLES
from tests.support.running.long_form import by_form
from tests.support.search.search_data import media_hash, random_units, unit
from tests.support.skip_or_fail import fetched_or_skipped
from workers.models.protocols import VisualEmbedder

Units = NDArray[np.float32]
_OF_A_FILM = by_form(short=60, long=120)
_WORDS = (
    "dog cat bird flower tree car bus truck boat train plane bicycle house church castle bridge "
    "street beach mountain forest river lake snow desert apple banana bread cake coffee bottle "
    "chair lamp clock phone book guitar piano ball hat shirt umbrella horse rabbit squirrel"
).split()


@dataclass(frozen=True, eq=False)
class Film:
    """Rows of some films, and queries that are asked of such."""

    snapshot: VectorSnapshot
    texts: Units
    pictures: Units


def snapshot_of(vectors: Units, scenes: Sequence[int], files: Sequence[int]) -> VectorSnapshot:
    """Rows as they lie in a log. Lengths of scenes and of files, each of whole scenes."""
    rows = np.zeros(len(vectors), ROW)
    length = np.repeat(scenes, scenes)
    rows["back"] = np.arange(len(rows)) - np.repeat(np.cumsum(scenes) - scenes, scenes)
    rows["ahead"] = length - rows["back"]
    merged, start = {}, 0
    for number, count in enumerate(files):
        rows["second"][start : start + count] = np.arange(count)
        # Hashes that do not ascend: order among equals is theirs, not that of rows.
        name = media_hash((number * 7919) % 10_007)
        merged[name] = MergedFile(name, "v.npy", "f.pack", start, count, vectors.shape[1])
        start += count
    return VectorSnapshot.of(vectors.astype(np.float16), rows, merged)


@functools.cache
def made_film() -> Film:
    """8,000 frames of 300 subjects in shots of near-duplicates, some shown twice."""
    random = np.random.default_rng(5)
    subjects = random_units(300, 96, 1) + 1.5 * random_units(1, 96, 2)
    scenes = random.integers(1, 60, 400)
    scenes = scenes[np.cumsum(scenes) <= 8000]
    shown = subjects[random.integers(0, 300, len(scenes))]
    spread = random.choice([0.0, 0.02, 0.3], len(scenes))
    rows = np.repeat(shown, scenes, axis=0)
    rows += random.standard_normal(rows.shape) * np.repeat(spread, scenes)[:, None] / 3
    rows[5000:6000] = rows[:1000]  # the same pictures again: scores that are equal to the last bit
    ends = np.cumsum(scenes)
    cuts = np.unique(np.searchsorted(ends, np.arange(500, ends[-1], 500)))
    files = np.diff(np.concatenate([[0], ends[cuts], ends[-1:]]))
    film = snapshot_of(unit(rows), scenes, files[files > 0])
    return Film(film, unit(subjects[:40] + random_units(40, 96, 3)), unit(rows[::200][:40]))


@functools.cache
def many_scenes() -> Film:
    """40,000 frames in scenes that move from one picture of a subject to another."""
    random = np.random.default_rng(6)
    scenes = random.integers(1, 24, 4000)
    scenes = scenes[np.cumsum(scenes) <= 40_000]
    subjects = random_units(40, 64, 1) + 1.5 * random_units(1, 64, 2)
    shown = subjects[random.integers(0, 40, len(scenes))]
    first, last = (
        np.repeat(unit(shown + 1.5 * random_units(len(scenes), 64, seed)), scenes, axis=0)
        for seed in (3, 4)
    )
    at = np.arange(len(first)) - np.repeat(np.cumsum(scenes) - scenes, scenes)
    share = (at / np.repeat(scenes, scenes))[:, None]
    rows = unit((1 - share) * first + share * last + 0.2 * random_units(len(first), 64, 5))
    film = snapshot_of(rows, scenes, [len(rows)])
    return Film(film, unit(subjects[:40] + random_units(40, 64, 6)), unit(rows[::900][:40]))


@functools.cache
def real_film() -> Film:
    """Pictures of the sample films, embedded by the lite model, in shots of a dozen."""
    lite = lite_model()
    with fetched_or_skipped():
        footage = fetch_samples(SAMPLES).footage
    of_files = [_embedded(lite, path) for path in sorted(footage)]
    files = [len(rows) for rows in of_files]
    scenes = [min(12, count - at) for count in files for at in range(0, count, 12)]
    vectors = np.concatenate(of_files)
    texts = lite.embed_texts([f"{a} {word}" for word in _WORDS for a in ("a photo of a", "two")])
    return Film(snapshot_of(vectors, scenes, files), texts, vectors[:: len(vectors) // 50])


def _embedded(lite: VisualEmbedder, path: Path) -> Units:
    """Pictures of a film: the key pictures of a long one, else every other one."""
    with av.open(path) as film:
        stream = film.streams.video[0]
        if is_long := stream.frames > 5000:
            stream.codec_context.skip_frame = "NONKEY"
        step = 1 if is_long else 2
        frames = itertools.islice(film.decode(stream), 0, _OF_A_FILM * step, step)
        pictures = [lite.prepare(_small(frame, lite.picture_side)) for frame in frames]
    of_batches = [
        lite.embed_images(np.stack(pictures[at : at + lite.batch_size]))
        for at in range(0, len(pictures), lite.batch_size)
    ]
    return np.concatenate(of_batches)


def _small(frame: av.VideoFrame, side: int) -> NDArray[np.uint8]:
    shrunk = side / min(frame.width, frame.height)
    width, height = (max(side, round(size * shrunk)) for size in (frame.width, frame.height))
    return frame.reformat(width, height, "rgb24").to_ndarray()
