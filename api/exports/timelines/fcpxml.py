"""FCPXML 1.10, for Final Cut Pro and DaVinci Resolve.

The order of elements is strict. Times are rational seconds; a clip's `start` counts from midnight
of the source's timecode and lies within its asset, else Final Cut refuses the edit; its `offset`
counts from midnight of the sequence's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from lxml import etree

from api.exports.timelines.bodies import UrlStyle
from api.exports.timelines.model import Clip, Marker, PictureFormat, Timeline, rounded
from api.exports.timelines.sources import pathurl
from api.exports.timelines.xmeml import xml_text

_NTSC = [Fraction(nominal * 1000, 1001) for nominal in (24, 30, 48, 60)]
_WHOLE = [Fraction(rate) for rate in (24, 25, 30, 48, 50, 60)]
_CONFORMED = {rate: f"{float(rate):.4g}" for rate in (*_NTSC, *_WHOLE)}  # that Final Cut names
_SAMPLE_RATES = {
    rate: f"{rate / 1000:g}k" for rate in (32000, 44100, 48000, 88200, 96000, 176400, 192000)
}
_FIELDS = {"none": "progressive", "upper": "upper first", "lower": "lower first"}


def fcpxml(timeline: Timeline, style: UrlStyle) -> str:
    """One project in one event."""
    root = etree.Element("fcpxml", version="1.10")
    resources = _Resources(etree.SubElement(root, "resources"), timeline, style)
    own = resources.format(timeline.rate, timeline.picture)
    event = etree.SubElement(etree.SubElement(root, "library"), "event", name=timeline.name)
    project = etree.SubElement(event, "project", name=timeline.name)
    timecode = timeline.timecode
    rates = (sound.sample_rate for clip in timeline.clips for sound in clip.media.sounds)
    sequence = etree.SubElement(
        project,
        "sequence",
        format=own,
        duration=_time(timeline.frames / timeline.rate),
        tcStart=_time(timecode.first_frame / timecode.rate),
        tcFormat=_counting(timecode.drop_frame),
        audioLayout="stereo",
        # The first sound's rate, where Final Cut has it.
        audioRate=_SAMPLE_RATES.get(next(rates, 48_000), "48k"),
    )
    spine = etree.SubElement(sequence, "spine")
    for clip in timeline.clips:
        _story(spine, clip, timeline, resources)
    return xml_text(root)


@dataclass(slots=True)
class _Resources:
    """Formats and assets, each described once."""

    element: Any
    timeline: Timeline
    style: UrlStyle
    formats: dict[tuple[Fraction | None, PictureFormat], str] = field(default_factory=dict)
    assets: dict[str, str] = field(default_factory=dict)

    def format(self, rate: Fraction | None, picture: PictureFormat) -> str:
        """`rate` None: of a still."""
        known = self.formats.get((rate, picture))
        if known is None:
            known = self.formats[rate, picture] = self._next()
            element = etree.SubElement(self.element, "format", id=known)
            if rate is None:
                element.set("name", "FFVideoFormatRateUndefined")
            else:
                _set(element, frameDuration=_time(1 / rate))
                _set(element, fieldOrder=_FIELDS[picture.field_order])
            _set(element, width=picture.width, height=picture.height)
            aspect = picture.pixel_aspect
            if aspect != 1:
                _set(element, paspH=aspect.numerator, paspV=aspect.denominator)
        return known

    def asset(self, clip: Clip) -> str:
        media = clip.media
        known = self.assets.get(media.path)
        if known is not None:
            return known
        shape = self.format(media.rate, media.picture) if media.picture is not None else None
        known = self.assets[media.path] = self._next()
        element = etree.SubElement(self.element, "asset", id=known, name=media.name)
        seconds = media.seconds
        if seconds is None:  # as far as it is used
            rate = self.timeline.rate
            seconds = clip.media_frames / rate + 1 / (media.rate or rate)
        duration = "0s" if media.is_still else _time(seconds)
        _set(element, start=_time(media.timecode_seconds), duration=duration)
        if shape is not None:
            _set(element, hasVideo=1, format=shape, videoSources=1)
        if media.sounds:
            _set(element, hasAudio=1, audioSources=len(media.sounds))
            _set(element, audioChannels=media.channels, audioRate=media.sounds[0].sample_rate)
        url = pathurl(media.path, self.style)
        etree.SubElement(element, "media-rep", kind="original-media", src=url)
        return known

    def _next(self) -> str:
        return f"r{len(self.formats) + len(self.assets) + 1}"


def _story(spine: Any, clip: Clip, timeline: Timeline, resources: _Resources) -> None:
    media = clip.media
    element = etree.SubElement(spine, "video" if media.is_still else "asset-clip")
    offset = _time((timeline.timecode.first_frame + clip.start) / timeline.rate)
    _set(element, ref=resources.asset(clip), offset=offset, name=clip.name)
    begin = media.timecode_seconds + clip.source_start
    _set(element, start=_time(begin), duration=_time(clip.length / timeline.rate))
    if not media.is_still:
        if media.picture is not None:
            element.set("format", resources.format(media.rate, media.picture))
        drop = media.timecode is not None and media.timecode.drop_frame
        element.set("tcFormat", _counting(drop))
        if media.sounds:
            element.set("audioRole", "dialogue")
        if media.rate != timeline.rate and media.rate in _CONFORMED:
            # Not scaled: a second of the source stays a second.
            etree.SubElement(
                element, "conform-rate", scaleEnabled="0", srcFrameRate=_CONFORMED[media.rate]
            )
    for marker in clip.markers:
        _marker(element, marker, clip, timeline.rate)


def _marker(parent: Any, marker: Marker, clip: Clip, rate: Fraction) -> None:
    media = clip.media
    element = etree.SubElement(parent, "marker")
    begin = marker.seconds
    if media.rate is not None:  # on a picture
        begin = rounded(begin * media.rate) / media.rate
    begin = media.timecode_seconds + max(begin, clip.source_start)
    _set(element, start=_time(begin), duration=_time(marker.length or 1 / rate), value=marker.name)
    if marker.comment:
        element.set("note", marker.comment)


def _set(element: Any, **attributes: object) -> None:
    for name, value in attributes.items():
        element.set(name, str(value))


def _time(seconds: Fraction) -> str:
    return f"{seconds}s"  # 5 or 1001/24000


def _counting(drop_frame: bool) -> str:
    return "DF" if drop_frame else "NDF"
