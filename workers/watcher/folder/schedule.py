"""Hours in which a folder may be worked on."""

from __future__ import annotations

from datetime import datetime

from shared.watch.folders import Schedule


def is_open(schedule: Schedule, now: datetime) -> bool:
    """Start inclusive, stop exclusive; over midnight where stop is before start.

    The same time twice means the whole day.
    """
    time = f"{now:%H:%M}"
    if schedule.start < schedule.stop:
        return schedule.start <= time < schedule.stop
    return time >= schedule.start or time < schedule.stop
