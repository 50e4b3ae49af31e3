"""Times of clips as clients write them: seconds, HH:MM:SS[.mmm], or a timecode of the source."""

from __future__ import annotations

from api.http.times import clock_seconds, seconds_of
from shared.errors import BadInput
from shared.timecode import label_parts


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
