"""Which packets must be decoded for the pictures that are wanted, and nothing else.

Markers find the wanted pictures among packets in decode order by presentation time alone; the
Feeder decodes only what those need: it drops the tail of each group of pictures (GOP) behind its
last wanted picture and skips pictures that no other refers to. Memory is bounded by about two
seconds of packets, however long a GOP is.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from typing import TypeAlias

import av.error
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from workers.media.containers import Clock

# H.264 and HEVC let at most 16 pictures be decoded before and shown after another one; twice
# that, since the two fields of a picture may come as two packets.
REORDER = 32

_OUTLIER = 8 * REORDER  # packets; whose time is not reached within so many has a false one

VideoPacket: TypeAlias = "Packet[VideoStream]"  # not subscriptable when it runs


class Misfit(Exception):
    """This way of reading does not fit the file; the next slower one takes over from `second`."""

    def __init__(self, why: str) -> None:
        super().__init__(why)


class Horizon:
    """The presentation time up to which all pictures are known, given packets in decode order."""

    def __init__(self) -> None:
        self._latest: list[int] = []  # heap of the largest time stamps seen

    def see(self, pts: int) -> None:
        if len(self._latest) <= REORDER:
            heapq.heappush(self._latest, pts)
        else:
            heapq.heappushpop(self._latest, pts)

    def covers(self, pts: int) -> bool:
        """Whether no later packet can hold a picture shown before `pts`."""
        return len(self._latest) > REORDER and pts <= self._latest[0]


class PictureMarker(ABC):
    """Finds wanted pictures among packets in decode order; it holds those that it cannot judge."""

    def __init__(self, until: int | None) -> None:
        self._until = until  # time stamp before which everything wanted lies; None: not known yet
        self._held: deque[tuple[VideoPacket, bool]] = deque()  # and whether it may be wanted
        self._horizon = Horizon()

    def push(self, packet: VideoPacket) -> Iterator[tuple[VideoPacket, bool]]:
        """Take a packet; those of which it is known now whether they are wanted."""
        may_be_wanted = False
        if packet.pts is not None:
            self._horizon.see(packet.pts)
            may_be_wanted = self._consider(packet, packet.pts)
        self._held.append((packet, may_be_wanted))
        while self._held and self._is_settled(*self._held[0]):
            yield self._release()

    def finish(self) -> Iterator[tuple[VideoPacket, bool]]:
        """No packet follows."""
        while self._held:
            yield self._release()

    def is_past(self, packet: VideoPacket) -> bool:
        """Whether everything wanted lies before this packet, reordering included."""
        if packet.pts is None or self._until is None:
            return False
        return self._horizon.covers(self._until)

    @abstractmethod
    def _consider(self, packet: VideoPacket, pts: int) -> bool:
        """Whether a packet may be wanted."""

    @abstractmethod
    def _is_settled(self, packet: VideoPacket, may_be_wanted: bool) -> bool:
        """Whether no later packet changes what is thought of this one."""

    @abstractmethod
    def _is_wanted(self, pts: int) -> bool:
        """Whether a packet that may be wanted is."""

    def _release(self) -> tuple[VideoPacket, bool]:
        packet, may_be_wanted = self._held.popleft()
        return packet, may_be_wanted and packet.pts is not None and self._is_wanted(packet.pts)


class GridMarker(PictureMarker):
    """Wants the first picture shown in each full second from `first` to before `last`."""

    def __init__(self, clock: Clock, first: int, last: int | None) -> None:
        super().__init__(None if last is None else clock.first_pts(last))
        self._clock = clock
        self._last = last
        self._earliest: dict[int, int] = {}  # second -> its first time stamp so far
        self._latest: deque[int] = deque(maxlen=REORDER)  # time stamps of wanted pictures
        self._done = first - 1  # the latest second whose picture has been let go
        self._key: int | None = None

    def push(self, packet: VideoPacket) -> Iterator[tuple[VideoPacket, bool]]:
        yield from super().push(packet)
        if len(self._held) > _OUTLIER:  # a damaged time stamp far ahead must not hold up the rest
            outlier, _ = self._held.popleft()
            self._earliest = {s: p for s, p in self._earliest.items() if p != outlier.pts}
            yield outlier, False

    def _consider(self, packet: VideoPacket, pts: int) -> bool:
        if self._key is None:
            if not packet.is_keyframe:
                return False  # a stream cut in the middle: not decodable before its keyframe
            self._key = pts
        if packet.is_discard or pts < self._key:
            return False
        second = self._clock.second(pts)
        # So too when time stamps jump back: no second is given twice.
        if second <= self._done or (self._last is not None and second >= self._last):
            return False
        self._earliest[second] = min(pts, self._earliest.get(second, pts))
        return True

    def _is_settled(self, packet: VideoPacket, may_be_wanted: bool) -> bool:
        return packet.pts is None or self._horizon.covers(packet.pts)

    def _is_wanted(self, pts: int) -> bool:
        second = self._clock.second(pts)
        if self._earliest.get(second) != pts:
            return pts in self._latest  # two of one time: the first one out is shown
        del self._earliest[second]
        self._done = max(self._done, second)
        self._latest.append(pts)
        return True


class ShownMarker(PictureMarker):
    """Wants the one picture that is shown at time stamp `at`: the last that begins by then."""

    def __init__(self, at: int) -> None:
        super().__init__(at + 1)
        self._at = at
        self._best: int | None = None

    def _consider(self, packet: VideoPacket, pts: int) -> bool:
        may_be_wanted = not packet.is_discard and pts <= self._at
        if may_be_wanted:
            self._best = pts if self._best is None else max(pts, self._best)
        return may_be_wanted

    def _is_settled(self, packet: VideoPacket, may_be_wanted: bool) -> bool:
        return not may_be_wanted or packet.pts != self._best

    def _is_wanted(self, pts: int) -> bool:
        return pts == self._best


class StretchMarker(PictureMarker):
    """Wants every picture from time stamp `first` on to the first one that is not before `last`."""

    def __init__(self, first: int, last: int) -> None:
        super().__init__(None)  # time stamp of that one, as far as is known
        self._first, self._last = first, last

    def _consider(self, packet: VideoPacket, pts: int) -> bool:
        if pts >= self._last and not packet.is_discard:
            self._until = pts if self._until is None else min(pts, self._until)
        return not packet.is_discard

    def _is_settled(self, packet: VideoPacket, may_be_wanted: bool) -> bool:
        pts = packet.pts
        return pts is None or pts < self._last or self._horizon.covers(pts)

    def _is_wanted(self, pts: int) -> bool:
        return self._first <= pts < self._last or pts == self._until


class Feeder:
    """Decodes marked packets; yields the wanted frames in order of presentation."""

    def __init__(
        self,
        codec: VideoCodecContext,
        note: Callable[[VideoFrame], None] = lambda frame: None,
        first: VideoFrame | None = None,
    ) -> None:
        self._codec = codec
        self._note = note  # sees every picture that comes out
        self._first = first  # the first picture, where it is decoded already
        self._tail: list[VideoPacket] = []  # of the GOP before, in case this one leans on it
        self._held: list[VideoPacket] = []  # of this GOP, since its last wanted picture
        self._key: int | None = None  # presentation time of this GOP's keyframe
        self._fed = False  # whether the decoder holds anything since its last flush
        self._wanted: list[int] = []  # heap of time stamps still to come out
        self._given: deque[int] = deque(maxlen=REORDER)  # and of the latest that came out
        self.errors = 0  # packets that the decoder refused
        self.missed = 0  # wanted pictures that did not come out after such an error

    def feed(self, packet: VideoPacket, wanted: bool) -> Iterator[VideoFrame]:
        if packet.is_keyframe:
            if self._tail:  # nothing of the GOP that ends here was wanted
                yield from self._cut()
            self._tail, self._held, self._key = self._held, [], packet.pts
        self._held.append(packet)
        if not wanted or packet.pts is None:
            return
        if self._tail and self._key is not None and packet.pts < self._key:
            yield from self._decode_all(self._tail, None)  # open GOP: it needs the one before
        elif self._tail:
            yield from self._cut()
        self._tail = []
        first, self._first = self._first, None
        if first is not None and first.pts == packet.pts and self._held == [packet]:
            self._given.append(packet.pts)
            yield first  # its packet remains held, for pictures that lean on it
            return
        if packet.pts not in self._wanted and packet.pts not in self._given:
            heapq.heappush(self._wanted, packet.pts)
        held, self._held = self._held, []
        yield from self._decode_all(held, packet.pts)

    def finish(self) -> Iterator[VideoFrame]:
        """What is still inside the decoder."""
        self._tail, self._held = [], []
        yield from self._cut()

    def _cut(self) -> Iterator[VideoFrame]:
        """Behind a gap the decoder starts afresh, or pictures of open GOPs would get lost."""
        self._tail = []
        if not self._fed:
            return
        try:
            yield from self._pick(self._codec.decode(None))
        except av.error.FFmpegError:
            self.errors += 1
        self._codec.flush_buffers()
        self._fed = False
        self._miss_before(None)

    def _decode_all(self, packets: list[VideoPacket], target: int | None) -> Iterator[VideoFrame]:
        for packet in packets:
            self._codec.skip_frame = (
                "DEFAULT" if target is not None and packet.pts == target else "NONREF"
            )
            self._fed = True
            try:
                frames = self._codec.decode(packet)
            except av.error.FFmpegError:
                self.errors += 1
                continue
            yield from self._pick(frames)

    def _pick(self, frames: list[VideoFrame]) -> Iterator[VideoFrame]:
        for frame in frames:
            if frame.pts is None:
                continue
            self._note(frame)
            self._miss_before(frame.pts)
            if self._wanted and self._wanted[0] == frame.pts:
                self._given.append(heapq.heappop(self._wanted))
                yield frame

    def _miss_before(self, pts: int | None) -> None:
        """Wanted pictures that are overdue: lost to damage, or this is no way to read the file."""
        while self._wanted and (pts is None or self._wanted[0] < pts):
            if not self.errors:
                raise Misfit(f"no picture came out for time stamp {self._wanted[0]}")
            heapq.heappop(self._wanted)
            self.missed += 1
