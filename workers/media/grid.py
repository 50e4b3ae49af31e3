"""Ways to read one picture a second: the cheapest that is exact for a file, and slower ones.

Each yields (second, seconds, frame) in order. A way that does not fit a file raises Misfit, and
the next one goes on from the second that is due. All were compared bit by bit with decoding
every picture.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain

import av
import av.error
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from workers.media.containers import Clock, clock_of, decoded_alone, packets_of
from workers.media.gops import Feeder, GridMarker, Misfit, PictureMarker, VideoPacket

Shot = tuple[int, float, VideoFrame]  # second of the grid, own time, picture

# Codecs whose packets hold one shown picture each, so that packet times are picture times.
_ONE_PICTURE_A_PACKET = frozenset(
    ("h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4", "vp9", "av1")
)
_GUESSED_TIMES = frozenset(("avi", "h264", "hevc", "m4v", "mpegvideo", "vc1", "vvc", "obu"))
# Containers whose samples are whole pictures; elsewhere the two fields of an interlaced H.264
# picture may be two packets.
_WHOLE_PICTURES = frozenset(("mov,mp4,m4a,3gp,3g2,mj2", "mxf", "matroska,webm", "flv"))
_INDEXED = frozenset(("mov,mp4,m4a,3gp,3g2,mj2", "mxf", "avi", "matroska,webm", "dv"))
_REORDERED_WITHIN = 64  # packets; streams with B pictures reorder well before
_LONG_GOP = 2000  # packets; of longer ones not more are kept
_DISORDER = 8  # pictures out of order; fewer come from damage
_SAMPLE = 300  # index entries looked at to tell all-intra streams


@dataclass(slots=True)
class VideoSource:
    """An opened video stream at its beginning, with what happened while it was read."""

    container: InputContainer
    stream: VideoStream
    peeked: list[VideoPacket] = field(default_factory=list)  # read already, not yet decoded
    first: VideoFrame | None = None  # the first picture, which opening has decoded
    is_interlaced: bool = field(init=False)
    checkpoint: Callable[[], None] = lambda: None
    note: Callable[[VideoPacket], None] = lambda packet: None  # sees every packet that is read
    note_frame: Callable[[VideoFrame], None] = lambda frame: None  # and every picture decoded
    errors: int = 0  # packets that the decoder refused
    missed: int = 0  # seconds that have no picture for it
    corrupt: int = 0  # packets that the container calls damaged
    last_seen: float = 0.0  # seconds; the latest time stamp that was read
    broke_off: str = ""  # why reading ended early
    is_used: bool = False  # whether it has left its beginning
    is_ended: bool = False  # whether packets were read to the end of the file
    count: list[int] = field(default_factory=lambda: [0])  # bytes read, over all seeks

    def __post_init__(self) -> None:
        self.is_interlaced = self.first is not None and self.first.interlaced_frame

    @property
    def clock(self) -> Clock:
        return clock_of(self.stream)

    def packets(self) -> Iterator[VideoPacket]:
        """The stream's packets; a broken rest ends them with `broke_off` set."""
        clock = self.clock
        latest: int | None = None
        self.is_used = True
        self.first = None  # it may be large
        try:
            for packet in chain(self._replay(), self._demuxed()):
                self.checkpoint()
                if packet.size:
                    self.note(packet)
                    self.corrupt += packet.is_corrupt
                    if packet.pts is not None and (latest is None or packet.pts > latest):
                        latest = packet.pts
                        self.last_seen = max(self.last_seen, clock.seconds(latest))
                    yield packet
            self.is_ended = True
        except av.error.InvalidDataError as error:
            self.broke_off = str(error.strerror)

    def seek(self, pts: int) -> None:
        """Go to the last keyframe not after `pts`, as far as the container can tell."""
        self.peeked = []
        self.is_used = True
        self.container.seek(pts, stream=self.stream, backward=True)

    def look_ahead(self, count: int) -> list[VideoPacket]:
        """The next packets, which remain to be read."""
        with contextlib.suppress(av.error.InvalidDataError):  # whoever reads on meets it again
            for packet in self._demuxed():
                self.peeked.append(packet)
                if len(self.peeked) >= count:
                    break
        return self.peeked

    def _demuxed(self) -> Iterator[VideoPacket]:
        return packets_of(self.container, self.stream, count=self.count)

    def _replay(self) -> Iterator[VideoPacket]:
        while self.peeked:
            yield self.peeked.pop(0)


Way = Callable[[VideoSource, int, int | None], Iterator[Shot]]


def ways(source: VideoSource) -> tuple[Way, ...]:
    """Ways to read this file, the cheapest first; the last one fits every file."""
    codec = source.stream.codec
    container = source.container.format.name
    intra = codec.intra_only or _is_all_intra(source.stream)
    if not intra and (container in _GUESSED_TIMES or _is_unordered(source)):
        return (counted,)
    if intra and container in _INDEXED:
        return (seeking, smart, sequential)
    if intra:
        return (smart, sequential)
    fields = source.is_interlaced and codec.canonical_name == "h264"
    if codec.canonical_name not in _ONE_PICTURE_A_PACKET:
        return (sequential, counted)
    if fields and container not in _WHOLE_PICTURES:
        return (sequential, counted)
    return (smart, sequential, counted)


def smart(source: VideoSource, first: int, last: int | None) -> Iterator[Shot]:
    """Decode only what each second's picture needs (see gops.py)."""
    clock = source.clock
    feeder = Feeder(source.stream.codec_context, source.note_frame, source.first)
    try:
        for frame in marked(source, GridMarker(clock, first, last), feeder):
            source.checkpoint()
            assert frame.pts is not None
            yield clock.second(frame.pts), clock.seconds(frame.pts), frame
    finally:
        source.errors, source.missed = feeder.errors, feeder.missed


def marked(source: VideoSource, marker: PictureMarker, feeder: Feeder) -> Iterator[VideoFrame]:
    """The pictures that a marker wants, in order of presentation."""
    for packet in timed_packets(source):
        for ready, wanted in marker.push(packet):
            yield from feeder.feed(ready, wanted)
        if marker.is_past(packet):
            break
    for ready, wanted in marker.finish():
        yield from feeder.feed(ready, wanted)
    yield from feeder.finish()


def seeking(source: VideoSource, first: int, last: int | None) -> Iterator[Shot]:
    """One seek and one picture a second, for streams in which every picture is a keyframe."""
    clock = source.clock
    second, known = first, source.first
    while last is None or second < last:
        source.checkpoint()
        packet = _packet_at(source, clock.first_pts(second))
        if packet is None:
            return
        assert packet.pts is not None
        second = clock.second(packet.pts)
        if last is not None and second >= last:
            return
        if known is not None and known.pts == packet.pts:
            frames: list[VideoFrame] | None = [known]
        else:
            frames = decoded_alone(source.stream.codec_context, packet)
        known = None
        if frames is None:
            source.errors += 1
            source.missed += 1
        for frame in frames or ():
            source.note_frame(frame)
        if frames:
            yield second, clock.seconds(packet.pts), frames[0]
        second += 1


def sequential(source: VideoSource, first: int, last: int | None) -> Iterator[Shot]:
    """Decode every picture and take the first of each second by its presentation time."""
    clock = source.clock
    due, latest, disorder = first, None, 0
    for frame in decoded(source, first):
        if frame.pts is None:
            continue
        disorder += latest is not None and frame.pts < latest
        if disorder > _DISORDER:
            raise Misfit("pictures come out in another order than they are timed")
        latest = frame.pts
        second = clock.second(frame.pts)
        if last is not None and second >= last:
            return
        if second >= due:
            yield second, clock.seconds(frame.pts), frame
            due = second + 1


def counted(source: VideoSource, first: int, last: int | None) -> Iterator[Shot]:
    """Decode every picture and count: for containers whose presentation times are guesses.

    The n-th picture out is shown at the n-th decode time where the container has one (AVI: that
    keeps dropped frames right), else at n over the frame rate.
    """
    due = first
    for at, frame in counted_pictures(source):
        second = int(at)
        source.last_seen = float(at)
        if last is not None and second >= last:
            return
        if second >= due:
            yield second, float(at), frame
            due = second + 1


def counted_pictures(source: VideoSource) -> Iterator[tuple[Fraction, VideoFrame]]:
    """Every picture with the time that counting gives it."""
    rate = source.stream.guessed_rate or source.stream.average_rate or Fraction(25)
    base = source.stream.time_base or Fraction(1, 1000)
    has_times = source.container.format.name == "avi"
    times: deque[Fraction] = deque()

    source.note = lambda p: times.append(p.dts * base) if has_times and p.dts is not None else None
    for shown, frame in enumerate(decoded(source)):
        yield (times.popleft() if times else shown / rate), frame


def decoded(source: VideoSource, first: int = 0) -> Iterator[VideoFrame]:
    """Every picture in order, at least from second `first` on.

    Packets that the decoder refuses are counted and left out.
    """
    codec = source.stream.codec_context
    codec.skip_frame = "DEFAULT"
    for packet in _from_keyframe(source, first) if first else source.packets():
        try:
            frames = codec.decode(packet)
        except av.error.FFmpegError:
            source.errors += 1
            continue
        yield from frames
    try:
        frames = codec.decode(None)
    except av.error.FFmpegError:
        source.errors += 1
        return
    for frame in frames:
        source.checkpoint()
        yield frame


def _from_keyframe(source: VideoSource, first: int) -> Iterator[VideoPacket]:
    """Packets from the last keyframe on that is not after second `first`."""
    begins = source.clock.first_pts(first)
    held: list[VideoPacket] = []
    packets = source.packets()
    for packet in packets:
        if packet.is_keyframe and packet.pts is not None:
            if packet.pts > begins:
                yield from held
                yield packet
                break
            held = []
        held.append(packet)
        if len(held) > _LONG_GOP:
            yield from held
            held = []
    else:
        yield from held
    yield from packets


def timed_packets(source: VideoSource) -> Iterator[VideoPacket]:
    """Packets with presentation times; pictures of intra-only streams are shown as decoded."""
    intra = source.stream.codec.intra_only
    for count, packet in enumerate(source.packets()):
        if packet.pts is None and intra:
            packet.pts = packet.dts
        if packet.pts is None and count < _SAMPLE:
            raise Misfit("the container does not time every picture")
        yield packet


def _packet_at(source: VideoSource, pts: int) -> VideoPacket | None:
    """The first packet that is not before `pts`, found by a seek that is checked."""
    stream = source.stream
    try:
        source.seek(pts)
    except av.error.FFmpegError:
        raise Misfit("the container cannot seek") from None
    landed = False
    for packet in timed_packets(source):
        assert packet.pts is not None
        if not packet.is_keyframe:
            raise Misfit("not every picture is a keyframe")
        if not landed and packet.pts > pts and pts > (stream.start_time or 0):
            raise Misfit("a seek landed too late")
        landed = True
        if packet.pts >= pts and not packet.is_discard:
            return packet
    return None


def _is_unordered(source: VideoSource) -> bool:
    """MXF without an index of reordered pictures: they are timed in the order of decoding."""
    if source.container.format.name != "mxf" or not source.stream.codec_context.has_b_frames:
        return False
    times = [p.pts for p in source.look_ahead(_REORDERED_WITHIN) if p.pts is not None]
    return times == sorted(times)


def _is_all_intra(stream: VideoStream) -> bool:
    """Whether a container index that lists every picture lists keyframes alone."""
    entries = stream.index_entries
    if not stream.frames or len(entries) < stream.frames:
        return False
    return all(entry.is_keyframe for entry in entries[:_SAMPLE])
