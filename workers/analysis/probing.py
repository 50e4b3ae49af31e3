"""What a media file says about itself, without decoding more than its first picture."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import PurePath
from typing import Any

from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from shared.domain import Probe
from shared.errors import MediaUnreadable
from shared.media import MediaType
from workers.analysis.containers import (
    duration_of,
    first_picture,
    only,
    open_container,
    video_stream,
)
from workers.analysis.frames import upright_rotation
from workers.analysis.stills import StillPicture, open_still

_USUAL_RATES = tuple(
    Fraction(n, d)
    for n, d in (
        (24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48000, 1001), (48, 1), (50, 1),
        (60000, 1001), (60, 1), (100, 1), (120000, 1001), (120, 1), (15, 1), (25, 2), (10, 1),
    )
)  # fmt: skip
_TIMECODE = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d\d?)")
_SNAP = Fraction(4, 10_000)  # 23.976 and 24 differ by ten times that


def probe(path: str, media_type: MediaType) -> Probe:
    """Everything `/media/metadata` tells; raises MediaMissing or MediaUnreadable."""
    if media_type is MediaType.IMAGE and not is_film_still(path):
        return probe_still(open_still(path))
    container = open_container(path)
    try:
        stream = video_stream(container)
        picture = None
        if stream is not None:
            only(container, stream)
            _, picture = first_picture(container, stream)
        return probe_container(container, stream, picture, media_type)
    finally:
        container.close()


def is_film_still(path: str) -> bool:
    """Stills that the video decoder reads: DPX and EXR."""
    return PurePath(path).suffix.lower() in (".dpx", ".exr")


def probe_still(still: StillPicture) -> Probe:
    return Probe(
        media_type=MediaType.IMAGE,
        width=still.stored_width,
        height=still.stored_height,
        rotation=still.rotation,
        pixel_aspect="1/1",
        video_codec=still.format,
        container=still.format,
        frame_count=1,
    )


def probe_container(
    container: InputContainer,
    stream: VideoStream | None,
    picture: VideoFrame | None,
    media_type: MediaType,
) -> Probe:
    """What an opened container tells, with its first picture where one could be decoded."""
    audio = container.streams.audio[0] if container.streams.audio else None
    if stream is None and audio is None:
        raise MediaUnreadable("It holds neither video nor audio.")
    seconds = duration_of(container, stream)
    sound: dict[str, Any] = {
        "has_audio": audio is not None,
        "audio_codec": audio.codec.canonical_name if audio is not None else None,
        "audio_channels": audio.channels if audio is not None else None,
    }
    seen = _picture_fields(stream, picture, seconds) if stream is not None else {}
    return Probe(
        media_type=media_type,
        duration_seconds=round(seconds, 6) if seconds is not None else None,
        start_timecode=_timecode(container, picture),
        container=_container_name(container),
        **sound,
        **seen,
    )


def _picture_fields(
    stream: VideoStream, picture: VideoFrame | None, seconds: float | None
) -> dict[str, Any]:
    rate = frame_rate(stream)
    aspect = stream.sample_aspect_ratio or Fraction(1)
    estimate = round(seconds * rate) if seconds and rate else None
    return {
        "fps": round(float(rate), 6) if rate else None,
        "fps_rational": f"{rate.numerator}/{rate.denominator}" if rate else None,
        "frame_count": stream.frames or estimate,
        "width": picture.width if picture is not None else stream.width,
        "height": picture.height if picture is not None else stream.height,
        "rotation": upright_rotation(picture) if picture is not None else 0,
        "pixel_aspect": f"{aspect.numerator}/{aspect.denominator}",
        "video_codec": stream.codec.canonical_name,
    }


def frame_rate(stream: VideoStream) -> Fraction | None:
    """The rate that the stream is built on (of VFR streams not the average), made exact."""
    rate = stream.guessed_rate or stream.average_rate
    if not rate:
        return None
    for usual in _USUAL_RATES:
        if abs(rate - usual) <= usual * _SNAP:
            return usual
    return Fraction(rate)


def _timecode(container: InputContainer, picture: VideoFrame | None) -> str | None:
    """From a video or timecode track, the container, or the first picture, in this order."""
    places = [
        *(s.metadata for s in container.streams if s.type == "video"),
        *(s.metadata for s in container.streams if s.type == "data"),
        container.metadata,
        *(s.metadata for s in container.streams if s.type == "audio"),
        *([picture.metadata] if picture is not None else []),
    ]
    for place in places:
        found = _TIMECODE.fullmatch(place.get("timecode", "").strip())
        if found:
            hours, minutes, seconds, separator, frames = found.groups()
            drop = ";" if separator in ";." else ":"
            return f"{hours}:{minutes}:{seconds}{drop}{frames}"
    return None


def _container_name(container: InputContainer) -> str:
    """One word; the decoder lists all names of a family."""
    names = container.format.name.split(",")
    brand = container.metadata.get("major_brand", "").strip()
    if "mov" in names:
        return "mov" if brand in ("qt", "") else "mp4"
    return "matroska" if "matroska" in names else names[0]
