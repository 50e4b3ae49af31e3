"""Grid pictures with known cuts, and minutes of trying pictures without one. All by seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.quality.media.scene_clips import FILM, TRUTH, Clip, Picture, Shot, shots, view

REAL_SHARE = 0.35  # of the pieces; the others come from the film
APART = 60  # seconds in the film between neighbouring pieces: the same set returns in it


@dataclass(frozen=True, slots=True)
class Sequence1Fps:
    """A picture for each second, the seconds at which a new shot starts, and what each shows."""

    pictures: list[Picture]
    cuts: list[int]
    sources: list[str]


def splice(clips: dict[str, Clip], seed: int, pieces: int = 70) -> Sequence1Fps:
    """Pieces of 2 s and more in random order, on a grid that does not keep to their starts."""
    rng = np.random.default_rng(seed)
    known = shots()
    made = Sequence1Fps([], [], [])
    begins = 0.0
    previous: Shot | None = None
    for _ in range(pieces):
        shot = next_shot(rng, known, previous)
        longest = shot.end - shot.start
        length = max(2.0, min(longest, 2.0 + rng.exponential(3)))
        offset = shot.start + rng.random() * max(0.0, longest - length)
        if previous:
            made.cuts.append(math.ceil(begins - 1e-9))
        while len(made.pictures) < begins + length - 1e-9:
            seconds = min(offset + len(made.pictures) - begins, shot.end - 0.04)
            made.pictures.append(clips[shot.clip].at(seconds))
            made.sources.append(f"{shot.clip} {seconds:.2f}")
        begins += length
        previous = shot
    return made


def next_shot(rng: np.random.Generator, known: list[Shot], previous: Shot | None) -> Shot:
    while True:
        wants_real = rng.random() < REAL_SHARE
        pool = [s for s in known if (s.clip != FILM) == wants_real]
        shot = pool[rng.integers(len(pool))]
        same_set = (
            previous is not None
            and previous.clip == shot.clip
            and (
                shot == previous or (shot.clip == FILM and abs(shot.start - previous.start) < APART)
            )
        )
        if not same_set:
            return shot


def with_bars(picture: Picture, shape: float) -> Picture:
    """As a film of another shape (width / height) is delivered: black above and below, or beside.

    A line of pixels that lies half in a bar is half as bright.
    """
    shares = _shares(picture, shape)
    rows, columns = (_lit(n, share) for n, share in zip(picture.shape, shares, strict=False))
    return np.rint(picture * rows[:, None, None] * columns[:, None]).astype(np.uint8)


def without_bars(picture: Picture, shape: float) -> Picture:
    """The lines of pixels that bars leave whole."""
    shares = _shares(picture, shape)
    rows, columns = (_lit(n, share) == 1 for n, share in zip(picture.shape, shares, strict=False))
    return np.ascontiguousarray(picture[rows][:, columns])


def _shares(picture: Picture, shape: float) -> tuple[float, float]:
    height, width = picture.shape[:2]
    return min(1.0, width / height / shape), min(1.0, shape * height / width)


def _lit(count: int, share: float) -> NDArray[np.float64]:
    """Of lines in a row, how much of each lies in the middle share."""
    first, last = count * (1 - share) / 2, count * (1 + share) / 2
    at = np.arange(count)
    return np.clip(np.minimum(at + 1, last) - np.maximum(at, first), 0, 1)


def film(clips: dict[str, Clip], first: int, last: int) -> Sequence1Fps:
    """The film as it was cut: quick, and back and forth within one set."""
    pictures = [clips[FILM].at(second) for second in range(first, last)]
    cuts = {math.ceil(cut) - first for cut in TRUTH["film"]["cuts"] if first < cut < last - 1}
    return Sequence1Fps(pictures, sorted(cuts), [f"{FILM} {n}" for n in range(first, last)])


def without_cuts(
    clips: dict[str, Clip], photos: Sequence[Path], seed: int
) -> list[tuple[str, list[Picture]]]:
    """More than five minutes in 18 takes, none with a cut, all named for what they try."""
    rng = np.random.default_rng(seed)
    known = shots()
    real = [s for s in known if s.clip != FILM]
    long = [s for s in known if s.clip == FILM and s.end - s.start > 4]

    def photo() -> Image.Image:
        with Image.open(photos[rng.integers(len(photos))]) as opened:
            return opened.convert("RGB")

    def take(pool: list[Shot], seconds: int = 20) -> list[Picture]:
        return _back_and_forth(clips, pool[rng.integers(len(pool))], seconds, rng.random())

    def swell() -> np.ndarray:
        return 0.3 + 0.75 * (1 - np.cos(np.arange(20) / rng.uniform(2, 5)))

    takes = [(f"pan {n}", _pan(photo(), rng, 14)) for n in range(4)]
    takes += [(f"zoom {n}", _zoom(photo(), rng, 14)) for n in range(2)]
    takes += [(f"camera shake {n}", _shake(photo(), rng, 14)) for n in range(2)]
    takes += [("flashes, real", _flashes(take(real), rng))]
    takes += [("flashes, film", _flashes(take(long), rng))]
    takes += [("flashes while panning", _flashes(_pan(photo(), rng, 14), rng))]
    takes += [("exposure ramp, real", _exposed(take(real), swell()))]
    takes += [("exposure ramp, film", _exposed(take(long), swell()))]
    steps = rng.choice([0.4, 0.7, 1.0, 1.6], 20)
    takes += [("exposure and gamma jumps", _exposed(take(real + long), steps, rng))]
    takes += [("fades to black and back", _exposed(take(real + long), _fades(20)))]
    takes += [(f"as it is, {n}", take(pool)) for n, pool in enumerate((real, long, long))]
    return takes


def _back_and_forth(
    clips: dict[str, Clip], shot: Shot, seconds: int, phase: float
) -> list[Picture]:
    """A short shot made long: played to its end and back."""
    length = shot.end - shot.start
    pictures = []
    for second in range(seconds):
        place = (second + phase) % (2 * length)
        place = min(place, 2 * length - place, length - 0.04)
        pictures.append(clips[shot.clip].at(shot.start + place))
    return pictures


def _pan(photo: Image.Image, rng: np.random.Generator, seconds: int) -> list[Picture]:
    """A tenth to four tenths of the width each second, turning back at the edges."""
    width = min(photo.width, photo.height * 16 / 9) * rng.uniform(0.35, 0.5)
    height = width * 9 / 16
    x, y = width / 2, rng.uniform(height / 2, photo.height - height / 2)
    dx, dy = width * rng.uniform(0.1, 0.4), height * rng.uniform(-0.15, 0.15)
    pictures = []
    for _ in range(seconds):
        pictures.append(view(photo, x, y, width))
        if not width / 2 <= x + dx <= photo.width - width / 2:
            dx = -dx
        if not height / 2 <= y + dy <= photo.height - height / 2:
            dy = -dy
        x = float(np.clip(x + dx, width / 2, photo.width - width / 2))
        y = float(np.clip(y + dy, height / 2, photo.height - height / 2))
    return pictures


def _zoom(photo: Image.Image, rng: np.random.Generator, seconds: int) -> list[Picture]:
    """In and out by 5 to 25 % a second."""
    widest = min(photo.width, photo.height * 16 / 9) * 0.99
    rate = rng.uniform(1.05, 1.25)
    width, pictures = widest, []
    for _ in range(seconds):
        pictures.append(view(photo, photo.width / 2, photo.height / 2, width))
        if not 0.35 * widest <= width / rate <= widest:
            rate = 1 / rate
        width /= rate
    return pictures


def _shake(photo: Image.Image, rng: np.random.Generator, seconds: int) -> list[Picture]:
    width = min(photo.width, photo.height * 16 / 9) * 0.6
    reach = rng.uniform(0.02, 0.08) * width
    return [
        view(
            photo,
            photo.width / 2 + rng.normal() * reach,
            photo.height / 2 + rng.normal() * reach * 0.6,
            width * rng.uniform(0.95, 1.05),
            rng.normal() * 3,
        )
        for _ in range(seconds)
    ]


def _flashes(pictures: list[Picture], rng: np.random.Generator) -> list[Picture]:
    """About one second in eight burnt out, never two on end."""
    made: list[Picture] = []
    flashed = False
    for picture in pictures:
        flashed = not flashed and rng.random() < 0.15
        if flashed:
            burnt = picture * rng.uniform(1.5, 4) + rng.uniform(40, 140)
            made.append(np.clip(burnt, 0, 255).astype(np.uint8))
        else:
            made.append(picture)
    return made


def _fades(seconds: int) -> np.ndarray:
    return np.clip(np.abs((np.arange(seconds) % 10) - 5) / 4 - 0.1, 0, 1)


def _exposed(
    pictures: list[Picture], gains: np.ndarray, gammas: np.random.Generator | None = None
) -> list[Picture]:
    made = []
    for picture, gain in zip(pictures, gains, strict=True):
        gamma = gammas.choice([0.6, 1.0, 1.5]) if gammas else 1.0
        made.append(np.clip(255 * (picture / 255) ** gamma * gain, 0, 255).astype(np.uint8))
    return made
