"""Where captions come from in a container: each stream is read by its own means."""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple, cast

import av.error
from av.packet import Packet
from av.stream import Stream
from av.subtitles.stream import SubtitleStream

from shared.cache.captions import CaptionTrack
from workers.media.captions.line21 import Line21Field
from workers.media.captions.words import CaptionRoom, GrowingTrack, text_of, track_of

_ATSC = b"GA94\x03"
_T35 = b"\xb5\x00\x31" + _ATSC  # of the United States, ATSC
# How such data begins, by codec. Bytes of pictures that look the same come once in 2**64.
_MARKS = {"h264": _T35, "hevc": _T35, "mpeg2video": b"\0\0\1\xb2" + _ATSC}
CODECS = frozenset(_MARKS)
_ESCAPED = b"\0\0\3"  # in H.264 and HEVC the 3 keeps zeros from looking like a start code
_HAS_PAIRS, _COUNT = 0x40, 0x1F  # bits of the byte behind the mark
_MOST_BYTES = 2 + 3 * _COUNT  # that count behind it
_MOST_MARKS = 4  # in a packet: one for each of two fields, and some to spare
_PICTURE, _B = b"\0\0\1\0", 3  # header of a picture of MPEG-2; its kind lies five bytes on
_VALID, _KIND = 4, 3  # bits of the first of three bytes; kinds 0 and 1 are the fields of CEA-608


class Pair(NamedTuple):
    """Two bytes with their parity bits, for field 0 or 1."""

    field: int
    first: int
    second: int


def pairs_beside_pictures(codec: str, packet: bytes) -> list[Pair] | None:
    """Pairs in a packet of one of the CODECS; None where there is no place for any."""
    mark = _MARKS[codec]
    found: list[Pair] | None = None
    at = packet.find(mark)
    for _ in range(_MOST_MARKS):
        if at < 0:
            break
        start = at + len(mark)
        data = packet[start : start + 2 * _MOST_BYTES]
        if codec != "mpeg2video":
            data = data.replace(_ESCAPED, _ESCAPED[:2])
        found = found or []
        if len(data) > 2 and data[0] & _HAS_PAIRS:
            found += pairs_of_triplets(data[2 : 2 + 3 * (data[0] & _COUNT)])
        at = packet.find(mark, start)
    return found


def is_b_picture(packet: bytes) -> bool:
    """Whether this picture of MPEG-2 is shown before those that were coded before it."""
    at = packet.find(_PICTURE)
    return 0 <= at < len(packet) - 5 and packet[at + 5] >> 3 & 7 == _B


def pairs_of_triplets(data: bytes) -> Iterator[Pair]:
    """Pairs as FFmpeg gives those of caption tracks, three bytes each."""
    for at in range(0, len(data) - 2, 3):
        kind, first, second = data[at : at + 3]
        if kind & _VALID and not kind & _KIND & 2:
            yield Pair(kind & 1, first, second)


_REORDERED = 32  # packets in which pictures come in another order than they are shown
_Timed = tuple[float, list[Pair]]

LARGEST_EVENT = 65_536  # bytes of a packet of text; longer ones are no subtitles
PEEK_S = 5.0  # of pictures that are looked through for captions beside them,
PEEK_BYTES = 8_000_000  # and bytes: a quarter of a second even by a slow share
_UNSTATED_S = 3.0  # how long a subtitle is shown that does not say so
_PAIR = Fraction(1001, 30_000)  # seconds between two pairs of a field


class CaptionSource(ABC):
    """A stream from which captions are read, packet by packet."""

    is_needed = True  # whether more packets of it may tell anything

    def __init__(self, stream: Stream, origin: float) -> None:
        self.stream = stream
        self._base = float(stream.time_base or 0)
        self._origin = origin

    @abstractmethod
    def feed(self, packet: Packet[Stream]) -> None:
        """Take a packet, in the container's order. Raises nothing."""

    @abstractmethod
    def finish(self) -> Iterator[CaptionTrack]:
        """Tracks that have words; no more packets come."""

    def warnings(self) -> Iterator[str]:
        """What could not be read of it."""
        return iter(())

    def _seconds(self, packet: Packet[Stream]) -> float | None:
        """When a packet is shown, by the container's time; None for one that does not say."""
        stamp = packet.dts if packet.pts is None else packet.pts
        return None if stamp is None or not packet.size else stamp * self._base - self._origin

    def _length(self, packet: Packet[Stream]) -> float:
        return (packet.duration or 0) * self._base


class TextSource(CaptionSource):
    """A subtitle stream of text."""

    def __init__(self, stream: SubtitleStream, origin: float, room: CaptionRoom) -> None:
        super().__init__(stream, origin)
        self._codec = stream.codec_context.codec.canonical_name
        self._track = GrowingTrack(track_of(stream), room)
        self._broken = 0

    def feed(self, packet: Packet[Stream]) -> None:
        start = self._seconds(packet)
        if start is None:
            return
        if packet.size > LARGEST_EVENT:
            self._broken += 1
            return
        try:
            text = text_of(cast("Packet[SubtitleStream]", packet), self._codec)
        except (av.error.FFmpegError, ValueError):
            self._broken += 1
            return
        length = self._length(packet) or _UNSTATED_S
        self._track.add(start, text, start + length)

    def finish(self) -> Iterator[CaptionTrack]:
        if self._track.segments:
            yield self._track.finished()

    def warnings(self) -> Iterator[str]:
        if self._broken:
            track, count = self.stream.index, f"{self._broken:,}"
            yield f"Subtitles of track {track} that could not be read: {count}."


class _Services:
    """The tracks CC1 to CC4 that the pairs of one stream tell."""

    def __init__(self, stream: Stream, room: CaptionRoom) -> None:
        self._tracks = [GrowingTrack(track_of(stream, f"CC{n}"), room) for n in range(1, 5)]
        of_fields = zip(self._tracks[::2], self._tracks[1::2], strict=True)
        self._fields = [Line21Field(first.add, second.add) for first, second in of_fields]
        self._last_s = 0.0

    def take(self, seconds: float, pairs: Iterable[Pair], most_s: float = 0.0) -> None:
        """Pairs of one moment, or of the `most_s` after it, in which they come one by one."""
        counts = [0, 0]
        for field, first, second in pairs:
            at = seconds + min(most_s, float(counts[field] * _PAIR))
            counts[field] += 1
            self._fields[field].take(at, first, second)
        self.reach(seconds + most_s)

    def reach(self, seconds: float) -> None:
        """The film goes on until there."""
        self._last_s = max(self._last_s, seconds)

    def finish(self) -> Iterator[CaptionTrack]:
        for field in self._fields:
            field.finish(self._last_s)
        told = [track for track in self._tracks if track.segments]
        for track in told:
            yield track.finished(has_language=len(told) == 1)


class CaptionTrackSource(CaptionSource):
    """A track of CEA-608, as in QuickTime films."""

    def __init__(self, stream: Stream, origin: float, room: CaptionRoom) -> None:
        super().__init__(stream, origin)
        self._services = _Services(stream, room)

    def feed(self, packet: Packet[Stream]) -> None:
        start = self._seconds(packet)
        if start is not None and packet.size <= LARGEST_EVENT:
            pairs = pairs_of_triplets(bytes(packet))
            self._services.take(start, pairs, self._length(packet))

    def finish(self) -> Iterator[CaptionTrack]:
        return self._services.finish()


class PictureSource(CaptionSource):
    """Captions beside pictures; encoders put their place into every picture, or into none."""

    def __init__(self, stream: Stream, origin: float, room: CaptionRoom) -> None:
        super().__init__(stream, origin)
        self._codec = stream.codec.canonical_name
        self._services = _Services(stream, room)
        self._order = ShownOrder()
        self._bytes = 0
        self._has_place = False

    def feed(self, packet: Packet[Stream]) -> None:
        data, start = bytes(packet), self._seconds(packet)
        self._bytes += len(data)
        pairs = pairs_beside_pictures(self._codec, data)
        if pairs is not None:
            self._has_place = True
        elif not self._has_place:
            is_late = start is not None and start > PEEK_S
            self.is_needed = not is_late and self._bytes < PEEK_BYTES
        if start is None:
            return
        self._services.reach(start)
        if self._codec == "mpeg2video":
            ready = self._order.by_kind(start, pairs or [], waits=not is_b_picture(data))
        else:
            ready = self._order.by_time(start, pairs or [])
        for seconds, shown in ready:
            self._services.take(seconds, shown)

    def finish(self) -> Iterator[CaptionTrack]:
        for seconds, pairs in self._order.rest():
            self._services.take(seconds, pairs)
        return self._services.finish()


class ShownOrder:
    """Of one stream; one of `by_time` and `by_kind` is used for all its pictures."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, list[Pair]]] = []  # heap; a number for equal times
        self._count = 0
        self._last_s = float("-inf")

    def by_time(self, seconds: float, pairs: list[Pair]) -> Iterator[_Timed]:
        """Take what is shown then; what is ready."""
        if pairs:
            self._wait(seconds, pairs)
        if len(self._waiting) > _REORDERED:
            yield self._first()

    def by_kind(self, seconds: float, pairs: list[Pair], *, waits: bool) -> Iterator[_Timed]:
        """As `by_time`, where times are guessed: a picture that `waits` comes before the next one.

        In MPEG-2 these are all but B pictures; of those FFmpeg misses the time now and then.
        """
        if not waits:
            yield self._in_time(seconds), pairs
            return
        yield from self.rest()
        self._wait(seconds, pairs)

    def rest(self) -> Iterator[_Timed]:
        while self._waiting:
            yield self._first()

    def _wait(self, seconds: float, pairs: list[Pair]) -> None:
        self._count += 1
        heapq.heappush(self._waiting, (seconds, self._count, pairs))

    def _first(self) -> _Timed:
        seconds, _, pairs = heapq.heappop(self._waiting)
        return self._in_time(seconds), pairs

    def _in_time(self, seconds: float) -> float:
        self._last_s = max(self._last_s, seconds)
        return self._last_s
