"""Clips by copy: packets as they are, with new times and, in MP4 and MOV, an edit list.

Packets before the in-point get negative times; the muxer writes an edit list from them, so that
they are decoded and not shown. They stay in the file and can be found there.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av.error
from av.audio.stream import AudioStream
from av.packet import Packet

from shared.exports.clips import ClipCode
from workers.export.formats import pcm_name
from workers.export.output import (
    ClipFailed,
    ClipFile,
    Timed,
    WrittenClip,
    tag_start,
    tag_stream,
)
from workers.export.planning import ClipPlan
from workers.export.reading import REORDERED_WITHIN, Damage, VideoPacket, note_hole, video_from
from workers.export.source import ClipSource
from workers.media.containers import boxes

_RUN_UP = 2  # packets that decoders need to be right; hidden by the edit list


def _same_stream(out: ClipFile, taken: Any, planned: ClipPlan, rate: Fraction) -> Any:
    """A stream for the packets of another one, with its tags."""
    try:
        written = out.container.add_stream_from_template(taken)
    except (ValueError, av.error.FFmpegError) as error:
        raise ClipFailed(
            ClipCode.NOT_COPYABLE,
            f"{taken.codec.canonical_name} cannot be copied into {planned.extension}.",
        ) from error
    if planned.form.family == "isom" and taken.codec.canonical_name == "hevc":
        written.codec_tag = "hvc1"  # QuickTime and Final Cut play no hev1
    if taken.type == "video":
        written.codec_context.framerate = rate
    tag_stream(taken, written)
    return written


class CopiedPictures:
    """The video packets of a range, and what was taken of them."""

    def __init__(
        self, out: ClipFile, planned: ClipPlan, source: ClipSource, damage: Damage
    ) -> None:
        assert source.video is not None
        assert source.video.time_base
        self._source, self._damage = source, damage
        self._base = source.video.time_base
        found = planned.range
        assert found.key is not None
        self._key = found.key
        self._first = found.first if planned.form.has_edit_list else found.key
        self._past = found.past
        self._shown = 0
        self._beyond = 0  # of the shown ones, those after the out-point
        self._latest = self._key
        self._end = self._first
        self._written = _same_stream(out, source.video, planned, source.rate)
        tag_start(self._written, planned.start_timecode, source.reel, planned.form)

    def packets(self) -> Iterator[Timed]:
        for packet in _with_decode_times(self._wanted()):
            assert packet.pts is not None
            assert packet.dts is not None
            packet.pts -= self._first
            packet.dts -= self._first
            self._shown += packet.pts >= 0
            self._beyond += packet.pts >= self._past - self._first
            packet.stream = self._written
            yield packet.dts * self._base, packet

    def length(self) -> Fraction:
        """Length of the pictures shown so far, in seconds."""
        return (self._end - self._first) * self._base

    def hide_the_rest(self) -> None:
        """Leave out of the length what follows the out-point: in the file, but not shown."""
        self._shown -= self._beyond
        self._end = min(self._end, self._past)

    def outcome(self, warnings: tuple[str, ...]) -> WrittenClip:
        if not self._shown:
            raise ClipFailed(ClipCode.UNREADABLE, "No picture of this range could be read.")
        over = round((self._end - self._past) * self._base * self._source.rate)
        if over >= 1:
            pictures = "picture" if over == 1 else "pictures"
            kept = f"{over} {pictures} after the out-point had to be kept: others refer to them."
            warnings += (kept,)
        start, end = self._first * self._base, self._end * self._base
        origin = self._source.origin
        return WrittenClip(start - origin, end - origin, self._shown, warnings)

    def _wanted(self) -> Iterator[VideoPacket]:
        """Packets from the key frame to the out-point, and those that the last pictures need."""
        pending: list[VideoPacket] = []  # beyond the out-point, kept only if needed
        for packet in self._since_the_key():
            assert packet.pts is not None
            if packet.pts >= self._past and packet.pts > self._latest:
                pending.append(packet)
                done = packet.dts is not None and packet.dts >= max(self._past, self._latest + 1)
                if done or len(pending) > REORDERED_WITHIN:
                    return
                continue
            if packet.pts < self._past:
                yield from map(self._taken, pending)
                pending.clear()
            yield self._taken(packet)

    def _taken(self, packet: VideoPacket) -> VideoPacket:
        assert packet.pts is not None
        frame = max(1, round(1 / self._source.rate / self._base))
        note_hole(self._source, self._damage, packet.pts - self._latest)
        self._latest = max(packet.pts, self._latest)
        self._end = max(self._end, packet.pts + (packet.duration or frame))
        return packet

    def _since_the_key(self) -> Iterator[VideoPacket]:
        begun = False
        leads = True  # the key frame may be followed by pictures shown before it, undecodable here
        assert self._source.video is not None
        intra = self._source.video.codec.intra_only
        for packet in video_from(self._source, self._key, self._damage):
            if packet.pts is None:
                if packet.dts is None or not intra:
                    if begun:
                        raise ClipFailed(
                            ClipCode.NOT_COPYABLE, "Not every packet says when it is shown."
                        )
                    continue
                packet.pts = packet.dts
            if not begun:
                begun = packet.is_keyframe and packet.pts == self._key
                if not begun:
                    continue
            elif packet.is_keyframe:
                leads = False
            if not (leads and packet.pts < self._key):
                yield packet


def _with_decode_times(packets: Iterator[VideoPacket]) -> Iterator[VideoPacket]:
    """Packets with decode times: Matroska tells no first ones; they are counted back."""
    held: list[VideoPacket] = []
    for packet in packets:
        held.append(packet)
        if packet.dts is not None or len(held) == REORDERED_WITHIN:
            break
    if not held:
        return
    known = held[-1].dts
    latest = dts = min(packet.pts or 0 for packet in held) if known is None else known
    held[-1].dts = latest
    for packet in reversed(held[:-1]):
        dts -= max(1, packet.duration or 1)
        packet.dts = dts
    yield from held
    for packet in packets:
        packet.dts = latest = latest + 1 if packet.dts is None else packet.dts
        yield packet


def end_at(path: str, length: Fraction) -> bool:
    """Let every track of an MP4 or MOV end after so many seconds; whether the pictures now do.

    The muxer writes edit lists for what is hidden before the in-point, but none for what follows
    the out-point: pictures that others refer to, the rest of a packet of sound, and a timecode
    track as long as all that is in the file. Numbers are changed in place. Raises OSError.
    """
    with open(path, "r+b") as file:
        fd = file.fileno()
        scale = 0
        tracks: list[dict[bytes, int]] = []
        size = os.fstat(fd).st_size
        for kind, start, _ in boxes(lambda at, count: os.pread(fd, count, at), size):
            if kind == b"mvhd":
                scale = _limit_times(fd, start, length)
            elif kind == b"trak":
                tracks.append({})
            elif tracks:  # MOV has a second "hdlr", of the data: the first one counts.
                tracks[-1].setdefault(kind, start)
        return any([_limit_track(fd, places, length, scale) for places in tracks])


def _limit_track(fd: int, places: dict[bytes, int], length: Fraction, scale: int) -> bool:
    """Limit one track; whether it is that of the pictures, and ends as it should."""
    handler = os.pread(fd, 4, places[b"hdlr"] + 8)
    header, is_long = places[b"tkhd"], _is_long(fd, places[b"tkhd"])
    _limit_number(fd, header + (28 if is_long else 20), int(length * scale), is_long)
    if handler == b"tmcd":
        own = _limit_times(fd, places[b"mdhd"], length)
        _limit_number(fd, places[b"stts"] + 12, int(length * own), False)  # its only sample
    is_limited = b"elst" in places and _limit_edits(fd, places[b"elst"], int(length * scale))
    return is_limited and handler == b"vide"


def _limit_edits(fd: int, at: int, left: int) -> bool:
    is_long = _is_long(fd, at)
    count = _number(fd, at + 4, 4)
    for number in range(count):
        entry = at + 8 + number * (20 if is_long else 12)
        duration = _number(fd, entry, 8 if is_long else 4)
        _limit_number(fd, entry, max(0, left), is_long)
        left -= duration
    return bool(count)


def _limit_times(fd: int, at: int, length: Fraction) -> int:
    """Limit the duration in a header (it follows the time scale); the time scale."""
    is_long = _is_long(fd, at)
    place = at + (20 if is_long else 12)
    scale = _number(fd, place, 4)
    _limit_number(fd, place + 4, int(length * scale), is_long)
    return scale


def _limit_number(fd: int, at: int, most: int, is_long: bool) -> None:
    size = 8 if is_long else 4
    os.pwrite(fd, min(_number(fd, at, size), most).to_bytes(size, "big"), at)


def _is_long(fd: int, at: int) -> bool:
    """Return True if times in a box have 64 bits, which its version says."""
    return _number(fd, at, 1) == 1


def _number(fd: int, at: int, size: int) -> int:
    return int.from_bytes(os.pread(fd, size, at), "big")


class CopiedTrack:
    """One stream of sound in the range; its times count from the in-point."""

    def __init__(
        self,
        out: ClipFile,
        planned: ClipPlan,
        source: ClipSource,
        stream: AudioStream,
        begins: Fraction,
    ) -> None:
        self.is_full = False
        self.heard = planned.end - planned.start
        self._begins, self._ends = begins, begins + self.heard
        self._rate = stream.sample_rate
        self._block = _block(stream)
        self._shift = round(begins / (stream.time_base or Fraction(1, self._rate)))
        self._hides = planned.form.has_edit_list
        self._written = _same_stream(out, stream, planned, source.rate)

    def fed(self, packet: Packet[Any]) -> Iterator[Timed]:
        if packet.pts is None:
            return
        start = packet.pts * packet.time_base
        length = (packet.duration or 0) * packet.time_base
        if self._block:
            length = Fraction(packet.size // self._block, self._rate)
        if start >= self._ends:
            self.is_full = True
            return
        if self._block:
            packet = self._sliced(packet, start, length)
        elif not self._hides and start < self._begins - packet.time_base:
            return  # only whole packets are shown
        elif start + length * (1 + _RUN_UP * self._hides) <= self._begins:
            return
        if packet.size:
            assert packet.pts is not None
            packet.pts -= self._shift
            packet.dts = packet.pts if packet.dts is None else packet.dts - self._shift
            packet.stream = self._written
            yield packet.dts * packet.time_base, packet

    def finished(self) -> Iterator[Timed]:
        yield from ()

    def _sliced(self, packet: Packet[Any], start: Fraction, length: Fraction) -> Packet[Any]:
        """The part of a packet whose samples are in the range."""
        rate = self._rate
        skipped = max(0, math.ceil((self._begins - start) * rate - Fraction(1, 2)))
        kept = math.ceil((min(self._ends, start + length) - start) * rate - Fraction(1, 2))
        samples = packet.size // self._block
        if skipped <= 0 and kept >= samples:
            return packet
        data = bytes(packet)[skipped * self._block : max(skipped, kept) * self._block]
        part: Packet[Any] = Packet(data)
        assert packet.pts is not None
        part.time_base = packet.time_base
        part.pts = part.dts = packet.pts + round(Fraction(skipped, rate) / packet.time_base)
        part.duration = round(Fraction(max(0, kept - skipped), rate) / packet.time_base)
        part.is_keyframe = True
        return part


def _block(stream: AudioStream) -> int:
    """Bytes of one sample of all channels; 0: the packets of the stream cannot be cut."""
    name = pcm_name(stream)
    if not name:
        return 0
    bits = re.search(r"\d+", name)
    return stream.channels * (int(bits[0]) // 8 if bits else 1)
