"""A minimal HEIC writer: one HEVC picture in the boxes of ISO 23008-12, as phones write them."""

from __future__ import annotations

import struct
from pathlib import Path

import av

from tests.support.media.media import RGB, Encoding, write_video

# x265 hands out random time stamps for a stream that ends before its first B-frame.
HEVC_STILL = Encoding("libx265", b_frames=0)


def make_heic(path: Path, picture: RGB, quarter_turns: int = 0, elsewhere: str = "") -> Path:
    """`quarter_turns`: how often a reader has to turn it counter-clockwise (box irot).

    `elsewhere`: the address of the file that holds the data in place of this one.
    """
    clip = write_video(path.with_suffix(".tmp.mp4"), [picture], encoding=HEVC_STILL)
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        settings = bytes(stream.codec_context.extradata)
        data = bytes(next(container.demux(stream)))
    clip.unlink()
    height, width = picture.shape[:2]
    properties = [
        _box(b"hvcC", settings),
        _full(b"ispe", struct.pack(">II", width, height)),
        _box(b"irot", bytes([quarter_turns])),
    ]
    links = struct.pack(">IHB", 1, 1, len(properties)) + bytes([0x81, 2, 0x83])
    entry = _full(b"infe", struct.pack(">HH4s", 1, 0, b"hvc1") + b"\0", version=2)
    kind = _box(b"ftyp", b"heic" + bytes(4) + b"mif1heic")

    reference = struct.pack(">I", 1) + _full(b"url ", elsewhere.encode() + b"\0")
    source, references = (1, _box(b"dinf", _full(b"dref", reference))) if elsewhere else (0, b"")

    def meta(offset: int) -> bytes:
        place = struct.pack(">HHHHHII", 0x4400, 1, 1, source, 1, offset, len(data))
        return _full(
            b"meta",
            _full(b"hdlr", bytes(4) + b"pict" + bytes(13))
            + references
            + _full(b"pitm", struct.pack(">H", 1))
            + _full(b"iloc", place)
            + _full(b"iinf", struct.pack(">H", 1) + entry)
            + _box(b"iprp", _box(b"ipco", b"".join(properties)) + _full(b"ipma", links)),
        )

    head = kind + meta(len(kind) + len(meta(0)) + 8)
    path.write_bytes(head if elsewhere else head + _box(b"mdat", data))
    return path


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + name + content


def _full(name: bytes, content: bytes, version: int = 0) -> bytes:
    return _box(name, bytes([version, 0, 0, 0]) + content)
