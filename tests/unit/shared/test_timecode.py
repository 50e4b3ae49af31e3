"""Timecode against OpenTimelineIO's, and where that has none against counting label by label."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentimelineio import opentime

from shared.errors import BadInput
from shared.timecode import (
    FASTEST,
    Timecode,
    has_drop_frame,
    is_ntsc,
    label_of_tag,
    nominal_rate,
)
from workers.export.source import timecode_of

NTSC = Fraction(30000, 1001)
SMPTE_RATES = [
    *(Fraction(n * 1000, 1001) for n in (24, 30, 48, 60)),
    *map(Fraction, (24, 25, 30, 48, 50, 60)),
]
ANY_RATE = st.builds(
    lambda nominal, ntsc: Fraction(nominal * 1000, 1001) if ntsc else Fraction(nominal),
    st.integers(1, FASTEST),
    st.booleans(),
)
FRAMES = st.integers(0, 24 * 3600 * FASTEST)
ANY_LABEL = st.builds(
    "{:02}:{:02}:{:02}{}{:02}".format,
    *(st.integers(0, 99), st.integers(0, 61), st.integers(0, 61)),
    st.sampled_from(":;"),
    st.integers(0, FASTEST),
)


@st.composite
def timecodes(draw: st.DrawFn, rates: st.SearchStrategy[Fraction] = ANY_RATE) -> Timecode:
    rate = draw(rates)
    return Timecode(rate, has_drop_frame(rate) and draw(st.booleans()))


@given(timecodes(st.sampled_from(SMPTE_RATES)), FRAMES)
def test_opentimelineio_gives_frames_the_same_labels(timecode: Timecode, frame: int) -> None:
    # OpenTimelineIO begins anew after a day of real time, which labels without drop-frame outlast.
    frame %= min(timecode.day, int(86_399 * timecode.rate))
    rate, label = float(timecode.rate), timecode.label(frame)
    counted = opentime.RationalTime(frame, rate)
    assert opentime.to_timecode(counted, rate, drop_frame=timecode.drop_frame) == label
    assert opentime.from_timecode(label, rate).value == timecode.number(label) == frame


def counted_labels(nominal: int, dropped: int, minutes: int) -> Iterator[str]:
    """One after the other, by the rule alone."""
    mark, digits = ";" if dropped else ":", len(str(max(nominal - 1, 10)))
    for minute in range(minutes):
        for second in range(60):
            is_short = dropped and minute % 10 and not second
            for frame in range(dropped if is_short else 0, nominal):
                yield f"{minute // 60:02}:{minute % 60:02}:{second:02}{mark}{frame:0{digits}}"


@pytest.mark.parametrize(
    ("rate", "dropped", "minutes"),
    [
        (NTSC, 2, 21),
        (NTSC * 2, 4, 21),
        (NTSC * 4, 8, 12),
        *((Fraction(nominal), 0, 2) for nominal in (1, 24, 72, 96, 100, 101, 120)),
        *((Fraction(nominal * 1000, 1001), 0, 2) for nominal in (24, 30, 72, 96, 120)),
    ],
    ids=str,
)
def test_labels_are_those_that_counting_one_by_one_gives(
    rate: Fraction, dropped: int, minutes: int
) -> None:
    timecode = Timecode(rate, dropped > 0)
    for number, label in enumerate(counted_labels(nominal_rate(rate), dropped, minutes)):
        assert timecode.label(number) == label
        assert timecode.number(label) == number


@pytest.mark.parametrize("times", [1, 2, 4, 8])
def test_drop_frame_counts_every_minute_of_a_day_as_the_definition_says(times: int) -> None:
    rate, digits = NTSC * times, 3 if times > 2 else 2
    timecode = Timecode(rate, drop_frame=True)
    frame = 0
    for minute in range(24 * 60):
        first = 2 * times if minute % 10 else 0
        minute_text = f"{minute // 60:02d}:{minute % 60:02d}"
        assert timecode.label(frame) == f"{minute_text}:00;{first:0{digits}d}"
        frame += 1800 * times - first
        last = f"{minute_text}:59;{30 * times - 1}"
        assert timecode.label(frame - 1) == last
        assert Timecode.starting_at(rate, last).first_frame == frame - 1
    assert frame == timecode.day
    assert timecode.label(frame) == f"00:00:00;{0:0{digits}d}"
    assert abs(frame / rate - 24 * 3600) < Fraction(1, 10)


@given(timecodes(), FRAMES, FRAMES)
def test_a_label_names_its_frame_and_starts_again_after_a_day(
    timecode: Timecode, first: int, frame: int
) -> None:
    begun = Timecode(timecode.rate, timecode.drop_frame, first)
    label = begun.label(frame)
    assert timecode.number(label) == (first + frame) % timecode.day
    assert Timecode.starting_at(timecode.rate, label).label() == label


@given(ANY_RATE, ANY_LABEL)
def test_what_may_start_is_a_label_of_some_frame_and_all_else_is_refused(
    rate: Fraction, text: str
) -> None:
    try:
        timecode = Timecode.starting_at(rate, text)
    except BadInput:
        counted = Timecode(rate, ";" in text)
        number = counted.number(text)
        is_label = number is not None and counted.label(number)[:8] == text[:8]
        assert not is_label or (";" in text and not has_drop_frame(rate))
    else:
        label = timecode.label()
        assert (label[:9], int(label[9:])) == (text[:9], int(text[9:]))


@pytest.mark.parametrize("rate", [Fraction(25, 2), Fraction(119, 5), Fraction(1499, 60)])
def test_a_rate_that_timecode_cannot_count_is_refused(rate: Fraction) -> None:
    with pytest.raises(BadInput, match="fps: there is no timecode for"):
        Timecode.starting_at(rate, None)


def test_an_hour_at_29_97_ends_on_the_hour_only_in_drop_frame() -> None:
    assert Timecode.starting_at(NTSC, "01:00:00;00").at(3600) == "02:00:00;00"
    assert Timecode.starting_at(NTSC, "01:00:00:00").at(3600) == "01:59:56:12"


def test_59_94_drops_four_numbers_a_minute_and_119_88_eight() -> None:
    assert Timecode.starting_at(NTSC * 2, "00:00:59;59").label(1) == "00:01:00;04"
    assert Timecode.starting_at(NTSC * 4, "00:00:59;119").label(1) == "00:01:00;008"


def test_a_time_gets_the_timecode_of_the_nearest_frame_and_a_day_begins_anew() -> None:
    timecode = Timecode.starting_at(Fraction(25), "23:59:59:24")
    assert timecode.at(0.019) == "23:59:59:24"
    assert timecode.at(0.021) == "00:00:00:00"
    assert Timecode(Fraction(120)).at(0.9) == "00:00:00:108"


@pytest.mark.parametrize(
    ("rate", "text", "words"),
    [
        (25, "1:00:00:00", "HH:MM:SS:FF"),
        (25, "01:00:00.00", "HH:MM:SS:FF"),
        (25, "24:00:00:00", "does not exist"),
        (25, "00:00:00:25", "does not exist at 25 frames"),
        (25, "00:00:00;00", "29.97 and 59.94"),
        (Fraction(24000, 1001), "00:00:00;00", "not at 23.976"),
        (NTSC, "00:01:00;01", "the next is 00:01:00;02"),
        (NTSC * 4, "00:01:00;007", "the next is 00:01:00;008"),
    ],
)
def test_a_start_timecode_that_does_not_exist_is_refused(
    rate: Fraction, text: str, words: str
) -> None:
    with pytest.raises(BadInput, match=words) as refused:
        Timecode.starting_at(Fraction(rate), text)
    assert refused.value.message.startswith("start_timecode")


@pytest.mark.parametrize(
    ("frame", "rate", "drop", "label"),
    [
        (0, NTSC, True, "00:00:00;00"),
        (1799, NTSC, True, "00:00:59;29"),
        (1800, NTSC, True, "00:01:00;02"),
        (17_981, NTSC, True, "00:09:59;29"),
        (17_982, NTSC, True, "00:10:00;00"),
        (107_892, NTSC, True, "01:00:00;00"),
        (3600, NTSC * 2, True, "00:01:00;04"),
        (35_964, NTSC * 2, True, "00:10:00;00"),
        (107_892, NTSC, False, "00:59:56:12"),
        (24 * 3600 * 25, Fraction(25), False, "00:00:00:00"),
    ],
)
def test_frames_are_labelled_as_smpte_says(
    frame: int, rate: Fraction, drop: bool, label: str
) -> None:
    assert Timecode(rate, drop).label(frame) == label


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("01:00:00;02", "01:00:00;02"),
        ("01:00:00.02", "01:00:00;02"),
        (" 01:00:00:02 ", "01:00:00:02"),
        ("01:00:00.108", "01:00:00;108"),
        ("1:0:0:0", None),
        ("", None),
    ],
)
def test_only_whole_timecodes_are_taken_from_tags(written: str, read: str | None) -> None:
    assert label_of_tag(written) == read


@pytest.mark.parametrize(
    ("rate", "label", "nominal", "drops"),
    [
        (Fraction(24000, 1001), "01:00:00:00", 24, False),
        (NTSC, "01:00:00;00", 30, True),
        (NTSC, "01:00:00:00", 30, False),
        (NTSC * 2, "01:00:00;00", 60, True),
        (NTSC * 4, "01:00:00;000", 120, True),
        (Fraction(25), "01:00:00;00", 25, False),
    ],
)
def test_only_ntsc_rates_drop_and_only_where_the_source_does(
    rate: Fraction, label: str, nominal: int, drops: bool
) -> None:
    timecode = timecode_of(rate, label)
    assert timecode == Timecode(rate, drops, timecode.first_frame if timecode else 0)
    assert timecode.nominal == nominal


def test_what_is_no_label_of_a_rate_has_no_number() -> None:
    assert Timecode(Fraction(25)).number("00:00:00:25") is None
    assert Timecode(Fraction(25)).number("00:61:00:00") is None
    assert Timecode(Fraction(25)).number("soon") is None
    assert timecode_of(Fraction(FASTEST + 1), None) is None


def test_ntsc_runs_at_1000_1001_of_a_whole_rate() -> None:
    for nominal in range(1, FASTEST + 1):
        rate = Fraction(nominal * 1000, 1001)
        assert is_ntsc(rate)
        assert not is_ntsc(Fraction(nominal))
        assert nominal_rate(rate) == nominal_rate(Fraction(nominal)) == nominal
