"""Boxes of MP4 and MOV files, read without a decoder, and whether their headers can be true."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

from shared.errors import MediaUnreadable
from shared.opening import OpenedFile
from workers.media.budget import EDITED_BASE, UNPACKED_BASE, check_claim

_MOST = 4096  # boxes; 300 tracks have so many
_HOLDERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"cmov")
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
    """Yield the boxes up to the first fragment in order, each holder before what is in it."""
    ends = [size]
    at = 0
    for _ in range(_MOST):
        while ends and at + 8 > ends[-1]:
            at = ends.pop()
        if not ends:
            return
        head = read(at, 16)
        length, kind, start = int.from_bytes(head[:4], "big"), head[4:8], at + 8
        if length == 1:
            length, start = int.from_bytes(head[8:16], "big"), at + 16
        end = ends[-1] if length == 0 else at + length
        if end < start or kind == b"moof":
            return
        yield MediaBox(kind, start, end)
        at = end
        if kind in _HOLDERS and end <= ends[-1]:
            ends.append(end)
            at = start


def check_header(read: Read, header: int, size: int, *, is_unpacked: bool = False) -> None:
    """Raise MediaUnreadable for a header that costs more than a file of this size may.

    `header`: the bytes that `read` reads of; of a compressed header those that it unpacks to.
    """
    edits = samples = 0
    is_sound = False
    for kind, start, end in boxes(read, header):
        if kind == b"trak":
            edits = samples = 0
            is_sound = False
        elif kind == b"hdlr":
            is_sound |= read(start + 8, 4) == b"soun"
        elif kind == b"elst":
            edits = _number(read, start + 4)
        elif kind in (b"stsz", b"stz2"):
            is_pcm = is_sound and kind == b"stsz" and _number(read, start + 4) > 0
            samples = 1 if is_pcm else _number(read, start + 8)  # PCM is read in blocks
        elif kind == b"cmvd":
            claimed = _number(read, start)
            words = f"{claimed / 1e6:,.1f} MB when it is unpacked"
            check_claim(claimed, UNPACKED_BASE, size, words)
            if is_unpacked:
                raise MediaUnreadable("Its compressed header holds another compressed header.")
            packed = read(start + 4, min(end - start - 4, claimed + _READ_ON))
            with suppress(zlib.error):  # the decoder refuses it, too
                inner = zlib.decompressobj().decompress(packed, max(1, claimed))
                check_header(lambda a, n: inner[a : a + n], len(inner), size, is_unpacked=True)  # noqa: B023
        words = f"{samples:,} pictures or samples and an edit list of length {edits:,}"
        check_claim(edits * samples, EDITED_BASE, size, words)


def _number(read: Read, at: int) -> int:
    return int.from_bytes(read(at, 4), "big")
