"""What the streams of an opened container say about themselves; nothing is decoded here."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, BinaryIO

from av.audio.stream import AudioStream as AudioIn
from av.container import InputContainer
from av.sidedata.sidedata import Type as SideData
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.stream import VideoStream as VideoIn

from shared.media_facts import AudioStream, Color, VideoStream
from shared.opening import OpenedFile
from workers.media.containers import boxes, read_of

_MOST = 4096  # chunks looked at
_XML_BYTES = 1 << 20
_FASTEST = 1000
_RATE = re.compile(rb"<TIMECODE_RATE>\s*(\d+)/(\d+)\s*</")
_FLAG = re.compile(rb"<TIMECODE_FLAG>\s*(N?DF)\s*</")

# By the numbers of ITU-T H.273, named as FFmpeg does; 2 is "unspecified".
_PRIMARIES = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film",
    9: "bt2020", 10: "smpte428", 11: "smpte431", 12: "smpte432", 22: "ebu3213",
}  # fmt: skip
_TRANSFERS = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "linear",
    9: "log100", 10: "log316", 11: "iec61966-2-4", 12: "bt1361e", 13: "iec61966-2-1",
    14: "bt2020-10", 15: "bt2020-12", 16: "smpte2084", 17: "smpte428", 18: "arib-std-b67",
}  # fmt: skip
_MATRICES = {
    0: "gbr", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "ycgco",
    9: "bt2020nc", 10: "bt2020c", 11: "smpte2085", 12: "chroma-derived-nc",
    13: "chroma-derived-c", 14: "ictcp",
}  # fmt: skip
_RANGES = {1: "limited", 2: "full"}
_HDR = {"smpte2084": "pq", "arib-std-b67": "hlg"}
_SCANS = {  # by the field that is shown first, not by the one that is stored first
    1: "progressive", 2: "top_first", 3: "bottom_first", 4: "bottom_first", 5: "top_first",
}  # fmt: skip
# QuickTime's 9 and 14, which Matroska took over, are read as 4 and 5, but name the field that is
# shown first: so write ffmpeg and cameras, and so say the pictures of such files.
_INTERLEAVED = {4: "top_first", 5: "bottom_first"}
_OF_QUICKTIME = frozenset(("mov", "matroska"))
_NEVER_INTERLACED = frozenset(("vp8", "vp9", "av1", "gif", "png", "dpx", "exr", "apng", "webp"))
_CHROMA = {(2, 2): "4:2:0", (2, 1): "4:2:2", (1, 1): "4:4:4", (4, 1): "4:1:1", (1, 2): "4:4:0"}
_NO_LAYOUT = re.compile(r"\d+ channels.*")
_PCM_BITS = re.compile(r"pcm_[sufv](\d+)")
_LOSSLESS = frozenset(("flac", "alac", "tta", "wavpack", "truehd", "mlp"))


def video_facts(stream: VideoIn) -> VideoStream:
    context = stream.codec_context
    pixels = context.format
    return VideoStream(
        index=stream.index,
        codec=stream.codec.canonical_name,
        profile=context.profile or None,
        codec_tag=_tag(context.codec_tag),
        pixel_format=context.pix_fmt or None,
        bit_depth=pixels.components[0].bits if pixels is not None else None,
        chroma=_chroma(pixels) if pixels is not None else None,
        width=stream.width,
        height=stream.height,
        bit_rate=context.bit_rate or None,
    )


def audio_facts(container: InputContainer) -> tuple[AudioStream, ...]:
    """All sound tracks whose codec is known, in the file's order."""
    return tuple(_sound(s) for s in container.streams.audio if s.codec_context is not None)


def color_of(stream: VideoIn, picture: VideoFrame | None) -> Color:
    """The colour that the stream states; mastering and light level as its first picture does."""
    context = stream.codec_context
    transfer = _TRANSFERS.get(context.color_trc)
    pixels = context.pix_fmt or ""
    stated = _RANGES.get(context.color_range) or ("full" if pixels.startswith("yuvj") else None)
    return Color(
        range=stated,
        primaries=_PRIMARIES.get(context.color_primaries),
        transfer=transfer,
        matrix=_MATRICES.get(context.colorspace),
        hdr=_HDR.get(transfer or ""),
        **_light(picture),
    )


def stated_scan(stream: VideoIn) -> str | None:
    """What the stream says of its fields; None where it says nothing."""
    order = int(stream.codec_context.field_order)
    if order in _INTERLEAVED and _OF_QUICKTIME & set(stream.container.format.name.split(",")):
        return _INTERLEAVED[order]
    return _SCANS.get(order)


def scan_of(stream: VideoIn, picture: VideoFrame | None) -> str | None:
    """How the lines are stored; None where neither stream nor codec says it."""
    found = stated_scan(stream)
    if picture is not None and picture.interlaced_frame:
        return found if found not in (None, "progressive") else "interlaced"
    if found is None and stream.codec.canonical_name in _NEVER_INTERLACED:
        return "progressive"
    return found


def _sound(stream: AudioIn) -> AudioStream:
    codec = stream.codec.canonical_name
    layout = stream.layout.name
    language = stream.metadata.get("language")
    return AudioStream(
        index=stream.index,
        codec=codec,
        sample_rate=stream.rate or None,
        bits=_bits(codec, stream),
        channels=stream.channels,
        layout=None if not layout or _NO_LAYOUT.fullmatch(layout) else layout,
        language=language if language not in (None, "", "und") else None,
        title=stream.metadata.get("title") or None,
        bit_rate=stream.codec_context.bit_rate or None,
    )


def _bits(codec: str, stream: AudioIn) -> int | None:
    """Bits of a sample; of PCM by the codec's name, as decoded 24 bits lie in 32."""
    if found := _PCM_BITS.match(codec):
        return int(found[1])
    if codec in _LOSSLESS and stream.format is not None and stream.format.bits == 16:
        return 16
    return None


def _chroma(pixels: VideoFormat) -> str | None:
    if pixels.is_rgb or pixels.has_palette or len(pixels.components) == 0:
        return None
    if len(pixels.components) < 3:
        return "4:0:0"
    across, down = pixels.chroma_width(64), pixels.chroma_height(64)
    return _CHROMA.get((64 // across, 64 // down)) if across and down else None


def _tag(tag: str) -> str | None:
    return tag if tag.isascii() and tag.isprintable() and tag.strip() else None


def _light(picture: VideoFrame | None) -> dict[str, Any]:
    """FFmpeg's own structs, whose form its ABI keeps: 10 fractions and two flags; two numbers."""
    facts: dict[str, Any] = {}
    if picture is None:
        return facts
    held: Any = picture.side_data  # its stubs take it for a mapping of names
    mastering = held.get(SideData.MASTERING_DISPLAY_METADATA)
    if mastering is not None and len(raw := bytes(mastering)) >= 88:
        *_, low, below, high, above, _, is_known = struct.unpack("22i", raw[:88])
        if is_known and below and above:
            facts["mastering_min_nits"] = float(Fraction(low, below))
            facts["mastering_max_nits"] = float(Fraction(high, above))
    level = held.get(SideData.CONTENT_LIGHT_LEVEL)
    if level is not None and len(raw := bytes(level)) >= 8:
        most, average = struct.unpack("2I", raw[:8])
        facts["max_cll"], facts["max_fall"] = most or None, average or None
    return facts


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
