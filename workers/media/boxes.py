"""Boxes of MP4 and MOV files, read without a decoder, and how many edits their headers claim."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from shared.errors import MediaUnreadable
from shared.opening import OpenedFile
from workers.media.budget import UNPACKED_BASE, check_claim

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
