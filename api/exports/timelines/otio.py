"""OpenTimelineIO's own file, with stock schemas only: one unknown one makes Resolve refuse it."""

from __future__ import annotations

from fractions import Fraction

import opentimelineio as otio

from api.exports.timelines.bodies import UrlStyle
from api.exports.timelines.model import Clip, Marker, Media, Timeline, rounded
from api.exports.timelines.sources import pathurl


def otio_json(timeline: Timeline, style: UrlStyle) -> str:
    """Pictures on one track, sound on another; what a clip lacks is a gap there."""
    made = otio.schema.Timeline(timeline.name)
    made.global_start_time = _frames(timeline.timecode.first_frame, timeline.rate)
    pictures = [clip.media.picture is not None for clip in timeline.clips]
    sounds = [bool(clip.media.sounds) for clip in timeline.clips]
    for name, kind, has in (
        ("V1", otio.schema.TrackKind.Video, pictures),
        ("A1", otio.schema.TrackKind.Audio, sounds),
    ):
        if any(has):
            track = otio.schema.Track(name=name, kind=kind)
            for clip, is_on_it in zip(timeline.clips, has, strict=True):
                if is_on_it:
                    track.append(_clip(clip, timeline, style))
                else:
                    track.append(otio.schema.Gap(duration=_frames(clip.length, timeline.rate)))
            made.tracks.append(track)
    return str(made.to_json_string(indent=2))


def _clip(clip: Clip, timeline: Timeline, style: UrlStyle) -> otio.schema.Clip:
    media, rate = clip.media, timeline.rate
    whole = _frames(clip.media_frames, rate)
    if media.seconds is not None and media.rate is not None:
        whole = _frames(rounded(media.seconds * media.rate), media.rate)
    reference = otio.schema.ExternalReference(
        target_url=pathurl(media.path, style),
        # All of the file, from its timecode on.
        available_range=otio.opentime.TimeRange(_at(media, Fraction(0), rate), whole),
    )
    reference.name = media.name
    made = otio.schema.Clip(
        name=clip.name,
        media_reference=reference,
        source_range=otio.opentime.TimeRange(
            _at(media, clip.source_start, rate), _frames(clip.length, rate)
        ),
    )
    made.markers.extend(_marker(marker, media, rate) for marker in clip.markers)
    return made


def _marker(marker: Marker, media: Media, rate: Fraction) -> otio.schema.Marker:
    length = 0 if marker.length is None else max(1, rounded(marker.length * rate))
    made = otio.schema.Marker(
        name=marker.name,
        marked_range=otio.opentime.TimeRange(
            _at(media, marker.seconds, rate), _frames(length, rate)
        ),
        color=otio.schema.MarkerColor.RED,
    )
    made.comment = marker.comment
    return made


def _at(media: Media, seconds: Fraction, rate: Fraction) -> otio.opentime.RationalTime:
    """A time of the source by its timecode, in whole frames of the source where it has any."""
    own = media.rate or rate
    return _frames(rounded((media.timecode_seconds + seconds) * own), own)


def _frames(value: int, rate: Fraction) -> otio.opentime.RationalTime:
    # The library counts in floats; the nearest one to 24000/1001 is what it expects.
    return otio.opentime.RationalTime(float(value), rate.numerator / rate.denominator)
