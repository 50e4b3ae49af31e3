"""Rates of timecodes that the decoder does not tell: of MOV's timecode tracks and iXML in WAV.

Reads a few headers of the file, never its media.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO

from shared.opening import OpenedFile
from workers.media.boxes import boxes, read_of

_MOST = 4096  # chunks looked at
_XML_BYTES = 1 << 20
_FASTEST = 1000
_RATE = re.compile(rb"<TIMECODE_RATE>\s*(\d+)/(\d+)\s*</")
_FLAG = re.compile(rb"<TIMECODE_FLAG>\s*(N?DF)\s*</")


@dataclass(frozen=True, slots=True)
class WaveTimecode:
    """What iXML says about the timecode of a broadcast wave."""

    rate: Fraction
    drop_frame: bool


def track_rate(file: OpenedFile) -> Fraction | None:
    """What the first timecode track of a MOV or MP4 counts: 30 of 59.94p, perhaps."""
    read = read_of(file)
    for kind, start, _ in boxes(read, file.status.st_size):
        entry = read(start + 8, 64) if kind == b"stsd" else b""  # the first one of the track
        if entry[4:8] == b"tmcd" and len(entry) >= 33:
            return _rate(*struct.unpack(">II", entry[24:32]))
    return None


def wave_timecode(file: OpenedFile) -> WaveTimecode | None:
    with file.reader() as headers:
        xml = _chunk(headers, b"iXML")
    written, flag = _RATE.search(xml), _FLAG.search(xml)
    rate = _rate(int(written[1]), int(written[2])) if written else None
    if rate is None:
        return None
    return WaveTimecode(rate, flag is not None and flag[1] == b"DF")


def _rate(num: int, den: int) -> Fraction | None:
    """The stated rate; None for one that no timecode counts (damage, or a field never set)."""
    return Fraction(num, den) if den and 1 <= Fraction(num, den) <= _FASTEST else None


def _chunk(file: BinaryIO, wanted: bytes) -> bytes:
    """A chunk of a RIFF file; of RF64, whose real length of the sound stands elsewhere, too."""
    if file.read(4) not in (b"RIFF", b"RF64", b"BW64"):
        return b""
    at, sound, size = 12, 0, file.seek(0, 2)
    for _ in range(_MOST):
        if at + 8 > size:
            return b""
        file.seek(at)
        head = file.read(8)
        kind, length = head[:4], int.from_bytes(head[4:], "little")
        if kind == wanted:
            return file.read(min(length, _XML_BYTES))
        if kind == b"ds64":
            sound = int.from_bytes(file.read(16)[8:], "little")
        if kind == b"data" and length == 0xFFFF_FFFF:
            length = sound
        at += 8 + length + length % 2
    return b""
