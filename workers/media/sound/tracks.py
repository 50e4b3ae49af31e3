"""One audio stream, decoded to mono at 16 kHz on the container's clock."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.packet import Packet
from numpy.typing import NDArray

from workers.media.budget import HIGHEST_RATE, LOWEST_RATE

# Time stamps are rounded (Matroska's to 1 ms) and jitter in live recordings: single ones are
# believed beyond _GAP_S only, their average beyond _DRIFT_S.
_GAP_S = 0.05
_DRIFT_S = 0.005
_AVERAGED = 8  # frames
# Beyond this, leading back or out of the file, a time stamp is a broken one, as where a
# transport stream was spliced. The same bound as ffmpeg's dts_delta_threshold.
_BROKEN_S = 10.0
_LONGEST_GAP_S = 12 * 3600.0

Rows = NDArray[np.float32]  # [rows, samples]

_PIECE_S = 0.25  # weights change so often, in ramps
_MEMORY_S = 1.0  # over which loudness and likeness are measured
_SILENT = 1e-10  # mean square, -100 dB
_ANTI_PHASE = -0.5  # correlation with the loudest row at which a row is turned round
_TURNED_BACK = -0.2

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


class Mixer:
    """Sums rows, turns anti-phase ones round, and keeps the level of the loudest row.

    Neither a sum nor a mean will do: the mean of eight channels of which one talks is 18 dB down,
    the sum of eight equal ones is clipped, and both are silence for a voice in anti-phase.
    """

    def __init__(self, rate: int) -> None:
        self._piece = max(1, round(rate * _PIECE_S))
        self._memory = rate * _MEMORY_S
        self._likeness: NDArray[np.float64] | None = None  # [rows, rows] mean products
        self._weights: NDArray[np.float32] | None = None

    def mix(self, rows: Rows) -> NDArray[np.float32]:
        """[rows, samples], the samples that follow those of the last call -> [samples]."""
        if len(rows) == 1:
            return np.asarray(rows[0])
        pieces = (
            self._mixed(rows[:, at : at + self._piece])
            for at in range(0, rows.shape[1], self._piece)
        )
        return np.concatenate([*pieces, np.empty(0, np.float32)])

    def _mixed(self, rows: Rows) -> NDArray[np.float32]:
        before = self._weights
        after = self._next_weights(rows)
        self._weights = after
        if before is None or np.abs(after - before).max() < 1e-3:
            return after @ rows
        ramp = np.linspace(0, 1, rows.shape[1], dtype=np.float32)
        return (before @ rows) * (1 - ramp) + (after @ rows) * ramp

    def _next_weights(self, rows: Rows) -> NDArray[np.float32]:
        count, samples = rows.shape
        products = (rows @ rows.T).astype(np.float64) / samples
        kept = 0.0 if self._likeness is None else math.exp(-samples / self._memory)
        likeness = products if self._likeness is None else self._likeness
        self._likeness = likeness = likeness * kept + products * (1 - kept)
        power = likeness.diagonal()
        loudest = int(power.argmax())
        if power[loudest] < _SILENT:
            return np.ones(count, np.float32) if self._weights is None else self._weights
        signs = self._signs(likeness[loudest] / np.sqrt(power * power[loudest] + 1e-30), loudest)
        total = signs @ likeness @ signs
        gain = min(1.0, math.sqrt(power[loudest] / max(total, 1e-30)))
        return (signs * gain).astype(np.float32)

    def _signs(self, correlation: NDArray[np.float64], loudest: int) -> NDArray[np.float64]:
        if self._weights is None:
            return np.where(correlation < _ANTI_PHASE, -1.0, 1.0)
        was = np.sign(self._weights)
        turned = was * was[loudest] < 0
        signs = np.where(correlation < np.where(turned, _TURNED_BACK, _ANTI_PHASE), -1.0, 1.0)
        return -signs if signs @ was < 0 else signs  # never through zero for a new loudest row


@dataclass(slots=True)
class SoundClock:
    """Follows the time stamps of one stream. Seconds count from the container's time 0."""

    origin: float  # what the container's own clock shows at time 0
    stated_end: float | None  # seconds
    broken: int = 0  # time stamps that were not believed
    missing: float = 0.0  # seconds that time stamps left out
    repeated: float = 0.0  # seconds that time stamps place where there was sound already
    _due: float | None = None  # where the next frame begins if it follows the last one
    _shift: float = 0.0  # added to all time stamps since one was not believed
    _drift: float = 0.0

    def place(self, stamp: float | None, seconds: float) -> tuple[float, bool]:
        """Where a frame of this length begins, and whether it follows the last one directly."""
        is_first = self._due is None
        due = self._due or 0.0
        at = due if stamp is None else stamp - self.origin + self._shift
        if self._is_broken(at, due, is_first):
            self.broken += 1
            self._shift += due - at
            at = due
        follows = not is_first and self._follows(at, due)
        if follows:
            at = due
        elif not is_first:
            if abs(at - due) <= _GAP_S:
                at = due + self._drift
            self.missing += max(0.0, at - due)
            if due - at > _GAP_S:
                self.repeated += due - at
            self._drift = 0.0
        self._due = at + seconds
        return at, follows

    def skip(self, seconds: float) -> None:
        """Time that later stamps do not know of."""
        self._shift += seconds

    def _is_broken(self, at: float, due: float, is_first: bool) -> bool:
        end = _LONGEST_GAP_S if self.stated_end is None else self.stated_end
        if is_first:  # sound may begin long before the pictures, but not longer than it lasts
            return not -end - _BROKEN_S <= at <= end + _BROKEN_S
        leads_out = self.stated_end is not None and at > self.stated_end + _BROKEN_S
        forward = _BROKEN_S if leads_out else _LONGEST_GAP_S
        return not -_BROKEN_S <= at - due <= forward

    def _follows(self, at: float, due: float) -> bool:
        if abs(at - due) > _GAP_S:
            return False
        self._drift += (at - due - self._drift) / _AVERAGED
        return abs(self._drift) <= _DRIFT_S


class SoundLine:
    """Samples of one stream from sample 0 on without a gap; silence costs no memory."""

    def __init__(self) -> None:
        self._parts: deque[NDArray[np.float32] | int] = deque()  # an int: so many of silence
        self._taken = 0
        self.end = 0  # sample number that follows the last one
        self.held = 0  # samples in memory

    def write(self, at: int, samples: NDArray[np.float32]) -> None:
        """Silence fills what is missing before `at`; what is there already is not overwritten."""
        samples = samples[max(0, self.end - at) :]
        if not len(samples):
            return
        if at > self.end:
            self._parts.append(at - self.end)
        self._parts.append(samples)
        self.end = max(at, self.end) + len(samples)
        self.held += len(samples)

    def take(self, end: int) -> NDArray[np.float32]:
        """The samples from the last taken one to before `end`, silence where there are none."""
        out = np.zeros(end - self._taken, np.float32)
        at = 0
        while at < len(out) and self._parts:
            part = self._parts.popleft()
            room = len(out) - at
            if isinstance(part, int):
                count = min(part, room)
                if part > count:
                    self._parts.appendleft(part - count)
            else:
                count = min(len(part), room)
                out[at : at + count] = part[:count]
                self.held -= count
                if len(part) > count:
                    self._parts.appendleft(part[count:])
            at += count
        self._taken = end
        self.end = max(self.end, end)
        return out
