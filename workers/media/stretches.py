"""Every picture of a stretch, found by a checked seek."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from av.video.frame import VideoFrame

from workers.media.frame_search import go_before
from workers.media.gops import Feeder, Misfit, StretchMarker
from workers.media.grid import VideoSource, counted_pictures, decoded, timed_packets, ways
from workers.media.grid import counted as count_way
from workers.media.grid import sequential as sequential_way

# From the first picture of one second to that of another, each with its own seconds.
Stretch = Callable[[VideoSource, int, int], Iterator[tuple[float, VideoFrame]]]


def stretches(source: VideoSource) -> tuple[Stretch, ...]:
    """Ways to read a stretch of this file, the cheapest first."""
    way = ways(source)[0]
    if way is count_way:
        return (_by_counting,)
    if way is sequential_way:
        return (_decoding_from_seek, _decoding_from_start)
    return (_exact, _decoding_from_seek, _decoding_from_start)


def _exact(source: VideoSource, first: int, last: int) -> Iterator[tuple[float, VideoFrame]]:
    """Decode only what these pictures need."""
    clock = source.clock
    begins = clock.first_pts(first)
    go_before(source, begins)
    marker = StretchMarker(begins, clock.first_pts(last))
    feeder = Feeder(source.stream.codec_context)

    def frames() -> Iterator[VideoFrame]:
        for packet in timed_packets(source):
            for ready, wanted in marker.push(packet):
                yield from feeder.feed(ready, wanted)
            if marker.is_past(packet):
                break
        for ready, wanted in marker.finish():
            yield from feeder.feed(ready, wanted)
        yield from feeder.finish()

    for frame in frames():
        assert frame.pts is not None
        yield clock.seconds(frame.pts), frame


def _decoding_from_seek(
    source: VideoSource, first: int, last: int
) -> Iterator[tuple[float, VideoFrame]]:
    begins = source.clock.first_pts(first)
    go_before(source, begins)
    return _decoding(source, begins, source.clock.first_pts(last), must_reach=True)


def _decoding_from_start(
    source: VideoSource, first: int, last: int
) -> Iterator[tuple[float, VideoFrame]]:
    clock = source.clock
    return _decoding(source, clock.first_pts(first), clock.first_pts(last), must_reach=False)


def _decoding(
    source: VideoSource, begins: int, ends: int, *, must_reach: bool
) -> Iterator[tuple[float, VideoFrame]]:
    """`must_reach`: decoding must have begun by then, or pictures may be missing."""
    for frame in decoded(source):
        if frame.pts is None:
            continue
        if must_reach and frame.pts > begins:
            raise Misfit("decoding begins too late after the seek")
        must_reach = False
        if frame.pts >= begins:
            yield source.clock.seconds(frame.pts), frame
        if frame.pts >= ends:
            return


def _by_counting(source: VideoSource, first: int, last: int) -> Iterator[tuple[float, VideoFrame]]:
    for at, frame in counted_pictures(source):
        if at >= first:
            yield float(at), frame
        if at >= last:
            return
