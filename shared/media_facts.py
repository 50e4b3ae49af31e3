"""What a container says about its parts, beyond the plain fields of shared.domain.Probe."""

from __future__ import annotations

import msgspec


class StartTimecode(msgspec.Struct, frozen=True, kw_only=True):
    """The timecode of the first picture. `rate` is what its frames count: 30 of 59.94p, perhaps."""

    value: str  # "HH:MM:SS:FF", or "HH:MM:SS;FF" for drop-frame
    rate: str  # "30000/1001"
    drop_frame: bool
    source: str  # "track", "container", "picture", "bwf" or "xml": where it was found


class Color(msgspec.Struct, frozen=True, kw_only=True):
    """Names as FFmpeg writes them ("bt709", "smpte2084" …); None where it is not said."""

    range: str | None = None  # "limited" or "full"
    primaries: str | None = None
    transfer: str | None = None
    matrix: str | None = None
    hdr: str | None = None  # "pq" or "hlg"


class VideoStream(msgspec.Struct, frozen=True, kw_only=True):
    """One video track that is shown."""

    index: int  # among all streams of the container
    codec: str
    profile: str | None = None
    codec_tag: str | None = None
    pixel_format: str | None = None
    bit_depth: int | None = None
    chroma: str | None = None  # "4:2:0"
    width: int = 0
    height: int = 0
    bit_rate: int | None = None


class AudioStream(msgspec.Struct, frozen=True, kw_only=True):
    """One sound track."""

    index: int  # among all streams of the container
    codec: str
    sample_rate: int | None = None
    bits: int | None = None
    channels: int = 0
    layout: str | None = None  # None where the channels have no names
    language: str | None = None
    title: str | None = None
    bit_rate: int | None = None
