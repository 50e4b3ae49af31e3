"""An oracle of clips: what a cut must hold is known from the numbers and beeps in its source.

Every picture of a source carries its number; a beep begins with each full second. A clip is read
back by a plain decoder and compared with what was asked for.
"""

from __future__ import annotations

import bisect
import random
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from shared.exports.clips import ClipSpec
from tests.support.media.by_path import Cut, cut, plan
from tests.support.media.media import TIME_BASE, Encoding, make_clip, number_of

SECONDS = 6
SMALL = (160, 96)
MS = Fraction(1, 1000)
RATES = {
    "23.976": Fraction(24000, 1001),
    "25": Fraction(25),
    "29.97DF": Fraction(30000, 1001),
    "50": Fraction(50),
    "vfr": Fraction(30),
}
TIMECODES = {"23.976": "00:59:58:00", "25": "10:00:00:00", "29.97DF": "00:59:58;00"}
_CLOSED = {"x264-params": "open-gop=0:scenecut=0"}
_OPEN = {"x264-params": "open-gop=1:scenecut=0"}
_SOUND_CODECS = {"mp4": "aac", "mov": "pcm_s16le", "mkv": "aac", "ts": "aac", "mxf": "pcm_s16le"}


@dataclass(frozen=True)
class Numbered:
    """A source whose pictures are known: picture n is shown at `times[n]`, in seconds."""

    path: Path
    rate: Fraction
    times: tuple[Fraction, ...]
    timecode: str | None

    @property
    def end(self) -> Fraction:
        return self.times[-1] + 1 / self.rate

    def shown_at(self, seconds: float) -> int:
        """The number of the picture on screen; clients round to milliseconds."""
        return bisect.bisect_right(self.times, Fraction(seconds) + MS) - 1

    def first_after(self, seconds: float) -> int:
        return bisect.bisect_left(self.times, Fraction(seconds) - MS)


@dataclass(frozen=True)
class Seen:
    """What a decoder makes of a clip."""

    numbers: list[int]
    times: list[Fraction]  # since the first picture
    length: Fraction  # of the video
    beeps: list[Fraction]  # since the first picture
    timecode: str | None


class Part:
    """A file of a temporary name, as shared.exports.writing gives it."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self.path = str(path)


def source(folder: Path, extension: str, kind: str, codec: str = "") -> Numbered:
    """A clip of SECONDS: H.264 with B pictures and short GOPs, at 25 and 50 open ones."""
    rate = RATES[kind]
    path = folder / f"{kind}{codec}.{extension}"
    numbers = range(round(SECONDS * rate))
    times = tuple(Fraction(n) / rate for n in numbers)
    free: Callable[[int], float] | None = None
    if kind == "vfr":
        times = _uneven(len(numbers))
        free = lambda n: float(times[n])  # noqa: E731
    if not path.exists():
        size = (320, 180) if codec == "dnxhd" else SMALL  # DNxHR has no smaller ones
        encoding = _encoding(extension, kind, codec)
        make_clip(path, SECONDS, size=size, encoding=encoding, times=free)
    return Numbered(path, rate, times, None if extension == "ts" else TIMECODES.get(kind))


def small_clip(path: Path, seconds: float = 4, **more: object) -> Path:
    """A clip for tests in which the size of its pictures does not matter."""
    return make_clip(path, seconds, size=SMALL, **more)  # type: ignore[arg-type]


def _uneven(count: int) -> tuple[Fraction, ...]:
    """Times of a VFR recording, on the clock of the file."""
    chance = random.Random(5)
    at, times = Fraction(0), []
    for _ in range(count):
        times.append(at)
        at += chance.choice((3000, 3000, 3000, 6000, 9000)) * TIME_BASE
    return tuple(times)


def _encoding(extension: str, kind: str, codec: str) -> Encoding:
    common = {
        "fps": RATES[kind],
        "tone_hz": 1000,
        "beeps": True,
        "sound_codec": _SOUND_CODECS[extension],
        "timecode": TIMECODES.get(kind),
    }
    if codec == "dnxhd":
        options = {"profile": "dnxhr_lb"}
        return Encoding("dnxhd", pixels="yuv422p", gop=1, b_frames=0, options=options, **common)
    if extension == "mxf":
        return Encoding("mpeg2video", gop=12, b_frames=2, **common)
    options = _OPEN if kind in ("25", "50") else _CLOSED
    return Encoding(gop=14, b_frames=3, options=options, **common)


def random_ranges(numbered: Numbered, count: int, seed: int) -> list[tuple[float, float]]:
    """Half of them begin and end on pictures, half anywhere; one reaches the end."""
    chance = random.Random(seed)
    ranges = []
    for number in range(count):
        first = chance.randrange(len(numbered.times) - 12)
        past = min(len(numbered.times) - 1, first + chance.randint(1, 25))
        ends = [numbered.times[first], numbered.times[past]]
        if number % 2:
            ends = [t + Fraction(chance.uniform(0.1, 0.9)) / 60 for t in ends]
        ranges.append((float(ends[0]), float(ends[1])))
    ranges[-1] = (ranges[-1][0], float(numbered.end))
    return ranges


def export(
    path: Path | str, start: float | str, end: float | str, folder: Path, **more: object
) -> tuple[Path, Cut]:
    """Cut as the worker does; the clip's path and what was said of it."""
    spec = ClipSpec(
        index=0,
        media_path=str(path),
        client_path=str(path),
        start=start,
        end=end,
        output_dir=str(folder),
        client_output_dir=str(folder),
        **more,  # type: ignore[arg-type]
    )
    planned = plan(spec)
    number = sum(1 for _ in folder.iterdir())
    target = Part(folder / f"clip-{number}.{planned.extension}")
    made = cut(spec, target, lambda: None, lambda share: None, planned)
    size = Path(target.path).stat().st_size
    assert size <= planned.estimated_bytes, "less room was asked for than the clip takes"
    return Path(target.path), made


def look(path: Path) -> Seen:
    """Decode all of a clip."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        base = video.time_base
        numbers, times = [], []
        for frame in container.decode(video):
            numbers.append(number_of(frame))
            times.append(frame.pts * base)
        first = times[0] if times else Fraction(0)
        last = times[-1] - first + 1 / video.guessed_rate if times else Fraction(0)
        is_stated = "mp4" in container.format.name
        length = video.duration * base if is_stated else last
        timecode = next(
            (
                value
                for tags in (video.metadata, container.metadata)
                for key, value in tags.items()
                if key.lower() == "timecode"
            ),
            None,
        )
    seconds = [t - first for t in times]
    return Seen(numbers, seconds, length, beeps(path, first), timecode)


def beeps(path: Path, zero: Fraction, stream: int = 0) -> list[Fraction]:
    """When each beep begins, in seconds after `zero` of the container's clock."""
    with av.open(str(path)) as container:
        if len(container.streams.audio) <= stream:
            return []
        found: list[Fraction] = []
        heard = Fraction(-1)
        for frame in container.decode(container.streams.audio[stream]):
            samples = frame.to_ndarray().astype(np.float32)
            if not frame.format.is_planar:
                samples = samples.reshape(-1, frame.layout.nb_channels).T
            scale = (
                32768 if "s16" in frame.format.name else 2**31 if "s32" in frame.format.name else 1
            )
            loud = np.flatnonzero(np.abs(samples[0]) > 0.2 * scale)
            start, silence = frame.pts * frame.time_base, frame.sample_rate // 10
            for place in loud[np.diff(loud, prepend=-silence - 1) > silence]:
                at = start + Fraction(int(place), frame.sample_rate)
                if not found or at - heard > Fraction(1, 10):
                    found.append(at)
            if len(loud):
                heard = start + Fraction(int(loud[-1]), frame.sample_rate)
        return [at - zero for at in found]


def assert_beeps(seen: Seen, start: float, end: float, sure_after: float = 0.002) -> None:
    """Every beep of the range begins within a millisecond of its time.

    `sure_after`: seconds after the clip's start from which its sound is whole.
    """
    for second in range(SECONDS):
        if not start + sure_after <= second < end - 0.06:
            continue
        wanted = second - Fraction(start)
        near = min((abs(at - wanted) for at in seen.beeps), default=Fraction(99))
        assert near <= MS, (float(wanted), [float(b) for b in seen.beeps])
