"""Times in exports: milliseconds rounded once, frame rates, timecode with drop-frame."""

from __future__ import annotations

from fractions import Fraction

import pytest

from shared.errors import BadInput
from shared.exports.clock import Timecode, clock, frame_rate, milliseconds

NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "00:00:00.000"),
        (59.9994, "00:00:59.999"),
        (59.9996, "00:01:00.000"),
        (3599.9996, "01:00:00.000"),
        (0.0005, "00:00:00.001"),
        (360_000, "100:00:00.000"),
        (4_000_000.25, "1111:06:40.250"),
    ],
)
def test_a_time_is_rounded_once_to_whole_milliseconds(seconds: float, text: str) -> None:
    assert clock(milliseconds(seconds)) == text


@pytest.mark.parametrize(
    ("value", "rate"),
    [
        (25, "25"),
        (23.976, "24000/1001"),
        (23.98, "24000/1001"),
        (24, "24"),
        (29.97, "30000/1001"),
        ("29.97", "30000/1001"),
        ("30000/1001", "30000/1001"),
        (30, "30"),
        (59.94, "60000/1001"),
        (119.88, "120000/1001"),
        (12.5, "25/2"),
    ],
)
def test_a_frame_rate_is_exact(value: float | str, rate: str) -> None:
    assert frame_rate(value) == Fraction(rate)


@pytest.mark.parametrize("value", [0, -25, 241, "fast", "", "25/0", "1e2", "25 ", "٢٥", 1e300])
def test_no_frame_rate_is_refused_by_name(value: float | str) -> None:
    if value == "25 ":
        assert frame_rate(value) == 25
    else:
        with pytest.raises(BadInput, match="fps must be a frame rate"):
            frame_rate(value)


def test_drop_frame_counts_every_frame_of_a_day_as_the_definition_says() -> None:
    timecode = Timecode(NTSC, drop_frame=True)
    frame = 0
    for minute in range(24 * 60):
        first = 2 if minute % 10 else 0
        minute_text = f"{minute // 60:02d}:{minute % 60:02d}"
        assert timecode.of_frame(frame) == f"{minute_text}:00;{first:02d}"
        frame += 1800 - first
        assert timecode.of_frame(frame - 1) == f"{minute_text}:59;29"
        again = Timecode.starting_at(NTSC, f"{minute_text}:59;29")
        assert again.first_frame == frame - 1
    assert timecode.of_frame(frame) == "00:00:00;00"


@pytest.mark.parametrize("rate", [Fraction(25, 2), Fraction(119, 5), Fraction(1499, 60)])
def test_a_rate_that_timecode_cannot_count_is_refused(rate: Fraction) -> None:
    with pytest.raises(BadInput, match="fps: there is no timecode for"):
        Timecode.starting_at(rate, None)


def test_an_hour_at_29_97_ends_on_the_hour_only_in_drop_frame() -> None:
    assert Timecode.starting_at(NTSC, "01:00:00;00").at(3600) == "02:00:00;00"
    assert Timecode.starting_at(NTSC, "01:00:00:00").at(3600) == "01:59:56:12"


def test_59_94_drops_four_numbers_a_minute() -> None:
    timecode = Timecode.starting_at(Fraction(60000, 1001), "00:00:59;59")
    assert timecode.of_frame(timecode.first_frame + 1) == "00:01:00;04"


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
    ],
)
def test_a_start_timecode_that_does_not_exist_is_refused(
    rate: Fraction, text: str, words: str
) -> None:
    with pytest.raises(BadInput, match=words) as refused:
        Timecode.starting_at(Fraction(rate), text)
    assert refused.value.message.startswith("start_timecode")
