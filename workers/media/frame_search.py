"""Pictures at given times, found by a checked seek: the one that is shown, or all of a stretch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import av.error
from av.video.frame import VideoFrame

from shared.errors import BadInput
from workers.media.gops import Feeder, Misfit, ShownMarker, StretchMarker
from workers.media.grid import (
    VideoSource,
    counted,
    counted_pictures,
    decoded,
    marked,
    sequential,
    timed_packets,
    ways,
)

T = TypeVar("T")
Search = Callable[[VideoSource, float], VideoFrame | None]
# From the first picture of one second to that of another, each with its own seconds.
Stretch = Callable[[VideoSource, int, int], Iterator[tuple[float, VideoFrame]]]

# After a seek, MPEG program streams guess the times of pictures until the next one is stated.
_READ_THROUGH = frozenset(("mpeg",))
_STEPS_BACK = (0, 1, 2, 5, 10, 30)  # seconds; seeks without an index land late


def searches(source: VideoSource) -> tuple[Search, ...]:
    """Ways to find a picture in this file, the cheapest first."""
    return _fitting(source, _by_counting, _exact, _decoding)


def stretches(source: VideoSource) -> tuple[Stretch, ...]:
    """Ways to read a stretch of this file, the cheapest first."""
    return _fitting(source, _stretch_by_counting, _exact_stretch, _decoding_stretch)


def _fitting(
    source: VideoSource, counting: T, exact: T, decoding: Callable[..., Any]
) -> tuple[T, ...]:
    """Ways that fit a file, of these. `exact` decodes only what the wanted pictures need."""
    way = ways(source)[0]
    if way is counted:
        return (counting,)
    by_decoding: tuple[Any, Any] = (partial(decoding, seeks=True), partial(decoding, seeks=False))
    return by_decoding if way is sequential else (exact, *by_decoding)


def _exact(source: VideoSource, seconds: float) -> VideoFrame | None:
    at = source.clock.last_pts(seconds)
    go_before(source, at)
    feeder = Feeder(source.stream.codec_context)
    found = deque(marked(source, ShownMarker(at), feeder), maxlen=1)
    if not found:
        raise Misfit("the wanted picture did not come out")
    return found[0]


def _decoding(source: VideoSource, seconds: float, *, seeks: bool) -> VideoFrame | None:
    at = source.clock.last_pts(seconds)
    found: VideoFrame | None = None
    for pts, frame in decoded_from(source, at, seeks=seeks):
        if pts > at:
            return found or frame  # before the first picture: that one
        found = frame
    return found


def _by_counting(source: VideoSource, seconds: float) -> VideoFrame | None:
    found: VideoFrame | None = None
    last = 0.0
    for at, frame in counted_pictures(source):
        if at > seconds + 1e-6:
            return found
        found, last = frame, float(at)
    if seconds > last + 1:  # such files do not always state how long they are
        raise BadInput(f"The time {seconds:g} s is beyond the end of the file.")
    return found


def _exact_stretch(
    source: VideoSource, first: int, last: int
) -> Iterator[tuple[float, VideoFrame]]:
    clock = source.clock
    begins = clock.first_pts(first)
    go_before(source, begins)
    marker = StretchMarker(begins, clock.first_pts(last))
    for frame in marked(source, marker, Feeder(source.stream.codec_context)):
        assert frame.pts is not None
        yield clock.seconds(frame.pts), frame


def _decoding_stretch(
    source: VideoSource, first: int, last: int, *, seeks: bool
) -> Iterator[tuple[float, VideoFrame]]:
    begins, ends = source.clock.first_pts(first), source.clock.first_pts(last)
    for pts, frame in decoded_from(source, begins, seeks=seeks):
        if pts >= begins:
            yield source.clock.seconds(pts), frame
        if pts >= ends:
            return


def _stretch_by_counting(
    source: VideoSource, first: int, last: int
) -> Iterator[tuple[float, VideoFrame]]:
    for at, frame in counted_pictures(source):
        if at >= first:
            yield float(at), frame
        if at >= last:
            return


def decoded_from(source: VideoSource, pts: int, *, seeks: bool) -> Iterator[tuple[int, VideoFrame]]:
    """Every picture that has a time stamp: from the start, or where it `seeks` from near `pts`.

    Raises Misfit, before the first picture, where decoding begins too late after the seek, or
    nothing follows it.
    """
    if seeks:
        go_before(source, pts)
    is_unchecked = seeks
    for frame in decoded(source):
        if frame.pts is None:
            continue
        if is_unchecked and frame.pts > pts:
            break
        is_unchecked = False
        yield frame.pts, frame
    if is_unchecked:
        raise Misfit("decoding begins too late after the seek")


def go_before(source: VideoSource, pts: int) -> None:
    """Seek to a keyframe that is not after `pts`; checked, as seeks may land too late."""
    if pts <= (source.stream.start_time or 0) or source.container.format.name in _READ_THROUGH:
        return
    for back in _STEPS_BACK:
        try:
            source.seek(pts - source.clock.ticks(back))
        except av.error.FFmpegError:
            break
        packet = next((each for each in timed_packets(source) if each.is_keyframe), None)
        if packet is None:  # read to the end: from further back it would be again
            break
        if packet.pts is not None and packet.pts <= pts:
            source.peeked = [packet]
            return
    raise Misfit("no seek lands before the wanted picture")
