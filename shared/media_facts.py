"""What a container says about its parts, beyond the plain fields of shared.domain.Probe."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class StartTimecode(msgspec.Struct, frozen=True, kw_only=True):
    """The timecode of the first picture. `rate` is what its frames count: 30 of 59.94p, perhaps."""

    value: Annotated[
        str,
        Meta(description="HH:MM:SS:FF, or HH:MM:SS;FF for drop-frame.", examples=["00:59:58;00"]),
    ]
    rate: Annotated[
        str,
        Meta(
            description="Frames a second that the timecode counts; not always those of the "
            "picture.",
            examples=["30000/1001"],
        ),
    ]
    drop_frame: Annotated[bool, Meta(description="Two of its numbers a minute are left out.")]
    source: Annotated[
        str,
        Meta(
            description="Where it was found: a timecode or other `track`, the `container`, the "
            "first `picture`, or a broadcast wave's time reference (`bwf`).",
            examples=["track"],
        ),
    ]
    rate_source: Annotated[
        str,
        Meta(
            description="Where `rate` comes from: the timecode `track`, the `bwf`, or "
            "`derived` from the rate of the pictures, as nothing states it.",
            examples=["track"],
        ),
    ] = "derived"


class Color(msgspec.Struct, frozen=True, kw_only=True):
    """Names as FFmpeg writes them ("bt709", "smpte2084" …); null where it is not said."""

    range: Annotated[str, Meta(description="limited or full.", examples=["limited"])] | None = None
    primaries: Annotated[str, Meta(description="Primaries.", examples=["bt709"])] | None = None
    transfer: Annotated[str, Meta(description="Transfer curve.", examples=["bt709"])] | None = None
    matrix: Annotated[str, Meta(description="Matrix.", examples=["bt709"])] | None = None
    hdr: (
        Annotated[str, Meta(description="pq or hlg, by the transfer curve.", examples=["pq"])]
        | None
    ) = None
    mastering_min_nits: (
        Annotated[float, Meta(description="Darkest of the mastering display.", examples=[0.005])]
        | None
    ) = None
    mastering_max_nits: (
        Annotated[float, Meta(description="Brightest of the mastering display.", examples=[1000])]
        | None
    ) = None
    max_cll: (
        Annotated[int, Meta(description="Brightest pixel, in nits.", examples=[1000])] | None
    ) = None
    max_fall: (
        Annotated[int, Meta(description="Brightest picture on average, in nits.", examples=[400])]
        | None
    ) = None


class VideoStream(msgspec.Struct, frozen=True, kw_only=True):
    """One video track that is shown."""

    index: Annotated[int, Meta(description="Among all streams of the container.", examples=[0])]
    codec: Annotated[str, Meta(description="Name of the codec.", examples=["h264"])]
    profile: Annotated[str, Meta(description="Its profile.", examples=["High"])] | None = None
    codec_tag: (
        Annotated[str, Meta(description="Four letters of the container.", examples=["avc1"])] | None
    ) = None
    pixel_format: (
        Annotated[str, Meta(description="As FFmpeg names it.", examples=["yuv420p"])] | None
    ) = None
    bit_depth: Annotated[int, Meta(description="Bits a sample.", examples=[8])] | None = None
    chroma: (
        Annotated[str, Meta(description="Subsampling; null for RGB.", examples=["4:2:0"])] | None
    ) = None
    width: Annotated[int, Meta(description="Pixels, as stored.", examples=[1920])] = 0
    height: Annotated[int, Meta(description="Pixels, as stored.", examples=[1080])] = 0
    bit_rate: Annotated[int, Meta(description="Bits a second.", examples=[12_000_000])] | None = (
        None
    )


class AudioStream(msgspec.Struct, frozen=True, kw_only=True):
    """One sound track."""

    index: Annotated[int, Meta(description="Among all streams of the container.", examples=[1])]
    codec: Annotated[str, Meta(description="Name of the codec.", examples=["pcm_s24le"])]
    sample_rate: Annotated[int, Meta(description="Samples a second.", examples=[48000])] | None = (
        None
    )
    bits: (
        Annotated[int, Meta(description="Bits a sample, of lossless sound.", examples=[24])] | None
    ) = None
    channels: Annotated[int, Meta(description="Number of channels.", examples=[2])] = 0
    layout: (
        Annotated[
            str, Meta(description="Null where the channels have no names.", examples=["stereo"])
        ]
        | None
    ) = None
    language: Annotated[str, Meta(description="As stored.", examples=["eng"])] | None = None
    title: Annotated[str, Meta(description="As stored.", examples=["Boom"])] | None = None
    bit_rate: Annotated[int, Meta(description="Bits a second.", examples=[2_304_000])] | None = None
