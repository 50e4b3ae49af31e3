"""The one picture that is shown at a given time, found by a checked seek."""

from __future__ import annotations

from collections.abc import Callable

import av.error
from av.video.frame import VideoFrame

from shared.errors import BadInput
from workers.media.gops import Feeder, Misfit, ShownMarker
from workers.media.grid import VideoSource, counted_pictures, decoded, timed_packets, ways
from workers.media.grid import counted as count_way
from workers.media.grid import sequential as sequential_way

Search = Callable[[VideoSource, float], VideoFrame | None]

# After a seek, MPEG program streams guess the times of pictures until the next one is stated.
_READ_THROUGH = frozenset(("mpeg",))
_STEPS_BACK = (0, 1, 2, 5, 10, 30)  # seconds; seeks without an index land late


def searches(source: VideoSource) -> tuple[Search, ...]:
    """Ways to find a picture in this file, the cheapest first."""
    way = ways(source)[0]
    if way is count_way:
        return (_by_counting,)
    if way is sequential_way:
        return (_decoding_from_seek, _decoding_from_start)
    return (_exact, _decoding_from_seek, _decoding_from_start)


def _exact(source: VideoSource, seconds: float) -> VideoFrame | None:
    """Decode only what the wanted picture needs."""
    at = source.clock.last_pts(seconds)
    go_before(source, at)
    marker = ShownMarker(at)
    feeder = Feeder(source.stream.codec_context)
    found: VideoFrame | None = None
    for packet in timed_packets(source):
        for ready, wanted in marker.push(packet):
            for frame in feeder.feed(ready, wanted):
                found = frame
        if marker.is_past(packet):
            break
    for ready, wanted in marker.finish():
        for frame in feeder.feed(ready, wanted):
            found = frame
    for frame in feeder.finish():
        found = frame
    if found is None:
        raise Misfit("the wanted picture did not come out")
    return found


def _decoding_from_seek(source: VideoSource, seconds: float) -> VideoFrame | None:
    at = source.clock.last_pts(seconds)
    go_before(source, at)
    found = _decoding_from_start(source, seconds)
    if found is None or found.pts is None or found.pts > at:
        raise Misfit("decoding begins too late after the seek")
    return found


def _decoding_from_start(source: VideoSource, seconds: float) -> VideoFrame | None:
    at = source.clock.last_pts(seconds)
    found: VideoFrame | None = None
    for frame in decoded(source):
        if frame.pts is None:
            continue
        if frame.pts > at:
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
