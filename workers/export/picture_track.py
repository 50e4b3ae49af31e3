"""Encoding pictures: upright, with the source's colours, pixel shape and times."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain

from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from shared.errors import MediaError
from shared.exports.clips import ClipCode
from shared.opening import OpenedFile
from workers.export.output import (
    ClipFailed,
    ClipFile,
    Timed,
    WrittenClip,
    encoded,
    tag_start,
    tag_stream,
)
from workers.export.planning import STILL_RATE, ClipPlan, still_of
from workers.export.reading import (
    Damage,
    VideoPacket,
    every_packet,
    frames_of,
    note_hole,
    video_from,
)
from workers.export.source import ClipSource
from workers.media.frames import upright_rotation
from workers.media.pictures import fit
from workers.media.probing.stream_facts import stated_scan
from workers.media.turning import Turner

Shot = tuple[Fraction, VideoFrame]

_FINEST = 100_000_000  # parts of a second that containers can count
_PQ = 16  # transfer of HDR10
_BT709, _LIMITED, _FULL = 1, 1, 2
_TOP, _BOTTOM = 2, 3  # field orders
_REPEATED = "MXF cannot hold pictures of uneven length: some were repeated."
_NTSC_HEIGHTS = (480, 486)
_LONGEST_SIDE = 3840  # of a still: what decoders of video take everywhere
_LARGE = 4096 * 2304  # pixels: of larger pictures an encoder keeps no more than it must
_FEW_KEPT = {
    "libx264": {"rc-lookahead": "0", "bf": "0", "mbtree": "0", "refs": "1"},
    "libx265": {"x265-params": "rc-lookahead=0:bframes=0:no-cutree=1:scenecut=0:ref=1"},
}


def decoded(
    source: ClipSource, planned: ClipPlan, damage: Damage, checkpoint: Callable[[], None]
) -> Iterator[Shot]:
    """Decoded pictures in order; times near the frame rate's grid on it, others as they are."""
    found = planned.range
    if not source.is_timed:
        yield from _counted(source, planned, damage, checkpoint)
        return
    assert source.video is not None
    base = source.video.time_base or Fraction(1, 1000)
    origin = source.video.start_time or 0
    latest = None
    for frame in _frames(source, video_from(source, found.first, damage), damage, checkpoint):
        if frame.pts is None or frame.pts < found.first:
            continue
        if frame.pts >= found.past:
            return
        if latest is not None and frame.pts <= latest:
            continue
        note_hole(source, damage, frame.pts - (latest if latest is not None else found.first))
        latest = frame.pts
        damage.patched += frame.is_corrupt
        seconds = max(Fraction(0), (frame.pts - origin) * base - planned.start)
        # The time base has rounded them off the grid of the frame rate.
        on_grid = round(seconds * source.rate) / source.rate
        yield on_grid if abs(seconds - on_grid) <= base else seconds, frame


def _counted(
    source: ClipSource, planned: ClipPlan, damage: Damage, checkpoint: Callable[[], None]
) -> Iterator[Shot]:
    """Decoded pictures where times are guesses: counted from the beginning of the source on."""
    found = planned.range
    packets = every_packet(source, damage)
    for number, frame in enumerate(_frames(source, packets, damage, checkpoint)):
        if number >= found.past:
            return
        if number >= found.first:
            yield (number - found.first) / source.rate, frame


def _frames(
    source: ClipSource,
    packets: Iterator[VideoPacket],
    damage: Damage,
    checkpoint: Callable[[], None],
) -> Iterator[VideoFrame]:
    """Frames that the decoder makes of the packets; packets that it refuses are counted."""
    assert source.video is not None
    for packet in chain(packets, [None]):
        checkpoint()
        yield from frames_of(source.video.codec_context, packet, damage)


def held_still(file: OpenedFile, planned: ClipPlan) -> Iterator[Shot]:
    """A still as often as its clip has pictures: upright, with square pixels and even sides."""
    picture = still_of(file)
    width, height = picture.width, picture.height
    if max(width, height) > _LONGEST_SIDE:
        width, height = fit(width, height, _LONGEST_SIDE)
    try:
        rgb = picture.rgb(max(2, width // 2 * 2), max(2, height // 2 * 2))
    except MediaError as error:
        raise ClipFailed(ClipCode.UNREADABLE, error.message) from error
    frame = VideoFrame.from_ndarray(rgb, format="rgb24")
    for number in range(planned.range.past):
        yield Fraction(number) / STILL_RATE, frame


class PictureTrack:
    """The video stream of a clip. Raises ClipFailed where there is no picture at all."""

    def __init__(
        self, out: ClipFile, planned: ClipPlan, shots: Iterator[Shot], source: ClipSource | None
    ) -> None:
        first = next(shots, None)
        if first is None:
            raise ClipFailed(ClipCode.UNREADABLE, "No picture of this range could be decoded.")
        self._shots = chain([first], shots)
        self._planned = planned
        self.rate = source.rate if source is not None else STILL_RATE
        self.frames = 0
        self.end = Fraction(0)  # presented seconds of the source
        self.warnings: tuple[str, ...] = ()
        self._look = _Look(first[1], planned, source)
        self._stream = self._opened(out, source)
        self._base = self._stream.codec_context.time_base

    def _opened(self, out: ClipFile, source: ClipSource | None) -> VideoStream:
        codec = self._planned.picture
        assert codec is not None
        options = dict(codec.options)
        if self._look.is_large:
            # For 8K in 10 bits x265 takes 190 MB for each picture that it looks ahead.
            for name, value in _FEW_KEPT.get(codec.encoder, {}).items():
                options[name] = f"{options[name]}:{value}" if name in options else value
        if self._look.is_interlaced:
            self.warnings += (_interlaced(codec.encoder, options, self._look.bottom_first),)
        if self._look.transfer == _PQ:
            self.warnings += ("HDR10 mastering data is not carried into encoded clips.",)
        stream = out.container.add_stream(codec.encoder, rate=self.rate, options=options)
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        context.time_base = self._time_base(source)
        context.thread_count = 1
        if options.get("flags"):
            context.field_order = _BOTTOM if self._look.bottom_first else _TOP
        self._look.describe(stream)
        if codec.tag and self._planned.form.family == "isom":
            context.codec_tag = codec.tag
        if source is not None and source.video is not None:
            tag_stream(source.video, stream)
            tag_start(stream, self._planned.start_timecode, source.reel, self._planned.form)
        return stream

    def _time_base(self, source: ClipSource | None) -> Fraction:
        """Fine enough for every time of the source and for the grid of its rate."""
        if self._planned.form.family == "mxf" or source is None or source.video is None:
            return 1 / self.rate
        own = source.video.time_base or Fraction(1, 1000)
        parts = math.lcm(own.denominator, self.rate.numerator)
        return Fraction(1, parts) if parts <= _FINEST else own

    def length(self) -> Fraction:
        """Length of the pictures that were encoded so far, in seconds."""
        return self.end - self._planned.start

    def outcome(self, warnings: tuple[str, ...]) -> WrittenClip:
        end = self._planned.end
        if self.end < end - 2 / self.rate:
            warnings += (f"Only {self.frames} pictures could be read; the clip ends early.",)
            end = self.end
        return WrittenClip(self._planned.start, end, self.frames, self.warnings + warnings)

    def packets(self) -> Iterator[Timed]:
        """Encoded pictures, each held until the next one; the last until the clip's end."""
        durations: dict[int, int] = {}
        length = round((self._planned.end - self._planned.start) / self._base)
        held: tuple[int, VideoFrame] | None = None
        for seconds, frame in self._shots:
            pts = round(seconds / self._base)
            if held is not None:
                if pts <= held[0]:
                    continue
                yield from self._lasting(held, pts - held[0], durations)
            held = pts, frame
        if held is not None:
            tick = round(1 / self.rate / self._base)
            rest = length - held[0]
            lasts = rest if rest > 0 else tick
            self.end = self._planned.start + (held[0] + lasts) * self._base
            yield from self._lasting(held, lasts, durations)
        yield from self._encoded(None, 0, durations)

    def _lasting(
        self, held: tuple[int, VideoFrame], ticks: int, durations: dict[int, int]
    ) -> Iterator[Timed]:
        """Packets of one picture for `ticks`; MXF has no times, so there it is repeated."""
        pts, frame = held
        step = 1 if self._planned.form.family == "mxf" else ticks
        if step < ticks and _REPEATED not in self.warnings:
            self.warnings += (_REPEATED,)
        for at in range(pts, pts + ticks, step):
            durations[at] = step
            yield from self._encoded(self._look.shown(frame), at, durations)

    def _encoded(
        self, frame: VideoFrame | None, pts: int, durations: dict[int, int]
    ) -> Iterator[Timed]:
        if frame is not None:
            frame.pts, frame.time_base, frame.pict_type = pts, self._base, 0
            self.frames += 1
        for seconds, packet in encoded(self._stream, frame):
            base = packet.time_base or self._base
            if packet.pts is not None:
                asked = durations.pop(round(packet.pts * base / self._base), None)
                packet.duration = asked and round(asked * self._base / base)
            yield seconds, packet


class _Look:
    """Look of the clip's pictures: size, colours, pixels; taken from the first one."""

    def __init__(self, frame: VideoFrame, planned: ClipPlan, source: ClipSource | None) -> None:
        assert planned.picture is not None
        self._pixels = planned.picture.pixels
        self._turner = Turner(upright_rotation(frame))
        self.is_interlaced = frame.interlaced_frame
        self.bottom_first = _is_bottom_first(frame, source)
        self.transfer = frame.color_trc
        self._is_rgb = frame.format.is_rgb
        turned = self._turner.turned(frame)
        even = 2 if "42" in self._pixels else 1
        self._width = max(2, turned.width // even * even)
        self._height = max(2, turned.height // even * even)
        full = frame.color_range == _FULL or frame.format.name.startswith("yuvj")
        self._range = _FULL if full and not self._is_rgb else _LIMITED
        self._is_tagged = bool(frame.color_range) or full
        self._colours = (frame.color_primaries, frame.color_trc, frame.colorspace)
        aspect = source.video.sample_aspect_ratio if source is not None and source.video else None
        self._aspect = 1 / aspect if aspect and self._turner.is_quarter else aspect
        self._reformatter = VideoReformatter()

    @property
    def is_large(self) -> bool:
        return self._width * self._height > _LARGE

    def describe(self, stream: VideoStream) -> None:
        stream.width, stream.height, stream.pix_fmt = self._width, self._height, self._pixels
        context = stream.codec_context
        if self._aspect:
            context.sample_aspect_ratio = self._aspect
        primaries, transfer, matrix = self._colours
        if self._is_rgb:
            primaries = transfer = matrix = _BT709
        context.color_primaries, context.color_trc, context.colorspace = primaries, transfer, matrix
        if self._is_tagged or self._is_rgb:
            context.color_range = self._range

    def shown(self, frame: VideoFrame) -> VideoFrame:
        """A picture turned upright, in the encoder's pixel format; colours are not touched."""
        frame = self._turner.turned(frame)
        same = (frame.width, frame.height) == (self._width, self._height)
        if same and frame.format.name == self._pixels:
            return frame
        if self._is_rgb:
            return self._reformatter.reformat(
                frame, self._width, self._height, self._pixels,
                dst_colorspace=_BT709, dst_color_range=_LIMITED, threads=1,
            )  # fmt: skip
        return self._reformatter.reformat(
            frame, self._width, self._height, self._pixels,
            src_color_range=self._range, dst_color_range=self._range, threads=1,
        )  # fmt: skip


def _is_bottom_first(frame: VideoFrame, source: ClipSource | None) -> bool:
    """Whether the lower field is first: as the stream says, else as is usual in DV and NTSC."""
    if source is None or source.video is None:
        return False
    stated = stated_scan(source.video)
    if stated in ("top_first", "bottom_first"):
        return stated == "bottom_first"
    return source.video.codec.canonical_name == "dvvideo" or frame.height in _NTSC_HEIGHTS


def _interlaced(encoder: str, options: dict[str, str], bottom_first: bool) -> str:
    if encoder == "libx264":  # DNxHR has no fields
        options["flags"] = "+ildct+ilme"
        options["x264-params"] = "bff=1" if bottom_first else "tff=1"
        return "The source is interlaced; the encoded pictures keep its fields, encoded anew."
    return "The source is interlaced; its fields were encoded as whole pictures."
