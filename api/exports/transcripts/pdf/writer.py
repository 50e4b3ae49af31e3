"""pdf of a transcript: A4 pages, a title, one paragraph a segment with its time beside it.

reportlab writes the file. Its own paragraphs are not used: they need a library for bidi that no
registry has, take one font a run, and shaped text cannot be copied out of them as it was given.
"""

from __future__ import annotations

import io
import math
from typing import NamedTuple

from reportlab.pdfgen.canvas import Canvas

from api.exports.cleaning import is_rtl
from api.exports.transcripts.document import ExportSegment, Rendered, TranscriptDocument
from api.exports.transcripts.pdf.lines import Breaker, PdfLine
from api.exports.transcripts.text_formats import spoken

# Points. A4 is 595.276 by 841.89.
_WIDTH, _HEIGHT = 595.276, 841.89
_MARGIN = 56.0
_BOTTOM = 64.0
_FOOT = 34.0  # where the page number stands
_GAP = 5.0  # between segments
_COLUMN_GAP = 12.0
_SMALL = 8.0  # times and page numbers, in grey
_BLACK, _GREY = 0.0, 0.4
_NAMED = 10  # characters in a warning


class _Style(NamedTuple):
    """Sizes in points; `leading` has room for marks above and below of every script."""

    size: float
    leading: float


_TITLE = _Style(18, 27)
_TEXT = _Style(10.5, 16)


class _PlacedLine(NamedTuple):
    """A line on a page. `x` and `y` in points from the bottom left, of where its text begins."""

    line: PdfLine
    x: float
    y: float


def pdf_bytes(document: TranscriptDocument) -> Rendered:
    """The file, and which characters no font shows: these are drawn as U+FFFD.

    The same document always gives the same bytes.
    """
    flow = _Flow(Breaker(document.language))
    flow.write(document)
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=(_WIDTH, _HEIGHT), invariant=1, pageCompression=1)
    canvas.setTitle(document.title)
    canvas.setAuthor("")
    canvas.setSubject("Transcript")
    canvas.setCreator("Rushes")
    canvas.setProducer("Rushes")
    for page in flow.pages:
        for placed in page:
            _draw(canvas, placed)
        canvas.showPage()
    for font in flow.breaker.fonts:
        font.embed(canvas)
    canvas.save()
    return Rendered(file.getvalue(), _warnings(flow.breaker.missing))


class _Flow:
    """Puts lines below each other, on as many pages as they need."""

    def __init__(self, breaker: Breaker) -> None:
        self.pages: list[list[_PlacedLine]] = [[]]
        self.breaker = breaker
        self._y = _HEIGHT - _MARGIN  # the base line of the last line

    def write(self, document: TranscriptDocument) -> None:
        self._put_text(document.title, _TITLE, _MARGIN, is_rtl(document.title))
        self._y -= 2 * _GAP
        stamps = [document.stamp(each) if document.timestamps else "" for each in document.segments]
        # Digits are of one width.
        column = self._small(max(stamps, key=len, default="")).width
        left = _MARGIN + (min(column + _COLUMN_GAP, _WIDTH / 2 - _MARGIN) if column else 0)
        for segment, stamp in zip(document.segments, stamps, strict=True):
            self._put_segment(segment, stamp, left)
        for number, page in enumerate(self.pages, 1):
            line = self._small(f"{number} / {len(self.pages)}")
            page.append(_PlacedLine(line, (_WIDTH - line.width) / 2, _FOOT))

    def _put_segment(self, segment: ExportSegment, stamp: str, left: float) -> None:
        rtl = is_rtl(segment.text)
        if stamp:
            self._next_line(_TEXT, lines=2 if rtl else 1)
            line = self._small(stamp)
            self._put(line, _WIDTH - _MARGIN - line.width if rtl else _MARGIN)
        # From right to left it stands under its times: beside it, readers of PDFs would turn them
        # around with the text.
        self._put_text(spoken(segment), _TEXT, left, rtl, is_beside=bool(stamp) and not rtl)
        self._y -= _GAP

    def _put_text(
        self, text: str, style: _Style, left: float, rtl: bool, *, is_beside: bool = False
    ) -> None:
        """Put lines right of `left`. `is_beside`: the first one beside what was put before."""
        width = _WIDTH - _MARGIN - left
        for line in self.breaker.lines(text, style.size, width, rtl=rtl):
            if not is_beside:
                self._next_line(style)
            is_beside = False
            self._put(line, _WIDTH - _MARGIN - line.width if rtl else left)

    def _next_line(self, style: _Style, lines: int = 1) -> None:
        """Go on to the next line, on a new page where this one has no room for so many."""
        if self._y - style.leading * lines < _BOTTOM:
            self.pages.append([])
            self._y = _HEIGHT - _MARGIN
        self._y -= style.leading

    def _put(self, line: PdfLine, x: float) -> None:
        self.pages[-1].append(_PlacedLine(line, x, self._y))

    def _small(self, text: str) -> PdfLine:
        """Set times or a number on one line."""
        return next(self.breaker.lines(text, _SMALL, math.inf, rtl=False))


def _draw(canvas: Canvas, placed: _PlacedLine) -> None:
    """Writes a line's text, then the marks that are drawn beside it, by PDF's operators."""
    line, y = placed.line, placed.y
    grey = _GREY if line.size == _SMALL else _BLACK
    points = line.size / 1000
    shown = []
    for x, runs in line.blocks:
        left = placed.x + x * points
        parts = " ".join(run.shown for run in runs)
        shown.append(
            f"/{runs[0].font.resource} {line.size:g} Tf 1 0 0 1 {left:.2f} {y:.2f} Tm [{parts}] TJ"
        )
    canvas.addLiteral(f"{grey:g} g BT {' '.join(shown)} ET")
    for x, runs in line.blocks:
        for run in runs:
            scale = points * run.font.face.per_mille
            for mark in run.marks:
                left, bottom = placed.x + (x + mark.x) * points, y + mark.y * points
                canvas.addLiteral(f"q {scale:.6f} 0 0 {scale:.6f} {left:.2f} {bottom:.2f} cm")
                canvas.doForm(run.font.form(mark.glyph))
                canvas.addLiteral("Q")
            x += run.width


def _warnings(missing: set[str]) -> tuple[str, ...]:
    if not missing:
        return ()
    named = sorted(missing)[:_NAMED]
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    codes = ", ".join(f"U+{ord(character):04X}" for character in named)
    return (f"No font of the PDF shows {codes}{more}: shown as U+FFFD.",)
