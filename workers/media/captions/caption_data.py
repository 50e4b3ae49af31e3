"""Caption bytes in packets: as ATSC A/53 puts them beside pictures, and in caption tracks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

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
