"""Times of an export as text: milliseconds, and timecode of a frame rate with its drop-frame."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from shared.errors import BadInput

_RATE = re.compile(r"([0-9]{1,9})(?:/([0-9]{1,9})|(\.[0-9]{1,9}))?")
_TIMECODE = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})([:;])([0-9]{2,3})")
_FASTEST = 240  # frames a second; beyond it nobody writes timecode


def milliseconds(seconds: float) -> int:
    """Whole milliseconds, rounded once, half up; all fields of a time are made from this."""
    whole = int(seconds)
    return whole * 1000 + int((seconds - whole) * 1000 + 0.5)


def clock(ms: int, separator: str = ".") -> str:
    """`HH:MM:SS.mmm`; the hours grow beyond 99."""
    seconds, ms = divmod(ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{separator}{ms:03d}"


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
        if isinstance(value, bool) or not 0 < value <= _FASTEST:  # also refuses NaN
            raise refusal
        rate = Fraction(value)
    if not 1 <= rate <= _FASTEST:
        raise refusal
    for near in (Fraction(round(rate)), Fraction(round(rate * 1001 / 1000) * 1000, 1001)):
        if abs(rate - near) * 2500 <= near:
            return near
    return rate.limit_denominator(1001)


@dataclass(frozen=True, slots=True)
class Timecode:
    """Turns seconds of a file into the timecode that an editing system shows.

    `first_frame`: frames since 00:00:00:00 at which the file begins. Times beyond 24 hours begin
    anew, as on tape.
    """

    rate: Fraction
    drop_frame: bool = False
    first_frame: int = 0

    @classmethod
    def starting_at(
        cls, rate: Fraction, text: str | None, field: str = "start_timecode"
    ) -> Timecode:
        """From `HH:MM:SS:FF`, or `HH:MM:SS;FF` for drop-frame. Raises BadInput.

        Also for a rate that is neither whole nor 1000/1001 of one: its timecode would soon be
        minutes away from its time.
        """
        base = _base(rate)
        if rate not in (base, Fraction(base * 1000, 1001)):
            raise BadInput(
                f"fps: there is no timecode for {_words(rate)} frames a second. Give the rate of "
                "the timeline, such as 25 or 29.97."
            )
        if text is None:
            return cls(rate)
        first, drop_frame = cls._first_frame(rate, base, text, field)
        return cls(rate, drop_frame, first)

    @staticmethod
    def _first_frame(rate: Fraction, base: int, text: str, field: str) -> tuple[int, bool]:
        parts = _TIMECODE.fullmatch(text.strip())
        if not parts:
            raise BadInput(
                f"{field} must be HH:MM:SS:FF, or HH:MM:SS;FF for drop-frame, not {text!r}."
            )
        hours, minutes, seconds, frames = (int(parts[n]) for n in (1, 2, 3, 5))
        if hours > 23 or minutes > 59 or seconds > 59 or frames >= base:
            raise BadInput(f"{field}: {text!r} does not exist at {_words(rate)} frames a second.")
        first = (hours * 3600 + minutes * 60 + seconds) * base + frames
        if parts[4] == ":":
            return first, False
        dropped = _dropped(rate)
        if not dropped:
            raise BadInput(
                f"{field}: drop-frame (;) exists at 29.97 and 59.94 frames a second, not at "
                f"{_words(rate)}. Write a colon before the frames."
            )
        if minutes % 10 and seconds == 0 and frames < dropped:
            raise BadInput(
                f"{field}: drop-frame leaves {text!r} out; the next is "
                f"{hours:02d}:{minutes:02d}:00;{dropped:02d}."
            )
        whole_minutes = hours * 60 + minutes
        return first - dropped * (whole_minutes - whole_minutes // 10), True

    def at(self, seconds: float) -> str:
        """Timecode of the frame nearest to a time of the file."""
        exact = Fraction(seconds) * self.rate + Fraction(1, 2)
        return self.of_frame(exact.numerator // exact.denominator + self.first_frame)

    def of_frame(self, frame: int) -> str:
        """Timecode of the n-th frame since 00:00:00:00 (SMPTE ST 12-1, drop-frame counting)."""
        base = _base(self.rate)
        dropped = _dropped(self.rate) if self.drop_frame else 0
        per_minute = 60 * base - dropped
        per_ten_minutes = 600 * base - 9 * dropped
        frame %= 144 * per_ten_minutes
        if dropped:
            tens, rest = divmod(frame, per_ten_minutes)
            frame += 9 * dropped * tens
            if rest >= 60 * base:  # the first minute of ten drops nothing
                frame += dropped * (1 + (rest - 60 * base) // per_minute)
        seconds, frames = divmod(frame, base)
        width = 3 if base > 100 else 2
        separator = ";" if self.drop_frame else ":"
        return (
            f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
            f"{separator}{frames:0{width}d}"
        )


def _base(rate: Fraction) -> int:
    """Frames that timecode counts in a second: 30 for 29.97."""
    return max(1, (2 * rate.numerator + rate.denominator) // (2 * rate.denominator))


def _dropped(rate: Fraction) -> int:
    """Frame numbers that drop-frame leaves out of a minute; 0 for a rate without drop-frame."""
    base = _base(rate)
    return base // 15 if rate == Fraction(base * 1000, 1001) and base % 30 == 0 else 0


def _words(rate: Fraction) -> str:
    return f"{float(rate):.5g}"
