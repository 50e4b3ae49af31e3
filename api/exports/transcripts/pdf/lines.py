"""Paragraphs as lines of a width: where they break (UAX #14, by ICU, with its Thai dictionary)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import uharfbuzz
from bidi import algorithm
from bidi.mirror import MIRRORED
from icu4py.breakers import CharacterBreaker, LineBreaker

from api.exports.transcripts.pdf.fonts import EmbeddedFont, FontChoice, FontFace

# Ligatures of Latin only look nicer, and some readers of PDFs do not take them apart.
_PLAIN = {"liga": False, "clig": False}
_LONGEST = 64  # characters that one code may read as; readers of PDFs have limits


_RTL = re.compile(
    "[\u0590-\u08ff\u200f\u202a-\u202e\ufb1d-\ufdff\ufe70-\ufefc"
    "\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_WITHOUT_ISOLATES = dict.fromkeys(range(0x2066, 0x206A), "\u200b")  # which the rules skip
_STACK = 63  # open brackets at most (BD16)
_SAME = {"\u2329": "\u3008", "\u232a": "\u3009"}  # canonical equivalents count as one
_TAB = " " * 4
_LOCALE = "en"  # ICU picks its dictionaries by script


@dataclass(frozen=True, slots=True)
class Mark:
    """A glyph drawn as a shape, at `x` and `y` in thousandths of the font size from the run."""

    glyph: int
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class GlyphRun:
    """Glyphs of one font from left to right. `width` in thousandths of the font size.

    `shown` is the inside of the array that PDF's operator TJ takes.
    """

    font: EmbeddedFont
    width: float
    shown: str
    marks: tuple[Mark, ...]


class Shaper:
    """Shapes the text of one document, and keeps the fonts that it uses."""

    def __init__(self, language: str | None) -> None:
        self.fonts: list[EmbeddedFont] = []
        self._language = language or "und"
        self._current: dict[str, EmbeddedFont] = {}
        self._runs: dict[tuple[str, str, bool], GlyphRun] = {}

    def run(self, text: str, face: FontFace, *, rtl: bool) -> GlyphRun:
        """Text of one direction in one font."""
        key = (text, face.name, rtl)
        if key not in self._runs:
            self._runs[key] = self._shaped(text, self._font(face), rtl)
        return self._runs[key]

    def _font(self, face: FontFace) -> EmbeddedFont:
        font = self._current.get(face.name)
        if font is None or font.is_full:
            font = self._current[face.name] = EmbeddedFont(face, f"T{len(self.fonts) + 1}")
            self.fonts.append(font)
        return font

    def _shaped(self, text: str, font: EmbeddedFont, rtl: bool) -> GlyphRun:
        buffer = uharfbuzz.Buffer()
        buffer.add_str(text)
        buffer.guess_segment_properties()
        if not buffer.script:
            buffer.script = font.face.script
        buffer.direction = "rtl" if rtl else "ltr"
        buffer.language = font.face.language or self._language
        buffer.flags = uharfbuzz.BufferFlags.REMOVE_DEFAULT_IGNORABLES
        uharfbuzz.shape(font.face.font, buffer, _PLAIN if font.face.name == "NotoSans" else {})
        glyphs = list(zip(buffer.glyph_infos, buffer.glyph_positions, strict=True))
        pen = _Pen(font)
        if glyphs:
            for cluster, read in _clusters(glyphs, text):
                _draw(pen, cluster, read, rtl)
        return pen.run()


class _Pen:
    """Writes glyphs one after the other, from left to right."""

    def __init__(self, font: EmbeddedFont) -> None:
        self.font = font
        self.x = 0.0  # where the next glyph goes
        self._drawn = 0.0  # where the viewer is, which knows only the glyphs' own widths
        self._parts: list[str] = []
        self._in_string = False
        self._marks: list[Mark] = []

    def glyph(self, info: Any, position: Any, text: str) -> None:
        """A glyph that reads as `text`."""
        scale = self.font.face.per_mille
        self._put(self.font.code(info.codepoint, text), self.x + position.x_offset * scale)
        self._drawn += self.font.width(info.codepoint)
        self.x += position.x_advance * scale

    def silent(self, info: Any, position: Any) -> None:
        """A glyph that reads as nothing."""
        scale = self.font.face.per_mille
        x, y = self.x + position.x_offset * scale, position.y_offset * scale
        self._marks.append(Mark(info.codepoint, x, y))
        self.x += position.x_advance * scale

    def unseen(self, text: str) -> None:
        """Text that no glyph of its own stands for."""
        self._put(self.font.blank(text), self.x)

    def run(self) -> GlyphRun:
        self._move(self.x)
        return GlyphRun(self.font, self.x, "".join([*self._parts, self._end()]), tuple(self._marks))

    def _put(self, code: int, x: float) -> None:
        self._move(x)
        self._parts.append(f"{code:04X}" if self._in_string else f"<{code:04X}")
        self._in_string = True

    def _move(self, x: float) -> None:
        back = round(self._drawn - x, 2)
        if back:
            self._parts.append(f"{self._end()}{back:g}")
            self._drawn -= back

    def _end(self) -> str:
        end = ">" if self._in_string else ""
        self._in_string = False
        return end


def _clusters(glyphs: list[Any], text: str) -> Iterator[tuple[list[Any], str]]:
    """Glyphs that belong together, from left to right, with the text that they stand for."""
    groups = [(key, list(group)) for key, group in groupby(glyphs, lambda each: each[0].cluster)]
    starts = sorted(key for key, _ in groups)
    starts[0] = 0  # unseen characters in front went with the glyph after them
    ends = [*starts[1:], len(text)]
    read = [text[start:end] for start, end in zip(starts, ends, strict=True)]
    in_order = read if groups[0][0] <= groups[-1][0] else read[::-1]
    for (_, group), each in zip(groups, in_order, strict=True):
        yield group, each


def _draw(pen: _Pen, cluster: list[Any], text: str, rtl: bool) -> None:
    """One cluster. Read in the direction of the text, its codes give the characters in order."""
    cff = pen.font.face.has_cff
    readable = [
        number
        for number, (_, position) in enumerate(cluster)
        if cff or (position.x_advance and not position.y_offset)
    ][: len(text)]
    if len(readable) == len(cluster) == len(text) == 1:
        ((info, position),) = cluster
        pen.glyph(info, position, text)
        return
    reads = list(text)
    if cff or not rtl:
        # Left to right, one code may read as several characters; right to left, readers differ
        # in whether they turn these around.
        last = max(len(readable), 1) - 1
        rest = "".join(reads[last:])
        reads[last:] = [rest[at : at + _LONGEST] for at in range(0, len(rest), _LONGEST)]
    unseen = [] if cff else reads[len(readable) :]
    texts = dict(zip(readable[::-1] if rtl else readable, reads, strict=False))
    for each in reversed(unseen) if rtl else ():
        pen.unseen(each)
    for number, (info, position) in enumerate(cluster):
        if number in texts:
            pen.glyph(info, position, texts[number])
        else:
            pen.silent(info, position)
    for each in () if rtl else unseen:
        pen.unseen(each)


def levels(text: str, *, rtl: bool) -> list[int]:
    """The embedding level of each character of one paragraph: odd ones run right to left.

    Unicode's bidirectional algorithm (UAX #9): python-bidi's rules W1 to W7, N1, N2, I1 and I2 by
    character, and rule N0 for brackets, which it lacks. Isolates are ignored. `rtl` is the
    paragraph's direction. The text holds neither newlines nor tabs.
    """
    base = int(rtl)
    if not _RTL.search(text) and not rtl:
        return [0] * len(text)
    storage: dict[str, Any] = algorithm.get_empty_storage()
    storage["base_level"], storage["base_dir"] = base, "R" if rtl else "L"
    algorithm.get_embedding_levels(text.translate(_WITHOUT_ISOLATES), storage)
    for index, character in enumerate(storage["chars"]):
        character["index"] = index
        if not character["type"]:  # of a newer Unicode than Python's
            character["type"] = "R" if _RTL.match(character["ch"]) else "L"
    algorithm.explicit_embed_and_overrides(storage)
    algorithm.resolve_weak_types(storage)
    _resolve_brackets(storage)
    algorithm.resolve_neutral_types(storage, False)
    algorithm.resolve_implicit_levels(storage, False)
    found: list[int | None] = [None] * len(text)
    for character in storage["chars"]:
        found[character["index"]] = character["level"]
    return _filled(found, base)


def is_letter(character: str) -> bool:
    """Whether a character is of a script that runs right to left, or goes with such a letter."""
    return unicodedata.bidirectional(character) in ("R", "AL", "NSM", "BN")


def visual_order(line: Sequence[int]) -> list[int]:
    """Rule L2: indices of a line's parts from left to right, given the level of each."""
    order = list(range(len(line)))
    lowest = min((level for level in line if level % 2), default=None)
    if lowest is None:
        return order
    for level in range(max(line), lowest - 1, -1):
        start = 0
        while start < len(order):
            end = start
            while end < len(order) and line[order[end]] >= level:
                end += 1
            order[start:end] = reversed(order[start:end])
            start = end + 1
    return order


def _filled(found: list[int | None], base: int) -> list[int]:
    """What rule X9 leaves out goes with the character before it."""
    level = base
    filled = []
    for each in found:
        level = level if each is None else each
        filled.append(level)
    return filled


def _resolve_brackets(storage: dict[str, Any]) -> None:
    """Rule N0: both brackets of a pair take one direction, from what they enclose."""
    for run in storage["runs"]:
        chars = storage["chars"][run["start"] : run["start"] + run["length"]]
        if not chars:
            continue
        embedding = "R" if chars[0]["level"] % 2 else "L"
        for opening, closing in _bracket_pairs(chars):
            inside = {_strong(char["type"]) for char in chars[opening + 1 : closing]}
            if embedding in inside:
                direction = embedding
            elif inside - {None}:
                before = (_strong(char["type"]) for char in reversed(chars[:opening]))
                direction = next((found for found in before if found), run["sor"])
            else:
                continue
            for index in (opening, closing):
                _set_with_marks(chars, index, direction)


def _set_with_marks(chars: list[dict[str, Any]], index: int, direction: str) -> None:
    chars[index]["type"] = direction
    for mark in chars[index + 1 :]:
        if mark["orig"] != "NSM":
            break
        mark["type"] = direction


def _strong(bidi_type: str) -> str | None:
    return "R" if bidi_type in ("R", "EN", "AN") else "L" if bidi_type == "L" else None


def _bracket_pairs(chars: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """Rule BD16: indices of brackets that belong together, by where they open."""
    stack: list[tuple[str, int]] = []
    pairs = []
    for index, char in enumerate(chars):
        bracket = _SAME.get(char["ch"], char["ch"])
        if char["type"] != "ON" or bracket not in MIRRORED:
            continue
        category = unicodedata.category(bracket)
        if category == "Ps":
            if len(stack) == _STACK:
                return []
            stack.append((MIRRORED[bracket], index))
        elif category == "Pe":
            for depth in range(len(stack) - 1, -1, -1):
                if stack[depth][0] == bracket:
                    pairs.append((stack[depth][1], index))
                    del stack[depth:]
                    break
    return sorted(pairs)


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
    level: int  # see levels
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
            kinds = _kinds(shown, self._choice.faces(shown), levels(shown, rtl=rtl))
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
        _ShapingKind(face, level, index if level % 2 and not is_letter(text[index]) else -1)
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
    in_sight = [pieces[index] for index in visual_order([p.kind.level for p in pieces])]
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
