"""xmeml: the checklist of what relinks and what lands where it was cut."""

from __future__ import annotations

from fractions import Fraction
from typing import Any
from urllib.parse import unquote

import pytest

from api.exports.timelines.model import Code
from api.exports.timelines.routes import write_timeline
from api.exports.timelines.sources import source_of
from shared.domain import Probe
from shared.media import MediaType
from shared.media_facts import StartTimecode
from shared.timecode import Timecode
from tests.support.exports.timeline_checker import TICKS, number, rate_of
from tests.support.exports.timeline_data import (
    NTSC_24,
    NTSC_30,
    NTSC_60,
    asked,
    film,
    marker,
    recording,
    still,
    streams,
    timeline,
    xmeml_of,
)


def items(root: Any, kind: str = "video") -> list[Any]:
    return root.findall(f"sequence/media/{kind}/track/clipitem")


def tracks(root: Any) -> list[Any]:
    return root.findall("sequence/media/audio/track")


def files(root: Any) -> list[Any]:
    return [file for file in root.iter("file") if len(file)]


def test_checklist_01_mixed_rates_have_contiguous_clips_of_the_sequences_rate() -> None:
    made, remarks = timeline(
        asked(film("/m/a.mov", NTSC_24)),
        asked(film("/m/b.mov", 25)),
        asked(film("/m/c.mov", NTSC_30)),
        rate=NTSC_24,
    )
    root = xmeml_of(made)
    assert [rate_of(item) for item in items(root)] == [NTSC_24] * 3
    assert [len(item.findall("rate")) for item in items(root)] == [1] * 3
    edges = [(number(i, "start"), number(i, "end")) for i in items(root)]
    assert edges == [(0, 48), (48, 96), (96, 144)]
    assert number(root.find("sequence"), "duration") == 144
    assert [rate_of(file) for file in files(root)] == [NTSC_24, 25, NTSC_30]
    assert [number(file, "duration") for file in files(root)] == [240, 250, 300]
    assert [(r.index, r.code) for r in remarks] == [
        (1, Code.RATE_CONFORMED),
        (2, Code.RATE_CONFORMED),
    ]


def test_checklist_01_a_source_of_25_trimmed_at_2_s_is_at_60_frames_of_30() -> None:
    root = xmeml_of(timeline(asked(film(rate=25)), rate=30)[0])
    (item,) = items(root)
    assert (number(item, "in"), number(item, "out"), number(item, "duration")) == (60, 120, 300)
    assert (number(item, "pproTicksIn"), number(item, "pproTicksOut")) == (2 * TICKS, 4 * TICKS)
    (item,) = items(xmeml_of(timeline(asked(film(rate=25), 2.11, 4), rate=30)[0]))
    assert (number(item, "in"), number(item, "pproTicksIn")) == (63, 53 * TICKS // 25), "a picture"


def test_checklist_02_only_a_drop_frame_source_is_written_as_drop_frame() -> None:
    made, _ = timeline(
        asked(film("/m/df.mov", NTSC_30, start_timecode="00:59:58;00")),
        asked(film("/m/ndf.mov", NTSC_30, start_timecode="00:59:58:00")),
        asked(film("/m/none.mov", NTSC_30)),
    )
    found = [
        tuple(file.find("timecode").findtext(t) for t in ("string", "frame", "displayformat"))
        for file in files(xmeml_of(made))
    ]
    assert found == [
        ("00;59;58;00", "107832", "DF"),
        ("00:59:58:00", "107940", "NDF"),
        ("00:00:00:00", "0", "NDF"),
    ]


def test_checklist_02_a_timecode_track_has_its_own_rate() -> None:
    own = StartTimecode(value="01:00:00;00", rate="30000/1001", drop_frame=True, source="track")
    (file,) = files(xmeml_of(timeline(asked(film(rate=NTSC_60, timecode=own)))[0]))
    assert rate_of(file) == NTSC_60
    assert rate_of(file.find("timecode")) == NTSC_30
    assert number(file.find("timecode"), "frame") == 107892


@pytest.mark.parametrize(
    ("said", "rate", "counted"),
    [("30/1", NTSC_30, NTSC_30), ("24/1", NTSC_24, NTSC_24), ("25/1", 50, 25), ("0/1", 25, 25)],
)
def test_a_timecode_of_the_pictures_own_base_counts_pictures(
    said: str, rate: Fraction, counted: Fraction
) -> None:
    own = StartTimecode(value="01:00:00:00", rate=said, drop_frame=False, source="track")
    (file,) = files(xmeml_of(timeline(asked(film(rate=rate, timecode=own)))[0]))
    assert rate_of(file.find("timecode")) == counted


def test_checklist_03_an_hour_in_nothing_has_drifted() -> None:
    hour = film(rate=NTSC_24, seconds=3603.6)
    root = xmeml_of(timeline(asked(hour, 3599.999, 3601))[0])
    (item,) = items(root)
    error = number(item, "in") / NTSC_24 - Fraction("3599.999")
    assert abs(error) <= 1 / NTSC_24 / 2
    assert number(item, "pproTicksIn") == number(item, "in") * 1001 * TICKS // 24000
    many, _ = timeline(*[asked(hour, 1.001 * n, 1.001 * n + 0.3337) for n in range(500)])
    assert [clip.start for clip in many.clips] == [
        sum(c.length for c in many.clips[:n]) for n in range(500)
    ]


def test_checklist_04_a_file_is_described_once_and_referred_to_later() -> None:
    one = film()
    root = xmeml_of(timeline(asked(one, 0, 1), asked(one, 2, 3), asked(one, 1, 2))[0])
    assert len(files(root)) == 1
    assert len(list(root.iter("file"))) == 9
    assert {item.findtext("masterclipid") for item in root.iter("clipitem")} == {"masterclip-1"}
    ids = {item.get("id") for item in root.iter("clipitem")}
    assert len(ids) == 9
    assert {ref.text for ref in root.iter("linkclipref")} == ids


@pytest.mark.parametrize(
    ("channels", "kinds", "sources"),
    [
        ((1,), ["Mono"], [1]),
        ((2,), ["Stereo", "Stereo"], [1, 2]),
        ((6,), ["Mono"] * 6, [1, 2, 3, 4, 5, 6]),
        ((1, 1, 1, 1), ["Mono"] * 4, [1, 2, 3, 4]),
        ((2, 2), ["Stereo"] * 4, [1, 2, 3, 4]),
        ((1, 2), ["Stereo", "Stereo", "Mono"], [2, 3, 1]),
        ((), [], []),
    ],
)
def test_checklist_05_each_channel_has_a_track(
    channels: tuple[int, ...], kinds: list[str], sources: list[int]
) -> None:
    root = xmeml_of(timeline(asked(film(channels=channels)))[0])
    assert [track.get("premiereTrackType") for track in tracks(root)] == kinds
    assert [number(i.find("sourcetrack"), "trackindex") for i in items(root, "audio")] == sources
    (file,) = files(root)
    found = [number(audio, "channelcount") for audio in file.findall("media/audio")]
    assert found == list(channels)


def test_checklist_05_mono_and_stereo_clips_lie_on_tracks_of_their_own_kind() -> None:
    made, _ = timeline(
        asked(film("/m/mono.mov", channels=(1,))), asked(film("/m/stereo.mov", channels=(2,)))
    )
    root = xmeml_of(made)
    assert [len(t.findall("clipitem")) for t in tracks(root)] == [1, 1, 1]
    assert [number(t, "outputchannelindex") for t in tracks(root)] == [1, 2, 1]
    assert number(tracks(root)[2].find("clipitem"), "start") == 0


def test_checklist_05_an_older_probe_that_only_counts_channels_will_do() -> None:
    old = {"audio_streams": (), "has_audio": True, "audio_channels": 2}
    root = xmeml_of(timeline(asked(film(**old)))[0])
    assert len(tracks(root)) == 2


def test_checklist_06_sound_alone_has_no_video_track() -> None:
    root = xmeml_of(timeline(asked(recording("/m/a.wav", 10, 2)))[0])
    assert root.find("sequence/media/video") is None
    assert len(items(root, "audio")) == 2
    assert rate_of(root.find("sequence")) == 25


def test_checklist_06_a_still_lasts_as_long_as_asked_for() -> None:
    made, _ = timeline(asked(still(), 0, 5), asked(film()), asked(still(), 3, 5))
    root = xmeml_of(made)
    lengths = [number(i, "end") - number(i, "start") for i in items(root)]
    assert lengths == [125, 50, 50]
    assert [number(i, "in") for i in items(root)] == [0, 50, 0]
    assert number(files(root)[0], "duration") == 125
    assert files(root)[0].find("media/video/stillframe").text == "TRUE"
    alone = xmeml_of(timeline(asked(still(), 0, 5))[0])
    assert alone.find("sequence/media/audio") is None


NASTY = 'A & B <"1"> ]]> é 😀'


def test_checklist_07_names_come_back_equal_and_controls_are_left_out_with_a_warning() -> None:
    made, remarks = timeline(
        asked(film(), name=NASTY), asked(film(), name="a\x00b\x1bc\ud800d\ufffe"), name=NASTY
    )
    root = xmeml_of(made)
    assert root.findtext("sequence/name") == NASTY
    assert [item.findtext("name") for item in items(root)] == [NASTY, "abcd"]
    assert [(r.index, r.code) for r in remarks] == [(1, Code.NAME_CLEANED)]


@pytest.mark.parametrize(
    "path", ["/m/a b #1%.mov", "/m/é/e\u0301.mov", "/m/😀 & ?;'\".mov", "/m/%20.mov", "/m/a+b.mov"]
)
def test_checklist_07_the_pathurl_decodes_to_the_path(path: str) -> None:
    (file,) = files(xmeml_of(timeline(asked(film(path)))[0]))
    assert unquote(file.findtext("pathurl").removeprefix("file://localhost")) == path
    assert file.findtext("name") == path.rpartition("/")[2]


def test_checklist_07_a_file_whose_name_xml_cannot_hold_is_still_linked_by_its_url() -> None:
    made, remarks = timeline(asked(film("/m/a\nb\x01.mov")))
    (file,) = files(xmeml_of(made))
    assert file.findtext("pathurl") == "file://localhost/m/a%0Ab%01.mov"
    assert file.findtext("name") == "a b.mov"
    assert [r.code for r in remarks] == [Code.NAME_CLEANED]


def test_checklist_10_a_clip_shorter_than_a_frame_has_one() -> None:
    made, _ = timeline(asked(film(), 2, 2.001), asked(film(), 9.99, 10), asked(film(), 2, 2.04))
    assert [clip.length for clip in made.clips] == [1, 1, 1]
    assert [clip.first for clip in made.clips] == [50, 249, 50]
    xmeml_of(made)


def test_checklist_10_five_hundred_clips_describe_each_file_once() -> None:
    sources = [film(f"/m/{n}.mov", channels=(2, 1)) for n in range(10)]
    root = xmeml_of(timeline(*[asked(sources[n % 10]) for n in range(500)])[0])
    assert len(files(root)) == 10
    assert len(list(root.iter("clipitem"))) == 500 * 4


def test_the_same_timeline_gives_the_same_bytes_and_another_one_another_uuid() -> None:
    def text(end: float) -> str:
        made, _ = timeline(asked(film(), 2, end), asked(still(), 0, 1))
        return write_timeline(made, "xmeml", "both", None)[0]

    assert text(4) == text(4)
    first, second = (t.split("<uuid>")[1][:36] for t in (text(4), text(5)))
    assert first != second


def test_markers_count_from_the_first_picture_of_the_media() -> None:
    marks = [
        marker(Fraction(3), "here", "why"),
        marker("10:00:03:12", "later", length=Fraction(1, 2)),
        marker(Fraction(9), "outside"),
    ]
    made, remarks = timeline(asked(film(start_timecode="10:00:00:00"), markers=marks))
    for item in xmeml_of(made).iter("clipitem"):
        found = [
            (m.findtext("name"), m.findtext("comment"), number(m, "in"), number(m, "out"))
            for m in item.findall("marker")
        ]
        assert found == [("here", "why", 75, -1), ("later", "", 87, 100)]
    assert [(r.index, r.code) for r in remarks] == [(0, Code.MARKER_OUTSIDE)]


def test_a_bin_holds_a_clip_for_each_range_and_shares_the_files_of_the_sequence() -> None:
    one = film()
    made, _ = timeline(asked(one, 1, 2, name="x"), asked(one, 3, 5), asked(recording(), 0, 1))
    alone = xmeml_of(made, "subclips")
    clips = alone.findall("bin/children/clip")
    assert [(c.findtext("name"), number(c, "in"), number(c, "out")) for c in clips] == [
        ("x", 25, 50),
        ("a.mov", 75, 125),
        ("a.wav", 0, 25),
    ]
    assert alone.find("sequence") is None
    both = xmeml_of(made, "both")
    assert len(both.findall("project/children/sequence")) == 1
    assert len(both.findall("project/children/bin/children/clip")) == 3
    assert len(files(both)) == 2


def test_pixels_that_are_not_square_and_fields_are_named() -> None:
    def shape(**more: Any) -> tuple[str, ...]:
        root = xmeml_of(timeline(asked(film(**more)))[0])
        (found,) = files(root)[0].findall("media/video/samplecharacteristics")
        tags = ("width", "height", "anamorphic", "pixelaspectratio", "fielddominance")
        return tuple(found.findtext(tag) for tag in tags)

    assert shape() == ("1920", "1080", "FALSE", "square", "none")
    pal = {"width": 720, "height": 576, "scan": "bottom_first"}
    assert shape(**pal, pixel_aspect="64/45") == ("720", "576", "TRUE", "PAL-601", "lower")
    assert shape(**pal, pixel_aspect="16/15") == ("720", "576", "FALSE", "PAL-601", "lower")
    hdv = {"width": 1440, "height": 1080, "pixel_aspect": "4/3", "scan": "top_first"}
    assert shape(**hdv) == ("1440", "1080", "FALSE", "HD-(1440x1080)", "upper")
    assert shape(rotation=90) == ("1080", "1920", "FALSE", "square", "none")


def test_the_reel_is_written_where_the_file_names_one() -> None:
    (file,) = files(xmeml_of(timeline(asked(film(reel="A001")))[0]))
    assert file.findtext("timecode/reel/name") == "A001"


def test_a_sequence_may_begin_at_any_timecode() -> None:
    made, _ = timeline(
        asked(film(rate=NTSC_30)), timecode=Timecode.starting_at(NTSC_30, "01:00:00;00")
    )
    timecode = xmeml_of(made).find("sequence/timecode")
    assert timecode.findtext("string") == "01;00;00;00"
    assert timecode.findtext("frame") == "107892"
    assert number(items(xmeml_of(made))[0], "start") == 0


def test_a_file_of_unknown_length_is_as_long_as_it_is_used() -> None:
    one = film(seconds=None)
    root = xmeml_of(timeline(asked(one, 2, 4), asked(one, 2, 8))[0])
    assert [number(i, "duration") for i in items(root)] == [200, 200]


def test_the_data_of_streams_that_a_probe_lacks_are_the_usual_ones() -> None:
    bare = [s for s in streams(0)]
    probe = Probe(
        media_type=MediaType.AUDIO,
        duration_seconds=3,
        audio_streams=tuple(type(s)(index=1, codec="x") for s in bare),
    )
    (file,) = files(xmeml_of(timeline(asked(source_of("/m/a.wav", probe), 0, 1))[0]))
    assert number(file.find("media/audio"), "channelcount") == 2
    assert file.findtext("media/audio/samplecharacteristics/samplerate") == "48000"
