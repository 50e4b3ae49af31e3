"""Packets from a place in a source on: seeks land where they like, so each is checked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeAlias

import av.error
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from shared.exports.clips import ClipCode
from workers.export.output import ClipFailed
from workers.export.source import ClipSource
from workers.media.containers import describe, packets_of
from workers.media.ranges import nal_units

VideoPacket: TypeAlias = "Packet[VideoStream]"
AnyPacket: TypeAlias = "Packet[Any]"

_STEPS_BACK_S = (0, 1, 2, 5, 10, 30)
_HOLE_S = Fraction(1, 2)
_EVEN = Fraction(1, 50)  # average rates differ from the usual one by less
LATE_S = Fraction(3)  # streams lie beside each other in a file, at most so far apart
JUMP_S = Fraction(1, 20)  # time stamps of sound that differ by less are rounded ones
_LANDING = 200  # packets looked at for the first of the stream that was asked for
# Containers that interleave finely: all of it is read in any case, and a seek needs the video.
_READ_WHOLE = frozenset(("matroska,webm", "mpegts"))

REORDERED_WITHIN = 40  # packets; decoders reorder at most 16 pictures
_IDR = {"h264": (5,), "hevc": (19, 20)}  # NAL unit types; other key frames may look back past them
_SLICES = {"h264": range(1, 6), "hevc": range(32)}


class Damage:
    """Damage that was met while a source was read."""

    def __init__(self) -> None:
        self.corrupt = 0  # packets that the container calls damaged
        self.refused = 0  # packets that a decoder refused
        self.patched = 0  # pictures that a decoder could only guess in part
        self.hole = Fraction(0)  # seconds without a picture, the longest
        self.silence = Fraction(0)  # seconds without sound between others
        self.broke_off = ""  # why reading ended early


def note_hole(source: ClipSource, damage: Damage, ticks: int) -> None:
    """Remember a time without pictures, unless the stream is one of uneven pictures."""
    stream = source.video
    if stream is None or not stream.time_base or ticks * stream.time_base < _HOLE_S:
        return
    average = stream.average_rate
    if average and abs(average / source.rate - 1) < _EVEN:
        damage.hole = max(damage.hole, ticks * stream.time_base)


def frames_of(codec: Any, packet: AnyPacket | None, damage: Damage) -> list[Any]:
    """Decode a packet; None asks for the frames that the decoder holds back."""
    try:
        frames: list[Any] = codec.decode(packet)
    except av.error.FFmpegError:
        damage.refused += 1
        return []
    return frames


def video_from(source: ClipSource, at: int, damage: Damage) -> Iterator[VideoPacket]:
    """Packets in decode order from a key frame on that is shown at `at` or earlier."""
    stream = source.video
    assert stream is not None
    assert stream.time_base
    source.only([stream])

    def is_early(packet: AnyPacket) -> bool | None:
        if packet.stream_index != stream.index or packet.pts is None:
            return None
        return bool(packet.is_keyframe) and packet.pts <= at

    packets = _from(source, stream, at, is_early, damage)
    return (packet for packet in packets if packet.stream_index == stream.index)


def sound_from(source: ClipSource, at: Fraction, damage: Damage) -> Iterator[AnyPacket]:
    """Packets of all chosen sound from a while before `at` on, in seconds of the container.

    There may be others between them; their times tell how far reading has come.
    """
    kept: list[Stream] = [*source.sounds]
    guide: Stream = source.sounds[0]
    if source.container.format.name in _READ_WHOLE and source.video is not None:
        kept.append(source.video)
        guide = source.video
    source.only(kept)
    base = guide.time_base or Fraction(1, 1000)
    before = at - 1  # decoders of sound need a run-up, and streams lie beside each other loosely

    def is_early(packet: AnyPacket) -> bool | None:
        return None if packet.pts is None else packet.pts * packet.time_base <= at

    return _from(source, guide, int(before / base), is_early, damage)


def _from(
    source: ClipSource,
    guide: Stream,
    at: int,
    is_early: Callable[[AnyPacket], bool | None],
    damage: Damage,
) -> Iterator[AnyPacket]:
    """Packets after a seek by `guide` that landed early enough, by the first that can tell."""
    base = guide.time_base or Fraction(1, 1000)
    start = guide.start_time or 0
    for back in _STEPS_BACK_S:
        target = at - int(back / base)
        if target <= start:
            break
        try:
            source.container.seek(target, stream=guide, backward=True)
        except av.error.FFmpegError:
            continue
        packets = _demuxed(source, damage)
        held = _landed(packets, is_early)
        if held:
            yield from held
            yield from packets
            return
    _to_the_start(source, guide)
    yield from _demuxed(source, damage)


def _landed(
    packets: Iterator[AnyPacket], is_early: Callable[[AnyPacket], bool | None]
) -> list[AnyPacket]:
    """The packets that were read until one could tell; none where the seek landed too late."""
    held: list[AnyPacket] = []
    for packet in packets:
        held.append(packet)
        answer = is_early(packet)
        if answer is not None or len(held) >= _LANDING:
            return held if answer else []
    return []


def _to_the_start(source: ClipSource, guide: Stream) -> None:
    """Edit lists begin before 0 for the demuxer, so more than the start is asked for."""
    start = guide.start_time or 0
    base = guide.time_base or Fraction(1, 1000)
    for target in (start - int(10 / base), start, 0):
        with contextlib.suppress(av.error.FFmpegError):
            source.container.seek(target, stream=guide, backward=True)
            return
    with contextlib.suppress(av.error.FFmpegError):
        source.container.seek(0)


def _demuxed(source: ClipSource, damage: Damage) -> Iterator[AnyPacket]:
    """Packets with content (the empty one at the end is for decoders only)."""
    try:
        for packet in packets_of(source.container):
            if packet.size:
                damage.corrupt += packet.is_corrupt
                yield packet
    except av.error.EOFError:
        return
    except av.error.InvalidDataError as error:
        damage.broke_off = str(error.strerror)
    except av.error.FFmpegError as error:
        reason = f"The source cannot be read: {describe(error)}."
        raise ClipFailed(ClipCode.UNREADABLE, reason) from error


def every_packet(source: ClipSource, damage: Damage) -> Iterator[VideoPacket]:
    """Packets of the video from the beginning of a source that was just opened."""
    assert source.video is not None
    source.only([source.video])
    wanted = source.video.index
    return (packet for packet in _demuxed(source, damage) if packet.stream_index == wanted)


@dataclass(frozen=True, slots=True)
class CodedPicture:
    """One packet of a video stream. Times in units of the stream."""

    pts: int
    end: int
    is_key: bool
    is_shown: bool  # not cut away by an edit list
    resets: bool  # nothing after it, in decode order, looks back past it


@dataclass(slots=True)
class Surroundings:
    """Pictures about a time stamp, in decode order, the first one a key frame."""

    at: int
    pictures: list[CodedPicture] = field(default_factory=list)

    @property
    def before(self) -> CodedPicture | None:
        """What is on screen at that time."""
        shown = [p for p in self.pictures if p.is_shown and p.pts <= self.at]
        return max(shown, key=lambda p: p.pts, default=None)

    @property
    def after(self) -> CodedPicture | None:
        """The first picture at that time or later; None: the stream has ended."""
        shown = [p for p in self.pictures if p.is_shown and p.pts >= self.at]
        return min(shown, key=lambda p: p.pts, default=None)

    @property
    def end(self) -> int:
        """End of the last picture that is shown: an edit list may hide what follows."""
        return max((p.end for p in self.pictures if p.is_shown), default=0)

    def key_for(self, pts: int) -> CodedPicture | None:
        """The last key frame in decode order from which a picture can be decoded."""
        keys = [p for p in self.pictures if p.is_key and p.pts <= pts]
        return keys[-1] if keys else None

    def is_clean(self, picture: CodedPicture) -> bool:
        """Whether a cut right before a picture parts the stream in decode order as in time."""
        if not picture.resets:
            return False
        place = self.pictures.index(picture)
        return all(p.pts >= picture.pts for p in self.pictures[place:]) and all(
            p.pts < picture.pts for p in self.pictures[:place]
        )


def surroundings(source: ClipSource, at: int) -> Surroundings:
    """Read from the key frame before a time until nothing more can belong before it."""
    assert source.video is not None
    begins = source.video.start_time or 0
    found = _read(source, at, at)
    since, back = at, _ticks_of_a_frame(source, source.video)
    while found.pictures and not found.end and since > begins:
        # Past the end of an edit list: what is shown lies further back.
        since = max(begins, min(since, found.pictures[0].pts) - back)
        found = _read(source, since, at)
        back *= 2
    return found


def _read(source: ClipSource, since_about: int, at: int) -> Surroundings:
    stream = source.video
    assert stream is not None
    found = Surroundings(at)
    frame = _ticks_of_a_frame(source, stream)
    since = 0
    for packet in video_from(source, since_about, Damage()):
        if packet.pts is None:
            if packet.dts is None or not stream.codec.intra_only:
                continue  # the second field of a picture
            packet.pts = packet.dts
        if packet.is_keyframe and packet.pts <= at and not packet.is_discard:
            found.pictures.clear()
        picture = CodedPicture(
            packet.pts,
            packet.pts + (packet.duration or frame),
            packet.is_keyframe,
            not packet.is_discard,
            _resets(packet, stream),
        )
        found.pictures.append(picture)
        after = found.after if packet.pts >= at or since else None
        if after is None:
            continue
        since += 1
        if packet.dts is not None and packet.dts >= after.pts and since > 1:
            break
        if since > REORDERED_WITHIN:
            break
    return found


def is_intra(stream: VideoStream) -> bool:
    """Whether every picture of a stream stands for itself, by the codec or by its profile."""
    return stream.codec.intra_only or "Intra" in (stream.profile or "")


def _resets(packet: VideoPacket, stream: VideoStream) -> bool:
    codec, header = stream.codec.canonical_name, stream.codec_context.extradata or b""
    if not packet.is_keyframe or codec not in _IDR:
        return packet.is_keyframe
    data = memoryview(packet)
    for start, end in nal_units(data, codec, header):
        if start < end:
            kind = data[start] & 0x1F if codec == "h264" else data[start] >> 1 & 0x3F
            if kind in _SLICES[codec]:
                return kind in _IDR[codec]
    return False


def _ticks_of_a_frame(source: ClipSource, stream: VideoStream) -> int:
    return max(1, round(1 / source.rate / stream.time_base)) if stream.time_base else 1
