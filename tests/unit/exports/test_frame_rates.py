"""Frame rates of requests and containers, made exact."""

from __future__ import annotations

from fractions import Fraction

import pytest

from shared.errors import BadInput
from shared.timecode import frame_rate, nearest_rate


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


@pytest.mark.parametrize(
    ("rate", "nearest"),
    [("25", "25"), ("24000/1001", "24000/1001"), ("25/2", "13"), ("119/5", "24"), ("1/3", "1")],
)
def test_formats_name_whole_rates_and_those_of_ntsc(rate: str, nearest: str) -> None:
    assert nearest_rate(Fraction(rate)) == Fraction(nearest)
