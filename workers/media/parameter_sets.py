"""What decoders must be told besides pictures: whether a key picture can do without its past."""

from __future__ import annotations

from collections.abc import Iterator

from av.video.stream import VideoStream

from workers.media.gops import VideoPacket

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
        for start, end in self._units(data):
            if start >= end:
                continue
            first = data[start]
            if (first & 31 if self._codec == "h264" else first >> 1 & 63) in kinds:
                yield bytes(data[start:end]).rstrip(b"\0")

    def _units(self, data: memoryview) -> Iterator[tuple[int, int]]:
        """Where the units of a packet begin and end."""
        if self._header[:1] != b"\1":
            yield from _after_start_codes(bytes(data))
            return
        width = (self._header[_LENGTHS_AT[self._codec]] & 3) + 1
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
