"""Hours in which a folder may be worked on."""

from __future__ import annotations

from datetime import datetime

import pytest

from shared.watch.folders import Schedule, is_open


@pytest.mark.parametrize(
    ("start", "stop", "time", "expected"),
    [
        ("08:00", "18:30", "07:59:59", False),
        ("08:00", "18:30", "08:00:00", True),
        ("08:00", "18:30", "18:29:59", True),
        ("08:00", "18:30", "18:30:00", False),
        ("20:00", "06:00", "19:59:59", False),
        ("20:00", "06:00", "20:00:00", True),
        ("20:00", "06:00", "00:00:00", True),
        ("20:00", "06:00", "05:59:59", True),
        ("20:00", "06:00", "06:00:00", False),
        ("00:00", "00:00", "12:00:00", True),
        ("22:00", "00:00", "23:59:59", True),
        ("22:00", "00:00", "00:00:00", False),
        ("00:00", "23:59", "23:59:30", False),
    ],
)
def test_a_schedule_includes_its_start_and_not_its_stop(
    start: str, stop: str, time: str, expected: bool
) -> None:
    now = datetime.fromisoformat(f"2026-03-01T{time}")
    assert is_open(Schedule(start=start, stop=stop), now) is expected
