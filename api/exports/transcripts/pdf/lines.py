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

from api.exports.transcripts.pdf.fonts import EmbeddedFont, FontFace, choose_faces

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


class Mark(NamedTuple):
    """A glyph drawn as a shape, at `x` and `y` in thousandths of the font size from the run."""

    glyph: int
    x: float
    y: float


class GlyphRun(NamedTuple):
    """Glyphs of one font from left to right. `width` in thousandths of the font size.

    `shown` is the inside of the array that PDF's operator TJ takes.
    """

    font: EmbeddedFont
    width: float
    shown: str
    marks: list[Mark]


class _Pen:
    """Writes glyphs one after the other, from left to right."""

    def __init__(self, font: EmbeddedFont) -> None:
        self.font = font
        self._x = 0.0  # where the next glyph goes
        self._drawn = 0.0  # where the viewer is, which knows only the glyphs' own widths
        self._parts: list[str] = []
        self._marks: list[Mark] = []

    def glyph(self, info: Any, position: Any, text: str) -> None:
        """A glyph that reads as `text`."""
        scale = self.font.face.per_mille
        self._put(self.font.code(info.codepoint, text), self._x + position.x_offset * scale)
        self._drawn += self.font.width(info.codepoint)
        self._x += position.x_advance * scale

    def silent(self, info: Any, position: Any) -> None:
        """A glyph that reads as nothing."""
        scale = self.font.face.per_mille
        x, y = self._x + position.x_offset * scale, position.y_offset * scale
        self._marks.append(Mark(info.codepoint, x, y))
        self._x += position.x_advance * scale

    def unseen(self, text: str) -> None:
        """Text that no glyph of its own stands for."""
        self._put(self.font.code(None, text), self._x)

    def run(self) -> GlyphRun:
        self._move(self._x)
        return GlyphRun(self.font, self._x, "".join(self._parts).replace("><", ""), self._marks)

    def _put(self, code: int, x: float) -> None:
        self._move(x)
        self._parts.append(f"<{code:04X}>")

    def _move(self, x: float) -> None:
        back = round(self._drawn - x, 2)
        if back:
            self._parts.append(f"{back:g}")
            self._drawn -= back


def _clusters(glyphs: list[Any], text: str) -> Iterator[tuple[list[Any], str]]:
    """Glyphs that belong together, from left to right, with the text that they stand for."""
    groups = [(key, list(group)) for key, group in groupby(glyphs, lambda each: each[0].cluster)]
    starts = sorted(key for key, _ in groups)
    # Unseen characters in front went with the glyph after them.
    read = [text[a:b] for a, b in zip([0, *starts[1:]], [*starts[1:], len(text)], strict=True)]
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
    if len(readable) == len(cluster) == len(text) == 1:  # nearly always, and quick
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
    level = int(rtl)
    if not _RTL.search(text) and not rtl:
        return [0] * len(text)
    storage: dict[str, Any] = algorithm.get_empty_storage()
    storage["base_level"], storage["base_dir"] = level, "R" if rtl else "L"
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
    resolved = {character["index"]: character["level"] for character in storage["chars"]}
    found = []
    for index in range(len(text)):
        level = resolved.get(index, level)  # what rule X9 leaves out goes with what is before it
        found.append(level)
    return found


def visual_order(line: Sequence[int]) -> list[int]:
    """Rule L2: indices of a line's parts from left to right, given the level of each."""
    order = list(range(len(line)))
    for level in range(max(line, default=0), 0, -1):
        start = 0
        while start < len(order):
            end = start
            while end < len(order) and line[order[end]] >= level:
                end += 1
            order[start:end] = reversed(order[start:end])
            start = end + 1
    return order


def _resolve_brackets(storage: dict[str, Any]) -> None:
    """Rule N0: a pair of brackets takes the direction of what it encloses, or stands beside."""
    for run in storage["runs"]:
        chars = storage["chars"][run["start"] : run["start"] + run["length"]]
        embedding = "R" if chars and chars[0]["level"] % 2 else "L"
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
class PdfLine:
    """A line of text of one size, in points.

    `blocks` in the order in which they are read: runs of one font and direction beside each other,
    and where they begin in the line, in thousandths of the size.
    """

    blocks: list[tuple[float, list[GlyphRun]]]
    size: float
    width: float


class _ShapingKind(NamedTuple):
    """Neighbouring characters of one kind are shaped and drawn at once."""

    face: FontFace
    level: int  # see levels
    lone: int  # where a sign is that runs right to left, else -1; see _kinds


class _ShapedPiece(NamedTuple):
    """Text of one kind from `start` on; blanks at a line's end are not shown."""

    start: int
    kind: _ShapingKind
    run: GlyphRun
    blank: bool


class Breaker:
    """Shapes and breaks the paragraphs of one document, and keeps the fonts that it uses."""

    def __init__(self, language: str | None) -> None:
        self.missing: set[str] = set()  # what no font shows
        self.fonts: list[EmbeddedFont] = []
        self._current: dict[str, EmbeddedFont] = {}  # by the name of the face
        self._language = language
        self._runs: dict[tuple[str, str, bool], GlyphRun] = {}

    def lines(self, text: str, size: float, width: float, *, rtl: bool) -> Iterator[PdfLine]:
        """Break a text of a size into lines, none of them wider than `width` (both in points).

        Newlines begin a line. `rtl`: the direction of its paragraphs.
        """
        for each in text.replace("\t", _TAB).split("\n"):
            shown, faces, lost = choose_faces(each, self._language)
            self.missing |= lost
            kinds = _kinds(shown, faces, levels(shown, rtl=rtl))
            for pieces in self._broken(shown, kinds, width * 1000 / size):
                yield _line(pieces, size)

    def _broken(
        self, text: str, kinds: list[_ShapingKind], width: float
    ) -> Iterator[list[_ShapedPiece]]:
        line: list[_ShapedPiece] = []
        used = 0.0
        for unit in self._units(text, kinds, width):
            if line and used + _width(unit, with_blanks=False) > width:
                yield line
                line, used = [], 0.0
            line += unit
            used += _width(unit)
        yield line

    def _units(
        self, text: str, kinds: list[_ShapingKind], width: float
    ) -> Iterator[list[_ShapedPiece]]:
        """Yield what is not broken, with the blanks after it.

        What fits on no line is cut between the characters that people see.
        """
        for start, end in _spans(LineBreaker(text, _LOCALE)):
            unit = self._pieces(text, kinds, start, end)
            if _width(unit, with_blanks=False) > width:
                used = 0.0
                for first, last in _spans(CharacterBreaker(text[start:end], _LOCALE), start):
                    wide = _width(self._pieces(text, kinds, first, last))
                    if used and used + wide > width:
                        yield self._pieces(text, kinds, start, first)
                        start, used = first, 0.0
                    used += wide
                unit = self._pieces(text, kinds, start, end)
            yield unit

    def _pieces(
        self, text: str, kinds: list[_ShapingKind], start: int, end: int
    ) -> list[_ShapedPiece]:
        blanks = start + len(text[start:end].rstrip())
        pieces = []
        for first, last in ((start, blanks), (blanks, end)):
            for kind, group in groupby(range(first, last), kinds.__getitem__):
                indices = list(group)
                run = self._run(text[indices[0] : indices[-1] + 1], kind)
                pieces.append(_ShapedPiece(indices[0], kind, run, first == blanks))
        return pieces

    def _run(self, text: str, kind: _ShapingKind) -> GlyphRun:
        rtl = kind.level % 2 == 1
        key = (text, kind.face.name, rtl)
        if key not in self._runs:
            font = self._current.get(kind.face.name)
            if font is None or font.is_full:
                font = self._current[kind.face.name] = EmbeddedFont(
                    kind.face, f"T{len(self.fonts) + 1}"
                )
                self.fonts.append(font)
            self._runs[key] = self._shaped(text, font, rtl)
        return self._runs[key]

    def _shaped(self, text: str, font: EmbeddedFont, rtl: bool) -> GlyphRun:
        buffer = uharfbuzz.Buffer()
        buffer.add_str(text)
        buffer.guess_segment_properties()
        if not buffer.script:
            buffer.script = font.face.script
        buffer.direction = "rtl" if rtl else "ltr"
        buffer.language = font.face.language or self._language or "und"
        buffer.flags = uharfbuzz.BufferFlags.REMOVE_DEFAULT_IGNORABLES
        uharfbuzz.shape(font.face.font, buffer, _PLAIN if font.face.name == "NotoSans" else {})
        glyphs = list(zip(buffer.glyph_infos, buffer.glyph_positions, strict=True))
        pen = _Pen(font)
        if glyphs:
            for cluster, read in _clusters(glyphs, text):
                _draw(pen, cluster, read, rtl)
        return pen.run()


def _kinds(text: str, faces: list[FontFace], levels: list[int]) -> list[_ShapingKind]:
    """Signs that run right to left are of a kind each: readers turn around letters only."""
    if faces and faces.count(faces[0]) == len(faces) and not any(levels):
        return [_ShapingKind(faces[0], 0, -1)] * len(faces)  # most paragraphs, and quick
    return [
        _ShapingKind(face, level, index if level % 2 and not _is_letter(text[index]) else -1)
        for index, (face, level) in enumerate(zip(faces, levels, strict=True))
    ]


def _is_letter(character: str) -> bool:
    """Whether a character is of a script that runs right to left, or goes with such a letter."""
    return unicodedata.bidirectional(character) in ("R", "AL", "NSM", "BN")


def _width(pieces: list[_ShapedPiece], *, with_blanks: bool = True) -> float:
    return sum(piece.run.width for piece in pieces if with_blanks or not piece.blank)


def _spans(pieces: Iterable[str], start: int = 0) -> Iterator[tuple[int, int]]:
    """Where pieces of a text begin and end. ICU's own numbers count UTF-16."""
    for piece in pieces:
        yield start, start + len(piece)
        start += len(piece)


def _line(pieces: list[_ShapedPiece], size: float) -> PdfLine:
    while pieces and pieces[-1].blank:
        pieces.pop()
    in_sight = [pieces[index] for index in visual_order([p.kind.level for p in pieces])]
    found = []
    x = 0.0
    for _, group in groupby(in_sight, lambda piece: (piece.kind, piece.run.font.resource)):
        block = list(group)
        found.append((min(piece.start for piece in block), (x, [piece.run for piece in block])))
        x += _width(block)
    blocks = [block for _, block in sorted(found, key=lambda each: each[0])]
    return PdfLine(blocks, size, x * size / 1000)
