"""Clips by copy: packets as they are, with new times and, in MP4 and MOV, an edit list.

Packets before the in-point get negative times; the muxer writes an edit list from them, so that
they are decoded and not shown. They stay in the file and can be found there.
"""

from __future__ import annotations

import math
import os
import re
import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, BinaryIO

import av.error
from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.stream import VideoStream

from shared.exports.clips import ClipCode
from shared.opening import OpenedFile
from workers.export.formats import pcm_name
from workers.export.merging import (
    ClipProgress,
    Timed,
    WrittenClip,
    container_tags,
    tag_start,
    tag_stream,
    told,
    with_ending,
    write_merged,
)
from workers.export.output import ClipFailed, ClipFile, writing_failed
from workers.export.planning import ClipPlan
from workers.export.reading import LATE_S, Damage, VideoPacket, note_hole, sound_from, video_from
from workers.export.source import ClipSource, open_source

_REORDERED_WITHIN = 40  # packets


_PARENTS = (b"trak", b"edts", b"mdia", b"minf", b"stbl")
_MOST_BYTES = 256 * 1024 * 1024  # of an index; clips of days would not reach it
_RUN_UP = 2  # packets that decoders need to be right; hidden by the edit list


def copy(planned: ClipPlan, file: OpenedFile, path: str, progress: ClipProgress) -> WrittenClip:
    """Write the clip to `path`. Raises ClipFailed."""
    audio = planned.spec.audio
    with (
        open_source(file, audio) as pictures,
        open_source(file, audio) as sounds,
        ClipFile(path, planned.form, container_tags(pictures), pictures.ticks) as out,
    ):
        damage = Damage()
        parts: list[Iterator[Timed]] = []
        video = None
        if pictures.video is not None:
            written = _same_stream(out, pictures.video, planned, pictures.rate)
            tag_start(written, pictures, planned.start_timecode, planned.form)
            video = _CopiedPictures(pictures, planned, damage)
            parts.append(with_ending(video.packets(written), video.length))
        if sounds.sounds:
            targets = {s.index: _same_stream(out, s, planned, sounds.rate) for s in sounds.sounds}
            parts.append(copied_sound(sounds, targets, planned, damage))
        write_merged(out, parts, planned.end - planned.start, progress)
    if planned.form.has_edit_list and _ends_there(path, planned) and video is not None:
        video.hide_the_rest()
    if video is None:
        return WrittenClip(planned.start, planned.end, None, told(damage))
    return video.outcome()


def _ends_there(path: str, planned: ClipPlan) -> bool:
    try:
        return end_at(path, planned.end - planned.start)
    except OSError as error:
        raise writing_failed(error) from error


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


class _CopiedPictures:
    """The video packets of a range, and what was taken of them."""

    def __init__(self, source: ClipSource, planned: ClipPlan, damage: Damage) -> None:
        assert source.video is not None
        assert source.video.time_base
        self._source, self._planned, self._damage = source, planned, damage
        self._base = source.video.time_base
        found = planned.range
        assert found.key is not None
        self._key = found.key
        self._first = found.first if planned.form.has_edit_list else found.key
        self._past = found.past
        self._shown = 0
        self._beyond = 0  # of the shown ones, those after the out-point
        self._latest: int | None = None
        self._end = self._first

    def packets(self, written: VideoStream) -> Iterator[Timed]:
        for packet in _with_decode_times(self._wanted()):
            assert packet.pts is not None
            assert packet.dts is not None
            packet.pts -= self._first
            packet.dts -= self._first
            self._shown += packet.pts >= 0
            self._beyond += packet.pts >= self._past - self._first
            packet.stream = written
            yield packet.dts * self._base, packet

    def length(self) -> Fraction:
        """Length of the pictures shown so far, in seconds."""
        return (self._end - self._first) * self._base

    def hide_the_rest(self) -> None:
        """Leave out of the length what follows the out-point: in the file, but not shown."""
        self._shown -= self._beyond
        self._end = min(self._end, self._past)

    def outcome(self) -> WrittenClip:
        if not self._shown:
            raise ClipFailed(ClipCode.UNREADABLE, "No picture of this range could be read.")
        return WrittenClip(
            self._first * self._base - self._source.origin,
            self._end * self._base - self._source.origin,
            self._shown,
            told(self._damage) + self._overshoot(),
        )

    def _overshoot(self) -> tuple[str, ...]:
        over = round((self._end - self._past) * self._base * self._source.rate)
        if over < 1:
            return ()
        pictures = "picture" if over == 1 else "pictures"
        return (f"{over} {pictures} after the out-point had to be kept: others refer to them.",)

    def _wanted(self) -> Iterator[VideoPacket]:
        """Packets from the key frame to the out-point, and those that the last pictures need."""
        pending: list[VideoPacket] = []  # beyond the out-point, kept only if needed
        for packet in self._since_the_key():
            assert packet.pts is not None
            latest = self._latest if self._latest is not None else packet.pts - 1
            if packet.pts >= self._past and packet.pts > latest:
                pending.append(packet)
                done = packet.dts is not None and packet.dts >= max(self._past, latest + 1)
                if done or len(pending) > _REORDERED_WITHIN:
                    return
                continue
            if packet.pts < self._past:
                yield from map(self._taken, pending)
                pending.clear()
            yield self._taken(packet)

    def _taken(self, packet: VideoPacket) -> VideoPacket:
        assert packet.pts is not None
        frame = max(1, round(1 / self._source.rate / self._base))
        latest = self._latest if self._latest is not None else packet.pts
        note_hole(self._source, self._damage, packet.pts - latest)
        self._latest = max(packet.pts, latest)
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
    held: list[Packet[VideoStream]] = []
    known = None
    for packet in packets:
        if known is None:
            held.append(packet)
            if packet.dts is None and len(held) < _REORDERED_WITHIN:
                continue
            yield from _counted_back(held)
            known = packet.dts
            held = []
            continue
        if packet.dts is None:
            packet.dts = known + 1
        known = packet.dts
        yield packet
    yield from _counted_back(held)


def _counted_back(held: list[VideoPacket]) -> list[VideoPacket]:
    if not held:
        return held
    last = held[-1]
    assert last.pts is not None
    dts = last.dts if last.dts is not None else min(p.pts or 0 for p in held)
    last.dts = dts
    for packet in reversed(held[:-1]):
        dts -= max(1, packet.duration or 1)
        packet.dts = dts
    return held


def end_at(path: str, length: Fraction) -> bool:
    """Let every track of an MP4 or MOV end after so many seconds; whether the pictures now do.

    The muxer writes edit lists for what is hidden before the in-point, but none for what follows
    the out-point: pictures that others refer to, the rest of a packet of sound, and a timecode
    track as long as all that is in the file. Raises OSError.
    """
    with open(path, "r+b") as file:
        place = _index(file)
        if place is None:
            return False
        start, size = place
        file.seek(start)
        moov = bytearray(file.read(size))
        done = _Movie(moov).limit(length)
        file.seek(start)
        file.write(moov)
    return done


def _index(file: BinaryIO) -> tuple[int, int] | None:
    """Place and size of the moov box's content in a file; None where there is no such box."""
    end = file.seek(0, os.SEEK_END)
    at = 0
    while at + 8 <= end:
        file.seek(at)
        head = file.read(16)
        size, kind = struct.unpack(">I4s", head[:8])
        skip = 8
        if size == 1:
            size, skip = struct.unpack(">Q", head[8:])[0], 16
        if size < skip:
            return None
        if kind == b"moov":
            return (at + skip, size - skip) if size <= _MOST_BYTES else None
        at += size
    return None


class _Movie:
    """The moov box of a file, changed in place: no box in it grows or shrinks."""

    def __init__(self, moov: bytearray) -> None:
        self._moov = moov

    def limit(self, length: Fraction) -> bool:
        boxes = list(self._boxes(0, len(self._moov)))
        header = next(at for kind, at, _ in boxes if kind == b"mvhd")
        scale = self._limit_times(header, length, 12, 20)
        done = False
        for kind, at, size in boxes:
            if kind == b"trak":
                # MOV has a second "hdlr", of the data: the first one counts.
                named = dict(reversed(list(self._named(at, size))))
                limited = self._limit_track(named, length, scale)
                done = done or limited
        return done

    def _limit_track(self, boxes: dict[bytes, int], length: Fraction, scale: int) -> bool:
        """Limit one track; whether it is that of the pictures, and ends as it should."""
        handler = self._moov[boxes[b"hdlr"] + 8 : boxes[b"hdlr"] + 12]
        self._limit_number(boxes[b"tkhd"], int(length * scale), 20, 28)
        if handler == b"tmcd":
            own = self._limit_times(boxes[b"mdhd"], length, 12, 20)
            self._limit_long(boxes[b"stts"] + 12, int(length * own), False)  # its only sample
        limited = b"elst" in boxes and self._limit_edits(boxes[b"elst"], int(length * scale))
        return limited and handler == b"vide"

    def _limit_edits(self, at: int, left: int) -> bool:
        is_long = self._moov[at] == 1
        count = struct.unpack_from(">I", self._moov, at + 4)[0]
        form, size = (">Qq", 20) if is_long else (">Ii", 12)
        for number in range(count):
            entry = at + 8 + number * size
            duration, _ = struct.unpack_from(form, self._moov, entry)
            self._limit_long(entry, max(0, left), is_long)
            left -= duration
        return bool(count)

    def _limit_times(self, at: int, length: Fraction, short: int, long: int) -> int:
        """Limit the duration in a header (it follows the time scale); the time scale."""
        is_long = self._moov[at] == 1
        place = at + (long if is_long else short)
        scale: int = struct.unpack_from(">I", self._moov, place)[0]
        self._limit_long(place + 4, int(length * scale), is_long)
        return scale

    def _limit_number(self, at: int, most: int, short: int, long: int) -> None:
        is_long = self._moov[at] == 1
        self._limit_long(at + (long if is_long else short), most, is_long)

    def _limit_long(self, at: int, most: int, is_long: bool) -> None:
        form = ">Q" if is_long else ">I"
        value = struct.unpack_from(form, self._moov, at)[0]
        struct.pack_into(form, self._moov, at, min(value, most))

    def _named(self, at: int, size: int) -> Iterator[tuple[bytes, int]]:
        for kind, place, length in self._boxes(at, at + size):
            if kind in _PARENTS:
                yield from self._named(place, length)
            else:
                yield kind, place

    def _boxes(self, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
        """Kind of each box in a range, start of its content, size of its content."""
        while at + 8 <= end:
            size, kind = struct.unpack_from(">I4s", self._moov, at)
            if size < 8:
                return
            yield kind, at + 8, size - 8
            at += size


def copied_sound(
    source: ClipSource, targets: dict[int, Any], planned: ClipPlan, damage: Damage
) -> Iterator[Timed]:
    """Packets of all chosen sound with times counted from the in-point."""
    begins = source.origin + planned.start
    ends = source.origin + planned.end
    tracks = {s.index: _CopiedTrack(s, begins, ends, planned) for s in source.sounds}
    for packet in sound_from(source, begins, damage):
        if packet.pts is None:
            continue
        seconds = packet.pts * packet.time_base
        if all(t.is_done for t in tracks.values()) or seconds > ends + LATE_S:
            return
        track = tracks.get(packet.stream_index)
        for taken in track.taken(packet) if track is not None else ():
            taken.stream = targets[packet.stream_index]
            assert taken.dts is not None
            yield taken.dts * taken.time_base, taken


class _CopiedTrack:
    """One stream of sound in the range."""

    def __init__(
        self, stream: AudioStream, begins: Fraction, ends: Fraction, planned: ClipPlan
    ) -> None:
        self.is_done = False
        self._begins, self._ends = begins, ends
        self._rate = stream.sample_rate
        self._block = _block(stream)
        base = stream.time_base or Fraction(1, self._rate)
        self._shift = round(begins / base)
        hides = planned.form.has_edit_list
        self._run_up = _RUN_UP if hides else 0
        self._whole_only = not hides
        self._last = 0  # decode time of the last one

    def taken(self, packet: Packet[Any]) -> Iterator[Packet[Any]]:
        assert packet.pts is not None
        start = packet.pts * packet.time_base
        length = self._length(packet)
        if start >= self._ends:
            self.is_done = True
            return
        if self._block:
            packet = self._sliced(packet, start, length)
        elif (self._whole_only and start < self._begins - packet.time_base) or start + length * (
            1 + self._run_up
        ) <= self._begins:
            return
        if packet.size:
            assert packet.pts is not None
            packet.pts -= self._shift
            packet.dts = packet.pts if packet.dts is None else packet.dts - self._shift
            yield packet

    def _length(self, packet: Packet[Any]) -> Fraction:
        if self._block:
            return Fraction(packet.size // self._block, self._rate)
        return (packet.duration or 0) * packet.time_base

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
