"""Sound files with known samples, by PyAV alone: any container, codec, number of streams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

Samples = NDArray[np.float32]  # [n] mono, or [n, channels], -1 to 1
_FRAME = 1024  # samples a frame, where the codec does not say
_GREY = np.repeat(np.array([93, 128], np.uint8), [64 * 64, 64 * 32]).reshape(96, 64)  # Y, U and V
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}


@dataclass(frozen=True)
class SoundEncoding:
    """How `write_sounds` writes. The codec None is what the container takes by default."""

    codec: str | None = None
    container: str | None = None  # None: by the name's extension
    container_options: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    layout: str | None = None  # None: by the number of channels
    start_s: Sequence[float] = ()  # of each stream; 0 for those not named
    default: int | None = None  # the stream that is marked so; None: as the container does it
    gaps: Sequence[tuple[float, float]] = ()  # (from, seconds): later time stamps are so much on
    pictures_at: Sequence[float] = ()  # with a video stream that shows pictures at these times
    pictures_start_s: float = 0
    pictures_codec: str = "mpeg4"


def write_sounds(
    path: Path,
    streams: Sequence[Samples],
    *,
    rate: int = 48_000,
    encoding: SoundEncoding | None = None,
) -> Path:
    """One audio stream for each array, interleaved by time."""
    how = encoding or SoundEncoding()
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format=how.container, options=how.container_options) as out:
        video = _video(out, how.pictures_codec) if how.pictures_at else None
        writers = [_Writer(out, samples, rate, how, n) for n, samples in enumerate(streams)]
        pictures = list(how.pictures_at)
        while pictures or any(not writer.is_done for writer in writers):
            at, _, writer = min(
                ((w.seconds, n, w) for n, w in enumerate(writers) if not w.is_done),
                default=(float("inf"), 0, None),
            )
            if pictures and pictures[0] <= at:
                out.mux(_picture(video, pictures.pop(0) + how.pictures_start_s))
            else:
                writer.step()
        if video is not None:
            out.mux(video.encode())
        for writer in writers:
            out.mux(writer.stream.encode())
    return path


def clicks(seconds: float, at: Sequence[float], *, rate: int = 48_000) -> Samples:
    """Silence with a click of 1 ms at each of the times."""
    samples = np.zeros(round(seconds * rate), np.float32)
    for time in at:
        first = round(time * rate)
        samples[first : first + max(1, rate // 1000)] = 0.8
    return samples


def tone(seconds: float, hertz: float = 440, level: float = 0.4, *, rate: int = 48_000) -> Samples:
    times = np.arange(round(seconds * rate)) / rate
    return (np.sin(2 * np.pi * hertz * times) * level).astype(np.float32)


def resampled(pcm: Samples, rate: int, wanted: int) -> Samples:
    """Mono samples at another rate."""
    if rate == wanted:
        return pcm
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=wanted)
    frames = [*resampler.resample(_frame(pcm, "mono", rate, 0)), *resampler.resample(None)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


class _Writer:
    """Encodes one stream frame by frame."""

    def __init__(
        self, out: av.container.OutputContainer, samples: Samples, rate: int,
        how: SoundEncoding, number: int,
    ) -> None:  # fmt: skip
        self._out, self._rate, self._gaps = out, rate, how.gaps
        self._samples = samples if samples.ndim == 2 else samples[:, None]
        self._layout = how.layout or _LAYOUTS[self._samples.shape[1]]
        codec = how.codec or out.default_audio_codec
        self.stream = out.add_stream(codec, rate=rate, layout=self._layout, options=how.options)
        if how.default is not None:
            marked = number == how.default
            self.stream.disposition = Disposition.default if marked else Disposition(0)
        self.stream.codec_context.open()
        self._size = self.stream.codec_context.frame_size or _FRAME
        self._start = how.start_s[number] if number < len(how.start_s) else 0.0
        self._format = self.stream.codec_context.format.name
        self._at = 0

    @property
    def is_done(self) -> bool:
        return self._at >= len(self._samples)

    @property
    def seconds(self) -> float:
        """Presentation time of the next frame."""
        at = self._at / self._rate
        return at + self._start + sum(length for begin, length in self._gaps if at >= begin)

    def step(self) -> None:
        part = self._samples[self._at : self._at + self._size]
        pts = round(self.seconds * self._rate)
        frame = _frame(part, self._layout, self._rate, pts, self._format)
        self._at += len(part)
        self._out.mux(self.stream.encode(frame))


def _frame(samples: Samples, layout: str, rate: int, pts: int, form: str = "fltp") -> av.AudioFrame:
    wide = samples if samples.ndim == 2 else samples[:, None]
    frame = av.AudioFrame.from_ndarray(_stored(wide, form), format=form, layout=layout)
    frame.sample_rate, frame.pts, frame.time_base = rate, pts, Fraction(1, rate)
    return frame


def _stored(samples: Samples, form: str) -> NDArray[np.generic]:
    planar = form.endswith("p")
    kind = form.removesuffix("p")
    if kind == "u8":
        stored = (samples * 127 + 128).astype(np.uint8)
    elif kind in ("s16", "s32"):
        scale, dtype = {"s16": (32767, np.int16), "s32": (2**31 - 1, np.int32)}[kind]
        stored = (samples.astype(np.float64) * scale).astype(dtype)
    else:
        stored = samples.astype(np.float32, copy=False)
    return np.ascontiguousarray(stored.T if planar else stored.reshape(1, -1))


def _video(out: av.container.OutputContainer, codec: str) -> av.VideoStream:
    stream = out.add_stream(codec, rate=25)
    stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
    return stream


def _picture(stream: av.VideoStream, seconds: float) -> list[av.Packet]:
    frame = av.VideoFrame.from_ndarray(_GREY, format="yuv420p")
    frame.pts, frame.time_base = round(seconds * 25), Fraction(1, 25)
    return stream.encode(frame)
