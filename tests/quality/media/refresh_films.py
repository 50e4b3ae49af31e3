"""Short films with known cuts, made of sample photos and clips, for re-detection of scenes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from cli.demo.samples import fetch_samples
from shared.media import MediaType
from tests.quality.media.cut_films import cut_film
from tests.quality.media.scene_clips import FILM, SAMPLES, TRUTH, Picture, footage
from tests.quality.media.scene_material import with_bars
from tests.support.media.by_path import open_media
from tests.support.media.media import Encoding, write_video

FPS = 5
WIDTH, HEIGHT = 320, 180
NARROW = 100  # pixels of a portrait frame
_LENGTHS = (2.92, 3.64, 2.4, 3.2, 2.8)  # seconds of shots, in turn: cuts lie off the grid


@dataclass(frozen=True, slots=True)
class RefreshFilm:
    """A film, the grid seconds at which its shots begin, and which seconds of it count."""

    path: Path
    cuts: list[int]
    first: int = 0
    last: int | None = None


def photos() -> list[Path]:
    return sorted(fetch_samples(SAMPLES).photos)


def make_film(name: str, folder: Path) -> RefreshFilm:
    return _FILMS[name](folder / f"{name}.mp4")


def film_names() -> tuple[str, ...]:
    return tuple(_FILMS)


def _crop(photo: Path, size: tuple[int, int], zoom: float = 1.0, x: float = 0.5) -> Picture:
    """A window of a photo: `zoom` times as narrow as it could be, its centre at share `x`."""
    with Image.open(photo) as opened:
        image = opened.convert("RGB")
    width = min(image.width, image.height * size[0] / size[1]) / zoom
    height = width * size[1] / size[0]
    left, top = (image.width - width) * x, (image.height - height) / 2
    box = (left, top, left + width, top + height)
    return np.asarray(image.resize(size, Image.Resampling.BOX, box=box))


def _shots(pictures: list[Picture]) -> tuple[list[Picture], list[int]]:
    """Frames of shots of these pictures, and the grid seconds of the cuts."""
    frames: list[Picture] = []
    cuts = []
    for number, picture in enumerate(pictures):
        if frames:
            cuts.append(math.ceil(len(frames) / FPS))
        frames += [picture] * round(_LENGTHS[number % len(_LENGTHS)] * FPS)
    return frames, cuts


def _between_pillars(inner: Picture, pillars: Picture | int) -> Picture:
    made = np.full((HEIGHT, WIDTH, 3), pillars, np.uint8)
    left = (WIDTH - inner.shape[1]) // 2
    made[:, left : left + inner.shape[1]] = inner
    return made


def _written(path: Path, frames: list[Picture], cuts: list[int]) -> RefreshFilm:
    write_video(path, frames, encoding=Encoding(fps=FPS, gop=10))
    return RefreshFilm(path, cuts)


def _pillars(level: int | None) -> Callable[[Path], RefreshFilm]:
    """Portrait photos between pillars of a grey level; None: blurred copies beside them."""

    def make(path: Path) -> RefreshFilm:
        def framed(photo: Path) -> Picture:
            wide = Image.fromarray(_crop(photo, (WIDTH, HEIGHT)))
            blurred = np.asarray(wide.filter(ImageFilter.GaussianBlur(12)))
            portrait = _crop(photo, (HEIGHT * 3 // 4, HEIGHT))
            return _between_pillars(portrait, blurred if level is None else level)

        return _written(path, *_shots([framed(photo) for photo in photos()]))

    return make


def _party(path: Path) -> RefreshFilm:
    """Two people who move, in turn, between grey pillars: cuts at 8 and 14 s."""
    one, two = (photo for photo in photos() if photo.stem in ("astronaut", "camera"))
    frames: list[Picture] = []
    for photo, seconds in ((one, 8), (two, 6), (one, 6)):
        for step in range(seconds * FPS):
            moving = _crop(photo, (NARROW, HEIGHT), 1.4, 0.4 + 0.2 * np.sin(step / 9))
            frames.append(_between_pillars(moving, 128))
    return _written(path, frames, [8, 14])


def _slideshow(path: Path) -> RefreshFilm:
    """Forty photos that fill the frame, two parts of each."""
    parts = [_crop(p, (WIDTH, HEIGHT), 1.8, x) for x in (0.0, 1.0) for p in photos()]
    return _written(path, *_shots(parts))


def _pans(path: Path) -> RefreshFilm:
    """Quick pans between black pillars, in which nothing stays for long."""
    made: list[Picture] = []
    shots = photos()[:8]
    for photo in shots:
        for step in range(5 * FPS):
            moving = _crop(photo, (NARROW, HEIGHT), 1.3, abs(step % 20 - 10) / 10)
            made.append(_between_pillars(moving, 0))
    return _written(path, made, [5 * number for number in range(1, len(shots))])


def _similar(path: Path) -> RefreshFilm:
    """Shot and reverse shot in one set: parts of one photo, in turn."""
    pictures = []
    for photo in photos()[:7]:
        one, two = (_crop(photo, (WIDTH, HEIGHT), 1.9, x) for x in (0.0, 1.0))
        pictures += [one, two, one]
    return _written(path, *_shots(pictures))


def _flashes(path: Path) -> RefreshFilm:
    """Photographers' flashes in slow pans."""
    frames, cuts = _shots([np.zeros((1, 1, 3), np.uint8)] * 12)
    rng = np.random.default_rng(5)
    made = []
    for number in range(len(frames)):
        shot = sum(number >= cut * FPS for cut in cuts)
        picture = _crop(photos()[shot], (WIDTH, HEIGHT), 1.6, number % 40 / 40)
        if number % (FPS * 4) == FPS:
            picture = np.clip(picture * rng.uniform(1.8, 3) + 90, 0, 255).astype(np.uint8)
        made.append(picture)
    return _written(path, made, cuts)


def _fades(path: Path) -> RefreshFilm:
    """Each shot rises from black and goes back to it, every other one dissolves into the next."""
    pictures = [_crop(photo, (WIDTH, HEIGHT)) for photo in photos()]
    made: list[Picture] = []
    cuts = []
    for number, picture in enumerate(pictures):
        if made:
            cuts.append(math.ceil(len(made) / FPS))
        is_faded = number % 2 == 0
        after = np.zeros_like(picture) if is_faded else pictures[(number + 1) % len(pictures)]
        for step in range(4 * FPS):
            share = max(0.0, (step - 3 * FPS) / FPS)
            made.append((picture * (1 - share) + after * share).astype(np.uint8))
    return _written(path, made, cuts)


def _dark(path: Path) -> RefreshFilm:
    frames, cuts = _shots([_crop(p, (WIDTH, HEIGHT)) // 9 for p in photos()])
    return _written(path, frames, cuts)


def _split(path: Path) -> RefreshFilm:
    """Two pictures side by side that change in turn, now and then both."""
    rows = photos()
    left, right, pictures = 0, 1, []
    for number in range(18):
        halves = [_crop(rows[n % len(rows)], (WIDTH // 2, HEIGHT)) for n in (left, right)]
        pictures.append(np.concatenate(halves, axis=1))
        left += 2 * (number % 3 != 1)
        right += 2 * (number % 3 != 0)
    return _written(path, *_shots(pictures))


def _letterbox(path: Path) -> RefreshFilm:
    """Shots of three shapes in one film, with black bars."""
    shapes = (2.39, 16 / 9, 4 / 3)
    pictures = [
        with_bars(_crop(photo, (WIDTH, HEIGHT)), shapes[number % 3])
        for number, photo in enumerate(photos())
    ]
    return _written(path, *_shots(pictures))


def _screen(path: Path) -> RefreshFilm:
    """A recording of a desktop: windows open, text scrolls, the desktop stays."""
    names = {photo.stem: photo for photo in photos()}
    desktop = _crop(names["hubble_deep_field"], (WIDTH, HEIGHT))
    pages = [_crop(names[name], (200, 120)) for name in ("page", "text", "coins", "clock_motion")]
    pictures = [desktop]
    for page in pages:
        made = desktop.copy()
        made[30:150, 60:260] = page
        pictures += [made, np.roll(made, -20, axis=0)]
    pictures += [np.full_like(desktop, 250), _crop(names["page"], (WIDTH, HEIGHT)), desktop]
    frames, _ = _shots(pictures)
    ends = np.cumsum([round(_LENGTHS[n % len(_LENGTHS)] * FPS) for n in range(len(pictures))])
    return _written(path, frames, [math.ceil(ends[n] / FPS) for n in (len(pictures) - 3,)])


def _clips(path: Path) -> RefreshFilm:
    """Pieces of real and animated clips in random order, cut between any two pictures."""
    film = cut_film(path, seed=21, pieces=12)
    return RefreshFilm(film.path, [math.ceil(second) for second in film.seconds])


def _animation(_: Path) -> RefreshFilm:
    """Four minutes of an animated film as it was cut."""
    first, last = 240, 490
    cuts = sorted({math.ceil(cut) for cut in TRUTH["film"]["cuts"] if first < cut < last - 1})
    return RefreshFilm(footage()[FILM], [cut - first for cut in cuts], first, last)


def _animation_in_bars(path: Path) -> RefreshFilm:
    source = _animation(path)
    with open_media(str(source.path), MediaType.VIDEO) as reader:
        pictures = [
            with_bars(frame.picture.rgb(WIDTH, HEIGHT), 2.39)
            for frame in reader.grid(source.first, source.last)
        ]
    return _written(path, [p for p in pictures for _ in range(FPS)], source.cuts)


_FILMS: dict[str, Callable[[Path], RefreshFilm]] = {
    "party in grey pillars": _party,
    "black pillars": _pillars(0),
    "grey pillars": _pillars(128),
    "white pillars": _pillars(255),
    "slideshow": _slideshow,
    "animation": _animation,
    "animation in bars": _animation_in_bars,
    "blurred pillars": _pillars(None),
    "pans in pillars": _pans,
    "similar shots": _similar,
    "flashes": _flashes,
    "fades and dissolves": _fades,
    "dark": _dark,
    "split screen": _split,
    "changing letterbox": _letterbox,
    "screen recording": _screen,
    "real clips": _clips,
}
