"""The decoded pictures of a range, each with its time since the clip's start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import av.error
from av.video.frame import VideoFrame

from workers.export.planning import ClipPlan
from workers.export.reading import Damage, VideoPacket, every_packet, note_hole, video_from
from workers.export.source import ClipSource

Shot = tuple[Fraction, VideoFrame]


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
        yield on_grid(seconds, source.rate, base), frame


def on_grid(seconds: Fraction, rate: Fraction, base: Fraction) -> Fraction:
    """Seconds put back on the grid of the frame rate, off which the time base has rounded them."""
    number = round(seconds * rate)
    return number / rate if abs(seconds - number / rate) <= base else seconds


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
    codec = source.video.codec_context
    for packet in packets:
        checkpoint()
        try:
            frames = codec.decode(packet)
        except av.error.FFmpegError:
            damage.refused += 1
            continue
        yield from frames
    try:
        frames = codec.decode(None)
    except av.error.FFmpegError:
        damage.refused += 1
        return
    yield from frames
