"""A segment of a preview as a whole MP4 file of one fragment. Runs in child processes."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import partial

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from shared.errors import MediaUnreadable
from shared.media import open_media_file
from shared.opening import OpenedFile
from shared.paths import Roots
from shared.query.messages import MakePreview
from workers.export.output import ClipFailed
from workers.export.reading import JUMP_S, LATE_S, Damage, frames_of, sound_from
from workers.export.source import ClipSource, open_source
from workers.media.containers import (
    first_picture,
    only,
    open_container,
    reading_errors,
    video_stream,
)
from workers.media.frame_search import decoded_from
from workers.media.frames import display_size, matrix_of, range_of, upright_rotation
from workers.media.gops import Misfit
from workers.media.grid import VideoSource, counted, counted_pictures, ways
from workers.media.probing.probe import frame_rate
from workers.media.sound.tracks import rows_of
from workers.media.turning import Turner

_SOUND_RATE = 48_000
_AAC_FRAME = 1024  # samples of an AAC packet
_RUN_UP = 10  # packets that are encoded and left out: by then the encoder knows the sound
_AFTER = 2  # packets that the last one overlaps with
_BIT_RATE = 160_000
_MANY = 8  # channels whose frames PyAV cannot take apart by their layout
_NAMED = {1: "mono", 2: "stereo"}

Stereo = NDArray[np.float32]  # [2, samples]


Shot = tuple[Fraction, VideoFrame]  # seconds since the segment began, picture
_THREADS = min(4, os.cpu_count() or 1)  # somebody waits
_HEIGHT, _WIDTH = 540, 1920  # at most
_FINEST = 100_000_000  # parts of a second that MP4 can count
_USUAL_RATE = Fraction(25)
# B pictures would be decoded before their time, so that segments could not be put in a row.
_X264_OPTIONS = {
    "preset": "veryfast", "crf": "26", "maxrate": "4M", "bufsize": "8M", "bf": "0",
    "profile": "high", "level": "4.0",
}  # fmt: skip
_BT709 = 1
# One fragment, written at the end; its times are those of its packets, without an edit list.
_MP4_OPTIONS = {
    "movflags": "empty_moov+default_base_moof+frag_custom+frag_discont+skip_trailer",
    "use_editlist": "0",
    "avoid_negative_ts": "disabled",
}


class PreviewSound:
    """The audio stream of a segment, of the sound from `begins` to `ends`, in seconds.

    AAC in stereo, whose packets lie on one grid of 1,024 samples from time 0 of the file. Each is
    encoded after a run-up of what comes before it, so that at the seam of two segments a decoder
    hears no gap.
    """

    def __init__(self, out: OutputContainer, file: OpenedFile, begins: int, ends: Fraction) -> None:
        self._file = file
        self._begins = begins * _SOUND_RATE
        first = -(-self._begins // _AAC_FRAME)
        # One at the least: a piece that is shorter lies in the last packet of the one before.
        self._packets = range(first, max(math.ceil(ends * _SOUND_RATE / _AAC_FRAME), first + 1))
        stream = out.add_stream("aac", rate=_SOUND_RATE, layout="stereo")
        assert isinstance(stream, AudioStream)
        stream.codec_context.bit_rate = _BIT_RATE
        self._out = stream

    def packets(self) -> list[Packet[AudioStream]]:
        """The encoded sound, with times since the segment began; silence where there is none."""
        first = self._packets.start - _RUN_UP
        heard = _heard(
            self._file, range(first * _AAC_FRAME, (self._packets.stop + _AFTER) * _AAC_FRAME)
        )
        found: list[Packet[AudioStream]] = []
        for at in range(0, heard.shape[1], _AAC_FRAME):
            part = np.ascontiguousarray(heard[:, at : at + _AAC_FRAME])
            frame = AudioFrame.from_ndarray(part, "fltp", "stereo")
            frame.sample_rate, frame.time_base = _SOUND_RATE, Fraction(1, _SOUND_RATE)
            frame.pts = first * _AAC_FRAME + at
            found += self._out.encode(frame)
        found += self._out.encode(None)
        kept = [packet for packet in found if (packet.pts or 0) // _AAC_FRAME in self._packets]
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
    ends = source.origin + Fraction(span.stop, _SOUND_RATE)
    starts = max(Fraction(span.start, _SOUND_RATE), Fraction(0))
    indices = {sound.index: Fraction(0) for sound in source.sounds}
    for packet in sound_from(source, source.origin + starts, Damage()):
        at = (packet.pts or 0) * packet.time_base
        if packet.stream_index in indices:
            indices[packet.stream_index] = at
        if at > ends + LATE_S or min(indices.values()) > ends:
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

    def feed(self, packet: Packet[AudioStream] | None) -> None:
        for frame in frames_of(self._stream.codec_context, packet, Damage()):
            self._hear(frame)

    def finished(self) -> Stereo:
        self.feed(None)
        self._flush()
        return self._line

    def _hear(self, frame: AudioFrame) -> None:
        rate = frame.sample_rate
        if frame.pts is None or frame.time_base is None or not frame.samples or not rate:
            return
        position = self._position(frame, frame.time_base)
        shape = rate, frame.format.name, frame.layout.name
        starts = Fraction(position, rate)
        if self._resampler is None or shape != self._shape or abs(starts - self._due) > JUMP_S:
            self._flush()
            # A sample of it is one of ours, too: else segments differed by a part of a sample.
            skipped = -position % (rate // math.gcd(rate, _SOUND_RATE))
            if skipped >= frame.samples:
                return
            self._shape, self._due = shape, starts
            self._at = (position + skipped) * _SOUND_RATE // rate
            self._due += Fraction(frame.samples, rate)
            plain = _plain(frame, skipped)
            layout = "mono" if plain.layout.nb_channels == 1 else "stereo"
            self._resampler = AudioResampler("fltp", layout, _SOUND_RATE)
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


@contextmanager
def open_pictures(file: OpenedFile) -> Iterator[VideoSource]:
    """The video stream of a file at its beginning. Raises MediaUnreadable where there is none."""
    container = open_container(file)
    try:
        stream = video_stream(container)
        if stream is None:
            raise MediaUnreadable("It holds no video, only sound.")
        only(container, stream)
        stream.codec_context.thread_count = _THREADS
        stream.codec_context.thread_type = "AUTO"
        yield VideoSource(container, stream, *first_picture(container, stream))
    finally:
        container.close()


class PreviewPictures:
    """The video stream of a segment of `length` seconds that begins at `begins`."""

    def __init__(
        self, out: OutputContainer, file: OpenedFile, begins: int, length: Fraction
    ) -> None:
        self._shots = _shots(file, Fraction(begins), length)
        self._length = length
        source, self._first = next(self._shots, None) or _nothing(begins)
        stream = source.stream
        own, rate = stream.time_base or Fraction(1, 1000), frame_rate(stream) or _USUAL_RATE
        parts = math.lcm(own.denominator, rate.numerator)
        self._base = Fraction(1, parts) if parts <= _FINEST else own
        self._tick = round(1 / rate / self._base)
        self._look = _SmallPicture(self._first[1], stream.sample_aspect_ratio or Fraction(1))
        self._out = self._stream(out, rate)

    def packets(self) -> list[Packet[VideoStream]]:
        """The encoded pictures, with times since the segment began."""
        durations: dict[int, int] = {}
        found: list[Packet[VideoStream]] = []
        held, frame = 0, self._first[1]
        for _, (seconds, following) in self._shots:
            pts = round(seconds / self._base)
            if pts > held:
                durations[held] = pts - held
                found += self._encoded(frame, held)
                held, frame = pts, following
        rest = round(self._length / self._base) - held
        durations[held] = rest if rest > 0 else self._tick
        found += [*self._encoded(frame, held), *self._out.encode(None)]
        for packet in found:
            packet.duration = durations.get(packet.pts or 0, self._tick)
        return found

    def _encoded(self, frame: VideoFrame, pts: int) -> Iterable[Packet[VideoStream]]:
        small = self._look.shown(frame)
        small.pts, small.time_base, small.pict_type = pts, self._base, 0
        return self._out.encode(small)

    def _stream(self, out: OutputContainer, rate: Fraction) -> VideoStream:
        stream = out.add_stream("libx264", rate=rate, options=dict(_X264_OPTIONS))
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = self._look.size
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base, context.thread_count = self._base, _THREADS
        context.color_primaries, context.color_trc = self._look.colours
        context.colorspace, context.color_range = _BT709, ColorRange.MPEG
        return stream


class _SmallPicture:
    """Size and colours of all pictures of a segment, by the first one."""

    def __init__(self, first: VideoFrame, aspect: Fraction) -> None:
        rotation = upright_rotation(first)
        self._turner = Turner(rotation)
        upright = display_size(first.width, first.height, aspect, rotation)
        scale = min(Fraction(1), Fraction(_WIDTH, upright[0]), Fraction(_HEIGHT, upright[1]))
        self.size = _even(upright[0] * scale), _even(upright[1] * scale)
        self._stored = self.size[::-1] if self._turner.is_quarter else self.size
        # What is HDR stays so: a browser shows it as its screen can.
        rgb = first.format.is_rgb
        self.colours = (_BT709, _BT709) if rgb else (first.color_primaries, first.color_trc)
        self._reformatter = VideoReformatter()

    def shown(self, frame: VideoFrame) -> VideoFrame:
        """A picture as it is encoded."""
        small = self._reformatter.reformat(
            frame,
            *self._stored,
            "yuv420p",
            src_colorspace=None if frame.format.is_rgb else matrix_of(frame),
            dst_colorspace=Colorspace.ITU709,
            src_color_range=frame.color_range or range_of(frame),
            dst_color_range=ColorRange.MPEG,
            interpolation=Interpolation.AREA,
            threads=_THREADS,
        )
        return self._turner.turned(small)


def _even(size: Fraction) -> int:
    return max(2, round(size / 2) * 2)


def _nothing(begins: int) -> tuple[VideoSource, Shot]:
    raise MediaUnreadable(f"No picture can be decoded from {begins} s on.")


def _shots(
    file: OpenedFile, begins: Fraction, length: Fraction
) -> Iterator[tuple[VideoSource, Shot]]:
    """The picture that is shown when the segment begins, at 0, and those that begin in it."""
    for way in (partial(_decoding, seeks=True), partial(_decoding, seeks=False), _by_counting):
        with open_pictures(file) as source:
            if ways(source)[0] is counted and way is not _by_counting:
                continue
            is_found = False
            with suppress(Misfit):
                for shot in _within(way(source, begins), length):
                    is_found = True
                    yield source, shot
            if is_found:
                return


def _within(shots: Iterator[Shot], length: Fraction) -> Iterator[Shot]:
    """`shots` may begin before 0; the last of those is shown at 0, or else the first one."""
    shown: VideoFrame | None = None
    latest = Fraction(0)
    is_begun = False
    for at, frame in shots:
        if at <= 0 and not is_begun:
            shown = frame
            continue
        if not is_begun:
            is_begun = True
            yield Fraction(0), shown or frame
        if at >= length:
            return
        if at > latest:
            latest = at
            yield at, frame
    if shown is not None and not is_begun:
        yield Fraction(0), shown


def _decoding(source: VideoSource, begins: Fraction, *, seeks: bool) -> Iterator[Shot]:
    base, clock = source.stream.time_base or Fraction(1, 1000), source.clock
    at = clock.last_pts(float(begins))
    for pts, frame in decoded_from(source, at, seeks=seeks and begins > 0):
        yield (pts - clock.start) * base - begins, frame


def _by_counting(source: VideoSource, begins: Fraction) -> Iterator[Shot]:
    for at, frame in counted_pictures(source):
        yield at - begins, frame


def make_segment(roots: Roots, asked: MakePreview) -> bytes:
    """The segment that is asked for. Raises NotAllowed and MediaError."""
    begins, length = asked.begins, Fraction(asked.ends) - asked.begins
    written = io.BytesIO()
    with (
        open_media_file(asked.path, roots) as file,
        reading_errors(),
        av.open(written, "w", format="mp4", options=_MP4_OPTIONS) as out,
    ):
        tracks: list[PreviewPictures | PreviewSound] = []
        if asked.has_picture:
            tracks.append(PreviewPictures(out, file, begins, length))
        if asked.has_sound:
            tracks.append(PreviewSound(out, file, begins, begins + length))
        packets = [packet for track in tracks for packet in track.packets()]
        packets.sort(key=lambda packet: (packet.dts or 0) * packet.time_base)
        for packet in packets:
            out.mux_one(packet)
    return written.getvalue()
