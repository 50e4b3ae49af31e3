"""From asked ranges to frames: what is refused, cut short and said."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from api.exports.timelines.conform import commonest_rate, exact_seconds, source_time
from api.exports.timelines.model import Code
from shared.errors import BadInput
from shared.media_facts import StartTimecode
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
)


def refusal(*clips: Any) -> str:
    """What is said of the one clip whose media has no such range."""
    made, remarks = timeline(*clips)
    assert len(made.clips) == len(clips) - 1
    [remark] = [each for each in remarks if each.code is Code.BAD_RANGE]
    return remark.message


def test_checklist_09_an_empty_range_and_one_beyond_the_media_are_refused() -> None:
    assert refusal(asked(film()), asked(film(), 4, 4)).startswith(
        "clips[1].end_time must be after start_time"
    )
    assert refusal(asked(film(), 4, 2)).startswith("clips[0].end_time must be after start_time")
    assert refusal(asked(film(), 10, 12)) == (
        "clips[0].start_time is 10.000 s, but a.mov ends at 10.000 s."
    )


def test_a_still_with_an_empty_range_is_held_for_five_seconds() -> None:
    made, remarks = timeline(asked(still(), 0, 0), asked(still(), 7, 7))
    assert [clip.length for clip in made.clips] == [125, 125]
    assert remarks == []


def test_checklist_09_an_end_beyond_the_media_is_the_end_of_it_with_a_warning() -> None:
    made, remarks = timeline(asked(film(), 8, 12))
    assert (made.clips[0].first, made.clips[0].length) == (200, 50)
    assert [(r.index, r.code) for r in remarks] == [(0, Code.CLAMPED_OUT)]


def test_an_end_that_is_beyond_by_less_than_shows_is_no_warning() -> None:
    ntsc = film(rate=NTSC_30, seconds=3.336667)
    made, remarks = timeline(asked(ntsc, 0, 3.34))
    assert made.clips[0].length == 100
    assert remarks == []


def test_a_clip_never_ends_behind_its_media_in_another_rate() -> None:
    made, remarks = timeline(asked(film(seconds=4), 0, 4), rate=NTSC_24)
    clip = made.clips[0]
    assert clip.length == clip.media_frames == 95  # 96 would end 4 ms behind
    assert clip.source_start + clip.length / made.rate <= 4
    assert [r.code for r in remarks] == [Code.RATE_CONFORMED]


def test_handles_widen_a_clip_as_far_as_there_is_media() -> None:
    made, remarks = timeline(
        asked(film(), 2, 4, handle=Fraction(1)), asked(film(), 2, 9.5, handle=Fraction(1))
    )
    assert [(c.first, c.length) for c in made.clips] == [(25, 100), (25, 225)]
    assert [(r.index, r.code) for r in remarks] == [(1, Code.CLAMPED_HANDLE)]


@pytest.mark.parametrize(
    ("value", "exact"),
    [
        (0, Fraction(0)),
        (0.1, Fraction(1, 10)),
        (3599.999, Fraction(3599999, 1000)),
        (1 / 3, Fraction(333333, 1000000)),
        ("00:00:02", Fraction(2)),
        ("1:2:3.004", Fraction(3723004, 1000)),
        ("10:00:00:12", "10:00:00:12"),
        ("10:00:00;12", "10:00:00;12"),
    ],
)
def test_times_are_exact(value: float | str, exact: Fraction | str) -> None:
    assert source_time(value, "t") == exact


@pytest.mark.parametrize(
    "value", ["", "1:2:3:4:5", "00:60:00", "a", "00:00:00,5", "1:00:00:00", "-1"]
)
def test_what_is_no_time_is_named(value: str) -> None:
    with pytest.raises(BadInput, match=r"^t must be seconds, HH:MM:SS"):
        source_time(value, "t")


@pytest.mark.parametrize("value", [True, float("nan"), float("inf"), -1, 1e300, 4e6])
def test_numbers_that_are_no_time_are_refused(value: float) -> None:
    with pytest.raises(BadInput, match=r"^t must be a number of seconds"):
        exact_seconds(value, "t")


def starts(source: Any, start: str, end: str) -> Fraction:
    return timeline(asked(source, start, end))[0].clips[0].source_start


def test_a_timecode_of_the_source_counts_as_the_source_does() -> None:
    drop = film(rate=NTSC_30, start_timecode="00:59:58;00", seconds=300)
    assert starts(drop, "01:00:00;00", "01:00:01;00") == 60 / NTSC_30
    assert starts(drop, "01:00:00:00", "01:00:01:00") == 60 / NTSC_30
    assert starts(drop, "01:01:00;02", "01:01:01;00") == 1860 / NTSC_30
    assert starts(film(), "00:00:02:05", "00:00:03:00") == Fraction(55, 25)
    night = film(start_timecode="23:59:58:00")
    assert starts(night, "00:00:01:00", "00:00:02:00") == 3
    own = StartTimecode(value="01:00:00;00", rate="30000/1001", drop_frame=True, source="track")
    fast = film(rate=NTSC_60, timecode=own)
    assert starts(fast, "01:00:01;00", "01:00:02;00") == 30 / NTSC_30


def test_a_timecode_that_the_source_cannot_have_is_refused() -> None:
    ndf = film(rate=NTSC_30, start_timecode="01:00:00:00")
    assert "not: write a colon" in refusal(asked(ndf, "01:00:01;00", "01:00:02;00"))
    assert "does not exist" in refusal(asked(film(), "00:00:01:25", "00:00:02:00"))
    assert "is a still" in refusal(asked(still(), "00:00:01:00", "00:00:02:00"))
    assert "has none and no frame rate" in refusal(asked(recording(), "00:00:01:00", "00:00:02:00"))
    early = film(start_timecode="10:00:00:00")
    assert refusal(asked(early, "09:00:00:00", "09:00:01:00")).startswith("clips[0].start_time")


def test_the_commonest_rate_wins_and_the_first_of_equals() -> None:
    def rate(*sources: Any) -> Fraction:
        return commonest_rate(source.media for source in sources)

    assert rate(film(rate=25), film(rate=NTSC_24), film(rate=NTSC_24)) == NTSC_24
    assert rate(film(rate=NTSC_24), film(rate=25)) == NTSC_24
    assert rate(recording(), still(), film(rate=50)) == 50
    assert rate(recording(), still()) == 25
    assert rate(film(rate=1000)) == 240


def test_rates_without_a_word_are_rounded_and_said() -> None:
    made, remarks = timeline(asked(film(rate=Fraction(25, 2))))
    assert made.rate == 13
    assert [r.code for r in remarks] == [Code.ODD_RATE]
    measured, remarks = timeline(asked(film(rate=Fraction(239759, 10000))))
    assert (measured.rate, remarks) == (NTSC_24, [])


def test_varying_rates_and_timecodes_that_count_no_frame_are_said() -> None:
    _, remarks = timeline(asked(film(is_vfr=True, start_timecode="10:00:00:29")))
    assert [r.code for r in remarks] == [Code.VFR_SOURCE, Code.BAD_TIMECODE]


def test_ticks_lie_on_a_picture_of_the_source() -> None:
    made, _ = timeline(asked(film(rate=NTSC_30, seconds=10.01), 0.033, 1))
    assert made.clips[0].first == 1
    assert made.clips[0].source_start == 1 / NTSC_30
    mixed, _ = timeline(asked(film(rate=50), 2.03, 3), rate=25)
    assert mixed.clips[0].source_start == Fraction(102, 50)


@pytest.mark.parametrize(
    ("start", "end", "field"),
    [("01:00:01:00", "00:59:00:00", "end_time"), ("00:59:00:00", "01:00:02:00", "start_time")],
)
def test_a_timecode_before_the_media_is_refused_and_named(start: str, end: str, field: str) -> None:
    """It is not taken for the next day's, which would be cut off at the end of the media."""
    source = film(start_timecode="01:00:00:00")
    assert refusal(asked(source, start, end)) == (
        f"clips[0].{field}: 00:59:00:00 lies before a.mov, which begins at 01:00:00:00."
    )
    mark = marker("00:59:59:00", "early")
    made, said_too = timeline(asked(source, 1, 2, markers=[mark]))
    assert made.clips[0].markers == ()
    assert [remark.code for remark in said_too] == [Code.MARKER_OUTSIDE]


def test_a_timecode_past_midnight_is_the_next_days() -> None:
    source = film(start_timecode="23:59:55:00")
    assert timeline(asked(source, "23:59:58:00", "00:00:02:00"))[0].frames == 100
    made, remarks = timeline(asked(source, "00:00:01:00", "00:00:09:00"))
    assert made.frames == 100
    assert [remark.code for remark in remarks] == [Code.CLAMPED_OUT]
