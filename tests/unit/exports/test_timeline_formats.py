"""FCPXML, OTIO and EDL, read back by rules and libraries that are not ours."""

from __future__ import annotations

import io
import json
from fractions import Fraction
from typing import Any

import opentimelineio as otio
import pycmx
import pytest

from api.exports.timelines.model import Code, Timeline
from api.exports.timelines.routes import write_timeline
from api.exports.timelines.sources import source_of
from shared.domain import Probe
from shared.errors import BadInput
from shared.media import MediaType
from shared.media_facts import StartTimecode
from shared.timecode import Timecode
from tests.support.exports.timeline_checker import seconds
from tests.support.exports.timeline_data import (
    NTSC_24,
    NTSC_30,
    NTSC_60,
    asked,
    fcpxml_of,
    film,
    marker,
    recording,
    still,
    streams,
    timeline,
    xmeml_of,
)


def otio_of(made: Timeline) -> Any:
    return otio.adapters.read_from_string(write_timeline(made, "otio", "sequence", None)[0])


def edl_of(made: Timeline) -> list[Any]:
    text = write_timeline(made, "edl", "sequence", None)[0]
    parsed = pycmx.parse_cmx3600(io.StringIO(text))
    return [edit for event in parsed.events for edit in event.edits]


def mixed() -> Timeline:
    mark = marker(Fraction(3), "here & there", "why")
    return timeline(
        asked(film("/m/a.mov", NTSC_24), markers=[mark]),
        asked(film("/m/b é.mov", 25, start_timecode="10:00:00:00", channels=(1, 1))),
        asked(film("/m/c.mov", NTSC_30, start_timecode="00:59:58;00", channels=())),
        asked(still(), 0, 2, markers=[marker(Fraction(1), "half way")]),
        asked(recording("/m/d.wav", 10, 6), 1.000003, 2),
        rate=NTSC_24,
    )[0]


def test_fcpxml_counts_a_source_from_midnight_of_its_timecode() -> None:
    root = fcpxml_of(mixed())
    assets = {a.get("name"): a for a in root.iter("asset")}
    assert seconds(assets["b é.mov"].get("start")) == 36000
    assert assets["b é.mov"].find("media-rep").get("src") == "file:///m/b%20%C3%A9.mov"
    assert assets["a.jpg"].get("duration") == "0s"
    clips = list(root.find(".//spine"))
    assert [clip.tag for clip in clips] == ["asset-clip"] * 3 + ["video", "asset-clip"]
    assert [seconds(clip.get("start")) for clip in clips] == [
        48 / NTSC_24,
        36002,
        Fraction(107832 + 60) / NTSC_30,
        0,
        Fraction("1.000003"),
    ]
    assert [clip.get("tcFormat") for clip in clips] == ["NDF", "NDF", "DF", None, "NDF"]


def test_fcpxml_names_the_rate_of_a_source_that_is_not_the_timelines() -> None:
    clips = list(fcpxml_of(mixed()).find(".//spine"))
    rates = [clip.find("conform-rate") for clip in clips]
    assert [rate.get("srcFrameRate") if rate is not None else None for rate in rates] == [
        None, "25", "29.97", None, None,
    ]  # fmt: skip
    assert {rate.get("scaleEnabled") for rate in rates if rate is not None} == {"0"}


def test_fcpxml_has_sound_markers_and_shapes() -> None:
    root = fcpxml_of(mixed())
    assets = {a.get("name"): a for a in root.iter("asset")}
    sound = ("audioSources", "audioChannels", "audioRate")
    assert [assets["b é.mov"].get(name) for name in sound] == ["2", "2", "48000"]
    assert [assets["d.wav"].get(name) for name in sound] == ["1", "6", "48000"]
    assert assets["c.mov"].get("hasAudio") is None
    assert assets["d.wav"].get("hasVideo") is None
    marker = root.find(".//asset-clip/marker")
    assert (marker.get("value"), marker.get("note")) == ("here & there", "why")
    assert seconds(marker.get("start")) == Fraction(72) / NTSC_24
    formats = {f.get("id"): f for f in root.iter("format")}
    assert formats[assets["a.jpg"].get("format")].get("name") == "FFVideoFormatRateUndefined"
    pal = fcpxml_of(timeline(asked(film(width=720, height=576, pixel_aspect="64/45")))[0])
    assert [f.get("paspH") for f in pal.iter("format")] == [None, "64"]


def test_fcpxml_of_sound_or_nothing_is_a_project_all_the_same() -> None:
    assert fcpxml_of(timeline(asked(recording()))[0]).find(".//asset-clip") is not None
    assert seconds(fcpxml_of(timeline(rate=25)[0]).find(".//sequence").get("duration")) == 0


def test_otio_has_ranges_by_timecode_and_gaps_where_there_is_no_sound() -> None:
    made = otio_of(mixed())
    assert [(track.name, track.kind) for track in made.tracks] == [("V1", "Video"), ("A1", "Audio")]
    video, audio = made.tracks
    clips = list(video)
    assert [type(child).__name__ for child in audio] == ["Clip", "Clip", "Gap", "Gap", "Clip"]
    assert [type(child).__name__ for child in video] == ["Clip"] * 4 + ["Gap"]
    assert video.duration() == audio.duration()
    ranges = [clip.source_range for clip in clips[:3]]
    assert [r.start_time.value for r in ranges] == [48, 900050, 107892]
    assert [r.start_time.rate for r in ranges] == [float(NTSC_24), 25, float(NTSC_30)]
    for clip in clips[:3]:
        assert clip.available_range().contains(clip.source_range)
    assert clips[1].media_reference.target_url == "file:///m/b%20%C3%A9.mov"
    assert clips[0].markers[0].marked_range.start_time.value == 72
    assert clips[0].markers[0].comment == "why"


def test_otio_uses_stock_schemas_only() -> None:
    text = write_timeline(mixed(), "otio", "sequence", None)[0]
    schemas: set[str] = set()

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            schemas.add(value.get("OTIO_SCHEMA", "").partition(".")[0])
        for inner in value.values() if isinstance(value, dict) else value:
            if isinstance(inner, dict | list):
                collect(inner)

    collect(json.loads(text))
    assert schemas - {""} == {
        "Timeline", "Stack", "Track", "Clip", "Gap", "Marker", "ExternalReference",
        "RationalTime", "TimeRange",
    }  # fmt: skip


def test_otio_begins_at_the_start_timecode() -> None:
    made, _ = timeline(asked(film()), timecode=Timecode.starting_at(Fraction(25), "01:00:00:00"))
    assert otio_of(made).global_start_time.value == 90_000


def test_fcpxml_lays_clips_from_the_start_timecode_on() -> None:
    """At 0 s they would lie an hour before a sequence that begins at 01:00:00:00."""
    start = Timecode.starting_at(NTSC_30, "01:00:00;00")
    made, _ = timeline(
        asked(film(rate=NTSC_30)), asked(film(rate=NTSC_30)), rate=NTSC_30, timecode=start
    )
    root = fcpxml_of(made)
    assert seconds(root.find(".//sequence").get("tcStart")) == 107_892 / NTSC_30
    assert [seconds(clip.get("offset")) for clip in root.find(".//spine")] == [
        107_892 / NTSC_30,
        (107_892 + 60) / NTSC_30,
    ]


def test_broadcast_wave_without_a_timecode_begins_at_its_time_since_midnight() -> None:
    sound = streams(1)
    hour = Probe(
        media_type=MediaType.AUDIO,
        duration_seconds=10,
        audio_streams=sound,
        time_reference=3600 * 48_000 + 24_000,
    )
    made, _ = timeline(asked(source_of("/m/a.wav", hour)), rate=25)
    timecode = xmeml_of(made).find(".//file/timecode")
    assert timecode.findtext("string") == "01:00:00:13"  # half a frame is rounded up
    assert timecode.findtext("frame") == "90013"
    root = fcpxml_of(made)
    assert seconds(root.find(".//asset").get("start")) == Fraction("3600.5")
    assert seconds(root.find(".//asset-clip").get("start")) == Fraction("3602.5")
    assert otio_of(made).tracks[0][0].source_range.start_time.value == 90_063
    assert " 01:00:02:13 01:00:04:13 " in write_timeline(made, "edl", "sequence", None)[0]
    for odd in (0, 2**63):  # a day later it is the same time again
        more = Probe(
            media_type=MediaType.AUDIO, duration_seconds=1, audio_streams=sound, time_reference=odd
        )
        assert 0 <= source_of("/m/a.wav", more).media.timecode_seconds < 86_400


def test_an_edl_names_source_and_record_timecode_reels_and_channels() -> None:
    made, _ = timeline(
        asked(film("/m/A001C001_long.mov", NTSC_30, start_timecode="00:59:58;00", reel="A001")),
        asked(film("/m/A001C002_long.mov", NTSC_30, channels=(1,)), name="Ünder <1>"),
        asked(film("/m/A001C002_longer.mov", NTSC_30, channels=())),
        asked(still("/m/x y.jpg"), 0, 2),
        asked(recording("/m/s.wav", 10, 1)),
        timecode=Timecode.starting_at(NTSC_30, "01:00:00;00"),
    )
    edits = edl_of(made)
    assert [edit.source for edit in edits] == ["A001", "A001C002", "A001C0_2", "x_y", "s"]
    assert [(e.source_in, e.source_out) for e in edits[:2]] == [
        ("01:00:00;00", "01:00:02;00"),
        ("00:00:02:00", "00:00:04:00"),
    ]
    assert [e.record_in for e in edits][:2] == ["01:00:00;00", "01:00:02;00"]
    assert edits[0].record_out == edits[1].record_in
    assert [(e.channels.video, sorted(e.channels.channels)) for e in edits] == [
        (True, [1, 2]), (True, [1]), (True, []), (True, []), (False, [1]),
    ]  # fmt: skip
    assert [edit.clip_name for edit in edits][:2] == ["A001C001_long.mov", "Ünder <1>"]


def test_an_edl_of_more_than_two_channels_names_them_and_says_what_it_lacks() -> None:
    made, _ = timeline(asked(film(channels=(2, 2, 2))))
    text, remarks = write_timeline(made, "edl", "sequence", None)
    assert "\nAUD   3   4\n" in text
    assert sorted(edl_of(made)[0].channels.channels) == [1, 2, 3, 4]
    assert [r.code for r in remarks] == [Code.CHANNELS_LEFT_OUT]


def test_an_edl_of_two_rates_is_refused() -> None:
    made, _ = timeline(asked(film("/m/a.mov", 25)), asked(film("/m/b.mov", 50)))
    with pytest.raises(BadInput, match=r"^clips\[1\]: b.mov runs at 50 frames a second"):
        write_timeline(made, "edl", "sequence", None)


def test_an_edl_counts_a_timecode_track_of_half_the_rate_in_its_own() -> None:
    own = StartTimecode(value="01:00:00;10", rate="30000/1001", drop_frame=True, source="track")
    edit = edl_of(timeline(asked(film(rate=NTSC_60, timecode=own), 0, 1.001))[0])[0]
    assert (edit.source_in, edit.source_out) == ("01:00:00;20", "01:00:01;20")


def test_an_edl_marks_the_record_side() -> None:
    mark = marker(Fraction(3), "here", "why")
    made, _ = timeline(asked(film()), asked(film(), markers=[mark]))
    text = write_timeline(made, "edl", "sequence", None)[0]
    assert "* LOC: 00:00:03:00 RED     here why" in text


@pytest.mark.parametrize("kind", ["fcpxml", "otio", "edl"])
def test_every_format_repeats_itself(kind: Any) -> None:
    made, _ = timeline(asked(film()))
    texts = {write_timeline(made, kind, "sequence", None)[0] for _ in range(2)}
    assert len(texts) == 1
