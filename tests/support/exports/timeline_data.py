"""Sources and timelines for tests, without a file on any disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from api.exports.timelines.bodies import TimelineClipBody, TimelineMarkerBody
from api.exports.timelines.conform import AskedClip, commonest_rate, conform
from api.exports.timelines.model import PictureFormat, Timeline, TimelineWarning
from api.exports.timelines.routes import write_timeline
from api.exports.timelines.sources import TimelineSource, source_of
from shared.domain import Probe
from shared.media import MediaType
from shared.media_facts import AudioStream
from shared.timecode import Timecode
from tests.support.exports.timeline_checker import check_fcpxml, check_xmeml

NTSC_24 = Fraction(24000, 1001)
NTSC_30 = Fraction(30000, 1001)
NTSC_60 = Fraction(60000, 1001)
HD = PictureFormat(1920, 1080)


def film(
    path: str = "/media/a.mov",
    rate: Fraction | int = 25,
    seconds: float | None = 10,
    channels: Sequence[int] = (2,),
    **more: Any,
) -> TimelineSource:
    """A video whose sound streams have these channels."""
    rate = Fraction(rate)
    return source_of(
        path,
        Probe(
            media_type=MediaType.VIDEO,
            duration_seconds=seconds,
            fps_rational=f"{rate.numerator}/{rate.denominator}",
            **{"width": 1920, "height": 1080, "audio_streams": streams(*channels), **more},
        ),
    )


def recording(path: str = "/media/a.wav", seconds: float = 10, *channels: int) -> TimelineSource:
    return source_of(
        path,
        Probe(
            media_type=MediaType.AUDIO,
            duration_seconds=seconds,
            audio_streams=streams(*(channels or (1,))),
        ),
    )


def still(path: str = "/media/a.jpg") -> TimelineSource:
    return source_of(path, Probe(media_type=MediaType.IMAGE, width=4000, height=3000))


def streams(*channels: int) -> tuple[AudioStream, ...]:
    return tuple(
        AudioStream(index=n, codec="pcm", channels=count, sample_rate=48_000, bits=24)
        for n, count in enumerate(channels, 1)
    )


Time = float | str | Fraction


def _sent(time: Time) -> float | str:
    """A time as a request has it."""
    return time if isinstance(time, str) else float(time)


def marker(
    time: Time, name: str, comment: str = "", length: Fraction | None = None
) -> TimelineMarkerBody:
    duration = None if length is None else float(length)
    return TimelineMarkerBody(time=_sent(time), name=name, comment=comment, duration=duration)


def asked(
    source: TimelineSource,
    start: Time = 2,
    end: Time = 4,
    markers: Sequence[TimelineMarkerBody] = (),
    name: str | None = None,
    handle: Fraction = Fraction(0),
) -> AskedClip:
    body = TimelineClipBody(
        media_path=source.media.path,
        start_time=_sent(start),
        end_time=_sent(end),
        name=name,
        markers=[*markers],
        handle_seconds=float(handle),
    )
    return AskedClip(0, body, source)


def timeline(
    *clips: AskedClip, rate: Fraction | int | None = None, **more: Any
) -> tuple[Timeline, list[TimelineWarning]]:
    """Clips in a row, numbered as a request numbers them."""
    numbered = [replace(clip, index=n) for n, clip in enumerate(clips)]
    own = Fraction(rate) if rate else commonest_rate(clip.source.media for clip in numbered)
    made, remarks = conform(numbered, own)
    fields: dict[str, Any] = {"name": "T", "timecode": Timecode(own), "picture": HD, **more}
    return Timeline(clips=made, **fields), remarks


def xmeml_of(made: Timeline, layout: Any = "sequence", style: Any = None) -> Any:
    """The root of the document, which follows all rules."""
    return check_xmeml(write_timeline(made, "xmeml", layout, style)[0])


def fcpxml_of(made: Timeline) -> Any:
    """The root of the document, which follows all rules."""
    return check_fcpxml(write_timeline(made, "fcpxml", "sequence", None)[0])
