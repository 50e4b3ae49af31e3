"""Times as clients write them (a number of seconds or HH:MM:SS[.mmm]) and as we answer them."""

from __future__ import annotations

import math
import re

from shared.errors import BadInput

TIME_PATTERN = r"^[0-9]{1,3}:[0-5]?[0-9]:[0-5]?[0-9](\.[0-9]{1,6})?$"
_TIME = re.compile(TIME_PATTERN)


def seconds_of(value: float | str, field: str) -> float:
    """Seconds of a time in a request. Raises BadInput naming the field."""
    if isinstance(value, str):
        if not _TIME.fullmatch(value):
            raise BadInput(f"{field} must be a number of seconds or HH:MM:SS, not {value!r}.")
        hours, minutes, seconds = value.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    if not math.isfinite(value) or value < 0:
        raise BadInput(f"{field} must not be negative: {value}.")
    return float(value)


def timestamp(seconds: float) -> str:
    """HH:MM:SS of a position, rounded down."""
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
