"""The range of a clip: which part of a source it is, in exact time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from shared.exports.clips import ClipCode, ClipSpec
from shared.timecode import Timecode, label_parts
from workers.export.output import ClipFailed
from workers.export.pictures.keyframes import surroundings
from workers.export.source import ClipSource

# Clients round to milliseconds and Matroska does: a picture that begins so soon after the start
# is the one that was meant.
_ROUNDING = Fraction(1_001, 1_000_000)
_LATEST = 1e9  # seconds; clocks of containers overflow beyond
_MIDNIGHT = "00:00:00:00"


@dataclass(frozen=True, slots=True)
class AskedRange:
    """A range in seconds of presented time, as asked for, with handles."""

    start: Fraction
    end: Fraction


@dataclass(frozen=True, slots=True)
class Range:
    """A half-open range, snapped to pictures. Time stamps in units of the video stream."""

    start: Fraction  # presented seconds
    end: Fraction
    first: int  # time stamp of the in-frame; the number of a picture where times are guessed
    past: int  # time stamp of the first picture that is not in it
    key: int | None = None  # time stamp of the key frame that `first` is decoded from
    starts_clean: bool = False
    ends_clean: bool = False
    is_clamped: bool = False


def wanted_of(spec: ClipSpec, source: ClipSource) -> AskedRange:
    """The range that a clip's spec asks for. Raises ClipFailed (BAD_RANGE)."""
    start = _seconds(spec.start, source, "start_time")
    end = _seconds(spec.end, source, "end_time")
    if end <= start:
        raise ClipFailed(ClipCode.BAD_RANGE, "end_time must be after start_time.")
    handle = plain_seconds(spec.handle_seconds, "handle_seconds")
    return AskedRange(max(Fraction(0), start - handle), end + handle)


def _seconds(given: float | str, source: ClipSource, field: str) -> Fraction:
    if isinstance(given, str):
        return _labelled_seconds(given.strip(), source, field)
    return plain_seconds(given, field)


def plain_seconds(given: float | str, field: str) -> Fraction:
    """A time given in seconds. Raises ClipFailed (BAD_RANGE), for any text (a timecode), too."""
    if not isinstance(given, str):
        seconds = _finite(given, field)
        if seconds >= 0:
            return seconds
    raise ClipFailed(ClipCode.BAD_RANGE, f'{field} is no time of this file: "{given}".')


def _finite(seconds: float, field: str) -> Fraction:
    if not math.isfinite(seconds) or abs(seconds) > _LATEST:
        raise ClipFailed(ClipCode.BAD_RANGE, f"{field} is no time: {seconds:g}.")
    return Fraction(seconds)


def _labelled_seconds(label: str, source: ClipSource, field: str) -> Fraction:
    timecode = source.timecode
    if not label_parts(label) or timecode is None:
        raise ClipFailed(ClipCode.BAD_RANGE, f'{field} is no time of this file: "{label}".')
    number = timecode.number(label)
    if number is None:
        raise ClipFailed(
            ClipCode.BAD_RANGE,
            f'{field}: "{label}" has more frames than the {timecode.nominal} of a second here.',
        )
    frames = _offset(number - timecode.first_frame, timecode, source, f'{field}: "{label}"')
    return frames / timecode.rate


def _offset(frames: int, timecode: Timecode, source: ClipSource, what: str) -> int:
    """Labels after the first one; they start again at midnight."""
    if frames >= 0:
        return frames
    length = length_of(source)
    if length is not None and frames + timecode.day <= length * timecode.rate + 1:
        return frames + timecode.day
    raise ClipFailed(
        ClipCode.BAD_RANGE,
        f"{what} lies before the beginning of the file at {source.start_label or _MIDNIGHT}.",
    )


def length_of(source: ClipSource) -> Fraction | None:
    """Seconds, by what the container says."""
    stream = source.video or source.sounds[0]
    if stream.duration and stream.time_base:
        return stream.duration * stream.time_base
    if source.container.duration:
        seconds = Fraction(source.container.duration, 1_000_000)
        if "matroska" in source.container.format.name:
            seconds -= source.origin
        return seconds
    return None


def _rounding(source: ClipSource) -> Fraction:
    return min(_ROUNDING, 1 / source.rate / 4)


def range_of(wanted: AskedRange, source: ClipSource) -> Range:
    """The pictures of a range; raises ClipFailed (BAD_RANGE) where it is past the end."""
    if source.video is None:
        return _sound_range(wanted, source)
    if not source.is_timed:
        return _counted_range(wanted, source)
    base = source.video.time_base or Fraction(1, 1000)
    origin = source.video.start_time or 0
    slack = _rounding(source)
    about_start = surroundings(source, origin + math.floor((wanted.start + slack) / base))
    first = about_start.before or about_start.after
    if first is None:
        raise ClipFailed(ClipCode.UNREADABLE, "No picture is found at the start of the clip.")
    if about_start.after is None and about_start.end <= about_start.at:
        raise _past_the_end(Fraction(about_start.end - origin) * base)
    about_end = surroundings(
        source, max(first.pts + 1, origin + math.ceil((wanted.end - slack) / base))
    )
    after = about_end.after
    past = after.pts if after is not None else max(about_end.end, first.pts + 1)
    key = about_start.key_for(first.pts)
    end = (past - origin) * base
    return Range(
        (first.pts - origin) * base,
        end,
        first.pts,
        past,
        key.pts if key is not None else None,
        about_start.is_clean(first),
        after is None or about_end.is_clean(after),
        is_clamped=after is None and wanted.end > end + max(1 / source.rate, slack),
    )


def _counted_range(wanted: AskedRange, source: ClipSource) -> Range:
    """Where times are guesses: picture n is shown at n over the frame rate."""
    rate, slack = source.rate, _rounding(source)
    assert source.video is not None
    length = length_of(source)
    frames = source.video.frames or (round(length * rate) if length else None)
    first = math.floor((wanted.start + slack) * rate)
    past = max(first + 1, math.ceil((wanted.end - slack) * rate))
    if frames is not None:
        if first >= frames:
            raise _past_the_end(frames / rate)
        clamped = past > frames + 1
        past = min(past, frames)
        return Range(first / rate, past / rate, first, past, is_clamped=clamped)
    return Range(first / rate, past / rate, first, past)


def _sound_range(wanted: AskedRange, source: ClipSource) -> Range:
    length = length_of(source)
    if length is None:
        return Range(wanted.start, wanted.end, 0, 0)
    if wanted.start >= length:
        raise _past_the_end(length)
    end = min(wanted.end, length)
    return Range(wanted.start, end, 0, 0, is_clamped=wanted.end > length + _ROUNDING)


def _past_the_end(length: Fraction) -> ClipFailed:
    return ClipFailed(
        ClipCode.BAD_RANGE, f"start_time lies past the end of the file ({float(length):.3f} s)."
    )
