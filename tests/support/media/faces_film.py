"""Films of real people, made of one photo of six: slow zooms on some of them, and all at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from tests.support.media.media import RGB, write_video
from tests.support.running.once import copied

SIZE = (1280, 720)
FPS = 2


class Person(NamedTuple):
    """Where the middle of a face is in the photo, in pixels."""

    x: int
    y: int


PEOPLE = {
    "red": Person(792, 408),
    "hair": Person(108, 332),
    "left": Person(316, 207),
    "grey": Person(517, 336),
    "right": Person(1181, 336),
}


def group_photo() -> Image.Image:
    """Six people, from the insightface package: for tests only, photos have rights of their own."""
    data = files("insightface") / "data" / "images" / "t1.jpg"
    with data.open("rb") as file:
        return Image.open(file).convert("RGB")


def close_up(photo: Image.Image, person: Person, width: float, drift: float = 0.0) -> RGB:
    """A picture with one face in it; `width` of the photo is shown, `drift` off its middle."""
    height = width * SIZE[1] / SIZE[0]
    left, top = person.x - width / 2 + drift, person.y - height / 2
    box = (left, top, left + width, top + height)
    return np.asarray(photo.resize(SIZE, Image.Resampling.BICUBIC, box=_inside(box, photo.size)))


def whole(photo: Image.Image) -> RGB:
    """All of them, in the middle of a wide picture."""
    canvas = Image.new("RGB", SIZE, (30, 30, 30))
    small = photo.resize((SIZE[1] * photo.width // photo.height, SIZE[1]), Image.Resampling.LANCZOS)
    canvas.paste(small, ((SIZE[0] - small.width) // 2, 0))
    return np.asarray(canvas)


def film_of(path: Path, shots: Sequence[tuple[str, int]]) -> Path:
    """Each shot is (a key of PEOPLE, "all" or "nobody", seconds). It is encoded once a run."""
    return copied(path, f"faces {shots}", lambda target: _write_film(target, shots))


def _write_film(path: Path, shots: Sequence[tuple[str, int]]) -> Path:
    photo = group_photo()
    everybody = whole(photo)

    def pictures() -> Iterator[RGB]:
        for name, seconds in shots:
            for n in range(seconds * FPS):
                if name == "all":
                    yield everybody
                elif name == "nobody":
                    yield np.full((SIZE[1], SIZE[0], 3), (40, 70, 110), np.uint8)
                else:
                    step = n / FPS
                    yield close_up(photo, PEOPLE[name], 230 + 6 * step, drift=3 * step)

    return write_video(path, pictures(), fps=FPS)


def _inside(
    box: tuple[float, float, float, float], size: tuple[int, int]
) -> tuple[float, float, float, float]:
    left, top, right, bottom = box
    across = max(0.0, -left) - max(0.0, right - size[0])
    down = max(0.0, -top) - max(0.0, bottom - size[1])
    return left + across, top + down, right + across, bottom + down
