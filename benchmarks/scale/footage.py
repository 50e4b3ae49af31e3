"""The folder that grows: small real clips, each another file, with stand-in artefacts of 6 minutes.

Media, hashes, paths, manifests and catalogue are real, and published by the code that workers use.
The rows of vectors are made up (benchmarks/fast_search.py), and the packs of pictures are empty:
to decode and embed 1,000 hours takes days.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.fast_search import Footage, Units
from benchmarks.search import HOUR
from shared.cache.cache_dir import CacheDir
from shared.domain import Scene, Stage
from shared.settings import Settings
from tests.support.media.by_path import hash_media
from tests.support.media.many_files import copy_of_its_own
from tests.support.media.media import make_clip

MODEL = Settings().visual_model
FILES_AN_HOUR = 10
_ROWS = HOUR // FILES_AN_HOUR
_CLIP_S = 2
_TIMED = 100  # of the files that come last


class GrowingFolder:
    """A cache folder, and the media that it is of."""

    def __init__(self, folder: Path, dim: int) -> None:
        self.media = folder / "media"
        self.media.mkdir()
        self.cache = CacheDir.open(folder / "cache", create=True)
        self.footage = Footage(dim)
        self.paths: list[Path] = []
        self._clip = make_clip(folder / "clip.mp4", seconds=_CLIP_S)
        self._made = 0

    def new_clips(self, count: int) -> list[Path]:
        """Clips of which nothing is in the cache."""
        made = range(self._made, self._made + count)
        self._made += count
        return [copy_of_its_own(self._clip, self.media / f"{n:06}.mp4", n) for n in made]

    def grow(self, hours: int) -> dict[str, float]:
        """Publish until there are so many; milliseconds of CPU of the last ones, a file."""
        publishing: list[float] = []
        while len(self.paths) < hours * FILES_AN_HOUR:
            vectors, starts = self.footage.hour()
            for number, path in enumerate(self.new_clips(FILES_AN_HOUR)):
                at = number * _ROWS
                rows = vectors[at : at + _ROWS]
                scenes = [0, *(start - at for start in starts if at < start < at + _ROWS)]
                publishing.append(cpu_ms(lambda p=path, r=rows, s=scenes: self._publish(p, r, s)))
                self.paths.append(path)
        asked = [cpu_ms(lambda p=path: self._is_there(p)) for path in self.paths[-_TIMED:]]
        return {"publish": mean(publishing[-_TIMED:]), "is published": mean(asked)}

    def _publish(self, path: Path, vectors: Units, starts: list[int]) -> None:
        hash_str, status = hash_media(path), path.stat()
        self.cache.remember_path(hash_str, str(path), status.st_size, status.st_mtime_ns)
        ends = [*starts[1:], len(vectors)]
        scenes = tuple(Scene(a, b) for a, b in zip(starts, ends, strict=True))
        with self.cache.draft(hash_str, Stage.FRAMES, "", "pack", "bench") as draft:
            draft.publish(rows=len(vectors), scenes=scenes)
        with self.cache.draft(hash_str, Stage.VISUAL, MODEL, "npy", "bench") as draft:
            np.save(draft.file, vectors.astype(np.float16))
            draft.publish(rows=len(vectors), dim=vectors.shape[1])

    def _is_there(self, path: Path) -> None:
        """What a worker asks of a file before it decodes anything."""
        hash_str = hash_media(path)
        assert self.cache.last_seen(hash_str, str(path))
        for stage, model in ((Stage.FRAMES, ""), (Stage.VISUAL, MODEL)):
            manifest = self.cache.manifest(hash_str, stage, model)
            assert manifest
            assert self.cache.has_data(hash_str, manifest)


def cpu_ms(call: Callable[[], object]) -> float:
    """Milliseconds of CPU that a call takes in this process; the disk's own time is none."""
    before = time.process_time()
    call()
    return 1000 * (time.process_time() - before)


def mean(values: list[float]) -> float:
    return sum(values) / max(1, len(values))
