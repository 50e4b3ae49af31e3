"""Clock times as clients write them: seconds, MM:SS or HH:MM:SS, each with a fraction."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from shared.errors import BadInput

TIME_PATTERN = r"^(([0-9]{1,3}:)?[0-5]?[0-9]:[0-5]?[0-9]|[0-9]{1,9})(\.[0-9]{1,6})?$"
_TIME = re.compile(TIME_PATTERN)


def clock_seconds(text: str) -> Fraction | None:
    """Exact seconds of a time in text, such as "00:01:07.5"; None for other text."""
    if not _TIME.fullmatch(text):
        return None
    *above, seconds = text.split(":")
    minutes = 0
    for part in above:
        minutes = 60 * minutes + int(part)
    return minutes * 60 + Fraction(seconds)


def seconds_of(value: float | str, field: str) -> float:
    """Seconds of a time in a request. Raises BadInput naming the field."""
    if isinstance(value, str):
        seconds = clock_seconds(value)
        if seconds is None:
            raise BadInput(
                f"{field} must be a number of seconds, MM:SS or HH:MM:SS, not {value!r}."
            )
        return float(seconds)
    if not math.isfinite(value) or value < 0:
        raise BadInput(f"{field} must not be negative: {value}.")
    return float(value)
