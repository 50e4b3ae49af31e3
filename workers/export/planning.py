"""Plan of a clip before it is cut: the method, range and container, and how much room it takes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from shared.errors import MediaError
from shared.exports.clips import ClipCode, ClipSpec
from shared.media import MediaType, media_type_of
from shared.opening import OpenedFile
from shared.process import traces
from shared.timecode import label_parts
from workers.export.formats import (
    FORMS,
    Depth,
    Form,
    PictureCodec,
    depth_of,
    encoded_form,
    own_form,
    pcm_name,
    picture_codec,
    sound_form,
)
from workers.export.output import ClipFailed, takes
from workers.export.reading import is_intra, surroundings
from workers.export.source import ClipSource, open_source
from workers.media.containers import shown_video_streams
from workers.media.media_reader import grab_frame
from workers.media.pictures import Picture

# Clients round to milliseconds and Matroska does: a picture that begins so soon after the start
# is the one that was meant.
_ROUNDING = Fraction(1_001, 1_000_000)
_LATEST = 1e9  # seconds; clocks of containers overflow beyond
_MIDNIGHT = "00:00:00:00"

Method = Literal["copy", "encode"]
_HEADROOM = 1.1
_LEAST_BYTES = 256 * 1024
STILL_RATE = Fraction(25)
_LONGEST_STILL_S = 86_400
_STILL_BYTES_A_PIXEL = 0.5
_SOUND_BYTES_A_S = 48_000 * 4  # of one channel
_CODEC_NAMES = {"h264": "h264", "hevc": "hevc", "prores": "prores", "dnxhr": "dnxhd"}
# What an encoded picture may be held for before its clip begins in the middle of it.
_LONGEST_HOLD = Fraction(3, 2)  # usual frames


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


def _wanted(spec: ClipSpec, source: ClipSource) -> tuple[Fraction, Fraction]:
    """The range that a clip's spec asks for, with handles. Raises ClipFailed (BAD_RANGE)."""
    start = _seconds(spec.start, source, "start_time")
    end = _seconds(spec.end, source, "end_time")
    if end <= start:
        raise ClipFailed(ClipCode.BAD_RANGE, "end_time must be after start_time.")
    handle = _plain_seconds(spec.handle_seconds, "handle_seconds")
    return max(Fraction(0), start - handle), end + handle


def _seconds(given: float | str, source: ClipSource, field: str) -> Fraction:
    if isinstance(given, str):
        return _labelled_seconds(given.strip(), source, field)
    return _plain_seconds(given, field)


def _plain_seconds(given: float | str, field: str) -> Fraction:
    """A time given in seconds. Raises ClipFailed (BAD_RANGE), for any text (a timecode), too."""
    if not isinstance(given, str):
        if not math.isfinite(given) or abs(given) > _LATEST:
            raise ClipFailed(ClipCode.BAD_RANGE, f"{field} is no time: {given:g}.")
        if given >= 0:
            return Fraction(given)
    raise ClipFailed(ClipCode.BAD_RANGE, f'{field} is no time of this file: "{given}".')


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
    frames = number - timecode.first_frame
    if frames < 0:  # labels start again at midnight
        length = length_of(source)
        if length is None or frames + timecode.day > length * timecode.rate + 1:
            begins = source.start_label or _MIDNIGHT
            raise ClipFailed(
                ClipCode.BAD_RANGE,
                f'{field}: "{label}" lies before the beginning of the file at {begins}.',
            )
        frames += timecode.day
    return frames / timecode.rate


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


def _range(start: Fraction, end: Fraction, source: ClipSource) -> Range:
    """The pictures of a range; raises ClipFailed (BAD_RANGE) where it is past the end."""
    if source.video is None:
        return _sound_range(start, end, source)
    slack = min(_ROUNDING, 1 / source.rate / 4)
    if not source.is_timed:
        return _counted_range(start + slack, end - slack, source)
    base = source.video.time_base or Fraction(1, 1000)
    origin = source.video.start_time or 0
    about_start = surroundings(source, origin + math.floor((start + slack) / base))
    first = about_start.before or about_start.after
    if first is None:
        raise ClipFailed(ClipCode.UNREADABLE, "No picture is found at the start of the clip.")
    if about_start.after is None and about_start.end <= about_start.at:
        raise _past_the_end(Fraction(about_start.end - origin) * base)
    about_end = surroundings(source, max(first.pts + 1, origin + math.ceil((end - slack) / base)))
    after = about_end.after
    past = after.pts if after is not None else max(about_end.end, first.pts + 1)
    key = about_start.key_for(first.pts)
    shown_end = (past - origin) * base
    return Range(
        (first.pts - origin) * base,
        shown_end,
        first.pts,
        past,
        key.pts if key is not None else None,
        about_start.is_clean(first),
        after is None or about_end.is_clean(after),
        is_clamped=after is None and end > shown_end + max(1 / source.rate, slack),
    )


def _counted_range(start: Fraction, end: Fraction, source: ClipSource) -> Range:
    """Where times are guesses: picture n is shown at n over the frame rate."""
    rate, length = source.rate, length_of(source)
    assert source.video is not None
    first = math.floor(start * rate)
    past = wanted = max(first + 1, math.ceil(end * rate))
    if frames := source.video.frames or (round(length * rate) if length else None):
        if first >= frames:
            raise _past_the_end(frames / rate)
        past = min(past, frames)
    return Range(first / rate, past / rate, first, past, is_clamped=wanted > past + 1)


def _sound_range(start: Fraction, end: Fraction, source: ClipSource) -> Range:
    length = length_of(source)
    if length is None:
        return Range(start, end, 0, 0)
    if start >= length:
        raise _past_the_end(length)
    return Range(start, min(end, length), 0, 0, is_clamped=end > length + _ROUNDING)


def _past_the_end(length: Fraction) -> ClipFailed:
    return ClipFailed(
        ClipCode.BAD_RANGE, f"start_time lies past the end of the file ({float(length):.3f} s)."
    )


@dataclass(frozen=True, slots=True)
class ClipPlan:
    """What will be cut, in seconds of presented time of the source."""

    spec: ClipSpec
    method: Method
    form: Form
    start: Fraction
    end: Fraction
    estimated_bytes: int
    range: Range
    start_timecode: str | None = None
    end_timecode: str | None = None  # of the first picture that is not in it
    picture: PictureCodec | None = None  # None: copied, or sound alone
    warnings: tuple[str, ...] = ()

    @property
    def extension(self) -> str:
        return self.form.extension


@traces.stage("plan")
def plan(spec: ClipSpec, file: OpenedFile) -> ClipPlan:
    """Reads about both ends of the source. Raises ClipFailed."""
    if media_type_of(spec.media_path) is MediaType.IMAGE:
        return _plan_still(spec, file)
    with open_source(file, spec.audio) as source:
        return _plan(spec, source)


def _plan_still(spec: ClipSpec, file: OpenedFile) -> ClipPlan:
    """One picture that is held for the time that was asked for."""
    if spec.mode == "copy":
        raise ClipFailed(
            ClipCode.NOT_COPYABLE, 'A still cannot be copied as a clip. Use mode "auto".'
        )
    start, end = _plain_seconds(spec.start, "start_time"), _plain_seconds(spec.end, "end_time")
    if end <= start:
        raise ClipFailed(
            ClipCode.BAD_RANGE,
            "A still has no length of its own: give an end_time that is after start_time.",
        )
    if end - start > _LONGEST_STILL_S:
        raise ClipFailed(ClipCode.BAD_RANGE, "A still is held for a day at the most.")
    frames = max(1, round((end - start) * STILL_RATE))
    codec = picture_codec(spec.codec, spec.quality, Depth())
    form = encoded_form(None, spec.container, codec)
    still = still_of(file)
    room = int(still.width * still.height * _STILL_BYTES_A_PIXEL * (1 + frames / 25)) + _LEAST_BYTES
    end = start + frames / STILL_RATE
    found, warnings = Range(start, end, 0, frames), _other_form(spec, form)
    return ClipPlan(spec, "encode", form, start, end, room, found, picture=codec, warnings=warnings)


def still_of(file: OpenedFile) -> Picture:
    """The picture of a still, good while the file is open. Raises ClipFailed."""
    try:
        return grab_frame(file, MediaType.IMAGE, 0)
    except MediaError as error:
        raise ClipFailed(ClipCode.UNREADABLE, error.message) from error


def _plan(spec: ClipSpec, source: ClipSource) -> ClipPlan:
    wanted = _wanted(spec, source)
    found = _range(*wanted, source)
    own = own_form(source.container, spec.media_path, source.video is not None)
    method, form = _method(spec, source, found, own)
    start, end, picture = found.start, found.end, None
    if method == "copy":
        if not form.has_edit_list and found.key is not None:
            start = source.presented(found.key)
    elif source.video is None:
        form = sound_form(source.sounds, own, spec.container)
    else:
        depth = depth_of(source.video.codec_context.format)
        picture = picture_codec(spec.codec, spec.quality, depth)
        form = encoded_form(own, spec.container, picture)
        # A clip need not hold all of a long picture of a VFR file.
        longest = _LONGEST_HOLD / source.rate
        start = wanted[0] if wanted[0] - start > longest else start
        end = max(wanted[1] if end - wanted[1] > longest else end, start + Fraction(1, 1000))
    planned = ClipPlan(spec, method, form, start, end, 0, found, picture=picture)
    timecode, rate = source.clip_timecode, source.rate
    return replace(
        planned,
        estimated_bytes=_estimate(planned, source),
        start_timecode=timecode.label(round(start * rate)) if timecode else None,
        end_timecode=timecode.label(round(end * rate)) if timecode else None,
        warnings=tuple(_warnings(planned, source)),
    )


def _warnings(planned: ClipPlan, source: ClipSource) -> Iterator[str]:
    found = planned.range
    if found.is_clamped:
        end = f"{float(found.end):.3f} s"
        yield f"end_time lies past the end of the file; the clip ends at {end}."
    if planned.method == "copy" and not planned.form.has_edit_list:
        if planned.start < found.start:
            yield (
                "This container cannot hide what comes before the in-point: the clip begins at "
                f"the key frame {float(found.start - planned.start):.3f} s before it."
            )
        if not all(pcm_name(sound) for sound in source.sounds):
            yield (
                "This container cannot hide a part of a packet of sound: the sound begins with "
                "the first whole one, up to 0.05 s late."
            )
    if planned.picture is not None:
        yield from planned.picture.warnings
    streams = source.container.streams
    others = [s for s in streams if s.type == "data" and "timecode" not in s.metadata]
    if others or any(s.type == "subtitle" for s in streams):
        yield "Subtitle and data tracks are not carried into clips."
    if source.unknown_sounds:
        yield "A sound track cannot be read and is left out."
    if len(shown_video_streams(source.container)) > 1:
        yield "Only the main one of its video tracks is exported."
    yield from _other_form(planned.spec, planned.form)


def _method(
    spec: ClipSpec, source: ClipSource, found: Range, own: Form | None
) -> tuple[Method, Form]:
    """The method and form of a clip. Raises ClipFailed (NOT_COPYABLE) where "copy" cannot be."""
    asked = FORMS.get(spec.container or "", own)
    why = _why_not_copyable(spec, source, found, own, asked)
    form = asked or own or FORMS["mp4"]
    if spec.mode == "copy":
        if why:
            raise ClipFailed(ClipCode.NOT_COPYABLE, f'{why} Use mode "auto" or "encode".')
        return "copy", form
    if spec.mode == "encode" or why or spec.quality is not None:
        return "encode", form
    if source.video is None:
        exact = all(pcm_name(sound) for sound in source.sounds)
    else:
        exact = found.starts_clean and found.ends_clean and _is_codec(spec, source)
    exact = exact and takes(form, [*([source.video] if source.video else []), *source.sounds])
    return ("copy" if exact else "encode"), form


def _is_codec(spec: ClipSpec, source: ClipSource) -> bool:
    assert source.video is not None
    return spec.codec is None or _CODEC_NAMES[spec.codec] == source.video.codec.canonical_name


def _why_not_copyable(
    spec: ClipSpec, source: ClipSource, found: Range, own: Form | None, asked: Form | None
) -> str:
    if own is None or asked is None:
        return "This container can be read but not written here."
    if asked.family != own.family or (own.family == "sound" and asked != own):
        return f"A copy stays in the source's family of containers, not {asked.extension}."
    if source.video is not None and asked != own and asked.extension in ("m4a", "mka"):
        return f"{asked.extension} is for sound alone."
    if spec.mode == "copy" and source.video is not None and not _is_codec(spec, source):
        return "A copy keeps the source's codec."
    if source.video is not None and (not source.is_timed or found.key is None):
        return "Its packets do not say when they are shown."
    if own.family == "mxf" and source.video is not None and not is_intra(source.video):
        return "MXF whose pictures refer to others cannot be cut without encoding."
    return ""


def _other_form(spec: ClipSpec, form: Form) -> tuple[str, ...]:
    if spec.container in (None, form.extension):
        return ()
    return (f"The clip was written as {form.extension}: {spec.container} cannot hold it.",)


def _estimate(planned: ClipPlan, source: ClipSource) -> int:
    seconds = planned.end - planned.start
    if planned.method == "copy":
        start = planned.start
        if planned.range.key is not None:
            start = min(start, source.presented(planned.range.key))
        length = length_of(source) or planned.end
        share = min(Fraction(1), (planned.end - start) / length) if length else Fraction(1)
        return int(source.size * share * Fraction(_HEADROOM)) + _LEAST_BYTES
    sound = sum(s.channels for s in source.sounds) * _SOUND_BYTES_A_S
    picture = 0.0
    if source.video is not None and planned.picture is not None:
        pixels = source.video.width * source.video.height
        picture = pixels * float(source.rate) * planned.picture.bits_per_pixel / 8
    return int(float(seconds) * (picture + sound) * _HEADROOM) + _LEAST_BYTES
