"""Clips by copy: packets as they are, with new times and, in MP4 and MOV, an edit list.

Packets before the in-point get negative times; the muxer writes an edit list from them, so that
they are decoded and not shown. They stay in the file and can be found there.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av.error
from av.packet import Packet
from av.video.stream import VideoStream

from shared.exports.clips import ClipCode
from shared.opening import OpenedFile
from workers.export.edit_list import end_at
from workers.export.merging import ClipProgress, Timed, WrittenClip, told, with_ending, write_merged
from workers.export.output import ClipFailed, ClipFile, writing_failed
from workers.export.planning import ClipPlan
from workers.export.reading import Damage, VideoPacket, note_hole, video_from
from workers.export.sound.copying import copied_sound
from workers.export.source import ClipSource, open_source
from workers.export.tags import container_tags, tag_start, tag_stream

_REORDERED_WITHIN = 40  # packets


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
