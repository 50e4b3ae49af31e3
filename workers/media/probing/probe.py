"""What a media file says about itself, without decoding more than its first picture."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import PurePath
from typing import Any

import av.error
import msgspec
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from shared.domain import Probe
from shared.errors import MediaUnreadable, MediaUnsupported
from shared.media import MediaType
from shared.media_facts import StartTimecode
from shared.opening import OpenedFile
from shared.timecode import Timecode, label_of_tag, nominal_rate
from workers.media.containers import (
    duration_of,
    first_picture,
    only,
    open_container,
    packets_of,
    reading_errors,
    shown_video_streams,
    video_stream,
)
from workers.media.frames import display_size, upright_rotation
from workers.media.probing.stream_facts import (
    WaveTimecode,
    audio_facts,
    color_of,
    scan_of,
    track_rate,
    video_facts,
    wave_timecode,
)
from workers.media.stills import StillPicture, open_still

_REEL = ("reel_name", "com.apple.proapps.reel", "reel", "tape")
_MAKE = ("com.apple.quicktime.make", "com.android.manufacturer", "make")
_MODEL = ("com.apple.quicktime.model", "com.android.model", "model")
_CREATED = ("com.apple.quicktime.creationdate", "creation_time", "date")
_DATE = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d[:-]\d\d[:-]\d\d(?:\.\d+)?)\s*(Z|UTC|[+-]\d\d:?\d\d)?)?"
)
_CLOCK = re.compile(r"(\d\d)[:-](\d\d)[:-](\d\d)")
_NO_YEARS = ("0000", "1601", "1904", "1970")  # where the clocks of containers begin

Tags = Mapping[str, str]

_SAMPLE_S = 10  # the pace is judged by so much
_SAMPLE_BYTES = 16 << 20  # … or by this, of pictures of many megabytes
_COUNT_BYTES = 32 << 20  # files up to this size are read to their end
_INDEX_ENTRIES = 50_000  # of a longer index only the beginning is judged
_REORDERED = 16  # the last pictures that were read may lack neighbours that come later

_USUAL_RATES = tuple(
    Fraction(n, d)
    for n, d in (
        (24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48000, 1001), (48, 1), (50, 1),
        (60000, 1001), (60, 1), (100, 1), (120000, 1001), (120, 1), (15, 1), (25, 2), (10, 1),
    )
)  # fmt: skip
_SNAP = Fraction(4, 10_000)  # 23.976 and 24 differ by ten times that


def probe(file: OpenedFile, media_type: MediaType) -> Probe:
    """Everything a file tells; raises MediaUnreadable."""
    if media_type is MediaType.IMAGE and not is_film_still(file.path):
        return probe_still(open_still(file))
    container = open_container(file)
    with closing(container), reading_errors():
        stream = video_stream(container)
        packets: Sequence[Packet[VideoStream]] = ()
        picture = None
        if stream is not None:
            only(container, stream)
            packets, picture = first_picture(container, stream)
        found = probe_container(container, stream, picture, media_type)
        found = with_stated_timecode(found, file, container)
        if stream is None or media_type is MediaType.IMAGE:
            return found
        return with_pace(found, stream, pace_of(container, stream, packets))


def with_stated_timecode(found: Probe, file: OpenedFile, container: InputContainer) -> Probe:
    """The rate that a timecode track states; the timecode of a broadcast wave."""
    rate = Fraction(found.fps_rational) if found.fps_rational else None
    if found.container in ("mov", "mp4") and found.start_timecode:
        written = written_timecode(container, None)
        timecode = start_timecode(written, rate, track_rate(file))
        return msgspec.structs.replace(found, timecode=timecode or found.timecode)
    samples = container.metadata.get("time_reference", "")
    if not samples.isdecimal():
        return found
    found = msgspec.structs.replace(found, time_reference=int(samples))
    stated = wave_timecode(file) if found.container == "wav" else None
    if found.timecode or not stated or not found.audio_streams:
        return found
    return _with_wave_timecode(found, stated)


def with_pace(found: Probe, stream: VideoStream, pace: Pace) -> Probe:
    """Whether the pictures come evenly, and how many were counted."""
    stated = stream.frames or _edit_units(found, stream)
    expected = found.frame_count or 0
    fields = found.scan != "progressive" and pace.count and 0 < expected < 0.75 * pace.count
    counted = None if fields else pace.count  # some streams hold each field by itself
    count = (counted or stated) if stream.frames else (stated or counted)
    return msgspec.structs.replace(
        found,
        is_vfr=pace.is_vfr,
        frame_count=count or found.frame_count,
        frame_count_is_estimated=not count and found.frame_count is not None,
    )


def _edit_units(found: Probe, stream: VideoStream) -> int | None:
    """MXF states its length in pictures."""
    base, rate = stream.time_base, found.fps_rational
    if found.container != "mxf" or not base or not rate or not stream.duration:
        return None
    return stream.duration if 1 / base == Fraction(rate) else None


def _with_wave_timecode(found: Probe, stated: WaveTimecode) -> Probe:
    sample_rate = found.audio_streams[0].sample_rate
    if not sample_rate or found.time_reference is None:
        return found
    # Recorders state 30 DF as well as 29.97 DF; other rates have none.
    drop_frame = stated.drop_frame and nominal_rate(stated.rate) % 30 == 0
    frame = found.time_reference * stated.rate // sample_rate
    value = Timecode(stated.rate, drop_frame).label(frame)
    timecode = StartTimecode(
        value=value,
        rate=f"{stated.rate.numerator}/{stated.rate.denominator}",
        drop_frame=drop_frame,
        source="bwf",
        rate_source="bwf",
    )
    return msgspec.structs.replace(found, timecode=timecode, start_timecode=value)


def is_film_still(path: str) -> bool:
    """Stills that the video decoder reads: DPX and EXR."""
    return PurePath(path).suffix.lower() in (".dpx", ".exr")


def probe_still(still: StillPicture) -> Probe:
    return Probe(
        media_type=MediaType.IMAGE,
        width=still.stored_width,
        height=still.stored_height,
        display_width=still.width,
        display_height=still.height,
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
    heard = audio if audio is not None and audio.codec_context is not None else None
    if stream is None and heard is None:
        raise MediaUnsupported("Its audio codec is not known to the decoder here.")
    seconds = duration_of(container, stream)
    sound: dict[str, Any] = {
        "has_audio": audio is not None,
        "audio_codec": heard.codec.canonical_name if heard is not None else None,
        "audio_channels": heard.channels if heard is not None else None,
    }
    tags = [container.metadata, *(s.metadata for s in container.streams)]
    known = [s for s in shown_video_streams(container) if s.codec_context is not None]
    seen = _picture_fields(stream, picture, seconds) if stream is not None else {}
    written = written_timecode(container, picture)
    rate = frame_rate(stream) if stream is not None and media_type is not MediaType.IMAGE else None
    return Probe(
        media_type=media_type,
        duration_seconds=round(seconds, 6) if seconds is not None else None,
        start_timecode=written[0] if written else None,
        timecode=start_timecode(written, rate),
        container=_container_name(container),
        video_streams=tuple(map(video_facts, known)),
        audio_streams=audio_facts(container),
        reel=_first(tags, _REEL),
        camera=camera_of(tags),
        created_at=created_at(tags),
        bit_rate=container.bit_rate or None,
        **sound,
        **seen,
    )


def _picture_fields(
    stream: VideoStream, picture: VideoFrame | None, seconds: float | None
) -> dict[str, Any]:
    rate = frame_rate(stream)
    aspect = stream.sample_aspect_ratio or Fraction(1)
    estimate = round(seconds * (stream.average_rate or rate)) if seconds and rate else None
    width = picture.width if picture is not None else stream.width
    height = picture.height if picture is not None else stream.height
    rotation = upright_rotation(picture) if picture is not None else None
    wide, high = None, None  # unknown where nothing decodes
    if rotation is not None and width and height:
        wide, high = display_size(width, height, aspect, rotation)
    return {
        "fps": round(float(rate), 6) if rate else None,
        "fps_rational": f"{rate.numerator}/{rate.denominator}" if rate else None,
        "frame_count": stream.frames or estimate,
        "frame_count_is_estimated": not stream.frames and estimate is not None,
        "width": width,
        "height": height,
        "rotation": rotation,
        "pixel_aspect": f"{aspect.numerator}/{aspect.denominator}",
        "video_codec": stream.codec.canonical_name,
        "scan": scan_of(stream, picture),
        "color": color_of(stream, picture),
        "display_width": wide,
        "display_height": high,
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


def _container_name(container: InputContainer) -> str:
    """One word; the decoder lists all names of a family."""
    names = container.format.name.split(",")
    brand = container.metadata.get("major_brand", "").strip()
    if "mov" in names:
        return "mov" if brand in ("qt", "") else "mp4"
    return "matroska" if "matroska" in names else names[0]


def written_timecode(
    container: InputContainer, picture: VideoFrame | None
) -> tuple[str, str] | None:
    """The first that is found, and its source: a track, the container, the first picture."""
    for source, text in _places(container, picture):
        if value := label_of_tag(text):
            return value, source
    return None


def start_timecode(
    written: tuple[str, str] | None, rate: Fraction | None, stated: Fraction | None = None
) -> StartTimecode | None:
    """The written timecode, with the rate stated for it, else with that of the pictures."""
    counted = stated or rate
    if written is None or counted is None:
        return None
    return StartTimecode(
        value=written[0],
        rate=f"{counted.numerator}/{counted.denominator}",
        drop_frame=";" in written[0],
        source=written[1],
        rate_source="track" if stated else "derived",
    )


def _places(container: InputContainer, picture: VideoFrame | None) -> Iterator[tuple[str, str]]:
    for kind in ("video", "data"):
        for stream in container.streams:
            if stream.type == kind:
                yield "track", stream.metadata.get("timecode", "")
    yield "container", container.metadata.get("timecode", "")
    for stream in container.streams.audio:
        yield "track", stream.metadata.get("timecode", "")
    if picture is not None:
        yield "picture", picture.metadata.get("timecode", "")


@dataclass(frozen=True, slots=True)
class Pace:
    """`is_vfr` is None where too few pictures were seen, `count` where not all were."""

    is_vfr: bool | None
    count: int | None


def pace_of(
    container: InputContainer,
    stream: VideoStream,
    begun: Sequence[Packet[VideoStream]],
) -> Pace:
    """How evenly the pictures of a stream follow each other; nothing is decoded.

    By the container's index where it lists every picture, else by packets: the first seconds for
    the pace, all of a small file for the count. `begun`: packets that were already read.
    """
    names = container.format.name.split(",")
    entries = stream.index_entries
    if "mov" in names and len(entries) and len(entries) == stream.frames:
        begin = islice(entries, _INDEX_ENTRIES)
        shown = [entry.timestamp for entry in begin if not entry.is_discard]
        whole = len(entries) <= _INDEX_ENTRIES
        return Pace(_is_uneven(shown), len(shown) if whole else None)
    reads_all = 0 < container.size <= _COUNT_BYTES
    stamps: list[int] = []
    count = read = 0
    ended = False
    try:
        for packet in _packets(container, stream, begun):
            if not packet.size:
                continue
            count += 1
            read += packet.size
            if packet.pts is not None:
                stamps.append(packet.pts)
            if not reads_all and (read > _SAMPLE_BYTES or _span_s(stamps, stream) > _SAMPLE_S):
                break
        else:
            ended = True
    except av.error.FFmpegError:
        pass  # what was read until here is what is known
    stamps.sort()
    seen = stamps if ended else stamps[:-_REORDERED]
    return Pace(_is_uneven(seen), count if ended else None)


def _packets(
    container: InputContainer, stream: VideoStream, begun: Sequence[Packet[VideoStream]]
) -> Iterable[Packet[VideoStream]]:
    yield from begun
    if not begun or begun[-1].size:  # else the end of the file was reached already
        yield from packets_of(container, stream)


def _span_s(stamps: Sequence[int], stream: VideoStream) -> Fraction:
    if len(stamps) < 2:
        return Fraction(0)
    return (stamps[-1] - stamps[0]) * (stream.time_base or Fraction(0))


def _is_uneven(stamps: Sequence[int]) -> bool | None:
    """Whether neighbours are apart by different lengths.

    Even pictures, rounded to the clock of the stream, differ by one unit of it at the most.
    """
    if len(stamps) < 3:
        return None
    lengths = [after - before for before, after in pairwise(stamps)]
    return max(lengths) - min(lengths) > 1


def camera_of(places: Iterable[Tags]) -> str | None:
    """Make and model, the make not twice."""
    places = [*places]
    make, model = _first(places, _MAKE), _first(places, _MODEL)
    if make and model and not model.casefold().startswith(make.casefold()):
        return f"{make} {model}"
    return model or make


def created_at(places: Iterable[Tags]) -> str | None:
    """ISO 8601; without a zone where the file states none. A clock that was never set is None."""
    places = [*places]
    for key in _CREATED:
        if moment := iso(_first(places, (key,)) or ""):
            return moment if "T" in moment else _with_clock(moment, places)
    return None


def _with_clock(day: str, places: Iterable[Tags]) -> str:
    """Broadcast wave states day and time of day in two places."""
    clock = _CLOCK.fullmatch(_first(places, ("creation_time",)) or "")
    return f"{day}T{':'.join(clock.groups())}" if clock else day


def iso(text: str) -> str | None:
    """A date as files write it, in ISO 8601."""
    found = _DATE.fullmatch(text.removeprefix("UTC ").strip())
    if not found or found[1][:4] in _NO_YEARS:
        return None
    day, clock, zone = found.groups()
    if clock is None:
        return day
    return f"{day}T{clock.replace('-', ':')}{'Z' if zone == 'UTC' else zone or ''}"


def _first(places: Iterable[Tags], keys: Iterable[str]) -> str | None:
    found = [place for place in places if place]
    for key in keys:
        for place in found:
            for name in (key, key.upper()):
                if text := place.get(name, "").strip():
                    return text
    return None
