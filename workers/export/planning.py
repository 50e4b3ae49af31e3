"""Plan of a clip before it is cut: the method, range and container, and how much room it takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from shared.exports.clips import ClipCode, ClipSpec
from shared.media import MediaType, media_type_of
from shared.opening import OpenedFile
from shared.process import traces
from workers.export.formats import (
    FORMS,
    Form,
    PictureCodec,
    depth_of,
    encoded_form,
    own_form,
    picture_codec,
)
from workers.export.output import ClipFailed, takes
from workers.export.pictures.keyframes import is_intra
from workers.export.pictures.stills import plan_still
from workers.export.range import Range, length_of, range_of, wanted_of
from workers.export.sound.codecs import pcm_name, sound_form
from workers.export.source import ClipSource, open_source
from workers.media.containers import shown_video_streams

Method = Literal["copy", "encode"]
_HEADROOM = 1.1
_LEAST_BYTES = 256 * 1024
_SOUND_BYTES_A_S = 48_000 * 4  # of one channel
_CODEC_NAMES = {"h264": "h264", "hevc": "hevc", "prores": "prores", "dnxhr": "dnxhd"}
# What an encoded picture may be held for before its clip begins in the middle of it.
_LONGEST_HOLD = Fraction(3, 2)  # usual frames


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
        planned = ClipPlan(spec, "encode", *plan_still(spec, file))
        return replace(planned, warnings=planned.warnings + _other_form(spec, planned.form))
    with open_source(file, spec.audio) as source:
        return _plan(spec, source)


def _plan(spec: ClipSpec, source: ClipSource) -> ClipPlan:
    wanted = wanted_of(spec, source)
    found = range_of(wanted, source)
    own = own_form(source.container, spec.media_path, source.video is not None)
    warnings = _clamped(found)
    method, form = _method(spec, source, found, own)
    if method == "copy":
        start = found.start
        if source.video is not None and not form.has_edit_list and found.key is not None:
            base = source.video.time_base or Fraction(1)
            start = (found.key - (source.video.start_time or 0)) * base
            warnings += _early(start, found.start)
        if not form.has_edit_list:
            warnings += _late_sound(source)
        return _finished(ClipPlan(spec, method, form, start, found.end, 0, found), source, warnings)
    if source.video is None:
        form = sound_form(source.sounds, own, spec.container)
        planned = ClipPlan(spec, method, form, found.start, found.end, 0, found)
        return _finished(planned, source, warnings)
    codec = picture_codec(spec.codec, spec.quality, depth_of(source.video.codec_context.format))
    form = encoded_form(own, spec.container, codec)
    start, end = _within_holds(found, wanted.start, wanted.end, source)
    planned = ClipPlan(spec, method, form, start, end, 0, found, picture=codec)
    return _finished(planned, source, warnings + codec.warnings)


def _method(
    spec: ClipSpec, source: ClipSource, found: Range, own: Form | None
) -> tuple[Method, Form]:
    """The method and form of a clip. Raises ClipFailed (NOT_COPYABLE) where "copy" cannot be."""
    asked = FORMS.get((spec.container or "").lower().lstrip("."), own)
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


def _early(start: Fraction, wanted: Fraction) -> tuple[str, ...]:
    if start >= wanted:
        return ()
    return (
        f"This container cannot hide what comes before the in-point: the clip begins at the key "
        f"frame {float(wanted - start):.3f} s before it.",
    )


def _other_form(spec: ClipSpec, form: Form) -> tuple[str, ...]:
    asked = (spec.container or "").lower().lstrip(".")
    if not asked or asked == form.extension:
        return ()
    return (f"The clip was written as {form.extension}: {asked} cannot hold it.",)


def _late_sound(source: ClipSource) -> tuple[str, ...]:
    if all(pcm_name(sound) for sound in source.sounds):
        return ()
    return (
        "This container cannot hide a part of a packet of sound: the sound begins with the first "
        "whole one, up to 0.05 s late.",
    )


def _clamped(found: Range) -> tuple[str, ...]:
    if not found.is_clamped:
        return ()
    return (f"end_time lies past the end of the file; the clip ends at {float(found.end):.3f} s.",)


def _within_holds(
    found: Range, start: Fraction, end: Fraction, source: ClipSource
) -> tuple[Fraction, Fraction]:
    """Start and end of a clip that need not hold all of a long picture of a VFR file."""
    longest = _LONGEST_HOLD / source.rate
    first = start if start - found.start > longest else found.start
    last = end if found.end - end > longest else found.end
    return first, max(last, first + Fraction(1, 1000))


def _finished(planned: ClipPlan, source: ClipSource, warnings: tuple[str, ...]) -> ClipPlan:
    start_label, end_label = _labels(planned, source)
    warnings += _left_out(source) + _other_form(planned.spec, planned.form)
    return ClipPlan(
        planned.spec,
        planned.method,
        planned.form,
        planned.start,
        planned.end,
        _estimate(planned, source),
        planned.range,
        start_label,
        end_label,
        planned.picture,
        warnings,
    )


def _left_out(source: ClipSource) -> tuple[str, ...]:
    streams = source.container.streams
    others = [s for s in streams if s.type == "data" and "timecode" not in s.metadata]
    warnings: tuple[str, ...] = ()
    if others or any(s.type == "subtitle" for s in streams):
        warnings += ("Subtitle and data tracks are not carried into clips.",)
    if source.unknown_sounds:
        warnings += ("A sound track cannot be read and is left out.",)
    if len(shown_video_streams(source.container)) > 1:
        warnings += ("Only the main one of its video tracks is exported.",)
    return warnings


def _labels(planned: ClipPlan, source: ClipSource) -> tuple[str | None, str | None]:
    """Timecodes of both ends, where the source has timecode."""
    timecode, rate = source.clip_timecode, source.rate
    if timecode is None:
        return None, None
    return timecode.label(round(planned.start * rate)), timecode.label(round(planned.end * rate))


def _estimate(planned: ClipPlan, source: ClipSource) -> int:
    seconds = planned.end - planned.start
    if planned.method == "copy":
        base = (source.video.time_base if source.video is not None else None) or Fraction(1)
        start = planned.start
        if source.video is not None and planned.range.key is not None:
            start = min(start, (planned.range.key - (source.video.start_time or 0)) * base)
        length = length_of(source) or planned.end
        share = min(Fraction(1), (planned.end - start) / length) if length else Fraction(1)
        return int(source.size * share * Fraction(_HEADROOM)) + _LEAST_BYTES
    sound = sum(s.channels for s in source.sounds) * _SOUND_BYTES_A_S
    picture = 0.0
    if source.video is not None and planned.picture is not None:
        pixels = source.video.width * source.video.height
        picture = pixels * float(source.rate) * planned.picture.bits_per_pixel / 8
    return int(float(seconds) * (picture + sound) * _HEADROOM) + _LEAST_BYTES
