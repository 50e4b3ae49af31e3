"""Paragraphs as lines of a width: where they break (UAX #14, by ICU, with its Thai dictionary)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from icu4py.breakers import CharacterBreaker, LineBreaker

from api.exports.transcripts.pdf import bidi
from api.exports.transcripts.pdf.embedding import EmbeddedFont
from api.exports.transcripts.pdf.fonts import FontChoice, FontFace
from api.exports.transcripts.pdf.shaping import GlyphRun, Mark, Shaper

_TAB = " " * 4
_LOCALE = "en"  # ICU picks its dictionaries by script


@dataclass(frozen=True, slots=True)
class Block:
    """Glyphs of one font and direction at `x` in a line, in thousandths of the font size."""

    font: EmbeddedFont
    x: float
    shown: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class PdfLine:
    """`blocks` in the order in which they are read. `width` per mille of the font size."""

    blocks: tuple[Block, ...]
    width: float
    rtl: bool


class _ShapingKind(NamedTuple):
    """Neighbouring characters of one kind are shaped and drawn at once."""

    face: FontFace
    level: int  # see bidi
    lone: int  # where a sign is that runs right to left, else -1; see _kinds


@dataclass(frozen=True, slots=True)
class _Paragraph:
    text: str
    kinds: list[_ShapingKind]  # of each character


@dataclass(frozen=True, slots=True)
class _ShapedPiece:
    """Text of one kind from `start` on; blanks at a line's end are not shown."""

    start: int
    kind: _ShapingKind
    run: GlyphRun
    blank: bool


class Breaker:
    """Breaks the paragraphs of one document."""

    def __init__(self, choice: FontChoice, shaper: Shaper) -> None:
        self._choice = choice
        self._shaper = shaper

    def lines(self, text: str, width: float, *, rtl: bool) -> Iterator[PdfLine]:
        """The lines of a text, none of them wider than `width` (per mille of the font size).

        Newlines begin a line. `rtl`: the direction of its paragraphs.
        """
        for each in text.replace("\t", _TAB).split("\n"):
            shown = self._choice.shown(each)
            kinds = _kinds(shown, self._choice.faces(shown), bidi.levels(shown, rtl=rtl))
            yield from self._broken(_Paragraph(shown, kinds), width, rtl)

    def _broken(self, paragraph: _Paragraph, width: float, rtl: bool) -> Iterator[PdfLine]:
        line: list[_ShapedPiece] = []
        used = 0.0
        for unit in self._units(paragraph, width):
            if line and used + _width(unit) > width:
                yield _line(line, rtl)
                line, used = [], 0.0
            line += unit
            used += sum(piece.run.width for piece in unit)
        yield _line(line, rtl)

    def _units(self, paragraph: _Paragraph, width: float) -> Iterator[list[_ShapedPiece]]:
        """What is not broken, with the blanks after it."""
        for start, end in _spans(LineBreaker(paragraph.text, _LOCALE)):
            unit = self._pieces(paragraph, start, end)
            if _width(unit) <= width:
                yield unit
            else:
                for first, last in self._parts(paragraph, start, end, width):
                    yield self._pieces(paragraph, first, last)

    def _parts(
        self, paragraph: _Paragraph, start: int, end: int, width: float
    ) -> Iterator[tuple[int, int]]:
        """What fits on no line, cut between the characters that people see."""
        part, used = start, 0.0
        for first, last in _spans(CharacterBreaker(paragraph.text[start:end], _LOCALE)):
            pieces = self._pieces(paragraph, start + first, start + last)
            wide = sum(piece.run.width for piece in pieces)
            if used and used + wide > width:
                yield part, start + first
                part, used = start + first, 0.0
            used += wide
        yield part, end

    def _pieces(self, paragraph: _Paragraph, start: int, end: int) -> list[_ShapedPiece]:
        text, kinds = paragraph.text, paragraph.kinds
        blanks = start + len(text[start:end].rstrip())
        pieces = []
        for first, last in ((start, blanks), (blanks, end)):
            while first < last:
                kind = kinds[first]
                after = first + 1
                while after < last and kinds[after] == kind:
                    after += 1
                run = self._shaper.run(text[first:after], kind.face, rtl=kind.level % 2 == 1)
                pieces.append(_ShapedPiece(first, kind, run, first >= blanks))
                first = after
        return pieces


def _kinds(text: str, faces: list[FontFace], levels: list[int]) -> list[_ShapingKind]:
    """Signs that run right to left are of a kind each: readers turn around letters only."""
    if faces and faces.count(faces[0]) == len(faces) and not any(levels):
        return [_ShapingKind(faces[0], 0, -1)] * len(faces)  # most paragraphs, and quick
    return [
        _ShapingKind(face, level, index if level % 2 and not bidi.is_letter(text[index]) else -1)
        for index, (face, level) in enumerate(zip(faces, levels, strict=True))
    ]


def _width(unit: list[_ShapedPiece]) -> float:
    return sum(piece.run.width for piece in unit if not piece.blank)


def _spans(pieces: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Where pieces of a text begin and end. ICU's own numbers count UTF-16."""
    start = 0
    for piece in pieces:
        yield start, start + len(piece)
        start += len(piece)


def _line(pieces: list[_ShapedPiece], rtl: bool) -> PdfLine:
    while pieces and pieces[-1].blank:
        pieces.pop()
    in_sight = [pieces[index] for index in bidi.visual_order([p.kind.level for p in pieces])]
    found = []
    x = 0.0
    for _, group in groupby(in_sight, key=lambda piece: (piece.kind, piece.run.font.resource)):
        block = list(group)
        found.append((min(piece.start for piece in block), _block(block, x)))
        x += sum(piece.run.width for piece in block)
    found.sort(key=lambda each: each[0])
    return PdfLine(tuple(block for _, block in found), x, rtl)


def _block(pieces: list[_ShapedPiece], left: float) -> Block:
    marks: list[Mark] = []
    x = 0.0
    for piece in pieces:
        marks += [Mark(mark.glyph, x + mark.x, mark.y) for mark in piece.run.marks]
        x += piece.run.width
    return Block(pieces[0].run.font, left, " ".join(p.run.shown for p in pieces), tuple(marks))
