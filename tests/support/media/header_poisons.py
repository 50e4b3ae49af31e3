"""Small files whose headers claim, or cost, far more than they are."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.support.media.media import H264, also, make_clip


def boxes_in(data: bytes) -> list[tuple[bytes, int, int]]:
    """Name, beginning and end of the boxes in it."""
    found, at = [], 0
    while at + 8 <= len(data):
        size = struct.unpack(">I", data[at : at + 4])[0]
        found.append((data[at + 4 : at + 8], at, at + size))
        at += max(size, 8)
    return found


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, name) + content


def rebuilt(path: Path, change: Callable[[bytes, bytes], bytes], **options: str) -> Path:
    """A clip whose boxes `change` may replace: it is given name and content of each."""

    def walk(data: bytes) -> bytes:
        out = b""
        for name, start, end in boxes_in(data):
            content = change(name, data[start + 8 : end])
            if name in (b"moov", b"trak", b"edts", b"mdia", b"minf", b"stbl", b"moof", b"traf"):
                content = walk(content)
            out += _box(name, content)
        return out

    encoding = also(H264, container_options=options)
    path.write_bytes(walk(make_clip(path, 2, size=(160, 96), encoding=encoding).read_bytes()))
    return path


def edits_again_and_again(path: Path, count: int = 100_000) -> Path:
    again = struct.pack(">II", 0, count) + struct.pack(">III", 2000, 0, 0x10000) * count
    return rebuilt(path, lambda name, content: again if name == b"elst" else content)


def samples_without_a_table(path: Path) -> Path:
    """A MP4 whose fragment says that it has fifty million pictures."""
    flags = {"movflags": "+frag_keyframe+empty_moov+default_base_moof"}
    many = struct.pack(">III", 1, 50_000_000, 0)
    return rebuilt(path, lambda name, content: many if name == b"trun" else content, **flags)


def packed_header(path: Path, header: bytes, claimed: int) -> Path:
    """A MOV whose header is compressed."""
    packed = struct.pack(">I", claimed) + zlib.compress(header, 9)
    cmov = _box(b"cmov", _box(b"dcom", b"zlib") + _box(b"cmvd", packed))
    path.write_bytes(_box(b"ftyp", b"qt  \0\0\0\0qt  ") + _box(b"moov", cmov))
    return path


def header_in_a_header(path: Path) -> Path:
    inner = zlib.compress(bytes(1 << 20))
    cmov = _box(b"cmov", _box(b"dcom", b"zlib") + _box(b"cmvd", struct.pack(">I", 1 << 20) + inner))
    return packed_header(path, _box(b"moov", cmov), 4096)


def streams_at_once(path: Path) -> Path:
    """An MPEG-TS that names 1,200 programs before the one that it has; PyAV raises IndexError."""
    tables = b""
    for number in range(30):
        places = range(number * 40, number * 40 + 40)
        entries = b"".join(struct.pack(">HH", n + 1, 0xE000 | (0x100 + n) & 0x1FFF) for n in places)
        table = b"\0" + struct.pack(">HHBBB", 0xB000 | len(entries) + 9, 1, 0xC1, number, 29)
        table += entries
        packet = b"\x47\x40\0" + bytes((0x10 | number & 15, 0)) + table
        tables += (packet + struct.pack(">I", _crc_of_mpeg(table)))[:188].ljust(188, b"\xff")
    clip = make_clip(path, 2, size=(160, 96), encoding=also(H264, tone_hz=440)).read_bytes()
    path.write_bytes(tables + clip)
    return path


def _crc_of_mpeg(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for bit in np.unpackbits(np.frombuffer(data, np.uint8)).tolist():
        crc = (crc << 1 ^ (0x04C11DB7 if (crc >> 31) ^ bit else 0)) & 0xFFFFFFFF
    return crc
