"""pdf of a transcript: A4 pages, a title, one paragraph a segment with its time beside it.

reportlab writes the file. Its own paragraphs are not used: they need a library for bidi that no
registry has, take one font a run, and shaped text cannot be copied out of them as it was given.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass

from reportlab.pdfgen.canvas import Canvas

from api.exports.cleaning import is_rtl
from api.exports.transcripts.document import ExportSegment, Rendered, TranscriptDocument
from api.exports.transcripts.pdf.fonts import FontChoice
from api.exports.transcripts.pdf.lines import Breaker, PdfLine, Shaper
from api.exports.transcripts.text_formats import spoken

# Points. A4 is 595.276 by 841.89.
_WIDTH, _HEIGHT = 595.276, 841.89
_MARGIN = 56.0
_BOTTOM = 64.0
_FOOT = 34.0  # where the page number stands
_GAP = 5.0  # between segments
_COLUMN_GAP = 12.0
_BLACK, _GREY = 0.0, 0.4
_NAMED = 10  # characters in a warning


@dataclass(frozen=True, slots=True)
class _Style:
    """Sizes in points; `leading` has room for marks above and below of every script."""

    size: float
    leading: float
    grey: float = _BLACK


_TITLE = _Style(18, 27)
_TEXT = _Style(10.5, 16)
_STAMP = _Style(8, 16, _GREY)
_NUMBER = _Style(8, 16, _GREY)


@dataclass(frozen=True, slots=True)
class _PlacedLine:
    """A line on a page. `x` and `y` in points from the bottom left, of where its text begins."""

    line: PdfLine
    style: _Style
    x: float
    y: float


class _Flow:
    """Puts lines below each other, on as many pages as they need."""

    def __init__(self) -> None:
        self.pages: list[list[_PlacedLine]] = [[]]
        self._y = _HEIGHT - _MARGIN

    def next_line(self, leading: float, *, with_next: bool = False) -> float:
        """The next line's base line, on a new page where this one is full.

        `with_next`: a line like it shall be on the same page.
        """
        if self._y - leading * (1 + with_next) < _BOTTOM:
            self.pages.append([])
            self._y = _HEIGHT - _MARGIN
        self._y -= leading
        return self._y

    def put(self, line: PdfLine, style: _Style, left: float, y: float) -> None:
        """Between `left` and the right margin, on the side where its paragraph begins."""
        x = _WIDTH - _MARGIN - _points(line, style) if line.rtl else left
        self.pages[-1].append(_PlacedLine(line, style, x, y))

    def space(self, height: float) -> None:
        self._y -= height


def pdf_bytes(document: TranscriptDocument) -> Rendered:
    """The file, and which characters no font shows: these are drawn as U+FFFD.

    The same document always gives the same bytes.
    """
    choice, shaper = FontChoice(document.language), Shaper(document.language)
    pages = _pages(document, Breaker(choice, shaper))
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=(_WIDTH, _HEIGHT), invariant=1, pageCompression=1)
    canvas.setTitle(document.title)
    canvas.setAuthor("")
    canvas.setSubject("Transcript")
    canvas.setCreator("Rushes")
    canvas.setProducer("Rushes")
    for page in pages:
        for placed in page:
            _draw(canvas, placed)
        canvas.showPage()
    for font in shaper.fonts:
        font.embed(canvas)
    canvas.save()
    return Rendered(file.getvalue(), _warnings(choice.missing))


def _pages(document: TranscriptDocument, breaker: Breaker) -> list[list[_PlacedLine]]:
    flow = _Flow()
    across = _WIDTH - 2 * _MARGIN
    for line in _broken(breaker, document.title, _TITLE, across, is_rtl(document.title)):
        flow.put(line, _TITLE, _MARGIN, flow.next_line(_TITLE.leading))
    flow.space(2 * _GAP)
    column = _stamp_column(document, breaker)
    for segment in document.segments:
        _put_segment(flow, document, segment, breaker, column)
    for number, page in enumerate(flow.pages, 1):
        text = f"{number} / {len(flow.pages)}"
        line = _one_line(breaker, text, _NUMBER)
        page.append(_PlacedLine(line, _NUMBER, (_WIDTH - _points(line, _NUMBER)) / 2, _FOOT))
    return flow.pages


def _put_segment(
    flow: _Flow,
    document: TranscriptDocument,
    segment: ExportSegment,
    breaker: Breaker,
    column: float,
) -> None:
    left = _MARGIN + column
    rtl = is_rtl(segment.text)
    y = flow.next_line(_TEXT.leading, with_next=rtl and column > 0)
    if column:
        stamp = _one_line(breaker, document.stamp(segment), _STAMP)
        x = _WIDTH - _MARGIN - _points(stamp, _STAMP) if rtl else _MARGIN
        flow.put(stamp, _STAMP, x, y)
        if rtl:  # on one line, readers of PDFs would turn the times around with the text
            y = flow.next_line(_TEXT.leading)
    lines = _broken(breaker, spoken(segment), _TEXT, _WIDTH - _MARGIN - left, rtl)
    for number, line in enumerate(lines):
        flow.put(line, _TEXT, left, flow.next_line(_TEXT.leading) if number else y)
    flow.space(_GAP)


def _stamp_column(document: TranscriptDocument, breaker: Breaker) -> float:
    """Points that the times and the gap beside them take. Digits are of one width."""
    stamps = [document.stamp(segment) for segment in document.segments]
    if not document.timestamps or not stamps:
        return 0.0
    widest = _points(_one_line(breaker, max(stamps, key=len), _STAMP), _STAMP)
    return min(widest + _COLUMN_GAP, _WIDTH / 2 - _MARGIN)


def _broken(
    breaker: Breaker, text: str, style: _Style, width: float, rtl: bool
) -> Iterator[PdfLine]:
    return breaker.lines(text, width * 1000 / style.size, rtl=rtl)


def _one_line(breaker: Breaker, text: str, style: _Style) -> PdfLine:
    (line,) = _broken(breaker, text, style, math.inf, False)
    return line


def _points(line: PdfLine, style: _Style) -> float:
    return line.width * style.size / 1000


def _draw(canvas: Canvas, placed: _PlacedLine) -> None:
    """Writes a line's text, then the marks that are drawn beside it, by PDF's operators."""
    size, y = placed.style.size, placed.y
    shown = []
    for block in placed.line.blocks:
        left = placed.x + block.x * size / 1000
        shown.append(
            f"/{block.font.resource} {size:g} Tf 1 0 0 1 {left:.2f} {y:.2f} Tm [{block.shown}] TJ"
        )
    canvas.addLiteral(f"{placed.style.grey:g} g BT {' '.join(shown)} ET")
    for block in placed.line.blocks:
        scale = size * block.font.face.per_mille / 1000
        for mark in block.marks:
            left = placed.x + (block.x + mark.x) * size / 1000
            bottom = y + mark.y * size / 1000
            canvas.addLiteral(f"q {scale:.6f} 0 0 {scale:.6f} {left:.2f} {bottom:.2f} cm")
            canvas.doForm(block.font.form(mark.glyph))
            canvas.addLiteral("Q")


def _warnings(missing: set[str]) -> tuple[str, ...]:
    if not missing:
        return ()
    named = sorted(missing)[:_NAMED]
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    codes = ", ".join(f"U+{ord(character):04X}" for character in named)
    return (f"No font of the PDF shows {codes}{more}: shown as U+FFFD.",)
