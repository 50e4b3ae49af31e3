"""CEA-608: byte pairs of one field become captions of its two channels.

FFmpeg's own decoder writes both channels of a field over each other, repeats lines that roll up,
and gives through PyAV 18 neither times nor the last caption; libraries read SCC text alone.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

_BASIC = {
    0x2A: "á", 0x5C: "é", 0x5E: "í", 0x5F: "ó", 0x60: "ú", 0x7B: "ç", 0x7C: "÷", 0x7D: "Ñ",
    0x7E: "ñ", 0x7F: "█",
}  # fmt: skip
_SPECIAL = "®°½¿™¢£♪à èâêîôû"  # from 0x30 on
_EXTENDED = {  # from 0x20 on, by the first byte
    0x12: "ÁÉÓÚÜü‘¡*'—©℠•“”ÀÂÇÈÊËëÎÏïÔÙùÛ«»",
    0x13: "ÃãÍÌìÒòÕõ{}\\^_¦~ÄäÖöß¥¤│ÅåØø┌┐└┘",
}

Tell = Callable[[float, str, float], None]  # start, text, end

_COLUMNS = 32
_LAST_ROW = 15
_ROWS = (11, 1, 3, 12, 14, 5, 7, 9)  # by the low bits of the first byte; odd ones are one below
_REPEATED_S = 0.1  # a control code that comes again so soon is sent twice for safety
_EVEN = frozenset(byte for byte in range(256) if byte.bit_count() % 2 == 0)


class _Mode(Enum):
    POP_ON = "written in hiding, shown at once"
    PAINT_ON = "shown as it is written"
    ROLL_UP = "line by line"


# Codes that resume captions or, as text that is none, end them.
_MODES = {0x20: _Mode.POP_ON, 0x29: _Mode.PAINT_ON, 0x2A: None, 0x2B: None}


class _Screen(dict[tuple[int, int], str]):
    """Cells of text by row and column."""

    def remove(self, row: int, first: int, last: int) -> None:
        for column in range(first, last + 1):
            self.pop((row, column), None)

    def text(self) -> str:
        rows: dict[int, list[str]] = {}
        last = (0, 0)
        for row, column in sorted(self):
            is_apart = last[0] == row and column > last[1] + 1
            rows.setdefault(row, []).append(" " * is_apart + self[row, column])
            last = row, column
        return " ".join(" ".join("".join(row) for row in rows.values()).split())


class _Channel:
    """What one service shows; each caption is told once, when its end is known."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._mode: _Mode | None = None  # None: nothing yet, or text that is no caption
        self._shown, self._hidden = _Screen(), _Screen()
        self._since = 0.0
        self._row, self._column = _LAST_ROW, 0

    def write(self, seconds: float, character: str) -> None:
        if self._mode is None:
            return
        if self._mode is not _Mode.POP_ON:
            there = self._shown.get((self._row, self._column))
            if there not in (None, " ", character):  # another text takes the place of this one
                self.end(seconds)
            if not self._shown:
                self._since = seconds
        self._target[self._row, self._column] = character
        self._column = min(self._column + 1, _COLUMNS - 1)

    def control(self, seconds: float, first: int, second: int) -> None:
        """A pair whose first byte is 0x10 to 0x17, that of the second channel too."""
        if second >= 0x40:
            self._move(first, second)
        elif first == 0x11:
            self.write(seconds, " " if second < 0x30 else _SPECIAL[second - 0x30])
        elif first in (0x14, 0x15):
            self._command(seconds, second)
        elif first == 0x17 and 0x21 <= second <= 0x23:
            self._column = min(self._column + second - 0x20, _COLUMNS - 1)
        elif character := extended(first, second):
            self._step_back()
            self.write(seconds, character)

    def end(self, seconds: float) -> None:
        """What is shown is not shown any more."""
        if text := self._shown.text():
            self._tell(self._since, text, max(seconds, self._since))
        self._shown.clear()

    @property
    def _target(self) -> _Screen:
        return self._hidden if self._mode is _Mode.POP_ON else self._shown

    def _move(self, first: int, second: int) -> None:
        is_below = bool(second & 0x20)
        if first == 0x10 and is_below:
            return
        self._row = _ROWS[first & 7] + is_below
        self._column = (second & 0x0E) * 2 if second & 0x10 else 0

    def _step_back(self) -> None:
        self._column = max(0, self._column - 1)
        self._target.remove(self._row, self._column, self._column)

    def _command(self, seconds: float, code: int) -> None:
        if code in _MODES:
            self._mode = _MODES[code]
            return
        match code:
            case 0x21:
                self._step_back()
            case 0x24:  # delete to end of row
                self._delete_rest(seconds)
            case 0x25 | 0x26 | 0x27:
                self._roll_up(seconds)
            case 0x28:  # flash on
                self.write(seconds, " ")
            case 0x2C:  # erase displayed memory
                self.end(seconds)
            case 0x2D if self._mode is _Mode.ROLL_UP:  # carriage return
                self.end(seconds)
                self._column = 0
            case 0x2E:  # erase hidden memory
                self._hidden.clear()
            case 0x2F:  # end of caption
                self._flip(seconds)

    def _delete_rest(self, seconds: float) -> None:
        rest = {(self._row, column) for column in range(self._column, _COLUMNS)}
        if self._target is self._shown and not rest.isdisjoint(self._shown):
            self.end(seconds)
        self._target.remove(self._row, self._column, _COLUMNS)

    def _roll_up(self, seconds: float) -> None:
        if self._mode is not _Mode.ROLL_UP:
            self.end(seconds)
            self._hidden.clear()
            self._row, self._column = _LAST_ROW, 0
        self._mode = _Mode.ROLL_UP

    def _flip(self, seconds: float) -> None:
        self.end(seconds)
        self._shown, self._hidden = self._hidden, self._shown
        self._since = seconds
        self._mode = _Mode.POP_ON


class Line21Field:
    """Takes the pairs of one field in the order of time; tells captions of its two channels."""

    def __init__(self, first: Tell, second: Tell) -> None:
        self._channels = (_Channel(first), _Channel(second))
        self._current: _Channel | None = None
        self._is_other_data = False  # about the programme, between the captions of field 2
        self._last: tuple[float, int, int] | None = None  # control code, unless it came twice

    def take(self, seconds: float, first: int, second: int) -> None:
        """A pair as it was sent, with its parity bits."""
        if first in _EVEN or second in _EVEN:
            return
        first, second = first & 0x7F, second & 0x7F
        if not (first or second):
            return
        if 0x10 <= first < 0x20:
            self._control(seconds, first, second)
        elif 0 < first < 0x10:
            self._is_other_data = True
        elif self._current and not self._is_other_data:
            self._last = None
            for byte in (first, second):
                if byte >= 0x20:
                    self._current.write(seconds, _BASIC.get(byte) or chr(byte))
        if first == 0x0F:
            self._is_other_data = False

    def finish(self, seconds: float) -> None:
        """No more pairs come; what is still shown ends."""
        for channel in self._channels:
            channel.end(seconds)

    def _control(self, seconds: float, first: int, second: int) -> None:
        self._is_other_data = False
        last_s, *last = self._last or (0.0, 0, 0)
        if last == [first, second] and seconds - last_s < _REPEATED_S:
            self._last = None
            return
        self._last = (seconds, first, second)
        self._current = self._channels[first >> 3 & 1]
        self._current.control(seconds, first & 0x17, second)


def extended(first: int, byte: int) -> str | None:
    """The character that takes the place of the one before; None: the bytes name none."""
    row = _EXTENDED.get(first)
    return row[byte - 0x20] if row and 0x20 <= byte <= 0x3F else None
