"""Opening containers by PyAV: which files are let in, clear reasons for those that are not.

Boxes of MP4 and MOV files are read without a decoder, to know how many edits their headers claim.
"""

from __future__ import annotations

import ctypes
import os
import re
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import av
import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition, Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from shared.errors import MediaUnreadable, MediaUnsupported
from shared.opening import OpenedFile
from workers.media.budget import (
    EDITED_BASE,
    NAMED_BASE,
    NATIVE_SEARCH_S,
    PACKET_BYTES,
    UNPACKED_BASE,
    check_claim,
    check_file,
    check_read,
    check_scans,
)

CHECKPOINT_EVERY_S = 0.1  # the caller's checkpoint is called about this often


class ThrottledCheckpoint:
    """Calls the checkpoint every CHECKPOINT_EVERY_S at most, the first time at once."""

    def __init__(self, checkpoint: Callable[[], None]) -> None:
        self._checkpoint = checkpoint
        self._next = 0.0

    def __call__(self) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._checkpoint()
            self._next = now + CHECKPOINT_EVERY_S


_MOST = 1 << 20  # boxes; six days in fragments of a second have so many, and take 2 s to walk
# All that FFmpeg looks for boxes in (mov_default_parse_table in its mov.c), wherever they are.
_HOLDERS = frozenset(
    b"moov hoov trak mdia minf stbl edts udta tref dinf wave ilst mvex traf sinf schi".split()
)
_SCANNED = (b"stsd", b"iprp", b"moof")  # boxes follow other fields in them, or none matters
_DEEPEST = 12  # FFmpeg refuses files with boxes in 10 others
_MOST_SCANNED = 64 << 20  # bytes of one of them
_LEADING_TO_EDITS = re.compile(rb"elst|cmov")
_HANDLER = re.compile(rb"(?:.{4})*?hdlr", re.DOTALL)
_READ_ON = 1024  # bytes by which packing may lengthen a header

Read = Callable[[int, int], bytes]  # offset, number of bytes


class MediaBox(NamedTuple):
    """A box: its name, and where its content begins and ends."""

    kind: bytes
    start: int
    end: int


def read_of(file: OpenedFile) -> Read:
    """Return a function that reads bytes of a file, in any thread."""
    return lambda at, count: os.pread(file.fd, count, at)


def boxes(read: Read, size: int) -> Iterator[MediaBox]:
    """Yield the boxes as FFmpeg finds them, each holder before what is in it.

    Of fragments only what leads to edits. Raises MediaUnreadable for far too many.
    """
    ends = [size]
    at, has_header = 0, False
    for _ in range(_MOST):
        while ends and at + 8 > ends[-1]:
            at = ends.pop()
        if not ends:
            return
        box = kind, start, end = _box_at(read, at, ends[-1])
        if end < start:
            at = ends.pop()
            continue
        yield box
        at, is_header = end, kind == b"moov" and len(ends) == 1
        if len(ends) > _DEEPEST or (is_header and has_header):  # FFmpeg skips a second one, too
            continue
        has_header |= is_header
        if kind in _SCANNED:
            for match in _LEADING_TO_EDITS.finditer(_read_small(read, box)):
                yield _box_at(read, start + match.start() - 4, end)
        else:
            at = _first_in(read, box)
            ends.append(end)
    raise MediaUnreadable(f"Its header has more than {_MOST:,} parts. No recording has so many.")


def count_edits(read: Read, header: int, size: int, *, is_unpacked: bool = False) -> int:
    """Return how many edits the tracks of a file of this size have, at most.

    `header`: the bytes that `read` reads of; of a compressed header those that it unpacks to.
    Raises MediaUnreadable for a compressed header that claims more than such a file may.
    """
    edits = unpacked = 0
    for kind, start, end in boxes(read, header):
        if kind == b"elst":
            edits += max(0, min(_number(read, start + 4), (end - start - 8) // 12))
        elif kind == b"cmov" and read(start + 4, 8) == b"dcomzlib":
            claimed = _number(read, start + 20)
            unpacked += claimed
            words = f"{unpacked / 1e6:,.1f} MB when it is unpacked"
            check_claim(unpacked, UNPACKED_BASE, size, words)
            if is_unpacked:
                raise MediaUnreadable("Its compressed header holds another compressed header.")
            packed = read(start + 24, min(end - start - 24, claimed + _READ_ON))
            with suppress(zlib.error):  # the decoder refuses it, too
                inner = zlib.decompressobj().decompress(packed, max(1, claimed))
                edits += count_edits(partial(_part, inner), len(inner), size, is_unpacked=True)
    return edits


def _box_at(read: Read, at: int, limit: int) -> MediaBox:
    """Return the box there; it ends where what it is in does, at the latest."""
    head = read(at, 16)
    length, start = int.from_bytes(head[:4], "big"), at + 8
    if length == 1:
        length, start = int.from_bytes(head[8:16], "big"), at + 16
    return MediaBox(head[4:8], start, min(at + length, limit) if length else limit)


def _first_in(read: Read, box: MediaBox) -> int:
    """Return where the boxes in a box begin: at its end where it holds none."""
    kind, start, end = box
    if kind == b"meta":
        handler = _HANDLER.match(_read_small(read, box))
        return start + handler.end() - 8 if handler else end
    is_lost = kind == b"free" and read(start + 4, 4) in (b"mvhd", b"cmov")
    return start if is_lost or kind in _HOLDERS else end


def _read_small(read: Read, box: MediaBox) -> bytes:
    if box.end - box.start > _MOST_SCANNED:
        raise MediaUnreadable("A description in its header is larger than that of any recording.")
    return read(box.start, box.end - box.start)


def _part(data: bytes, at: int, count: int) -> bytes:
    return data[at : at + count]


def _number(read: Read, at: int) -> int:
    return int.from_bytes(read(at, 4), "big")


# Only containers that hold their media themselves: playlists (m3u8, concat, mpd) could make the
# decoder open other files or addresses.
FORMATS = (
    "mov,mp4,matroska,webm,mpegts,mpeg,mpegvideo,mxf,avi,asf,flv,ogg,dv,gxf,yuv4mpegpipe,"
    "h264,hevc,m4v,mjpeg,ivf,obu,av1,vc1,vvc,nut,rm,wtv,wav,w64,aiff,mp3,aac,flac,ac3,eac3,"
    "dts,amr,caf,au,loas,dpx_pipe,exr_pipe"
)
# The decoder is not told the name. Streams without a container, behind a large cover or damage, or
# that begin as a still does, are known by nothing else; m2v and amr are known by what is in them.
_STREAMS = {
    ".mp3": "mp3", ".mp2": "mp3", ".aac": "aac", ".ac3": "ac3", ".flac": "flac", ".dv": "dv",
    ".h264": "h264", ".264": "h264", ".hevc": "hevc", ".265": "hevc",
    ".mjpeg": "mjpeg", ".mjpg": "mjpeg",
}  # fmt: skip
_OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
_PEEK = 500  # packets read in search of a first picture
_FREE_EDITS = 16  # take less than 0.3 s with the largest index that there is memory for
_LARGEST_BLOCK = 768 << 20  # bytes; 134 megapixels of 32 bits a channel, or an index of 33 million
_NOT_MEDIA = "It is not a media file that can be read, or its beginning is damaged."


@dataclass(frozen=True, slots=True)
class Clock:
    """Turns time stamps of one stream into seconds since the stream's start, exactly."""

    start: int
    time_base: Fraction

    def second(self, pts: int) -> int:
        """The full second in which a picture of this time stamp begins."""
        return (pts - self.start) * self.time_base.numerator // self.time_base.denominator

    def seconds(self, pts: int) -> float:
        return float((pts - self.start) * self.time_base)

    def first_pts(self, second: int) -> int:
        """The smallest time stamp that is not before `second`."""
        return self.start - (-second * self.time_base.denominator) // self.time_base.numerator

    def ticks(self, seconds: int) -> int:
        """A length of time in units of the time stamps."""
        return seconds * self.time_base.denominator // self.time_base.numerator

    def last_pts(self, seconds: float) -> int:
        """The largest time stamp not after `seconds` (one microsecond of rounding allowed)."""
        exact = Fraction(seconds) + Fraction(1, 1_000_000)
        return self.start + exact.numerator * self.time_base.denominator // (
            exact.denominator * self.time_base.numerator
        )


def open_container(file: OpenedFile) -> InputContainer:
    """A container of the file, which is read by itself; the caller closes both.

    Raises MediaUnreadable.
    """
    check_file(file)
    until = time.monotonic() + NATIVE_SEARCH_S  # for both tries
    by_name = _STREAMS.get(PurePath(file.path).suffix.lower())
    try:
        _check_edits(file, until)
        try:
            container = _opened(file, until)
        except (av.error.InvalidDataError, av.error.ArgumentError):  # nothing, or not let in
            if by_name is None:
                raise
            container = _opened(file, until, by_name)
        try:
            samples = _samples(container)
            words = f"{samples:,} pictures or samples"
            check_claim(samples, NAMED_BASE, container.size, words)
        except MediaUnreadable:
            container.close()
            raise
        return container
    except (av.error.InvalidDataError, av.error.EOFError, av.error.ArgumentError):
        raise MediaUnreadable(_reason(file)) from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise MediaUnreadable(f"The file cannot be opened: {describe(error)}.") from error


def packets_of(
    container: InputContainer, *streams: Stream, count: list[int] | None = None
) -> Iterator[Packet[Any]]:
    """Read packets to the end of the file; all reading goes through here.

    `count`: [bytes read], for those who seek. Raises MediaUnreadable where packets come again and
    again, or cost far more than their size, and FFmpegError.
    """
    count = [0] if count is None else count
    with suppress(IndexError):  # PyAV, at the end of a file in which a stream appeared late
        for packet in container.demux(*streams):
            count[0] += packet.size + PACKET_BYTES
            check_read(count[0], container.size)
            codec = packet.stream.codec_context
            if codec is not None and codec.name == "mjpeg":
                check_scans(bytes(packet).count(b"\xff\xda"))
            yield packet


def _check_edits(file: OpenedFile, until: float) -> None:
    """Raise MediaUnreadable where FFmpeg would walk over the index for each of many edits."""
    size = file.status.st_size
    edits = count_edits(read_of(file), size, size)
    if edits > _FREE_EDITS:
        with _opened(file, until, ignore_editlist="1") as container:
            samples = _samples(container)
        words = f"{samples:,} pictures or samples and {edits:,} edits"
        check_claim(edits * samples, EDITED_BASE, size, words)


def _samples(container: InputContainer) -> int:
    """Return how many entries the longest index has, as FFmpeg built it."""
    return max((len(getattr(s, "index_entries", ())) for s in container.streams), default=0)


def _opened(
    file: OpenedFile, until: float, format_name: str | None = None, **options: str
) -> InputContainer:
    # PyAV gives as much to finding the container as to finding its streams.
    each_s = max(0.0, until - time.monotonic()) / 2
    with file.url() as url:
        return av.open(
            url,
            format=format_name,
            metadata_errors="replace",
            timeout=(each_s, NATIVE_SEARCH_S),
            options=_OPTIONS | options,
        )


@contextmanager
def reading_errors() -> Iterator[None]:
    """Turn what fails in the middle of an opened file into MediaUnreadable."""
    try:
        yield
    except (av.error.FFmpegError, OSError) as error:
        raise MediaUnreadable(f"Reading the file failed: {describe(error)}.") from error


def video_stream(container: InputContainer) -> VideoStream | None:
    """The stream that is shown: no cover picture, no thumbnail track."""
    shown = shown_video_streams(container)
    if any(s.codec_context is None for s in shown):
        raise MediaUnsupported("Its video codec is not known to the decoder here.")
    return shown[0] if shown else None


def shown_video_streams(container: InputContainer) -> list[VideoStream]:
    """The best one first; an unknown codec (no `codec_context`) is no matter here."""
    hidden = Disposition.attached_pic | Disposition.timed_thumbnails
    shown = [s for s in container.streams.video if not s.disposition & hidden]
    best = container.streams.best("video")

    def rank(stream: VideoStream) -> tuple[bool, int]:
        is_best = best is not None and stream.index == best.index
        known = stream.codec_context is not None
        return is_best, stream.width * stream.height if known else 0

    return sorted(shown, key=rank, reverse=True)


def only(container: InputContainer, stream: VideoStream) -> None:
    """Let the reader drop everything but this stream, and decode in this thread alone."""
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    stream.codec_context.thread_count = 1
    stream.codec_context.thread_type = "NONE"
    if stream.codec.name == "exr":  # linear light, to be shown on screens
        stream.codec_context.options = {"apply_trc": "iec61966_2_1"}


def clock_of(stream: VideoStream) -> Clock:
    return Clock(stream.start_time or 0, stream.time_base or Fraction(1, 1000))


def origin_of(container: InputContainer, sounds: list[AudioStream]) -> float:
    """What the container's own clock shows at time 0, in seconds."""
    pictures = shown_video_streams(container)
    if pictures:
        video = pictures[0]
        return float((video.start_time or 0) * (video.time_base or 0))
    starts = (s.start_time * (s.time_base or 0) for s in sounds if s.start_time is not None)
    return float(min(starts, default=0))


def duration_of(
    container: InputContainer, stream: VideoStream | AudioStream | None
) -> float | None:
    """Seconds by the stream's own account, else by the container's."""
    if stream is not None and stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if not container.duration:
        return None
    seconds = container.duration / av.time_base
    if stream is not None and stream.start_time and "matroska" in container.format.name:
        seconds -= float(stream.start_time * (stream.time_base or 0))  # Matroska states the end
    return seconds


def first_picture(
    container: InputContainer, stream: VideoStream, checkpoint: Callable[[], None] = lambda: None
) -> tuple[list[Packet[VideoStream]], VideoFrame | None]:
    """The packets up to the first picture that decodes, and it; the decoder is left fresh.

    Rotation and interlacing are known only from a decoded picture. Whoever reads on starts with
    these packets: going back is not exact in every container.
    """
    codec = stream.codec_context
    packets: list[Packet[VideoStream]] = []
    try:
        for packet in packets_of(container, stream):
            checkpoint()
            packets.append(packet)
            if not packet.is_keyframe and packet.size and len(packets) < _PEEK:
                continue
            frames = decoded_alone(codec, packet)
            if frames or len(packets) >= _PEEK:
                return packets, frames[0] if frames else None
    except av.error.InvalidDataError:
        pass  # whoever reads on meets it again and says so
    return packets, None


def decoded_alone(codec: VideoCodecContext, packet: Packet[VideoStream]) -> list[VideoFrame] | None:
    """The pictures in a packet; None where the decoder refuses it. It is left fresh."""
    try:
        return [*(codec.decode(packet) if packet.size else []), *codec.decode(None)]
    except av.error.FFmpegError:
        return None
    finally:
        codec.flush_buffers()


def describe(error: Exception) -> str:
    """Return why opening or reading failed, as the end of a sentence."""
    if isinstance(error, MemoryError):  # also of FFmpeg's own limits
        most = _LARGEST_BLOCK >> 20
        return f"it has more than 1,000 tracks, or needs more than {most} MiB at once"
    if isinstance(error, av.error.ExitError):
        return f"nothing was found in {NATIVE_SEARCH_S:g} s of reading"
    if isinstance(error, BlockingIOError):  # of the MPEG-TS demuxer, where no more packet comes
        return "what follows holds nothing that can be read"
    return getattr(error, "strerror", None) or str(error)


def _reason(file: OpenedFile) -> str:
    """Return why a file was refused, as far as its first boxes tell."""
    try:
        found = boxes(read_of(file), file.status.st_size)
        names = [box.kind for box in islice(found, 64)]
    except OSError as error:
        return f"The file cannot be opened: {describe(error)}."
    if names and names[0] == b"ftyp" and b"moov" not in names:
        return (
            "The file is incomplete: its index (the moov box) is missing, as after an "
            "interrupted recording or copy."
        )
    return _NOT_MEDIA


def _limit_blocks() -> None:
    """Bound each block of memory that FFmpeg takes: a table of 100 bytes may claim gigabytes.

    PyAV offers no option for it. Without the library of its wheels FFmpeg's own 2 GiB remain.
    """
    packages = Path(av.__file__).parent
    for folder in (packages.parent / "av.libs", packages / ".dylibs"):
        for library in folder.glob("libavutil*"):
            limit = ctypes.CDLL(str(library)).av_max_alloc
            limit.argtypes = [ctypes.c_size_t]
            limit(_LARGEST_BLOCK)


_limit_blocks()
