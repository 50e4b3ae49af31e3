"""Small files whose headers claim, or cost, far more than they are."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.support.media.media import H264, also, make_clip

Wrap = Callable[[bytes], bytes]


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


def replaced(data: bytes, change: Callable[[bytes, bytes], bytes]) -> bytes:
    """The boxes in it, each with the content that `change` gives for its name and content."""
    out = b""
    for name, start, end in boxes_in(data):
        content = change(name, data[start + 8 : end])
        if name in (b"moov", b"trak", b"edts", b"mdia", b"minf", b"stbl", b"moof", b"traf"):
            content = replaced(content, change)
        out += _box(name, content)
    return out


def rebuilt(path: Path, change: Callable[[bytes, bytes], bytes], **options: str) -> Path:
    """A clip whose boxes `change` may replace: it is given name and content of each."""
    encoding = also(H264, container_options=options)
    clip = make_clip(path, 2, size=(160, 96), encoding=encoding)
    path.write_bytes(replaced(clip.read_bytes(), change))
    return path


def edits_again_and_again(path: Path, count: int = 100_000) -> Path:
    """A clip that is played again and again."""
    again = struct.pack(">II", 0, count) + struct.pack(">III", 2000, 0, 0x10000) * count
    return rebuilt(path, lambda name, content: again if name == b"elst" else content)


def edits_times_samples(path: Path, wrap: Wrap = lambda edits: edits, before: bytes = b"") -> Path:
    """A header that claims 8 million samples of a byte and 2,000 edits: 9 s of searching.

    `wrap` is given the `edts` box, `before` comes before the header.
    """
    many, edits = 8_000_000, struct.pack(">II", 0, 2000) + struct.pack(">III", 1, 9**7, 1) * 2000
    tables = {
        b"stsz": struct.pack(">III", 0, 1, many),
        b"stsc": struct.pack(">IIIII", 0, 1, 1, many, 1),
        b"stco": struct.pack(">III", 0, 1, 48),
        b"stts": struct.pack(">IIII", 0, 1, many, 1),
        b"elst": edits,
    }
    rebuilt(path, lambda name, old: tables.get(name, old))
    data = path.read_bytes()
    edts = _box(b"edts", _box(b"elst", edits))
    grown = len(wrap(edts)) - len(edts)
    for name in (b"moov", b"trak"):
        at = data.index(name) - 4
        length = struct.unpack(">I", data[at : at + 4])[0] + grown
        data = data[:at] + struct.pack(">I", length) + data[at + 4 :]
    moov = data.index(b"moov") - 4
    path.write_bytes(data[:moov] + before + data[moov:].replace(edts, wrap(edts)))
    return path


def _with_length(box: bytes, length: int) -> bytes:
    return struct.pack(">I", length) + box[4:]


HIDDEN_EDITS: dict[str, Callable[[Path], Path]] = {
    "plain": edits_times_samples,
    "fragment_first": lambda p: edits_times_samples(p, before=_box(b"moof", b"")),
    "boxes_first": lambda p: edits_times_samples(p, before=_box(b"free", b"") * 5000),
    "in_user_data": lambda p: edits_times_samples(p, lambda edits: _box(b"udta", edits)),
    "in_meta": lambda p: edits_times_samples(
        p, lambda edits: _box(b"meta", bytes(4) + _box(b"hdlr", bytes(24)) + edits)
    ),
    "overrun": lambda p: edits_times_samples(p, lambda edits: _with_length(edits, 2**31 - 1)),
    "to_the_end": lambda p: edits_times_samples(p, lambda edits: _with_length(edits, 0)),
}


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
