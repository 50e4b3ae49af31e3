"""Timecode: labels of frames, counted at a nominal whole rate, with or without dropped labels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

_LABEL = re.compile(r"(\d\d):([0-5]\d):([0-5]\d)([:;.])(\d{2,3})")
_DROPPING = (30, 60)  # nominal rates that have drop-frame labels
_DROPPED_OF_30 = 2
_MOST_FRAMES = 99  # two digits


@dataclass(frozen=True, slots=True)
class Counting:
    """How frames are labelled."""

    nominal: int
    drops: bool = False

    def number(self, label: str) -> int | None:
        """The frame that bears a label; None where it is no label of this counting."""
        found = _LABEL.fullmatch(label.strip())
        if found is None or int(found[5]) >= self.nominal:
            return None
        hours, minutes, seconds, frames = (int(found[n]) for n in (1, 2, 3, 5))
        minute = hours * 60 + minutes
        number = (minute * 60 + seconds) * self.nominal + frames
        return number - self._dropped * (minute - minute // 10) if self.drops else number

    def label(self, number: int) -> str:
        """The label of a frame; it starts again at 00:00:00:00 after a day."""
        number %= self.day
        if self.drops:
            tens, rest = divmod(number, self._frames_in_ten_minutes)
            number += self._dropped * 9 * tens
            if rest >= self._dropped:
                minute = self.nominal * 60 - self._dropped
                number += self._dropped * ((rest - self._dropped) // minute)
        seconds, frames = divmod(number, self.nominal)
        mark = ";" if self.drops else ":"
        hours, minutes = seconds // 3600, seconds // 60 % 60
        return f"{hours:02}:{minutes:02}:{seconds % 60:02}{mark}{frames:02}"

    @property
    def day(self) -> int:
        """Frames in 24 hours of labels."""
        return 144 * self._frames_in_ten_minutes

    @property
    def _dropped(self) -> int:
        return _DROPPED_OF_30 * self.nominal // 30

    @property
    def _frames_in_ten_minutes(self) -> int:
        return self.nominal * 600 - (self._dropped * 9 if self.drops else 0)


def counting_of(rate: Fraction, label: str | None) -> Counting | None:
    """How the frames of a source are labelled; None where two digits do not count them."""
    nominal = int(rate + Fraction(1, 2))
    if not 0 < nominal <= _MOST_FRAMES + 1:
        return None
    is_ntsc = rate.denominator == 1001
    drops = label is not None and ";" in label and is_ntsc and nominal in _DROPPING
    return Counting(nominal, drops)
