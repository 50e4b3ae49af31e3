"""Times of clips as clients write them: seconds, HH:MM:SS[.mmm], or a timecode of the source."""

from __future__ import annotations

from api.http.times import clock_seconds, seconds_of
from shared.errors import BadInput
from shared.timecode import label_parts

_HALF_A_DAY_S = 43_200


def clip_time(value: float | str, field: str) -> float | str:
    """Seconds, or the timecode as it was written. Raises BadInput naming the field."""
    if not isinstance(value, str) or clock_seconds(value) is not None:
        return seconds_of(value, field)
    hours, minutes, seconds, _ = label_parts(value) or (24, 0, 0, 0)
    if hours > 23 or minutes > 59 or seconds > 59:
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
    hours, minutes, seconds, frames = label_parts(timecode) or (0, 0, 0, 0)
    return (hours * 60 + minutes) * 60 + seconds, frames
