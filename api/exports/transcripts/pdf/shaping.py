"""Text of one direction as glyphs of a PDF: shaped by HarfBuzz, readable as the text it was.

Glyphs without an advance (vowel signs, dots of Arabic letters, tones) are drawn as shapes beside
the text, which their letter's code carries: readers of PDFs put blanks around such glyphs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import uharfbuzz

from api.exports.transcripts.pdf.fonts import EmbeddedFont, FontFace

# Ligatures of Latin only look nicer, and some readers of PDFs do not take them apart.
_PLAIN = {"liga": False, "clig": False}
_LONGEST = 64  # characters that one code may read as; readers of PDFs have limits


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
