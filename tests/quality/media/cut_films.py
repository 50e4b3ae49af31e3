"""Films put together of real shots, picture by picture, with the place of each cut. All by seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from tests.quality.media.scene_clips import Picture, Shot, footage, shots
from tests.quality.media.scene_material import next_shot
from tests.support.media.media import Encoding, write_video

RATE = 25
SIZE = (480, 270)
SHORTEST, LONGEST = 50, 110  # pictures of a piece: no second has two cuts


@dataclass(frozen=True, slots=True)
class CutFilm:
    """A film, and the numbers of the pictures with which a new shot begins."""

    path: Path
    cuts: list[int]

    @property
    def seconds(self) -> list[float]:
        return [number / RATE for number in self.cuts]


def cut_film(path: Path, seed: int, pieces: int = 24) -> CutFilm:
    """Pieces of real shots in random order, cut anywhere between two pictures."""
    rng = np.random.default_rng(seed)
    known = shots()
    lengths = rng.integers(SHORTEST, LONGEST, pieces)
    chosen: list[Shot] = []
    for _ in range(pieces):
        chosen.append(next_shot(rng, known, chosen[-1] if chosen else None))

    def pictures() -> Iterator[Picture]:
        for shot, length in zip(chosen, lengths, strict=True):
            yield from _piece(shot, int(length), rng.random())

    write_video(path, pictures(), encoding=Encoding(fps=RATE, gop=48))
    return CutFilm(path, np.cumsum(lengths[:-1]).tolist())


def _piece(shot: Shot, length: int, where: float) -> Iterator[Picture]:
    """So many pictures of a shot, played to its end and back where it is shorter."""
    seconds = min(length / RATE, shot.end - shot.start)
    begins = shot.start + where * (shot.end - shot.start - seconds)
    found = _decoded(shot.clip, begins, begins + seconds)
    there_and_back = [*range(len(found)), *range(len(found) - 2, 0, -1)]
    for number in range(length):
        yield found[there_and_back[number % len(there_and_back)]]


def _decoded(clip: str, first: float, last: float) -> list[Picture]:
    found: list[Picture] = []
    with av.open(str(footage()[clip])) as container:
        stream = container.streams.video[0]
        container.seek(int(first / float(stream.time_base)), stream=stream)
        for frame in container.decode(stream):
            if frame.time > last and found:
                break
            if frame.time >= first:
                small = frame.reformat(*SIZE, "rgb24", interpolation="AREA")
                found.append(small.to_ndarray())
    return found
