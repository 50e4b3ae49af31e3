"""Paragraphs as lines of a width: where they break (UAX #14, by ICU, with its Thai dictionary)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from icu4py.breakers import CharacterBreaker, LineBreaker

from shared.exports import pdf_bidi
from shared.exports.pdf_shaping import Run, Shaper

_TAB = " " * 4
_LOCALE = "en"  # ICU picks its dictionaries by script


@dataclass(frozen=True, slots=True)
class Line:
    """Runs from left to right. `width` in thousandths of the font size."""

    runs: tuple[Run, ...]
    width: float
    rtl: bool


@dataclass(frozen=True, slots=True)
class _Piece:
    """Text of one direction within what is not broken; blanks at a line's end are not shown."""

    runs: tuple[Run, ...]
    width: float
    level: int
    blank: bool


class Breaker:
    """Breaks the paragraphs of one document."""

    def __init__(self, shaper: Shaper) -> None:
        self._shaper = shaper

    def lines(self, text: str, width: float, *, rtl: bool) -> Iterator[Line]:
        """The lines of a text, none of them wider than `width` (thousandths of the font size).

        Newlines begin a line. `rtl`: the direction of its paragraphs.
        """
        for paragraph in text.replace("\t", _TAB).split("\n"):
            yield from self._paragraph(self._shaper.choice.shown(paragraph), width, rtl)

    def _paragraph(self, text: str, width: float, rtl: bool) -> Iterator[Line]:
        levels = pdf_bidi.levels(text, rtl=rtl)
        line: list[_Piece] = []
        used = 0.0
        for unit in self._units(text, levels, width):
            wide = sum(piece.width for piece in unit if not piece.blank)
            if line and used + wide > width:
                yield _line(line, rtl)
                line, used = [], 0.0
            line += unit
            used += sum(piece.width for piece in unit)
        yield _line(line, rtl)

    def _units(self, text: str, levels: list[int], width: float) -> Iterator[list[_Piece]]:
        """What is not broken, with the blanks after it."""
        cjk = self._shaper.choice.cjk(text)
        for start, end in _spans(LineBreaker(text, _LOCALE)):
            unit = self._pieces(text, levels, start, end, cjk)
            if sum(piece.width for piece in unit if not piece.blank) <= width:
                yield unit
                continue
            for part_start, part_end in self._parts(text, levels, (start, end), width, cjk):
                yield self._pieces(text, levels, part_start, part_end, cjk)

    def _parts(
        self, text: str, levels: list[int], unit: tuple[int, int], width: float, cjk: int
    ) -> Iterator[tuple[int, int]]:
        """A unit that fits on no line, cut between the characters that people see."""
        start, end = unit
        part, used = start, 0.0
        for first, last in _spans(CharacterBreaker(text[start:end], _LOCALE)):
            pieces = self._pieces(text, levels, start + first, start + last, cjk)
            wide = sum(piece.width for piece in pieces)
            if used and used + wide > width:
                yield part, start + first
                part, used = start + first, 0.0
            used += wide
        yield part, end

    def _pieces(self, text: str, levels: list[int], start: int, end: int, cjk: int) -> list[_Piece]:
        blanks = start + len(text[start:end].rstrip())
        pieces = []
        for first, last in ((start, blanks), (blanks, end)):
            while first < last:
                level = levels[first]
                after = first + 1
                while after < last and levels[after] == level:
                    after += 1
                runs = self._shaper.runs(text[first:after], rtl=level % 2 == 1, cjk=cjk)
                width = sum(run.width for run in runs)
                pieces.append(_Piece(runs, width, level, first >= blanks))
                first = after
        return pieces


def _spans(pieces: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Where pieces of a text begin and end. ICU's own numbers count UTF-16."""
    start = 0
    for piece in pieces:
        yield start, start + len(piece)
        start += len(piece)


def _line(pieces: list[_Piece], rtl: bool) -> Line:
    while pieces and pieces[-1].blank:
        pieces.pop()
    order = pdf_bidi.visual_order([piece.level for piece in pieces])
    runs = tuple(run for index in order for run in pieces[index].runs)
    return Line(runs, sum(piece.width for piece in pieces), rtl)
