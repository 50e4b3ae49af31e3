"""What a container says about its parts, beyond the plain fields of shared.domain.Probe."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class StartTimecode(msgspec.Struct, frozen=True, kw_only=True):
    """The timecode of the first picture. `rate` is what its frames count: 30 of 59.94p, perhaps."""

    value: Annotated[str, Meta(examples=["10:00:00:00"])]
    """HH:MM:SS:FF, or HH:MM:SS;FF for drop-frame."""
    rate: Annotated[str, Meta(examples=["24000/1001"])]
    """Frames a second that the timecode counts; not always those of the picture."""
    drop_frame: bool
    """Two of its numbers a minute are left out."""
    source: Annotated[str, Meta(examples=["track"])]
    """Where it was found: a timecode or other `track`, the `container`, the first `picture`, or a
    broadcast wave's time reference (`bwf`)."""
    rate_source: Annotated[str, Meta(examples=["track"])] = "derived"
    """Where `rate` comes from: the timecode `track`, the `bwf`, or `derived` from the rate of the
    pictures, as nothing states it."""


class Color(msgspec.Struct, frozen=True, kw_only=True):
    """Names as FFmpeg writes them ("bt709", "smpte2084" …); null where it is not said."""

    range: Annotated[str, Meta(examples=["limited"])] | None = None
    """limited or full."""
    primaries: Annotated[str, Meta(examples=["bt2020"])] | None = None
    """Primaries."""
    transfer: Annotated[str, Meta(examples=["smpte2084"])] | None = None
    """Transfer curve."""
    matrix: Annotated[str, Meta(examples=["bt2020nc"])] | None = None
    """Matrix."""
    hdr: Annotated[str, Meta(examples=["pq"])] | None = None
    """pq or hlg, by the transfer curve."""
    mastering_min_nits: Annotated[float, Meta(examples=[0.005])] | None = None
    """Darkest of the mastering display."""
    mastering_max_nits: Annotated[float, Meta(examples=[1000])] | None = None
    """Brightest of the mastering display."""
    max_cll: Annotated[int, Meta(examples=[1000])] | None = None
    """Brightest pixel, in nits."""
    max_fall: Annotated[int, Meta(examples=[400])] | None = None
    """Brightest picture on average, in nits."""


class VideoStream(msgspec.Struct, frozen=True, kw_only=True):
    """One video track that is shown."""

    index: Annotated[int, Meta(examples=[0])]
    """Among all streams of the container."""
    codec: Annotated[str, Meta(examples=["h264"])]
    """Name of the codec."""
    profile: Annotated[str, Meta(examples=["High"])] | None = None
    """Its profile."""
    codec_tag: Annotated[str, Meta(examples=["avc1"])] | None = None
    """Four letters of the container."""
    pixel_format: Annotated[str, Meta(examples=["yuv420p"])] | None = None
    """As FFmpeg names it."""
    bit_depth: Annotated[int, Meta(examples=[8])] | None = None
    """Bits a sample."""
    chroma: Annotated[str, Meta(examples=["4:2:0"])] | None = None
    """Subsampling; null for RGB."""
    width: Annotated[int, Meta(examples=[1920])] = 0
    """Pixels, as stored."""
    height: Annotated[int, Meta(examples=[1080])] = 0
    """Pixels, as stored."""
    bit_rate: Annotated[int, Meta(examples=[12_000_000])] | None = None
    """Bits a second."""


class AudioStream(msgspec.Struct, frozen=True, kw_only=True):
    """One sound track."""

    index: Annotated[int, Meta(examples=[1])]
    """Among all streams of the container."""
    codec: Annotated[str, Meta(examples=["pcm_s24le"])]
    """Name of the codec."""
    sample_rate: Annotated[int, Meta(examples=[48000])] | None = None
    """Samples a second."""
    bits: Annotated[int, Meta(examples=[24])] | None = None
    """Bits a sample, of lossless sound."""
    channels: Annotated[int, Meta(examples=[2])] = 0
    """Number of channels."""
    layout: Annotated[str, Meta(examples=["stereo"])] | None = None
    """Null where the channels have no names."""
    language: Annotated[str, Meta(examples=["eng"])] | None = None
    """As stored."""
    title: Annotated[str, Meta(examples=["Boom"])] | None = None
    """As stored."""
    bit_rate: Annotated[int, Meta(examples=[2_304_000])] | None = None
    """Bits a second."""
