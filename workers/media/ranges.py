"""Ranges of a long video, decoded side by side, with the very pictures that one thread gives.

A range begins at a key picture that a seek finds. It gives the seconds from the first one that
begins with or after that picture, and reads on beyond its end until it has met the key picture of
the next range at the very place in the file. So each packet is read as one thread would read it,
and whatever is odd on the way raises RangesDisagree: then one thread has to read the file.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

import av.error
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from shared.errors import MediaUnreadable, MediaUnsupported
from shared.opening import OpenedFile
from workers.media.budget import ALWAYS_SEEN_S, overrun
from workers.media.containers import (
    Clock,
    ThrottledCheckpoint,
    clock_of,
    only,
    open_container,
    video_stream,
)
from workers.media.frames import Scaler, VideoPicture
from workers.media.gops import Horizon, Misfit, VideoPacket
from workers.media.grid import VideoSource, Way, seeking, smart
from workers.media.pictures import GridFrame

_LENGTHS_AT = {"h264": 4, "hevc": 21}  # in avcC and hvcC: how many bytes give a unit's length
_SETS = {
    "h264": frozenset((7, 8, 13, 15)),  # sequence and picture parameter sets and extensions
    "hevc": frozenset((32, 33, 34)),  # video, sequence and picture parameter sets
}
# Codecs of which it is known how their key pictures stand alone.
SURE_CODECS = frozenset((*_SETS, "mpeg1video", "mpeg2video", "vp9", "av1"))
_SEQUENCE_HEADER = b"\0\0\1\xb3"  # MPEG-1 and 2
_START = b"\0\0\1"
_OBU_SEQUENCE, _OBU_DELIMITER = 1, 2

RANGE_S = 60
RangePlan = Callable[
    [int], Sequence[int]
]  # seconds of a film -> where ranges after the first begin

_NOT_ANSWERING = frozenset({errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.ENODEV})
_MOV, _MXF, _MATROSKA = "mov,mp4,m4a,3gp,3g2,mj2", "mxf", "matroska,webm"


class RangesDisagree(Exception):
    """Why ranges may differ from the whole; the file has to be read by one thread."""


@dataclass(frozen=True, slots=True)
class KeyPicture:
    """Where decoding can begin: its time stamp, and its place in the file in bytes."""

    pts: int
    place: int | None

    def is_in(self, packet: VideoPacket) -> bool:
        return packet.is_keyframe and packet.pts == self.pts and packet.pos == self.place


@dataclass(frozen=True, slots=True)
class GridRange:
    """Seconds of the grid from `first` to before `last`; None: to the end of the file."""

    first: int
    last: int | None
    key: KeyPicture | None  # it begins there; None: at the beginning of the file
    next_key: KeyPicture | None  # where the range after it begins


def split(
    source: VideoSource,
    way: Way,
    last: int | None,
    end: int,
    beginnings: Sequence[int],
    checkpoint: Callable[[], None],
) -> list[GridRange]:
    """Ranges of the seconds from 0 to before `last` that begin about there, or none.

    `end`: where these end by the file's own account. Moves the source about.
    """
    if not _can_split(source, way):
        return []
    clock = source.clock
    starts: list[tuple[int, KeyPicture | None]] = [(0, None)]
    latest = clock.start
    for second in beginnings:
        checkpoint()
        key = _key_at(source, clock.first_pts(second))
        if key is None or key.pts <= latest:
            continue
        first = math.ceil((key.pts - clock.start) * clock.time_base)
        if starts[-1][0] < first < end:
            starts.append((first, key))
            latest = key.pts
    if len(starts) < 2:
        return []
    ends = [*starts[1:], (last, None)]
    return [
        GridRange(first, end, key, next_key)
        for (first, key), (end, next_key) in zip(starts, ends, strict=True)
    ]


class RangeReader:
    """A container of its own, opened at the first range; one thread reads ranges in turn by it.

    `last_seen` is the latest second whose packet was read.
    """

    def __init__(self, file: OpenedFile, way: Way, clock: Clock) -> None:
        self.last_seen = 0.0
        self._file = file
        self._way = way
        self._clock = clock
        self._container: InputContainer | None = None
        self._stream: VideoStream | None = None
        self._scaler = Scaler()
        self._is_used = False

    def close(self) -> None:
        """Give the decoder back; pictures already taken stay valid while the file is open."""
        if self._container is not None:
            self._container.close()
        self._container = self._stream = None

    def read(self, range_: GridRange, checkpoint: Callable[[], None]) -> Iterator[GridFrame]:
        """The pictures that MediaReader.grid() gives for these seconds, in order.

        `checkpoint` is called about every 0.1 s of work; what it raises ends the reading. Raises
        RangesDisagree, also after pictures that were given.
        """
        throttled = ThrottledCheckpoint(checkpoint)
        throttled()
        source = self._begun(range_, throttled)
        proof = _Proof(range_, source, self._way is smart)
        aspect = source.stream.sample_aspect_ratio or Fraction(1)
        due = range_.first
        with _as_disagreement():
            for second, seconds, frame in self._way(source, range_.first, range_.last):
                if second < due:
                    raise RangesDisagree("pictures come out in another order than they are timed")
                if why := overrun(second, self._file.status.st_size, ALWAYS_SEEN_S):
                    raise RangesDisagree(why)
                due = second + 1
                yield GridFrame(second, seconds, VideoPicture(frame, self._scaler, aspect))
        proof.end()
        self.last_seen = max(self.last_seen, source.last_seen)

    def _begun(self, range_: GridRange, checkpoint: Callable[[], None]) -> VideoSource:
        """The stream at the range's beginning."""
        with _as_disagreement():
            if self._stream is None or (self._is_used and range_.key is None):
                self._stream = self._opened()
            assert self._container is not None
            source = VideoSource(self._container, self._stream, checkpoint=checkpoint)
            self._stream.codec_context.flush_buffers()
            if range_.key is not None:
                source.seek(range_.key.pts)
            self._is_used = True
            return source

    def _opened(self) -> VideoStream:
        self.close()
        try:
            self._container = open_container(self._file)
            stream = video_stream(self._container)
        except (MediaUnreadable, MediaUnsupported) as error:
            raise RangesDisagree(f"it opens no second time: {error.message}") from None
        if stream is None or clock_of(stream) != self._clock:
            raise RangesDisagree("it is another file when it is opened again")
        only(self._container, stream)
        if stream.codec.canonical_name != "h264":  # which would refuse pictures that lead a GOP
            stream.codec_context.options = {"err_detect": "explode"}  # nothing is made up
        return stream


class _Proof:
    """Sees all packets and pictures of a range; raises RangesDisagree at the first odd one."""

    def __init__(self, range_: GridRange, source: VideoSource, in_order: bool) -> None:
        self._range = range_
        self._source = source
        self._sets = ParameterSets(source.stream)
        self._is_begun = False
        self._in_order = in_order  # packets are read one after another, none is sought by itself
        self._is_joined = not in_order or range_.next_key is None
        self._decoded_at: int | None = None  # the latest decode time
        self._horizon = Horizon()
        self._keys: set[int] = set()  # time stamps of key pictures
        self._pictures = 0
        source.note = self._see_in_order if in_order else self._see
        source.note_frame = self._see_frame

    def end(self) -> None:
        source, range_ = self._source, self._range
        if source.errors or source.missed or source.broke_off:
            raise RangesDisagree(source.broke_off or "a picture could not be decoded")
        is_cut = not self._in_order and range_.next_key is not None and source.is_ended
        if is_cut or not self._is_joined:
            raise RangesDisagree("a range ends before the next one begins")
        if range_.key is None and not self._pictures:
            raise RangesDisagree("it begins without a picture")

    def _see(self, packet: VideoPacket) -> None:
        """Any packet; where each picture is sought by itself that is all."""
        if packet.is_corrupt:
            raise RangesDisagree("a packet is damaged or incomplete")
        if packet.has_sidedata("new_extradata") or packet.has_sidedata("param_change"):
            raise RangesDisagree("the decoder is to be set up anew on the way")
        if not self._sets.are_known(packet):
            raise RangesDisagree("parameters of the decoder change on the way")

    def _see_in_order(self, packet: VideoPacket) -> None:
        self._see(packet)
        pts, range_ = packet.pts, self._range
        if pts is None:
            raise RangesDisagree("a packet has no time stamp")
        if not self._is_begun and range_.key is not None and not range_.key.is_in(packet):
            raise RangesDisagree("a seek leads elsewhere than before")
        self._is_begun = True
        if packet.dts is not None:
            if self._decoded_at is not None and packet.dts <= self._decoded_at:
                raise RangesDisagree("decode times do not ascend")
            self._decoded_at = packet.dts
        if self._horizon.covers(pts + 1):
            raise RangesDisagree("time stamps lead backwards")
        self._horizon.see(pts)
        if packet.is_keyframe:
            self._keys.add(pts)
        next_key = range_.next_key
        if not self._is_joined and next_key is not None and pts >= next_key.pts:
            if not next_key.is_in(packet):
                raise RangesDisagree("another picture stands where the next range begins")
            self._is_joined = True

    def _see_frame(self, frame: VideoFrame) -> None:
        self._pictures += 1
        if frame.is_corrupt:
            raise RangesDisagree("a picture is damaged")
        if frame.pts in self._keys and not frame.key_frame:
            raise RangesDisagree("a picture that counts as a key picture is none")


@contextmanager
def _as_disagreement() -> Iterator[None]:
    """A share that does not answer is no fault of ranges, and goes on as MediaUnreadable."""
    try:
        yield
    except Misfit as misfit:
        raise RangesDisagree(str(misfit)) from None
    except (av.error.FFmpegError, OSError) as error:
        if isinstance(error, OSError) and error.errno in _NOT_ANSWERING:
            raise MediaUnreadable(f"Reading the file failed: {error.strerror}.") from error
        raise RangesDisagree(f"reading failed: {error}") from error


def _can_split(source: VideoSource, way: Way) -> bool:
    """Whether each seek is the same whatever was read before, and none reads through the file."""
    container, stream = source.container.format.name, source.stream
    if way is smart:
        is_sure = stream.codec.canonical_name in SURE_CODECS
        return is_sure and container in (_MOV, _MXF, _MATROSKA)
    is_listed = 0 < stream.frames <= len(stream.index_entries)  # fragments come bit by bit
    return way is seeking and (container == _MXF or (container == _MOV and is_listed))


def _key_at(source: VideoSource, pts: int) -> KeyPicture | None:
    """The key picture to which a seek to `pts` leads."""
    if source.container.format.name == _MATROSKA and not _is_indexed(source, pts):
        return None
    try:
        source.seek(pts)
        packet = next(source.packets(), None)
    except av.error.FFmpegError:
        return None
    if packet is None or packet.pts is None or not packet.is_keyframe or packet.is_discard:
        return None
    return KeyPicture(packet.pts, packet.pos)


def _is_indexed(source: VideoSource, pts: int) -> bool:
    """Matroska: whether the index, which is loaded by a first seek, leads so far."""
    stream = source.stream
    if not source.is_used:
        source.seek(stream.start_time or 0)
    entries = stream.index_entries
    return len(entries) > 0 and entries[len(entries) - 1].timestamp >= pts


class ParameterSets:
    """Of one stream: whether decoding may begin at any of its key pictures."""

    def __init__(self, stream: VideoStream) -> None:
        self._codec = stream.codec.canonical_name
        self._is_intra = stream.codec.intra_only
        self._header = stream.codec_context.extradata or b""

    def are_known(self, packet: VideoPacket) -> bool:
        """Whether a decoder that begins later, or here, is told the same as one from the start.

        H.264 and HEVC: no packet brings what the container's header lacks. Others: each key
        picture brings all that is needed.
        """
        if self._codec in _SETS:
            if self._header[:1] == b"\1" and len(self._header) <= _LENGTHS_AT[self._codec]:
                return False  # it ends before it says how long units are
            return all(unit in self._header for unit in self._sets_in(memoryview(packet)))
        if self._is_intra or not packet.is_keyframe or self._codec == "vp9":
            return True
        if self._codec in ("mpeg1video", "mpeg2video"):
            return _SEQUENCE_HEADER in bytes(packet)
        return self._codec == "av1" and _begins_a_sequence(bytes(packet))

    def _sets_in(self, data: memoryview) -> Iterator[bytes]:
        kinds = _SETS[self._codec]
        for start, end in nal_units(data, self._codec, self._header):
            if start >= end:
                continue
            first = data[start]
            if (first & 31 if self._codec == "h264" else first >> 1 & 63) in kinds:
                yield bytes(data[start:end]).rstrip(b"\0")


def nal_units(data: memoryview, codec: str, header: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the units of a packet of H.264 or HEVC begin and end.

    By the container's header of the stream their lengths stand before them, else start codes part
    them (Annex B).
    """
    if header[:1] != b"\1" or len(header) <= _LENGTHS_AT[codec]:
        yield from _after_start_codes(bytes(data))
        return
    width = (header[_LENGTHS_AT[codec]] & 3) + 1
    at = 0
    while at + width < len(data):
        start = at + width
        at = start + int.from_bytes(data[at:start], "big")
        yield start, min(at, len(data))


def _after_start_codes(data: bytes) -> Iterator[tuple[int, int]]:
    start = data.find(_START)
    while start >= 0:
        following = data.find(_START, start + 3)
        yield start + 3, following if following >= 0 else len(data)
        start = following


def _begins_a_sequence(data: bytes) -> bool:
    """AV1: whether the first unit, but for a delimiter, is a sequence header."""
    if data[:1] and data[0] >> 3 & 15 == _OBU_DELIMITER:
        data = data[2:]
    return bool(data) and data[0] >> 3 & 15 == _OBU_SEQUENCE
