"""Any clips of any rates: the rules hold, and readers that are not ours see the same ranges."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import opentimelineio as otio
import pycmx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.exports.timelines.model import Timeline
from api.exports.timelines.routes import write_timeline
from shared.timecode import Timecode
from tests.support.exports.timeline_checker import check_fcpxml
from tests.support.exports.timeline_data import (
    NTSC_24,
    NTSC_30,
    NTSC_60,
    asked,
    film,
    marker,
    recording,
    still,
    timeline,
    xmeml_of,
)

RATES = [NTSC_24, *map(Fraction, (24, 25, 30, 48, 50, 60)), NTSC_30, NTSC_60]
TIMECODES = {NTSC_30: "00:59:58;00", NTSC_60: "09:59:00;04"}
_MILLION = 1_000_000
relaxed = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def sources(draw: Any, rates: Any) -> Any:
    number = draw(st.integers(0, 5))
    kind = draw(st.sampled_from(["film", "film", "film", "still", "sound"]))
    # A path is one file: all about it follows from its number and kind.
    rate = draw(rates)
    channels = [(), (1,), (2,), (6,), (1, 1, 1, 1), (2, 1)][number]
    path = f"/m/{kind} {number} {rate.numerator}.x"
    if kind == "still":
        return still(path)
    if kind == "sound":
        return recording(path, 7.3331 + number, *(channels or (2,)))
    start = TIMECODES.get(rate, "10:00:00:00") if number % 2 else None
    seconds = round(float((40 + 37 * number) / rate), 6)
    return film(path, rate, seconds, channels, start_timecode=start)


@st.composite
def clips(draw: Any, rates: Any) -> Any:
    source = draw(sources(rates))
    media = source.media
    longest = int((media.seconds or 20) * _MILLION)
    start = draw(st.integers(0, longest - 1))
    length = draw(st.integers(1, 8 * _MILLION))
    at = start + draw(st.integers(0, length))
    marks = [marker(Fraction(at, _MILLION), "m")] if draw(st.booleans()) else []
    return asked(
        source,
        Fraction(start, _MILLION),
        Fraction(start + length, _MILLION),
        marks,
        handle=Fraction(draw(st.sampled_from([0, 0, 1, 7])), 3),
    )


rate_of_timeline = st.one_of(st.none(), st.sampled_from(RATES))
any_clips = st.lists(clips(st.sampled_from(RATES)), min_size=1, max_size=8)


@relaxed
@given(any_clips, rate_of_timeline, st.sampled_from(["sequence", "subclips", "both"]))
def test_every_rule_of_both_xml_formats_holds(
    found: Any, rate: Fraction | None, layout: str
) -> None:
    made, _ = timeline(*found, rate=rate)
    xmeml_of(made, layout)
    check_fcpxml(write_timeline(made, "fcpxml", "sequence", None)[0])


def _spans(made: Timeline) -> list[tuple[str, Fraction, int]]:
    """What a reader should see of the pictures: file, first frame by timecode, length."""
    return [
        (
            clip.media.path,
            clip.media.timecode_seconds * made.rate + clip.first,
            clip.length,
        )
        for clip in made.clips
        if clip.media.picture
    ]


@relaxed
@given(any_clips, rate_of_timeline)
def test_the_fcp_adapter_reads_the_same_ranges_out_of_the_xmeml(
    found: Any, rate: Fraction | None
) -> None:
    made, _ = timeline(*found, rate=rate)
    text = write_timeline(made, "xmeml", "sequence", None)[0]
    read = otio.adapters.read_from_string(text, "fcp_xml")
    videos = [track for track in read.tracks if track.kind == "Video"]
    seen = [
        (
            otio.url_utils.filepath_from_url(clip.media_reference.target_url),
            clip.source_range.start_time.value,
            clip.source_range.duration.value,
        )
        for track in videos
        for clip in track.find_clips()
    ]
    expected = _spans(made)
    assert [(p, n) for p, _, n in seen] == [(p, n) for p, _, n in expected]
    for (_, start, _), (_, wanted, _) in zip(seen, expected, strict=True):
        assert abs(start - wanted) <= 1  # it converts the file's timecode to whole frames
    for track in read.tracks:
        assert track.duration().value <= made.frames
        assert abs(track.duration().rate - float(made.rate)) < 0.01


@relaxed
@given(any_clips, rate_of_timeline)
def test_otio_itself_lays_the_clips_where_they_were_put(found: Any, rate: Fraction | None) -> None:
    made, _ = timeline(*found, rate=rate)
    read = otio.adapters.read_from_string(write_timeline(made, "otio", "sequence", None)[0])
    for track in read.tracks:
        places = [
            (child.range_in_parent().start_time.value, child.range_in_parent().duration.value)
            for child in track
        ]
        assert places == [(clip.start, clip.length) for clip in made.clips]


@relaxed
@given(st.sampled_from(RATES).flatmap(lambda r: st.lists(clips(st.just(r)), min_size=1)))
def test_pycmx_reads_the_edl_back(found: Any) -> None:
    made, _ = timeline(*found)
    text = write_timeline(made, "edl", "sequence", None)[0]
    edits = [
        edit for event in pycmx.parse_cmx3600(io.StringIO(text)).events for edit in event.edits
    ]
    assert len(edits) == len(made.clips)
    for edit, clip in zip(edits, made.clips, strict=True):
        record = [_frames(t, made.rate) for t in (edit.record_in, edit.record_out)]
        assert record == [clip.start, clip.end]
        source = [_frames(t, made.rate) for t in (edit.source_in, edit.source_out)]
        assert source[1] - source[0] == clip.length
        first = clip.media.timecode_seconds * made.rate
        assert abs(source[0] - first - clip.first) <= Fraction(1, 2)
        assert edit.clip_name == clip.name


def _frames(text: str, rate: Fraction) -> int:
    return Timecode.starting_at(rate, text).first_frame
