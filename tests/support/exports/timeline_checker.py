"""Rules of xmeml and FCPXML that an editing system is known to depend on, as assertions.

Written from what is published of both formats and from what is known to be refused; it shares no
code with the writers. Timecode is counted by OpenTimelineIO.
"""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from typing import Any
from urllib.parse import unquote

import opentimelineio as otio
from lxml import etree

TICKS = 254_016_000_000
_ORDER = {
    "sequence": "uuid duration rate name media timecode marker labels",
    "clip": "uuid masterclipid ismasterclip duration rate in out name media marker",
    "clipitem": "masterclipid name enabled duration rate start end in out pproTicksIn pproTicksOut "
    "file sourcetrack link marker",
    "file": "name pathurl rate duration timecode media",
    "timecode": "rate string frame displayformat reel",
    "link": "linkclipref mediatype trackindex clipindex groupindex",
    "marker": "comment name in out",
    "rate": "timebase ntsc",
    "media": "video audio",
}
_REPEATED = {"link", "marker", "audio"}


def check_xmeml(text: str) -> Any:
    """The root, after all rules were found to hold."""
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE xmeml>\n')
    root = parsed(text)
    assert root.tag == "xmeml"
    assert root.get("version") == "4"
    _check_order(root)
    _check_files(root)
    ids = Counter(e.get("id") for e in root.iter("clipitem", "sequence", "clip"))
    assert max(ids.values(), default=1) == 1
    for holder in root.iter("sequence", "clip"):
        _check_holder(holder)
    return root


def parsed(text: str) -> Any:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_blank_text=True)
    return etree.fromstring(text.encode(), parser)


def rate_of(parent: Any) -> Fraction:
    (rate,) = parent.findall("rate")
    base = int(rate.findtext("timebase"))
    assert base >= 1
    assert rate.findtext("ntsc") in ("TRUE", "FALSE")
    return Fraction(base * 1000, 1001) if rate.findtext("ntsc") == "TRUE" else Fraction(base)


def number(parent: Any, tag: str) -> int:
    (found,) = parent.findall(tag)
    return int(found.text)


def _check_order(root: Any) -> None:
    for element in root.iter():
        if element.tag in _ORDER and (len(element) or element.tag != "file"):
            order = _ORDER[element.tag].split()
            tags = [child.tag for child in element]
            assert tags == sorted(tags, key=order.index), (element.tag, tags)
            repeated = {tag for tag, count in Counter(tags).items() if count > 1}
            assert repeated <= _REPEATED, (element.tag, repeated)


def _check_files(root: Any) -> None:
    """Full at the first place, a reference everywhere else."""
    known: set[str] = set()
    for file in root.iter("file"):
        if file.get("id") in known:
            assert len(file) == 0
            continue
        known.add(file.get("id"))
        _check_file(file)
    urls = [url.text for url in root.iter("pathurl")]
    assert len(urls) == len(set(urls)) == len(known)


def _check_file(file: Any) -> None:
    assert file.findtext("name")
    assert re.fullmatch(r"file://[!-~]+", file.findtext("pathurl"))
    assert unquote(file.findtext("pathurl"), errors="strict")
    rate_of(file)
    assert number(file, "duration") >= 1
    media = file.find("media")
    assert len(media)
    if media.find("video/stillframe") is None:
        _check_timecode(file.find("timecode"))
    for shape in media.findall("video/samplecharacteristics"):
        _check_shape(shape)
    for audio in media.findall("audio"):
        assert number(audio, "channelcount") >= 1
        assert number(audio.find("samplecharacteristics"), "samplerate") > 0


def _check_shape(shape: Any) -> None:
    rate_of(shape)
    assert number(shape, "width") > 0
    assert number(shape, "height") > 0
    assert shape.findtext("anamorphic") in ("TRUE", "FALSE")
    assert shape.findtext("pixelaspectratio")
    assert shape.findtext("fielddominance") in ("none", "upper", "lower")


def _check_timecode(timecode: Any) -> None:
    rate = rate_of(timecode)
    text = timecode.findtext("string")
    is_drop = timecode.findtext("displayformat") == "DF"
    assert timecode.findtext("displayformat") in ("DF", "NDF")
    assert text.count(";") == (3 if is_drop else 0), text
    if otio.opentime.RationalTime.is_smpte_timecode_rate(float(rate)):
        own = re.sub(";(?=.*;)", ":", text)
        counted = otio.opentime.from_timecode(own, float(rate))
        assert number(timecode, "frame") == counted.value, text


def _check_holder(holder: Any) -> None:
    """A sequence, or a clip of a bin."""
    rate = rate_of(holder)
    tracks = [("video", t) for t in holder.findall("media/video/track")]
    tracks += [("audio", t) for t in holder.findall("media/audio/track")]
    items = [item for _, track in tracks for item in track.findall("clipitem")]
    if holder.tag == "sequence":
        assert number(holder, "duration") == max((number(i, "end") for i in items), default=0)
        _check_timecode(holder.find("timecode"))
        assert rate_of(holder.find("timecode")) == rate
        for kind in holder.findall("media/video") + holder.findall("media/audio"):
            assert kind.find("format/samplecharacteristics") is not None
    for _, track in tracks:
        assert track.findall("clipitem"), "an empty track"
        end = 0
        for item in track.findall("clipitem"):
            assert number(item, "start") >= end
            end = number(item, "end")
            _check_item(item, rate)
    _check_sound(holder)
    _check_links(holder, tracks)


def _check_item(item: Any, rate: Fraction) -> None:
    assert rate_of(item) == rate
    first, out = number(item, "in"), number(item, "out")
    start, end = number(item, "start"), number(item, "end")
    assert out - first == end - start >= 1
    assert 0 <= first < out <= number(item, "duration")
    ticks_in, ticks_out = number(item, "pproTicksIn"), number(item, "pproTicksOut")
    assert abs((ticks_out - ticks_in) / Fraction(TICKS) - (end - start) / rate) < Fraction(1, 10**9)
    file = _full_file(item)
    slowest = 1 / min(rate, rate_of(file))
    assert abs(ticks_in / Fraction(TICKS) - first / rate) <= slowest
    for marker in item.findall("marker"):
        assert first <= number(marker, "in") <= out
        assert number(marker, "out") == -1 or number(marker, "out") > number(marker, "in")


def _full_file(item: Any) -> Any:
    wanted = item.find("file").get("id")
    root = item.getroottree().getroot()
    return next(f for f in root.iter("file") if f.get("id") == wanted and len(f))


def _check_sound(holder: Any) -> None:
    tracks = holder.findall("media/audio/track")
    side = 0
    for track in tracks:
        count = int(track.get("totalExplodedTrackCount"))
        assert int(track.get("currentExplodedTrackIndex")) == side
        assert track.get("premiereTrackType") == {1: "Mono", 2: "Stereo"}[count]
        assert number(track, "outputchannelindex") == side + 1
        side = (side + 1) % count
        for item in track.findall("clipitem"):
            assert item.get("premiereChannelType") == {1: "mono", 2: "stereo"}[count]
            channels = [number(a, "channelcount") for a in _full_file(item).findall("media/audio")]
            assert 1 <= number(item.find("sourcetrack"), "trackindex") <= sum(channels)
    assert side == 0, "half a pair"
    for item in holder.findall("media/video/track/clipitem"):
        assert item.find("sourcetrack") is None
        assert _full_file(item).find("media/video") is not None


def _check_links(holder: Any, tracks: list[tuple[str, Any]]) -> None:
    """Each names all members of its clip, itself too, at their places."""
    places: dict[str, tuple[str, int, int]] = {}
    counts: Counter[str] = Counter()
    for kind, track in tracks:
        counts[kind] += 1
        for n, item in enumerate(track.findall("clipitem"), 1):
            places[item.get("id")] = (kind, counts[kind], n)
    together: dict[tuple[int, str], set[str]] = {}
    items = [item for _, track in tracks for item in track.findall("clipitem")]
    for item in items:
        together.setdefault(_cut(item), set()).add(item.get("id"))
    for item in items:
        named = [link.findtext("linkclipref") for link in item.findall("link")]
        members = together[_cut(item)]
        assert len(named) == len(set(named))
        assert set(named) == (members if len(members) > 1 else set())
        for link in item.findall("link"):
            kind, track_number, place = places[link.findtext("linkclipref")]
            assert link.findtext("mediatype") == kind
            assert number(link, "trackindex") == track_number
            assert number(link, "clipindex") == place
            assert (link.find("groupindex") is not None) == (kind == "audio")


def _cut(item: Any) -> tuple[int, str]:
    return number(item, "start"), item.find("file").get("id")


# What may stand in an element of FCPXML 1.10, in this order, of those that we write.
_FCPXML_ORDER = {
    "fcpxml": ("resources", "library"),
    "resources": None,
    "library": ("event",),
    "event": ("project",),
    "project": ("sequence",),
    "sequence": ("spine",),
    "spine": None,
    "asset": ("media-rep",),
    "asset-clip": ("conform-rate", "marker"),
    "video": ("marker",),
    **dict.fromkeys(("format", "media-rep", "marker", "conform-rate"), ()),
}
_ATTRIBUTES = {
    "fcpxml": "version",
    "format": "id name frameDuration fieldOrder width height paspH paspV",
    "asset": "id name start duration hasVideo format videoSources hasAudio audioSources "
    "audioChannels audioRate",
    "media-rep": "kind src",
    "event": "name",
    "project": "name",
    "sequence": "format duration tcStart tcFormat audioLayout audioRate",
    "asset-clip": "ref offset name start duration format tcFormat audioRole",
    "video": "ref offset name start duration",
    "marker": "start duration value note",
    "conform-rate": "scaleEnabled srcFrameRate",
}
_WORDS = {
    "tcFormat": {"DF", "NDF"},
    "audioLayout": {"mono", "stereo", "surround"},
    "srcFrameRate": set("23.98 24 25 29.97 30 60 47.95 48 50 59.94".split()),
    "kind": {"original-media", "proxy-media"},
    "fieldOrder": {"progressive", "upper first", "lower first"},
}
_SOUND_RATES = set("32k 44.1k 48k 88.2k 96k 176.4k 192k".split())
_TIMES = ("start", "duration", "offset", "tcStart", "frameDuration")


def check_fcpxml(text: str) -> Any:
    """The root, after all rules were found to hold."""
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n')
    root = parsed(text)
    assert root.get("version") == "1.10"
    ids: set[str] = set()
    for element in root.iter():
        order = _FCPXML_ORDER[element.tag]
        tags = [child.tag for child in element]
        if order is not None:
            assert tags == sorted(tags, key=order.index), (element.tag, tags)
        assert set(element.keys()) <= set(_ATTRIBUTES.get(element.tag, "").split()), element.tag
        for name, words in _WORDS.items():
            assert element.get(name) in {None, *words}
        for name in _TIMES:
            if name in element.attrib:
                seconds(element.get(name))
        if "id" in element.attrib:
            assert element.get("id") not in ids
            ids.add(element.get("id"))
        for name in ("ref", "format"):  # described before they are used
            assert element.get(name) is None or element.get(name) in ids
    for asset in root.iter("asset"):
        assert asset.find("media-rep").get("src").startswith("file://")
        assert asset.get("hasVideo") or asset.get("hasAudio")
        assert bool(asset.get("hasVideo")) == (asset.get("format") is not None)
    _check_spine(root)
    return root


def seconds(text: str) -> Fraction:
    parts = re.fullmatch(r"(\d+)(?:/(\d+))?s", text)
    assert parts, text
    assert int(parts[1]) < 2**63
    assert int(parts[2] or 1) < 2**32
    return Fraction(int(parts[1]), int(parts[2] or 1))


def _check_spine(root: Any) -> None:
    sequence = root.find("library/event/project/sequence")
    resources = {e.get("id"): e for e in root.find("resources")}
    frame = seconds(resources[sequence.get("format")].get("frameDuration"))
    assert sequence.get("audioRate") in _SOUND_RATES
    began = at = seconds(sequence.get("tcStart"))
    for story in sequence.find("spine"):
        length = seconds(story.get("duration"))
        assert seconds(story.get("offset")) == at
        assert length > 0
        assert length % frame == 0
        at += length
        asset = resources[story.get("ref")]
        begin = seconds(story.get("start"))
        if story.tag == "asset-clip":
            first = seconds(asset.get("start"))
            whole = seconds(asset.get("duration"))
            assert first <= begin
            # Of media shorter than a frame of the timeline one frame is shown all the same.
            assert begin + length <= max(first + whole, first + frame)
        for marker in story.findall("marker"):
            assert begin <= seconds(marker.get("start")) < begin + length + frame
    assert seconds(sequence.get("duration")) == at - began
