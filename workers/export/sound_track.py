"""The sound of a clip: encoded, exactly the samples of the range of every stream."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.packet import Packet
from numpy.typing import NDArray

from workers.export.copying import CopiedTrack
from workers.export.formats import SoundCodec, layout_of, sound_codec
from workers.export.output import ClipFile, Timed, encoded, tag_stream
from workers.export.planning import ClipPlan
from workers.export.reading import JUMP_S, LATE_S, Damage, frames_of, sound_from
from workers.export.source import ClipSource
from workers.media.budget import ENCODED_SILENCE_BASE_S, check_silence

_SAMPLES: dict[str, Any] = {"s16": np.int16, "s32": np.int32, "fltp": np.float32}
Samples = NDArray[Any]
Span = tuple[Fraction, Fraction]  # seconds of the container's clock


class SoundTracks:
    """All chosen streams of sound, copied or encoded."""

    def __init__(
        self, out: ClipFile, planned: ClipPlan, source: ClipSource, damage: Damage
    ) -> None:
        self._source, self._planned, self._damage = source, planned, damage
        self._tracks: dict[int, CopiedTrack | _EncodedTrack] = {}
        self.warnings: tuple[str, ...] = ()
        encoder = planned.picture.encoder if planned.picture is not None else ""
        span = source.origin + planned.start, source.origin + planned.end
        for stream in source.sounds:
            if planned.method == "copy":
                track = CopiedTrack(out, planned, source, stream, span[0])
                self._tracks[stream.index] = track
                continue
            codec = sound_codec(stream, planned.form, encoder)
            self.warnings += (codec.warning,) if codec.warning else ()
            self._tracks[stream.index] = _EncodedTrack(out, stream, codec, span, damage)

    @property
    def end(self) -> Fraction:
        """Presented seconds of the source at which the last track ends."""
        heard = max(track.heard for track in self._tracks.values())
        return self._planned.start + heard

    def packets(self) -> Iterator[Timed]:
        tracks = self._tracks
        begins = self._source.origin + self._planned.start
        ends = self._source.origin + self._planned.end
        for packet in sound_from(self._source, begins, self._damage):
            seconds = (packet.pts or 0) * packet.time_base
            if all(t.is_full for t in tracks.values()) or seconds > ends + LATE_S:
                break
            if packet.stream_index in tracks:
                yield from tracks[packet.stream_index].fed(packet)
        for track in tracks.values():
            yield from track.finished()


class _EncodedTrack:
    """One stream, decoded, cut at the sample and encoded."""

    def __init__(
        self, out: ClipFile, stream: AudioStream, codec: SoundCodec, span: Span, damage: Damage
    ) -> None:
        self._damage = damage
        self._codec = codec
        self._layout = layout_of(stream)
        self._decoder = stream.codec_context
        self._begins = span[0]
        self._length = round((span[1] - span[0]) * codec.rate)
        self._written = 0  # samples
        self._silent = 0  # of them, those that stand for none of the source
        self._due: int | None = None  # position of the next decoded sample
        self._resampler: AudioResampler | None = None
        written = out.container.add_stream(
            codec.encoder, rate=codec.rate, layout=codec.layout, format=codec.samples
        )
        assert isinstance(written, AudioStream)
        self._stream = written
        if codec.bit_rate:
            self._stream.codec_context.bit_rate = codec.bit_rate
        tag_stream(stream, self._stream)

    @property
    def is_full(self) -> bool:
        return self._written >= self._length

    @property
    def heard(self) -> Fraction:
        return Fraction(self._written, self._codec.rate)

    def fed(self, packet: Packet[Any]) -> Iterator[Timed]:
        for frame in frames_of(self._decoder, packet, self._damage):
            yield from self._heard(frame)

    def finished(self) -> Iterator[Timed]:
        if not self.is_full:
            # A flush that fails is no packet of this range.
            for frame in frames_of(self._decoder, None, Damage()):
                yield from self._heard(frame)
            yield from self._resampled(None)
        if self._written:
            yield from encoded(self._stream, None)

    def _heard(self, frame: AudioFrame) -> Iterator[Timed]:
        if frame.pts is None or frame.time_base is None or self.is_full:
            return
        position = round((frame.pts * frame.time_base - self._begins) * self._codec.rate)
        if self._due is None or abs(position - self._due) > JUMP_S * self._codec.rate:
            self._due = position
            self._resampler = None
        if frame.layout.name != self._layout:
            # Encoders refuse channels without names: the samples under the name of a layout.
            pts, base, rate = frame.pts, frame.time_base, frame.sample_rate
            samples, kind = frame.to_ndarray(), frame.format.name
            frame = AudioFrame.from_ndarray(samples, format=kind, layout=self._layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, pts, base
        yield from self._resampled(frame)

    def _resampled(self, frame: AudioFrame | None) -> Iterator[Timed]:
        if self._resampler is None:
            if frame is None:
                return
            codec = self._codec
            self._resampler = AudioResampler(codec.samples, codec.layout, codec.rate)
        if frame is not None:
            frame.pts = None  # positions are counted here
        for part in self._resampler.resample(frame):
            yield from self._placed(part.to_ndarray(), part.samples)

    def _placed(self, samples: Samples, count: int) -> Iterator[Timed]:
        """Packets of samples at the due position, without those outside of the range."""
        assert self._due is not None
        start, end = self._due, self._due + count
        self._due = end
        if end <= self._written or start >= self._length:
            if start >= self._length:
                yield from self._silence(self._length - self._written)
            return
        if start > self._written:
            if self._written:
                self._damage.silence += Fraction(start - self._written, self._codec.rate)
            yield from self._silence(start - self._written)
        first, last = self._written - start, min(self._length, end) - start
        width = samples.shape[1] // count
        yield from self._put(samples[:, first * width : last * width], last - first)

    def _silence(self, count: int) -> Iterator[Timed]:
        """Fill a gap. Raises MediaUnreadable where there is little but gaps."""
        heard, self._silent = self._written - self._silent, self._silent + max(0, count)
        rate = self._codec.rate
        check_silence(self._silent / rate, heard / rate, ENCODED_SILENCE_BASE_S)
        kind = _SAMPLES[self._codec.samples]
        channels = self._stream.channels
        while count > 0:
            part = min(count, rate)
            planar = self._codec.samples.endswith("p")
            shape = (channels, part) if planar else (1, part * channels)
            yield from self._put(np.zeros(shape, kind), part)
            count -= part

    def _put(self, samples: Samples, count: int) -> Iterator[Timed]:
        if count <= 0:
            return
        codec = self._codec
        frame = AudioFrame.from_ndarray(
            np.ascontiguousarray(samples), format=codec.samples, layout=codec.layout
        )
        frame.sample_rate, frame.pts = codec.rate, self._written
        frame.time_base = Fraction(1, codec.rate)
        self._written += count
        yield from encoded(self._stream, frame)
