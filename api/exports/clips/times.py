"""Times of clips as clients write them: seconds, HH:MM:SS[.mmm], or a timecode of the source."""

from __future__ import annotations

import re

from api.http.times import TIME_PATTERN, seconds_of
from shared.errors import BadInput

_TIME = re.compile(TIME_PATTERN)
_TIMECODE = re.compile(r"([0-9]{2}):([0-5][0-9]):([0-5][0-9])[:;]([0-9]{2,3})")
_HALF_A_DAY_S = 43_200


def clip_time(value: float | str, field: str) -> float | str:
    """Seconds, or the timecode as it was written. Raises BadInput naming the field."""
    if not isinstance(value, str) or _TIME.fullmatch(value):
        return seconds_of(value, field)
    found = _TIMECODE.fullmatch(value)
    if not found or int(found[1]) > 23:
        raise BadInput(
            f"{field} must be a number of seconds, HH:MM:SS[.mmm], or a timecode of the source, "
            f"HH:MM:SS:FF or HH:MM:SS;FF, not {value!r}."
        )
    return value


def check_order(start: float | str, end: float | str, clip: str) -> None:
    """Raise BadInput where the clip ends before it starts, as far as that is known without it.

    Two timecodes may have midnight between them. A time and a timecode cannot be compared here.
    """
    if isinstance(start, float) and isinstance(end, float):
        is_wrong = end <= start
    elif isinstance(start, str) and isinstance(end, str):
        first, last = _numbers(start), _numbers(end)
        is_wrong = last <= first and first[0] - last[0] < _HALF_A_DAY_S
    else:
        return
    if is_wrong:
        raise BadInput(f"{clip}.end_time must be after start_time: {end} is not after {start}.")


def _numbers(timecode: str) -> tuple[int, int]:
    """Seconds and frames of a timecode."""
    hours, minutes, seconds, frames = map(int, re.split("[:;]", timecode))
    return (hours * 60 + minutes) * 60 + seconds, frames
