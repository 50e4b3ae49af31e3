"""Sources and timelines for tests, without a file on any disk."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from api.exports.timelines.conform import AskedClip, AskedMarker, commonest_rate, conform
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


def asked(
    source: TimelineSource,
    start: float | str | Fraction = 2,
    end: float | str | Fraction = 4,
    markers: Sequence[AskedMarker] = (),
    **more: Any,
) -> tuple[AskedClip, TimelineSource]:
    def exact(time: float | str | Fraction) -> Fraction | str:
        return time if isinstance(time, str) else Fraction(str(time))

    return AskedClip(0, exact(start), exact(end), markers=tuple(markers), **more), source


def timeline(
    *clips: tuple[AskedClip, TimelineSource], rate: Fraction | int | None = None, **more: Any
) -> tuple[Timeline, list[TimelineWarning]]:
    """Clips in a row, numbered as a request numbers them."""
    numbered = [
        (
            AskedClip(n, clip.start, clip.end, clip.name, clip.handle, clip.markers),
            source,
        )
        for n, (clip, source) in enumerate(clips)
    ]
    own = Fraction(rate) if rate else commonest_rate(source.media for _, source in numbered)
    made, remarks = conform(numbered, own)
    fields: dict[str, Any] = {"name": "T", "timecode": Timecode(own), "picture": HD, **more}
    return Timeline(clips=made, **fields), remarks


def xmeml_of(made: Timeline, layout: Any = "sequence", style: Any = None) -> Any:
    """The root of the document, which follows all rules."""
    return check_xmeml(write_timeline(made, "xmeml", layout, style)[0])


def fcpxml_of(made: Timeline) -> Any:
    """The root of the document, which follows all rules."""
    return check_fcpxml(write_timeline(made, "fcpxml", "sequence", None)[0])
