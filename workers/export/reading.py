"""Packets from a place in a source on: seeks land where they like, so each is checked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
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

VideoPacket: TypeAlias = "Packet[VideoStream]"
AnyPacket: TypeAlias = "Packet[Any]"

_STEPS_BACK_S = (0, 1, 2, 5, 10, 30)
_HOLE_S = Fraction(1, 2)
_EVEN = Fraction(1, 50)  # average rates differ from the usual one by less
_LANDING = 200  # packets looked at for the first of the stream that was asked for
# Containers that interleave finely: all of it is read in any case, and a seek needs the video.
_READ_WHOLE = frozenset(("matroska,webm", "mpegts"))


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
