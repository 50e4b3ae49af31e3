"""Where a stream can be cut: what is shown about a time, and whether a key frame is a clean one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from av.video.stream import VideoStream

from workers.export.reading import Damage, VideoPacket, video_from
from workers.export.source import ClipSource

_REORDERED_WITHIN = 40  # packets; decoders reorder at most 16 pictures
_IDR = {"h264": (5,), "hevc": (19, 20)}  # NAL unit types; other key frames may look back past them
_SLICES = {"h264": range(1, 6), "hevc": range(32)}


@dataclass(frozen=True, slots=True)
class CodedPicture:
    """One packet of a video stream. Times in units of the stream."""

    pts: int
    end: int
    is_key: bool
    is_shown: bool  # not cut away by an edit list
    resets: bool  # nothing after it, in decode order, looks back past it


@dataclass(slots=True)
class Surroundings:
    """Pictures about a time stamp, in decode order, the first one a key frame."""

    at: int
    pictures: list[CodedPicture] = field(default_factory=list)

    @property
    def before(self) -> CodedPicture | None:
        """What is on screen at that time."""
        shown = [p for p in self.pictures if p.is_shown and p.pts <= self.at]
        return max(shown, key=lambda p: p.pts, default=None)

    @property
    def after(self) -> CodedPicture | None:
        """The first picture at that time or later; None: the stream has ended."""
        shown = [p for p in self.pictures if p.is_shown and p.pts >= self.at]
        return min(shown, key=lambda p: p.pts, default=None)

    @property
    def end(self) -> int:
        """End of the last picture that is shown: an edit list may hide what follows."""
        return max((p.end for p in self.pictures if p.is_shown), default=0)

    def key_for(self, pts: int) -> CodedPicture | None:
        """The last key frame in decode order from which a picture can be decoded."""
        keys = [p for p in self.pictures if p.is_key and p.pts <= pts]
        return keys[-1] if keys else None

    def is_clean(self, picture: CodedPicture) -> bool:
        """Whether a cut right before a picture parts the stream in decode order as in time."""
        if not picture.resets:
            return False
        place = self.pictures.index(picture)
        return all(p.pts >= picture.pts for p in self.pictures[place:]) and all(
            p.pts < picture.pts for p in self.pictures[:place]
        )


def surroundings(source: ClipSource, at: int) -> Surroundings:
    """Read from the key frame before a time until nothing more can belong before it."""
    assert source.video is not None
    begins = source.video.start_time or 0
    found = _read(source, at, at)
    since, back = at, _ticks_of_a_frame(source, source.video)
    while found.pictures and not found.end and since > begins:
        # Past the end of an edit list: what is shown lies further back.
        since = max(begins, min(since, found.pictures[0].pts) - back)
        found = _read(source, since, at)
        back *= 2
    return found


def _read(source: ClipSource, since_about: int, at: int) -> Surroundings:
    found = Surroundings(at)
    kind = _PacketReader(source)
    since = 0
    for packet in video_from(source, since_about, Damage()):
        if packet.pts is None:
            if packet.dts is None or not kind.is_intra:
                continue  # the second field of a picture
            packet.pts = packet.dts
        if packet.is_keyframe and packet.pts <= at and not packet.is_discard:
            found.pictures.clear()
        found.pictures.append(kind.picture(packet))
        after = found.after if packet.pts >= at or since else None
        if after is None:
            continue
        since += 1
        if packet.dts is not None and packet.dts >= after.pts and since > 1:
            break
        if since > _REORDERED_WITHIN:
            break
    return found


def is_intra(stream: VideoStream) -> bool:
    """Whether every picture of a stream stands for itself, by the codec or by its profile."""
    return stream.codec.intra_only or "Intra" in (stream.profile or "")


class _PacketReader:
    """Reads what a packet is, by its codec."""

    def __init__(self, source: ClipSource) -> None:
        stream = source.video
        assert stream is not None
        self._name = stream.codec.canonical_name
        self.is_intra = stream.codec.intra_only
        self._frame = _ticks_of_a_frame(source, stream)
        self._prefix = _length_bytes(stream, self._name)

    def picture(self, packet: VideoPacket) -> CodedPicture:
        assert packet.pts is not None
        return CodedPicture(
            packet.pts,
            packet.pts + (packet.duration or self._frame),
            packet.is_keyframe,
            not packet.is_discard,
            packet.is_keyframe and self._resets(packet),
        )

    def _resets(self, packet: VideoPacket) -> bool:
        if self._name not in _IDR:
            return True
        for unit in _units(bytes(packet), self._prefix):
            kind = unit & 0x1F if self._name == "h264" else unit >> 1 & 0x3F
            if kind in _SLICES[self._name]:
                return kind in _IDR[self._name]
        return False


def _ticks_of_a_frame(source: ClipSource, stream: VideoStream) -> int:
    return max(1, round(1 / source.rate / stream.time_base)) if stream.time_base else 1


def _length_bytes(stream: VideoStream, name: str) -> int:
    """Bytes of the length before each NAL unit; 0: start codes part the units (Annex B)."""
    extra = stream.codec_context.extradata or b""
    place = {"h264": 4, "hevc": 21}.get(name, 0)
    if len(extra) <= place or extra[0] != 1:
        return 0
    return (extra[place] & 3) + 1


def _units(data: bytes, prefix: int) -> Iterator[int]:
    """The first byte of each NAL unit."""
    at = 0
    if prefix:
        while at + prefix < len(data):
            yield data[at + prefix]
            at += prefix + int.from_bytes(data[at : at + prefix], "big")
        return
    while (at := data.find(b"\x00\x00\x01", at)) >= 0 and at + 3 < len(data):
        yield data[at + 3]
        at += 3
