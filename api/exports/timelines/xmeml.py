"""xmeml version 4, the XML that Premiere Pro and DaVinci Resolve import.

Both read a clipitem's `in` and `out` as seconds times the *sequence's* rate in some versions and
as frames of the rate that it names in others. Naming the sequence's rate everywhere makes both
the same number; ticks say exactly where the clip begins.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from lxml import etree

from api.exports.timelines.bodies import UrlStyle
from api.exports.timelines.model import (
    Clip,
    Marker,
    Media,
    PictureFormat,
    Timeline,
    rounded,
)
from api.exports.timelines.sources import pathurl
from shared.timecode import Timecode, is_ntsc, nominal_rate

_STEREO = 2

TICKS = 254_016_000_000  # a second of Premiere's clock
_NAMESPACE = uuid.UUID("6f2f3f43-6d55-5f0e-9a5a-2a8e2f9c8d11")  # of our sequences
_ANAMORPHIC: dict[
    int, tuple[str, tuple[Fraction, ...]]
] = {  # height -> the word for tape, and pixel aspects of wide pictures
    576: ("PAL-601", (Fraction(64, 45), Fraction(118, 81), Fraction(16, 11))),
    480: ("NTSC-601", (Fraction(32, 27), Fraction(40, 33))),
    486: ("NTSC-601", (Fraction(32, 27), Fraction(40, 33))),
}
_SQUEEZED_HD = {
    (1440, 1080): "HD-(1440x1080)",
    (1280, 1080): "HD-(1280x1080)",
    (960, 720): "HD-(960x720)",
}


@dataclass(frozen=True, slots=True)
class _SoundTrack:
    """One channel of the timeline. `side` is 0 or 1 in a stereo pair, 0 on a mono track."""

    is_stereo: bool
    side: int


def _sound_tracks(clips: Sequence[Clip]) -> tuple[_SoundTrack, ...]:
    """Tracks for the clip with the most channels of each kind; pairs come first."""
    pairs, singles = 0, 0
    for clip in clips:
        channels = [sound.channels for sound in clip.media.sounds]
        in_pairs = channels.count(_STEREO)
        pairs, singles = max(pairs, in_pairs), max(singles, sum(channels) - _STEREO * in_pairs)
    return (
        *(_SoundTrack(True, side) for _ in range(pairs) for side in (0, 1)),
        *(_SoundTrack(False, 0) for _ in range(singles)),
    )


def _placed(media: Media, tracks: Sequence[_SoundTrack]) -> list[tuple[int, int]]:
    """Channels of a source (from 1, counted across its streams) and their tracks (from 0)."""
    found: list[int] = []
    next_pair, next_single = 0, sum(track.is_stereo for track in tracks)
    for sound in media.sounds:
        if sound.channels == _STEREO:
            found += (next_pair, next_pair + 1)
            next_pair += 2
        else:
            found += range(next_single, next_single + sound.channels)
            next_single += sound.channels
    return list(enumerate(found, 1))


def xmeml(timeline: Timeline, layout: str, style: UrlStyle) -> str:
    """`layout`: "sequence", "subclips" (a bin of clips) or "both"."""
    writer = _XmemlWriter(timeline, style)
    root = etree.Element("xmeml", version="4")
    if layout == "sequence":
        root.append(writer.sequence())
    elif layout == "subclips":
        root.append(writer.bin())
    else:
        project = etree.SubElement(root, "project")
        _add(project, "name", timeline.name)
        children = etree.SubElement(project, "children")
        children.append(writer.sequence())
        children.append(writer.bin())
    return xml_text(root)


@dataclass(slots=True)
class _Item:
    """A clipitem and where it lies, for the links."""

    element: Any
    kind: str
    track: int  # from 1, among the tracks of its kind
    number: int  # from 1, on its track


@dataclass(slots=True)
class _XmemlWriter:
    """One document: ids are counted, and each file is described where it is first met."""

    timeline: Timeline
    style: UrlStyle
    files: dict[str, int] = field(default_factory=dict)  # their numbers, by path
    items: int = 0

    def sequence(self) -> Any:
        timeline = self.timeline
        element = etree.Element("sequence", id="sequence-1", explodedTracks="true")
        _add_all(element, uuid=uuid.uuid5(_NAMESPACE, repr(timeline)), duration=timeline.frames)
        _rate(element, timeline.rate)
        _add(element, "name", timeline.name)
        element.append(self._media(timeline.clips))
        _timecode(element, timeline.timecode)
        return element

    def bin(self) -> Any:
        """A folder with a clip for each range, which the project panel shows and trims."""
        element = etree.Element("bin")
        _add(element, "name", self.timeline.name)
        children = etree.SubElement(element, "children")
        for number, clip in enumerate(self.timeline.clips, 1):
            children.append(self._subclip(clip, number))
        return element

    def _subclip(self, clip: Clip, number: int) -> Any:
        master = f"subclip-{number}"
        element = etree.Element("clip", id=master, explodedTracks="true")
        _add_all(element, uuid=uuid.uuid5(_NAMESPACE, repr(clip)), masterclipid=master)
        _add_all(element, ismasterclip="TRUE", duration=clip.media_frames)
        _rate(element, self.timeline.rate)
        _add_range(element, clip)
        _add(element, "name", clip.name)
        alone = replace(clip, start=0)  # the only one on its timeline
        element.append(self._media((alone,), master))
        self._markers(element, clip)
        return element

    def _media(self, clips: Sequence[Clip], master: str | None = None) -> Any:
        """Tracks of these clips; `master` also says that they are in a clip, not a sequence."""
        media = etree.Element("media")
        video: list[_Item | None] = [None] * len(clips)
        if any(clip.media.picture for clip in clips):
            video = self._video(media, clips, master)
        tracks = _sound_tracks(clips)
        audio: list[list[_Item]] = [[] for _ in clips]
        if tracks:
            audio = self._audio(media, clips, tracks, master)
        for clip, picture, sounds in zip(clips, video, audio, strict=True):
            members = ([picture] if picture else []) + sounds
            for member in members:
                if len(members) > 1:
                    _links(member.element, members)
                self._markers(member.element, clip)
        return media

    def _video(self, media: Any, clips: Sequence[Clip], master: str | None) -> list[_Item | None]:
        video = etree.SubElement(media, "video")
        if master is None:
            shape = etree.SubElement(etree.SubElement(video, "format"), "samplecharacteristics")
            _rate(shape, self.timeline.rate)
            _shape(shape, self.timeline.picture)
        track = etree.SubElement(video, "track")
        found: list[_Item | None] = []
        number = 0
        for clip in clips:
            if clip.media.picture is None:
                found.append(None)
                continue
            number += 1
            element = self._item(track, clip, master)
            found.append(_Item(element, "video", 1, number))
        _add_all(track, enabled="TRUE", locked="FALSE")
        return found

    def _audio(
        self,
        media: Any,
        clips: Sequence[Clip],
        tracks: Sequence[_SoundTrack],
        master: str | None,
    ) -> list[list[_Item]]:
        audio = etree.SubElement(media, "audio")
        if master is None:
            _add(audio, "numOutputChannels", 2)
            first = next(sound for clip in clips for sound in clip.media.sounds)
            shape = etree.SubElement(etree.SubElement(audio, "format"), "samplecharacteristics")
            _add_all(shape, depth=16, samplerate=first.sample_rate)
        elements = [
            etree.SubElement(
                audio,
                "track",
                currentExplodedTrackIndex=str(track.side),
                totalExplodedTrackCount="2" if track.is_stereo else "1",
                premiereTrackType="Stereo" if track.is_stereo else "Mono",
            )
            for track in tracks
        ]
        counts = [0] * len(tracks)
        found: list[list[_Item]] = []
        for clip in clips:
            mine = []
            for channel, at in _placed(clip.media, tracks):
                counts[at] += 1
                element = self._item(elements[at], clip, master)
                element.set("premiereChannelType", "stereo" if tracks[at].is_stereo else "mono")
                source = etree.SubElement(element, "sourcetrack")
                _add_all(source, mediatype="audio", trackindex=channel)
                mine.append(_Item(element, "audio", at + 1, counts[at]))
            found.append(mine)
        for element, track in zip(elements, tracks, strict=True):
            _add_all(element, enabled="TRUE", locked="FALSE", outputchannelindex=track.side + 1)
        return found

    def _item(self, track: Any, clip: Clip, master: str | None) -> Any:
        self.items += 1
        element = etree.SubElement(track, "clipitem", id=f"clipitem-{self.items}")
        number = self.files.get(clip.media.path, len(self.files) + 1)
        _add_all(element, masterclipid=master or f"masterclip-{number}", name=clip.name)
        _add_all(element, enabled="TRUE", duration=clip.media_frames)
        _rate(element, self.timeline.rate)
        _add_all(element, start=clip.start, end=clip.end)
        _add_range(element, clip)
        begin = rounded(clip.source_start * TICKS)
        end = begin + rounded(clip.length / self.timeline.rate * TICKS)
        _add_all(element, pproTicksIn=begin, pproTicksOut=end)
        self._file(element, clip)
        return element

    def _file(self, parent: Any, clip: Clip) -> None:
        """Full once; Resolve drops clips where it meets the full form again."""
        media = clip.media
        is_known = media.path in self.files
        number = self.files.setdefault(media.path, len(self.files) + 1)
        element = etree.SubElement(parent, "file", id=f"file-{number}")
        if is_known:
            return
        rate = media.rate or self.timeline.rate
        _add_all(element, name=media.name, pathurl=pathurl(media.path, self.style))
        _rate(element, rate)
        frames = clip.media_frames
        if media.rate is not None and media.seconds is not None:
            frames = rounded(media.seconds * rate)
        elif media.rate is not None:
            frames = rounded(clip.media_frames / self.timeline.rate * rate)
        _add(element, "duration", max(1, frames))
        if not media.is_still:
            _timecode(element, media.counted_in(rate), media.reel)
        # Picture and sound in one file: an audio item of a file without sound is refused.
        inner = etree.SubElement(element, "media")
        if media.picture is not None:
            video = etree.SubElement(inner, "video")
            if media.is_still:
                _add(video, "stillframe", "TRUE")
            shape = etree.SubElement(video, "samplecharacteristics")
            _rate(shape, rate)
            _shape(shape, media.picture)
        for sound in media.sounds:
            audio = etree.SubElement(inner, "audio")
            shape = etree.SubElement(audio, "samplecharacteristics")
            _add_all(shape, depth=sound.bits, samplerate=sound.sample_rate)
            _add(audio, "channelcount", sound.channels)

    def _markers(self, element: Any, clip: Clip) -> None:
        for marker in clip.markers:
            _marker(element, marker, clip, self.timeline.rate)


def _add(parent: Any, tag: str, text: object) -> None:
    etree.SubElement(parent, tag).text = str(text)


def _add_all(parent: Any, **texts: object) -> None:
    for tag, text in texts.items():
        _add(parent, tag, text)


def _add_range(parent: Any, clip: Clip) -> None:
    _add(parent, "in", clip.first)
    _add(parent, "out", clip.first + clip.length)


def _rate(parent: Any, rate: Fraction) -> None:
    element = etree.SubElement(parent, "rate")
    _add_all(element, timebase=nominal_rate(rate), ntsc="TRUE" if is_ntsc(rate) else "FALSE")


def _shape(parent: Any, picture: PictureFormat) -> None:
    pixels, is_wide = _pixels(picture)
    _add_all(parent, width=picture.width, height=picture.height)
    _add_all(parent, anamorphic="TRUE" if is_wide else "FALSE", pixelaspectratio=pixels)
    _add(parent, "fielddominance", picture.field_order)


def _pixels(picture: PictureFormat) -> tuple[str, bool]:
    """The format's word for the shape of pixels, and whether they are of a wide picture."""
    if picture.pixel_aspect == 1:
        return "square", False
    size = (picture.width, picture.height)
    if size in _SQUEEZED_HD:
        return _SQUEEZED_HD[size], False
    if picture.height in _ANAMORPHIC:
        word, wide = _ANAMORPHIC[picture.height]
        return word, any(abs(picture.pixel_aspect - w) < Fraction(1, 20) for w in wide)
    return "square", False


def _timecode(parent: Any, timecode: Timecode, reel: str | None = None) -> None:
    element = etree.SubElement(parent, "timecode")
    _rate(element, timecode.rate)
    text = timecode.label()
    text = text.replace(":", ";") if timecode.drop_frame else text
    _add_all(element, string=text, frame=timecode.first_frame)
    _add(element, "displayformat", "DF" if timecode.drop_frame else "NDF")
    if reel:
        _add(etree.SubElement(element, "reel"), "name", reel)


def _links(element: Any, members: Sequence[_Item]) -> None:
    """Every member names all, itself too."""
    for member in members:
        link = etree.SubElement(element, "link")
        _add_all(link, linkclipref=member.element.get("id"), mediatype=member.kind)
        _add_all(link, trackindex=member.track, clipindex=member.number)
        if member.kind == "audio":
            _add(link, "groupindex", 1)


def _marker(parent: Any, marker: Marker, clip: Clip, rate: Fraction) -> None:
    element = etree.SubElement(parent, "marker")
    # A clip that ends with its media may begin a frame before its time, rounded as the marker's is.
    begin = min(max(clip.first, rounded(marker.seconds * rate)), clip.first + clip.length)
    end = -1
    if marker.length is not None:
        end = max(begin + 1, rounded((marker.seconds + marker.length) * rate))
    _add_all(element, comment=marker.comment, name=marker.name)
    _add(element, "in", begin)
    _add(element, "out", end)


def xml_text(root: Any) -> str:
    """Indented, with its declaration and a DOCTYPE that names the root only."""
    inner = etree.tostring(
        root, pretty_print=True, encoding="unicode", doctype=f"<!DOCTYPE {root.tag}>"
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{inner}'
