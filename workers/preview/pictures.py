"""Pictures of a segment: small, upright, shown at the times of the original."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction

from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from shared.errors import MediaUnreadable
from shared.opening import OpenedFile
from workers.media.containers import first_picture, only, open_container, video_stream
from workers.media.frame_search import go_before
from workers.media.frames import display_size, matrix_of, range_of, upright_rotation
from workers.media.gops import Misfit
from workers.media.grid import VideoSource, counted, counted_pictures, decoded, ways
from workers.media.probing.probe import frame_rate
from workers.media.turning import Turner

Shot = tuple[Fraction, VideoFrame]  # seconds since the segment began, picture
Way = Callable[[VideoSource, Fraction], Iterator[Shot]]

THREADS = min(4, os.cpu_count() or 1)  # somebody waits
_HEIGHT, _WIDTH = 540, 1920  # at most
_FINEST = 100_000_000  # parts of a second that MP4 can count
_USUAL_RATE = Fraction(25)
# B pictures would be decoded before their time, so that segments could not be put in a row.
_OPTIONS = {
    "preset": "veryfast", "crf": "26", "maxrate": "4M", "bufsize": "8M", "bf": "0",
    "profile": "high", "level": "4.0",
}  # fmt: skip
_BT709 = 1


@contextmanager
def open_pictures(file: OpenedFile) -> Iterator[VideoSource]:
    """The video stream of a file at its beginning. Raises MediaUnreadable where there is none."""
    container = open_container(file)
    try:
        stream = video_stream(container)
        if stream is None:
            raise MediaUnreadable("It holds no video, only sound.")
        only(container, stream)
        stream.codec_context.thread_count = THREADS
        stream.codec_context.thread_type = "AUTO"
        packets, picture = first_picture(container, stream)
        interlaced = picture is not None and picture.interlaced_frame
        yield VideoSource(container, stream, lambda: None, packets, interlaced, picture)
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
        stream = out.add_stream("libx264", rate=rate, options=dict(_OPTIONS))
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = self._look.size
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base, context.thread_count = self._base, THREADS
        context.color_primaries, context.color_trc = self._look.colours
        context.colorspace, context.color_range = _BT709, ColorRange.MPEG
        return stream


class _SmallPicture:
    """Size and colours of all pictures of a segment, by the first one."""

    def __init__(self, first: VideoFrame, aspect: Fraction) -> None:
        self._turner = Turner(upright_rotation(first))
        width, height = display_size(first.width, first.height, aspect)
        upright = (height, width) if self._turner.is_quarter else (width, height)
        scale = min(Fraction(1), Fraction(_WIDTH, upright[0]), Fraction(_HEIGHT, upright[1]))
        self.size = _even(upright[0] * scale), _even(upright[1] * scale)
        self._stored = self.size[::-1] if self._turner.is_quarter else self.size
        # What is HDR stays so: a browser shows it as its screen can.
        rgb = first.format.is_rgb
        self.colours = (_BT709, _BT709) if rgb else (first.color_primaries, first.color_trc)
        self._reformatter = VideoReformatter()

    def shown(self, frame: VideoFrame) -> VideoFrame:
        small = self._reformatter.reformat(
            frame,
            *self._stored,
            "yuv420p",
            src_colorspace=None if frame.format.is_rgb else matrix_of(frame),
            dst_colorspace=Colorspace.ITU709,
            src_color_range=frame.color_range or range_of(frame),
            dst_color_range=ColorRange.MPEG,
            interpolation=Interpolation.AREA,
            threads=THREADS,
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
    for way in (_from_seek, _from_start, _by_counting):
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


def _from_seek(source: VideoSource, begins: Fraction) -> Iterator[Shot]:
    """Raises Misfit, before the first picture, where decoding begins too late."""
    go_before(source, source.clock.last_pts(float(begins)))
    shots = _from_start(source, begins)
    first = next(shots, None)
    if first is None or (first[0] > 0 and begins > 0):
        raise Misfit("decoding begins too late after the seek")
    yield first
    yield from shots


def _from_start(source: VideoSource, begins: Fraction) -> Iterator[Shot]:
    base, start = source.stream.time_base or Fraction(1, 1000), source.clock.start
    for frame in decoded(source):
        if frame.pts is not None:
            yield (frame.pts - start) * base - begins, frame


def _by_counting(source: VideoSource, begins: Fraction) -> Iterator[Shot]:
    for at, frame in counted_pictures(source):
        yield at - begins, frame
