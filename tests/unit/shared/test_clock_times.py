"""Clock times as text, rounded once."""

from __future__ import annotations

import pytest

from shared.clock_times import clock, milliseconds


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
