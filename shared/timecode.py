"""Timecode: the names of frames, HH:MM:SS:FF, counted at the nominal whole rate (30 for 29.97).

SMPTE ST 12-1 has drop-frame for 30000/1001: each minute but every tenth leaves out its first two
labels, so that the labels keep up with the clock. Multiples of that rate leave out the same share:
4 labels at 59.94, and 8 at 119.88, as ST 12-3 has a count of 120 with drop-frame, too. Frames have
two digits, and three where more than a hundred are counted, as FFmpeg reads and writes them.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from shared.clock_times import timestamp
from shared.errors import BadInput

FASTEST = 240  # frames a second; beyond it nobody writes timecode
_LABEL = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})[:;]([0-9]{2,3})")


def nominal_rate(rate: Fraction) -> int:
    """Frames that timecode counts in a second: 30 for 29.97."""
    return max(1, (2 * rate.numerator + rate.denominator) // (2 * rate.denominator))


def is_ntsc(rate: Fraction) -> bool:
    """Whether a rate is 1000/1001 of its nominal rate."""
    return rate == Fraction(nominal_rate(rate) * 1000, 1001)


def has_drop_frame(rate: Fraction) -> bool:
    """Whether a rate is 29.97 or a multiple of that."""
    return is_ntsc(rate) and nominal_rate(rate) % 30 == 0


def rate_words(rate: Fraction) -> str:
    """A rate as messages name it: 29.97."""
    return f"{float(rate):.5g}"


def label_parts(text: str) -> tuple[int, int, int, int] | None:
    """Hours, minutes, seconds and frames as written, in no range; None for what is no label."""
    found = _LABEL.fullmatch(text)
    return (int(found[1]), int(found[2]), int(found[3]), int(found[4])) if found else None


def label_of_tag(text: str) -> str | None:
    """The label in a tag of a file, where "." may stand for ";"; None for what is no label."""
    text = text.strip()
    if text[8:9] == ".":
        text = f"{text[:8]};{text[9:]}"
    return text if label_parts(text) else None


def _check_rate(rate: Fraction) -> None:
    if rate != nominal_rate(rate) and not is_ntsc(rate):
        raise BadInput(
            f"fps: there is no timecode for {rate_words(rate)} frames a second. Give the rate of "
            "the timeline, such as 25 or 29.97."
        )


@dataclass(frozen=True, slots=True)
class Timecode:
    """The labels of the frames of a file, which begins `first_frame` frames after 00:00:00:00.

    After 24 hours they begin anew, as on tape.
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
        _check_rate(rate)
        if text is None:
            return cls(rate)
        label = text.strip()
        if not label_parts(label):
            raise BadInput(
                f"{field} must be HH:MM:SS:FF, or HH:MM:SS;FF for drop-frame, not {text!r}."
            )
        counted = cls(rate, drop_frame=";" in label)
        first = counted.number(label)
        if first is None or first >= counted.day:
            raise BadInput(
                f"{field}: {text!r} does not exist at {rate_words(rate)} frames a second."
            )
        if counted.drop_frame and not has_drop_frame(rate):
            raise BadInput(
                f"{field}: drop-frame (;) exists at 29.97 and 59.94 frames a second, not at "
                f"{rate_words(rate)}. Write a colon before the frames."
            )
        if counted.label(first)[:8] != label[:8]:
            after = f"{label[:8]};{counted._dropped:0{counted._digits}d}"
            raise BadInput(f"{field}: drop-frame leaves {text!r} out; the next is {after}.")
        return cls(rate, counted.drop_frame, first)

    @property
    def nominal(self) -> int:
        """Frames of a second of labels."""
        return nominal_rate(self.rate)

    @property
    def day(self) -> int:
        """Frames of 24 hours of labels."""
        return 144 * (600 * self.nominal - 9 * self._dropped)

    def number(self, label: str) -> int | None:
        """Frames from 00:00:00:00 to a label; None for what is no label at this rate.

        A label that drop-frame leaves out has the number of one just before it.
        """
        hours, minutes, seconds, frames = label_parts(label) or (0, 60, 0, 0)
        if minutes > 59 or seconds > 59 or frames >= self.nominal:
            return None
        minute = hours * 60 + minutes
        frame = (minute * 60 + seconds) * self.nominal + frames
        return frame - self._dropped * (minute - minute // 10)

    def label(self, frame: int = 0) -> str:
        """The label of the n-th frame of the file."""
        frame = (self.first_frame + frame) % self.day
        minute = 60 * self.nominal - self._dropped
        tens, rest = divmod(frame, 10 * minute + self._dropped)
        # The first minute of ten drops nothing.
        frame += self._dropped * (9 * tens + max(0, (rest - self._dropped) // minute))
        seconds, frame = divmod(frame, self.nominal)
        mark = ";" if self.drop_frame else ":"
        return f"{timestamp(seconds)}{mark}{frame:0{self._digits}d}"

    def at(self, seconds: float) -> str:
        """The label of the frame nearest to a time of the file."""
        return self.label(math.floor(Fraction(seconds) * self.rate + Fraction(1, 2)))

    @property
    def _dropped(self) -> int:
        """Labels that are left out of a minute."""
        return self.nominal // 15 if self.drop_frame else 0

    @property
    def _digits(self) -> int:
        return 3 if self.nominal > 100 else 2


_RATE = re.compile(r"([0-9]{1,9})(?:/([0-9]{1,9})|(\.[0-9]{1,9}))?")


def frame_rate(value: float | str) -> Fraction:
    """The exact rate of a number or of text such as "24000/1001" or "29.97".

    A number within 0.04 % of n * 1000/1001 (n a whole number) is that rate: 23.976 and 24 differ
    by 0.1 %. Raises BadInput, naming the field `fps`.
    """
    refusal = BadInput(
        f'fps must be a frame rate such as 25, 29.97 or "24000/1001", not {value!r}.'
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
