"""MXF whose essence lies elsewhere: a descriptor with a NetworkLocator, as in SMPTE ST 377-1."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.support.media.media import Encoding, make_clip
from tests.support.media.media_kinds import remuxed

_LABEL = bytes.fromhex("060e2b34")
_PRIMER = _LABEL + bytes.fromhex("020501010d01020101050100")
_FILL = _LABEL + bytes.fromhex("010101020301021001000000")
_CONTENT_STORAGE, _ESSENCE_DATA, _IDENTIFICATION, _LOCATOR, _DESCRIPTOR = (
    _LABEL + bytes.fromhex("025301010d0101010101") + bytes([kind, 0])
    for kind in (0x18, 0x23, 0x30, 0x32, 0x51)
)
_INSTANCE, _COMPANY, _ESSENCES, _LOCATORS, _URL = (
    bytes.fromhex(tag) for tag in ("3c0a", "3c01", "1902", "2f01", "4001")
)
_NEW_TAGS = (
    _LOCATORS + _LABEL + bytes.fromhex("010101020601010406030000"),
    _URL + _LABEL + bytes.fromhex("010101010102010101000000"),
)
_LOCATOR_ID = bytes(range(16))


def roomy_mxf(folder: Path, size: tuple[int, int]) -> bytes:
    """A clip with room in its header: its writer's name is long."""
    encoding = Encoding("mpeg2video", b_frames=0)
    clip = make_clip(folder / "clip.mxf", 1, size=size, encoding=encoding)
    return remuxed(clip, folder / "roomy.mxf", company_name="-" * 1000).read_bytes()


def with_locator(mxf: bytes, url: str, *, keeps_essence: bool) -> bytes:
    """The clip with a locator in place of the name: all of it, or the header alone."""
    _, pack, end = _item(mxf, 0)
    start, length = mxf.index(_PRIMER), int.from_bytes(pack[32:40], "big")
    text = f"{url}\0".encode("utf-16-be")
    metadata, at = b"", start
    while at < start + length:
        key, value, at = _item(mxf, at)
        if key != _FILL and (keeps_essence or key != _ESSENCE_DATA):
            metadata += _written(key, _changed(key, value, keeps_essence))
    metadata += _written(_LOCATOR, _joined({_INSTANCE: _LOCATOR_ID, _URL: text}))
    metadata += _written(_FILL, bytes(length - len(metadata) - 20))
    if keeps_essence:
        return mxf[:start] + metadata + mxf[start + length :]
    footer = end - len(pack) + 24  # where the header says where it lies: there is none
    return mxf[:footer] + bytes(8) + mxf[footer + 8 : start] + metadata


def _item(data: bytes, at: int) -> tuple[bytes, bytes, int]:
    """Key and value, and where the next one begins."""
    key, size, begin = data[at : at + 16], data[at + 16], at + 17
    if size & 0x80:
        begin += size & 0x7F
        size = int.from_bytes(data[at + 17 : begin], "big")
    return key, data[begin : begin + size], begin + size


def _written(key: bytes, value: bytes) -> bytes:
    return key + b"\x83" + len(value).to_bytes(3, "big") + value


def _changed(key: bytes, value: bytes, keeps_essence: bool) -> bytes:
    if key == _PRIMER:
        count = int.from_bytes(value[:4], "big") + len(_NEW_TAGS)
        return struct.pack(">II", count, 18) + value[8:] + b"".join(_NEW_TAGS)
    fields = _fields(value)
    if key == _IDENTIFICATION:
        fields[_COMPANY] = "-\0".encode("utf-16-be")
    elif key == _CONTENT_STORAGE and not keeps_essence:
        del fields[_ESSENCES]
    elif key == _DESCRIPTOR:
        fields[_LOCATORS] = struct.pack(">II", 1, 16) + _LOCATOR_ID
    else:
        return value
    return _joined(fields)


def _fields(value: bytes) -> dict[bytes, bytes]:
    found, at = {}, 0
    while at < len(value):
        end = at + 4 + int.from_bytes(value[at + 2 : at + 4], "big")
        found[value[at : at + 2]] = value[at + 4 : end]
        at = end
    return found


def _joined(fields: dict[bytes, bytes]) -> bytes:
    return b"".join(tag + struct.pack(">H", len(value)) + value for tag, value in fields.items())
