"""The out-point of a copied clip in MP4 and MOV: edit lists that end there.

The muxer writes edit lists for what is hidden before the in-point, but none for what follows the
out-point: pictures that others refer to, the rest of a packet of sound, and a timecode track as
long as all that is in the file.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO

_PARENTS = (b"trak", b"edts", b"mdia", b"minf", b"stbl")
_MOST_BYTES = 256 * 1024 * 1024  # of an index; clips of days would not reach it


def end_at(path: str, length: Fraction) -> bool:
    """Let every track of a file end after so many seconds; whether the pictures now do.

    Raises OSError.
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
