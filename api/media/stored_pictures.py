"""Pictures of the stored grid: what may stand for a time, and what lies in a stretch."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np

from api.http.concurrency import own_slot
from api.http.services import CoreServices
from shared.cache import exact_cuts
from shared.cache.cache_files import is_hash
from shared.cache.exact_cuts import Cuts
from shared.cache.frame_packs import PackReader
from shared.domain import Scene, Stage
from shared.errors import NotAllowed

_WITHIN_S = 1.0  # a stored frame stands for times that are nearer than this

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """A frame of the grid that may stand for a time."""

    jpeg: bytes
    is_of_shot: bool  # surely of the shot that is shown then; else a cut lies close to it


class StoredGrid:
    """The frames of an analyzed file, with its scenes."""

    def __init__(
        self, pack: PackReader, scenes: Sequence[Scene], exact_cuts: Callable[[], Cuts]
    ) -> None:
        """`exact_cuts` is called where a time lies beside a cut."""
        self._pack = pack
        self._scene_starts = [scene.start for scene in scenes]
        self._exact_cuts = exact_cuts

    def at(self, seconds: float) -> StoredPicture | None:
        """The frame nearest to a time, None where none is near.

        Between two frames with a cut between them, the one on the side of that time. Where nobody
        knows on which side it lies, the earlier one, to whose scene it counts.
        """
        there = self._pack.seconds
        row = int(np.searchsorted(there, seconds, side="right"))
        around = [int(second) for second in there[max(0, row - 1) : row + 1]]
        cut = None if not around or around[0] == seconds else self._cut_between(around)
        if cut is not None:
            exact = self._exact_cuts().get(cut)
            around = around[:1] if exact is None or seconds < exact else around[1:]
        near = [second for second in around if abs(second - seconds) < _WITHIN_S]
        if not near:
            return None
        jpeg = self._pack.read(min(near, key=lambda second: abs(second - seconds)))
        return None if jpeg is None else StoredPicture(jpeg, is_of_shot=cut is None)

    def within(self, seconds: range) -> list[tuple[int, bytes]]:
        """The frames of these seconds; those in which no picture begins have none."""
        there = self._pack.seconds
        first, end = np.searchsorted(there, (seconds.start, seconds.stop))
        found = ((int(second), self._pack.read(int(second))) for second in there[first:end])
        return [(second, jpeg) for second, jpeg in found if jpeg is not None]

    def _cut_between(self, around: list[int]) -> int | None:
        """Where a scene begins after the first of them, and not after the last."""
        starts = self._scene_starts
        following = bisect.bisect_right(starts, around[0])
        if following == len(starts) or starts[following] > around[-1]:
            return None
        return starts[following]


def in_stored_grid(
    services: CoreServices,
    cache_dir: str,
    path: str,
    hint: str | None,
    look: Callable[[StoredGrid], T],
) -> T | None:
    """What `look` gives for the stored grid of a file; None where there is none that can be read.

    `hint`: the id of the file, which serves where the path itself tells none.
    """
    with own_slot(f"Reading stored pictures of {path}", NotAllowed):
        view = services.caches.open(cache_dir)
        found = services.caches.hash_for(view, path)
        if found is None and hint and is_hash(hint):
            found = hint
        manifest = view.cache.manifest(found, Stage.FRAMES) if found else None
        if found and manifest:
            with PackReader(view.cache.data_path(found, manifest)) as pack:
                known = partial(exact_cuts.read, view.cache, found, manifest.file)
                return look(StoredGrid(pack, manifest.scenes, known))
    return None
