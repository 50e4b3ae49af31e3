"""How evenly the pictures of a stream follow each other, and how many there are.

By the container's index where it lists every picture (MOV, MP4), else by reading packets: the
first seconds for the pace, all of a small file for the count. Nothing is decoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import av.error
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from workers.media.containers import packets_of

_SAMPLE_S = 10  # the pace is judged by so much
_SAMPLE_BYTES = 16 << 20  # … or by this, of pictures of many megabytes
_COUNT_BYTES = 32 << 20  # files up to this size are read to their end
_INDEX_ENTRIES = 50_000  # of a longer index only the beginning is judged
_REORDERED = 16  # the last pictures that were read may lack neighbours that come later


@dataclass(frozen=True, slots=True)
class Pace:
    """`is_vfr` is None where too few pictures were seen, `count` where not all were."""

    is_vfr: bool | None
    count: int | None


def pace_of(
    container: InputContainer,
    stream: VideoStream,
    begun: Sequence[Packet[VideoStream]],
) -> Pace:
    """`begun` are the packets already read from the stream, which stands just behind them."""
    names = container.format.name.split(",")
    entries = stream.index_entries
    if "mov" in names and len(entries) and len(entries) == stream.frames:
        shown = [
            entry.timestamp
            for entry, _ in zip(entries, range(_INDEX_ENTRIES), strict=False)
            if not entry.is_discard
        ]
        whole = len(entries) <= _INDEX_ENTRIES
        return Pace(_is_uneven(shown), len(shown) if whole else None)
    return _by_packets(container, stream, begun)


def _by_packets(
    container: InputContainer,
    stream: VideoStream,
    begun: Sequence[Packet[VideoStream]],
) -> Pace:
    reads_all = 0 < container.size <= _COUNT_BYTES
    stamps: list[int] = []
    count = read = 0
    ended = False
    try:
        for packet in _packets(container, stream, begun):
            if not packet.size:
                continue
            count += 1
            read += packet.size
            if packet.pts is not None:
                stamps.append(packet.pts)
            if not reads_all and (read > _SAMPLE_BYTES or _span_s(stamps, stream) > _SAMPLE_S):
                break
        else:
            ended = True
    except av.error.FFmpegError:
        pass  # what was read until here is what is known
    stamps.sort()
    seen = stamps if ended else stamps[:-_REORDERED]
    return Pace(_is_uneven(seen), count if ended else None)


def _packets(
    container: InputContainer, stream: VideoStream, begun: Sequence[Packet[VideoStream]]
) -> Iterable[Packet[VideoStream]]:
    yield from begun
    if not begun or begun[-1].size:  # else the end of the file was reached already
        yield from packets_of(container, stream)


def _span_s(stamps: Sequence[int], stream: VideoStream) -> Fraction:
    if len(stamps) < 2:
        return Fraction(0)
    return (stamps[-1] - stamps[0]) * (stream.time_base or Fraction(0))


def _is_uneven(stamps: Sequence[int]) -> bool | None:
    """Whether neighbours are apart by different lengths.

    Even pictures, rounded to the clock of the stream, differ by one unit of it at the most.
    """
    if len(stamps) < 3:
        return None
    lengths = [after - before for before, after in pairwise(stamps)]
    return max(lengths) - min(lengths) > 1
