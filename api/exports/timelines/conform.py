"""From asked ranges in seconds or timecode to whole frames of one rate, without gaps."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from api.exports.timelines.bodies import TimelineClipBody
from api.exports.timelines.model import Clip, Code, Marker, Media, TimelineWarning, rounded
from api.exports.timelines.sources import TimelineSource, clean_name
from api.http.times import clock_seconds
from shared.errors import BadInput
from shared.exports.clips import STILL_S
from shared.timecode import FASTEST, Timecode, label_parts, nearest_rate, rate_words

_LATEST = 999 * 3600 + 3600
DEFAULT_RATE = Fraction(25)  # of sound and stills alone

SourceTime = Fraction | str  # exact seconds, or a timecode of the source


@dataclass(frozen=True, slots=True)
class AskedClip:
    """A range as a request names it, with its index there and its file."""

    index: int
    body: TimelineClipBody
    source: TimelineSource


def source_time(value: float | str, field: str) -> SourceTime:
    """A time in a request: seconds (to the microsecond), HH:MM:SS(.mmm), or source timecode."""
    if isinstance(value, str):
        if label_parts(value):
            return value
        seconds = clock_seconds(value)
        if seconds is None:
            raise BadInput(
                f"{field} must be seconds, HH:MM:SS[.mmm], or timecode of the source "
                f"(HH:MM:SS:FF, HH:MM:SS;FF), not {value!r}."
            )
        return seconds
    return exact_seconds(value, field)


def exact_seconds(value: float, field: str) -> Fraction:
    """A number of seconds, to the microsecond. Raises BadInput."""
    if isinstance(value, bool) or not math.isfinite(value) or not 0 <= value <= _LATEST:
        raise BadInput(f"{field} must be a number of seconds from 0 to {_LATEST}, not {value!r}.")
    return Fraction(rounded(Fraction(str(value)) * 1_000_000), 1_000_000)


def commonest_rate(medias: Iterable[Media]) -> Fraction:
    """The frame rate of most sources, the first of equally common ones; 25 without pictures."""
    rates = Counter(media.rate for media in medias if media.rate is not None)
    if not rates:
        return DEFAULT_RATE
    return min(nearest_rate(rates.most_common(1)[0][0]), Fraction(FASTEST))


def conform(
    asked: Sequence[AskedClip], rate: Fraction
) -> tuple[tuple[Clip, ...], list[TimelineWarning]]:
    """Return clips one after the other; one whose media has no such range is a remark alone."""
    clips: list[Clip] = []
    remarks: list[TimelineWarning] = []
    for one in asked:
        start = clips[-1].end if clips else 0
        try:
            clip, said = _conformed(one, rate, start)
        except BadInput as error:
            remarks.append(TimelineWarning(one.index, Code.BAD_RANGE, error.message))
        else:
            clips.append(clip)
            remarks += said
    # Stills, and files of unknown length, are as long as the longest use of them.
    longest: dict[str, int] = {}
    for clip in clips:
        longest[clip.media.path] = max(clip.media_frames, longest.get(clip.media.path, 0))
    return tuple(replace(clip, media_frames=longest[clip.media.path]) for clip in clips), remarks


def _conformed(asked: AskedClip, rate: Fraction, at: int) -> tuple[Clip, list[TimelineWarning]]:
    index, body, (media, said_of_it) = asked.index, asked.body, asked.source
    remarks = [TimelineWarning(index, code, f"{media.name}: {text}") for code, text in said_of_it]
    begin, end, said = _range(asked, media, rate)
    remarks += said
    if media.rate is not None and media.rate != rate:
        message = (
            f"{media.name} runs at {rate_words(media.rate)} frames a second, the timeline at "
            f"{rate_words(rate)}: its cuts are rounded to the timeline's frames."
        )
        remarks.append(TimelineWarning(index, Code.RATE_CONFORMED, message))
    first, out, media_frames = _frames(media, begin, end, rate)
    name = clean_name(body.name) if body.name is not None else media.name
    if body.name is not None and name != body.name:
        remarks.append(_cleaned(asked, "name"))
    markers, outside = _markers(asked, media, begin, end)
    clip = Clip(
        index=index,
        media=media,
        name=name or media.name,
        start=at,
        first=first,
        length=out - first,
        media_frames=media_frames,
        source_start=_on_a_picture(media, begin, (out - first) / rate),
        markers=markers,
    )
    return clip, remarks + outside


def _range(
    asked: AskedClip, media: Media, rate: Fraction
) -> tuple[Fraction, Fraction, list[TimelineWarning]]:
    """Begin and end in seconds of the media, with handles, within it."""
    field = f"clips[{asked.index}]"
    begin = _not_before(asked.body.start_time, media, f"{field}.start_time")
    end = _not_before(asked.body.end_time, media, f"{field}.end_time")
    handle = exact_seconds(asked.body.handle_seconds, f"{field}.handle_seconds")
    if media.is_still and begin == end:
        end += Fraction(STILL_S)
    if end <= begin:
        order = f"{_clock(end)} is not after {_clock(begin)}"
        raise BadInput(f"{field}.end_time must be after start_time: {order}.")
    if media.is_still:
        return Fraction(0), end - begin + 2 * handle, []
    whole = media.seconds
    if whole is not None and begin >= whole:
        late = f"{_clock(begin)}, but {media.name} ends at {_clock(whole)}"
        raise BadInput(f"{field}.start_time is {late}.")
    remarks = []
    if whole is not None and end > whole:
        if rounded(end * rate) > rounded(whole * rate):
            message = (
                f"{field}.end_time is {_clock(end)}, but {media.name} ends at "
                f"{_clock(whole)}: the clip ends there."
            )
            remarks.append(TimelineWarning(asked.index, Code.CLAMPED_OUT, message))
        end = whole
    wide_begin, wide_end = begin - handle, end + handle
    begin = max(Fraction(0), wide_begin)
    end = wide_end if whole is None else min(whole, wide_end)
    if (begin, end) != (wide_begin, wide_end):
        message = (
            f"{field}: {media.name} has no {float(handle):.5g} s beyond the range on "
            "both sides; the handle is shorter."
        )
        remarks.append(TimelineWarning(asked.index, Code.CLAMPED_HANDLE, message))
    return begin, end, remarks


def _frames(media: Media, begin: Fraction, end: Fraction, rate: Fraction) -> tuple[int, int, int]:
    """First frame, the one after the last, and the number of all, in the timeline's rate."""
    first, out = rounded(begin * rate), rounded(end * rate)
    if media.seconds is None:
        out = max(out, first + 1)
        return first, out, out
    # Rounded down: a clip that ends behind its media is offline in Final Cut.
    frames = max(1, int(media.seconds * rate))
    first = min(first, frames - 1)
    return first, max(first + 1, min(out, frames)), frames


def _on_a_picture(media: Media, begin: Fraction, length: Fraction) -> Fraction:
    """The time of the source's picture nearest to `begin` from which `length` can be shown."""
    if media.rate is None:
        latest = begin if media.seconds is None else media.seconds - length
        return max(Fraction(0), min(begin, latest))
    picture = rounded(begin * media.rate)
    if media.seconds is not None:
        picture = min(picture, math.floor((media.seconds - length) * media.rate))
    return max(0, picture) / media.rate


def _markers(
    asked: AskedClip, media: Media, begin: Fraction, end: Fraction
) -> tuple[tuple[Marker, ...], list[TimelineWarning]]:
    """Markers in the range; a still has a time of its own for each clip."""
    found: list[Marker] = []
    remarks: list[TimelineWarning] = []
    body, base = asked.body, Fraction(0)
    if media.is_still:
        handle = exact_seconds(body.handle_seconds, "handle_seconds")
        base = _seconds(body.start_time, media, "start_time") - handle
    for number, marker in enumerate(body.markers):
        field = f"clips[{asked.index}].markers[{number}]"
        seconds = _seconds(marker.time, media, f"{field}.time") - base
        if begin <= seconds < end:
            name, comment = clean_name(marker.name), clean_name(marker.comment)
            length = exact_seconds(marker.duration or 0, f"{field}.duration")
            found.append(Marker(seconds, name, comment, min(length, end - seconds) or None))
            if name != marker.name or comment != marker.comment:
                remarks.append(_cleaned(asked, f"markers[{number}]"))
        else:
            message = f"{field}.time lies outside the clip; the marker was left out."
            remarks.append(TimelineWarning(asked.index, Code.MARKER_OUTSIDE, message))
    return tuple(found), remarks


def _cleaned(asked: AskedClip, field: str) -> TimelineWarning:
    message = (
        f"clips[{asked.index}].{field} holds characters that no timeline can hold; they were left "
        "out."
    )
    return TimelineWarning(asked.index, Code.NAME_CLEANED, message)


def _not_before(time: float | str, media: Media, field: str) -> Fraction:
    seconds = _seconds(time, media, field)
    if seconds < 0 and media.timecode is not None:
        begins = media.timecode.label()
        raise BadInput(f"{field}: {time} lies before {media.name}, which begins at {begins}.")
    return seconds


def _seconds(given: float | str, media: Media, field: str) -> Fraction:
    """Seconds since the first picture; negative for a timecode before it.

    Raises BadInput for a timecode that cannot be there.
    """
    time = source_time(given, field)
    if isinstance(time, Fraction):
        return time
    if media.is_still:
        raise BadInput(f"{field} is a timecode, but {media.name} is a still: give seconds.")
    own = media.timecode
    if own is not None:
        if ";" in time and not own.drop_frame:
            raise BadInput(
                f"{field} is drop-frame, but the timecode of {media.name} is not: write a colon "
                "before the frames."
            )
        if own.drop_frame:
            time = time[:8] + ";" + time[9:]
        asked = Timecode.starting_at(own.rate, time, field)
        seconds = (asked.first_frame - own.first_frame) / own.rate
        if seconds >= 0:
            return seconds
        past_midnight = seconds + own.day / own.rate  # of a file that runs so long, or nearly
        is_nearer = past_midnight - (media.seconds or 0) < -seconds
        return past_midnight if is_nearer else seconds
    if media.rate is None:
        raise BadInput(
            f"{field} is a timecode, but {media.name} has none and no frame rate: give seconds."
        )
    return Timecode.starting_at(media.rate, time, field).first_frame / media.rate


def _clock(seconds: Fraction) -> str:
    """A time in seconds as people read it; not for arithmetic."""
    return f"{float(seconds):.3f} s"
