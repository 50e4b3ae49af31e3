"""One audio stream, decoded to mono at 16 kHz on the container's clock."""

from __future__ import annotations

import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.packet import Packet
from numpy.typing import NDArray

from workers.media.budget import HIGHEST_RATE, LOWEST_RATE
from workers.media.sound.clock import SoundClock, SoundLine
from workers.media.sound.mixing import Mixer

RATE = 16_000  # what speech models hear
_GATHERED_S = 0.5  # so much is mixed and resampled at once
_LOUDEST = 16.0  # of floating-point sound; beyond it is damage
_FULL_SCALE = {"u8": 128.0, "s16": 2.0**15, "s32": 2.0**31}
_TYPES = {"u8": "u1", "s16": "i2", "s32": "i4", "flt": "f4", "dbl": "f8"}  # numpy's

Shape = tuple[int, str, str]  # sample rate, layout, sample format


class Track:
    """Takes the packets of one stream; `line` holds what came out of them."""

    def __init__(self, stream: AudioStream, clock: SoundClock, *, has_stamps: bool) -> None:
        self.stream = stream
        self.clock = clock
        self.line = SoundLine()
        self.errors = 0  # packets that could not be decoded or are incomplete
        self.frames = 0
        self.heard_s = 0.0  # seconds that came out of the decoder
        self.early_errors = 0  # of the errors, those before the first frame
        self._run: _Run | None = None
        self._has_stamps = has_stamps  # else its time is counted, packet by packet
        self._second = 0.0  # bytes in one, by the last good packet, where time is counted

    def feed(self, packet: Packet[AudioStream]) -> None:
        """Decode a packet; the empty one at the end draws the decoder's last frames."""
        errors = self.errors
        self.errors += packet.is_corrupt
        try:
            for frame in packet.decode():
                self._hear(frame)
        except av.error.FFmpegError:  # some decoders have codes of their own for damage
            self.errors = errors + 1
            self._count_lost_time(packet)
        else:
            if not self._has_stamps and packet.size and packet.duration:
                self._second = packet.size / float(packet.duration * packet.time_base)
        if not self.frames:
            self.early_errors = self.errors

    def _count_lost_time(self, packet: Packet[AudioStream]) -> None:
        """All that is damaged comes as one packet, which was counted as if it were a whole one."""
        if self._second and packet.duration:
            counted = float(packet.duration * packet.time_base)
            self.clock.skip(max(0.0, packet.size / self._second - counted))

    def finish(self) -> None:
        """Bring everything that was heard into `line`."""
        if self._run is not None:
            self._run.finish()
            self._run = None

    def _hear(self, frame: AudioFrame) -> None:
        if not frame.samples or not frame.sample_rate:
            return
        is_known = frame.format.name.removesuffix("p") in _TYPES
        if not is_known or not LOWEST_RATE <= frame.sample_rate <= HIGHEST_RATE:
            self.errors += 1
            return
        self.frames += 1
        seconds = frame.samples / frame.sample_rate
        self.heard_s += seconds
        at, follows = self.clock.place(frame.time, seconds)
        if self._run is None or not follows or self._run.shape != _shape(frame):
            self.finish()
            self._run = _Run(self.line, frame, round(at * RATE))
        self._run.add(frame)


class _Run:
    """Sound without a gap or a change of its shape, from a sample of `line` on."""

    def __init__(self, line: SoundLine, first: AudioFrame, start: int) -> None:
        self.shape = _shape(first)
        self._line, self._at = line, start
        rate, _, self._format = self.shape
        self._rate = rate
        # The low-frequency channel holds no speech, unless it is all there is.
        low = [channel.name in ("LFE", "LFE2") for channel in first.layout.channels]
        self._kept = None if all(low) or not any(low) else np.flatnonzero(np.invert(low))
        self._mixer = Mixer(rate)
        self._resampler = AudioResampler("flt", "mono", RATE) if rate != RATE else None
        self._gathered: list[NDArray[np.generic]] = []
        self._count = 0

    def add(self, frame: AudioFrame) -> None:
        self._gathered.append(rows_of(frame))
        self._count += frame.samples
        if self._count >= self._rate * _GATHERED_S:
            self._write(self._mono())

    def finish(self) -> None:
        if self._count:
            self._write(self._mono())
        if self._resampler is not None:
            self._append([*self._resampler.resample(None)])

    def _mono(self) -> NDArray[np.float32]:
        rows = np.concatenate(self._gathered, axis=1)
        self._gathered, self._count = [], 0
        if self._kept is not None:
            rows = rows[self._kept]
        kind = self._format.removesuffix("p")
        if kind in ("flt", "dbl"):
            rows = np.nan_to_num(rows, nan=0.0, posinf=0.0, neginf=0.0)
            return self._mixer.mix(rows.clip(-_LOUDEST, _LOUDEST).astype(np.float32))
        wide = rows.astype(np.float32)
        if kind == "u8":
            wide -= 128
        wide /= _FULL_SCALE[kind]
        return self._mixer.mix(wide)

    def _write(self, mono: NDArray[np.float32]) -> None:
        if self._resampler is None:
            self._line.write(self._at, np.clip(mono, -1, 1))
            self._at += len(mono)
            return
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(mono[None]), "flt", "mono")
        frame.sample_rate = self._rate
        self._append(self._resampler.resample(frame))

    def _append(self, frames: list[AudioFrame]) -> None:
        for frame in frames:
            samples = frame.to_ndarray()[0]
            self._line.write(self._at, np.clip(samples, -1, 1))
            self._at += len(samples)


def _shape(frame: AudioFrame) -> Shape:
    return frame.sample_rate, frame.layout.name, frame.format.name


def rows_of(frame: AudioFrame) -> NDArray[np.generic]:
    """Samples of a frame, [channels, samples].

    Of eight channels and more, each in a plane of its own, `to_ndarray` of PyAV 18 crashes: it
    takes what lies in memory behind the last plane for planes, too.
    """
    channels = frame.layout.nb_channels
    kind = np.dtype(_TYPES[frame.format.name.removesuffix("p")])
    planes = frame.planes[: channels if frame.format.is_planar else 1]
    samples = [np.frombuffer(memoryview(plane), kind) for plane in planes]  # with padding behind
    if frame.format.is_planar:
        return np.stack([plane[: frame.samples] for plane in samples])
    return samples[0][: frame.samples * channels].reshape(-1, channels).T.copy()
