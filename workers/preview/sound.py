"""Sound of a segment: AAC in stereo, whose packets continue those of the segment before.

All packets lie on one grid of 1,024 samples from time 0 of the file. Each is encoded after a
run-up of what comes before it, so that at the seam of two segments a decoder hears no gap.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Disposition
from numpy.typing import NDArray

from shared.errors import MediaUnreadable
from shared.opening import OpenedFile
from workers.export.output import ClipFailed
from workers.export.reading import Damage, sound_from
from workers.export.source import ClipSource, open_source
from workers.media.sound.tracks import rows_of

RATE = 48_000
FRAME = 1024  # samples of an AAC packet
_RUN_UP = 10  # packets that are encoded and left out: by then the encoder knows the sound
_AFTER = 2  # packets that the last one overlaps with
_BIT_RATE = 160_000
_JUMP_S = Fraction(1, 20)  # time stamps that differ by less are rounded ones
_LATE_S = Fraction(3)
_MANY = 8  # channels whose frames PyAV cannot take apart by their layout
_NAMED = {1: "mono", 2: "stereo"}

Stereo = NDArray[np.float32]  # [2, samples]


class PreviewSound:
    """The audio stream of a segment, of the sound from `begins` to `ends`, in seconds."""

    def __init__(self, out: OutputContainer, file: OpenedFile, begins: int, ends: Fraction) -> None:
        self._file = file
        self._begins = begins * RATE
        first = -(-self._begins // FRAME)
        # One at the least: a piece that is shorter lies in the last packet of the one before.
        self._packets = range(first, max(math.ceil(ends * RATE / FRAME), first + 1))
        stream = out.add_stream("aac", rate=RATE, layout="stereo")
        assert isinstance(stream, AudioStream)
        stream.codec_context.bit_rate = _BIT_RATE
        self._out = stream

    def packets(self) -> list[Packet[AudioStream]]:
        """The encoded sound, with times since the segment began; silence where there is none."""
        first = self._packets.start - _RUN_UP
        heard = _heard(self._file, range(first * FRAME, (self._packets.stop + _AFTER) * FRAME))
        found: list[Packet[AudioStream]] = []
        for at in range(0, heard.shape[1], FRAME):
            part = np.ascontiguousarray(heard[:, at : at + FRAME])
            frame = AudioFrame.from_ndarray(part, "fltp", "stereo")
            frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
            frame.pts = first * FRAME + at
            found += self._out.encode(frame)
        found += self._out.encode(None)
        kept = [packet for packet in found if (packet.pts or 0) // FRAME in self._packets]
        for packet in kept:
            packet.pts = packet.dts = (packet.pts or 0) - self._begins
        return kept


def _heard(file: OpenedFile, span: range) -> Stereo:
    """Sound of a file in a span of samples; 0 is the file's time 0."""
    try:
        with open_source(file, "all") as source:
            source.sounds = _chosen(source.sounds)
            if not source.sounds:
                return np.zeros((2, len(span)), np.float32)
            tracks = {s.index: _Track(s, source.origin, span) for s in source.sounds}
            for packet in _packets(source, span):
                if packet.stream_index in tracks:
                    tracks[packet.stream_index].feed(packet)
            lines = [track.finished() for track in tracks.values()]
    except ClipFailed as error:
        raise MediaUnreadable(error.message) from None
    return np.sum(lines, axis=0, dtype=np.float32).clip(-1, 1)


def _chosen(sounds: list[AudioStream]) -> list[AudioStream]:
    """Tracks of one channel are microphones, heard together; else it is the main track."""
    if all(sound.channels == 1 for sound in sounds):
        return sounds
    marked = (sound for sound in sounds if sound.disposition & Disposition.default)
    return [next(marked, sounds[0])]


def _packets(source: ClipSource, span: range) -> Iterator[Packet[AudioStream]]:
    ends = source.origin + Fraction(span.stop, RATE)
    starts = max(Fraction(span.start, RATE), Fraction(0))
    indices = {sound.index: Fraction(0) for sound in source.sounds}
    for packet in sound_from(source, source.origin + starts, Damage()):
        at = (packet.pts or 0) * packet.time_base
        if packet.stream_index in indices:
            indices[packet.stream_index] = at
        if at > ends + _LATE_S or min(indices.values()) > ends:
            return
        yield packet


class _Track:
    """One stream of sound, decoded; `line` is what is heard of it in a span of samples."""

    def __init__(self, stream: AudioStream, origin: Fraction, span: range) -> None:
        self._stream = stream
        self._origin = origin
        self._span = span
        self._line = np.zeros((2, len(span)), np.float32)
        self._resampler: AudioResampler | None = None
        self._shape: tuple[int, str, str] | None = None
        self._due = Fraction(0)  # seconds at which the next frame begins if it follows
        self._at = 0  # sample that the next one out of the resampler is

    def feed(self, packet: Packet[AudioStream]) -> None:
        try:
            frames = self._stream.codec_context.decode(packet)
        except av.error.FFmpegError:
            return
        for frame in frames:
            self._hear(frame)

    def finished(self) -> Stereo:
        try:
            for frame in self._stream.codec_context.decode(None):
                self._hear(frame)
        except av.error.FFmpegError:
            pass
        self._flush()
        return self._line

    def _hear(self, frame: AudioFrame) -> None:
        rate = frame.sample_rate
        if frame.pts is None or frame.time_base is None or not frame.samples or not rate:
            return
        position = self._position(frame, frame.time_base)
        shape = rate, frame.format.name, frame.layout.name
        starts = Fraction(position, rate)
        if self._resampler is None or shape != self._shape or abs(starts - self._due) > _JUMP_S:
            self._flush()
            # A sample of it is one of ours, too: else segments differed by a part of a sample.
            skipped = -position % (rate // math.gcd(rate, RATE))
            if skipped >= frame.samples:
                return
            self._shape, self._due = shape, starts
            self._at = (position + skipped) * RATE // rate
            self._due += Fraction(frame.samples, rate)
            plain = _plain(frame, skipped)
            layout = "mono" if plain.layout.nb_channels == 1 else "stereo"
            self._resampler = AudioResampler("fltp", layout, RATE)
        else:
            self._due += Fraction(frame.samples, rate)
            plain = _plain(frame, 0)
        self._resample(plain)

    def _position(self, frame: AudioFrame, base: Fraction) -> int:
        """The sample of the file that a frame begins with.

        Where time stamps are coarser than samples, it is a whole number of frames after the first
        one: rounded differently, each segment would begin a little off.
        """
        rate, tick = frame.sample_rate, base * frame.sample_rate
        exact = (frame.pts or 0) * tick - self._origin * rate
        first = (self._stream.start_time or 0) * (self._stream.time_base or 0) - self._origin
        whole = round((exact - first * rate) / frame.samples) * frame.samples
        on_grid = round(first * rate) + whole
        return on_grid if tick > 1 and abs(on_grid - exact) <= tick else round(exact)

    def _resample(self, frame: AudioFrame | None) -> None:
        assert self._resampler is not None
        for part in self._resampler.resample(frame):
            first = self._at - self._span.start
            self._at += part.samples
            kept = part.to_ndarray()[:, max(0, -first) :]
            room = self._line[:, max(0, first) :][:, : kept.shape[1]]
            room[:] = kept[:, : room.shape[1]]  # one channel is heard in both ears

    def _flush(self) -> None:
        if self._resampler is not None:
            self._resample(None)
            self._resampler = None


def _plain(frame: AudioFrame, skipped: int) -> AudioFrame:
    """A frame without its first samples, as a resampler takes it; many channels as one."""
    channels = frame.layout.nb_channels
    is_named = channels < _MANY and (channels <= 2 or "channels" not in frame.layout.name)
    if is_named and not skipped and "channels" not in frame.layout.name:
        frame.pts = None  # positions are counted here
        return frame
    rows = rows_of(frame)[:, skipped:]
    if not is_named:
        together = rows.sum(axis=0, dtype=np.float64, keepdims=True) / math.sqrt(channels)
        if rows.dtype.kind in "iu":
            limits = np.iinfo(rows.dtype.str)
            together = together.clip(limits.min, limits.max)
        rows = together.astype(rows.dtype)
    layout = frame.layout.name if is_named and channels > 2 else _NAMED[min(len(rows), 2)]
    stored = rows if frame.format.is_planar else rows.T.reshape(1, -1)
    plain = AudioFrame.from_ndarray(np.ascontiguousarray(stored), frame.format.name, layout)
    plain.sample_rate = frame.sample_rate
    return plain
