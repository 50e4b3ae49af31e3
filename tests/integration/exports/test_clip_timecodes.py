"""Labels of frames, against counting them one by one."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.export.timecode import Counting, counting_of

COUNTINGS = [Counting(24), Counting(25), Counting(30), Counting(30, True), Counting(60, True)]


@pytest.mark.parametrize("counting", [Counting(30, True), Counting(60, True)])
def test_drop_frame_labels_are_those_that_counting_one_by_one_gives(counting: Counting) -> None:
    dropped = counting.nominal // 15
    hours, minutes, seconds, frames = 0, 0, 0, 0
    for number in range(counting.nominal * 60 * 21):
        label = f"{hours:02}:{minutes:02}:{seconds:02};{frames:02}"
        assert counting.label(number) == label
        assert counting.number(label) == number
        frames += 1
        if frames == counting.nominal:
            frames, seconds = 0, seconds + 1
        if seconds == 60:
            seconds, minutes = 0, minutes + 1
            frames = dropped if minutes % 10 else 0


@given(st.sampled_from(COUNTINGS), st.integers(0, 10_000_000))
def test_a_label_names_its_frame_and_starts_again_after_a_day(
    counting: Counting, number: int
) -> None:
    assert counting.number(counting.label(number)) == number % counting.day


@pytest.mark.parametrize(
    ("rate", "label", "nominal", "drops"),
    [
        (Fraction(24000, 1001), "01:00:00:00", 24, False),
        (Fraction(30000, 1001), "01:00:00;00", 30, True),
        (Fraction(30000, 1001), "01:00:00:00", 30, False),
        (Fraction(60000, 1001), "01:00:00;00", 60, True),
        (Fraction(25), "01:00:00;00", 25, False),
    ],
)
def test_only_ntsc_rates_drop_and_only_where_the_source_does(
    rate: Fraction, label: str, nominal: int, drops: bool
) -> None:
    assert counting_of(rate, label) == Counting(nominal, drops)


def test_what_is_no_label_of_a_rate_has_no_number() -> None:
    assert Counting(25).number("00:00:00:25") is None
    assert Counting(25).number("00:61:00:00") is None
    assert Counting(25).number("soon") is None
    assert counting_of(Fraction(240), None) is None
