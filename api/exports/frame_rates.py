"""Frame rates as requests and containers give them, made exact."""

from __future__ import annotations

import re
from fractions import Fraction

from shared.errors import BadInput
from shared.timecode import FASTEST, is_ntsc, nominal_rate

_RATE = re.compile(r"([0-9]{1,9})(?:/([0-9]{1,9})|(\.[0-9]{1,9}))?")


def frame_rate(value: float | str, field: str = "fps") -> Fraction:
    """The exact rate of a number or of text such as "24000/1001" or "29.97".

    A number within 0.04 % of n * 1000/1001 (n a whole number) is that rate: 23.976 and 24 differ
    by 0.1 %. Raises BadInput, naming the field.
    """
    refusal = BadInput(
        f'{field} must be a frame rate such as 25, 29.97 or "24000/1001", not {value!r}.'
    )
    if isinstance(value, str):
        parts = _RATE.fullmatch(value.strip())
        if not parts or (parts[2] and int(parts[2]) == 0):
            raise refusal
        rate = Fraction(value.strip())
    else:
        if isinstance(value, bool) or not 0 < value <= FASTEST:  # also refuses NaN
            raise refusal
        rate = Fraction(value)
    if not 1 <= rate <= FASTEST:
        raise refusal
    for near in (Fraction(round(rate)), Fraction(round(rate * 1001 / 1000) * 1000, 1001)):
        if abs(rate - near) * 2500 <= near:
            return near
    return rate.limit_denominator(1001)


def nearest_rate(rate: Fraction) -> Fraction:
    """What every format can name: the rate itself, or the nearest whole one."""
    return rate if is_ntsc(rate) else Fraction(nominal_rate(rate))
