"""Looks into PDFs with readers that had no part in writing them."""

from __future__ import annotations

import io

import pypdf
import pypdfium2
from PIL import Image, ImageChops
from pypdf.generic import ContentStream

from api.exports.transcripts.document import ExportSegment, TranscriptDocument
from api.exports.transcripts.pdf.writer import pdf_bytes

TITLE = "T"
SCALE = 6  # pixels to a point
FIRST_LINE = 732.9  # points from the bottom: the base line of the first segment's text
TEXT_SIZE = 10.5


def one_segment(text: str, language: str | None = None) -> bytes:
    """A PDF of a title and one segment without times."""
    segments = (ExportSegment(0, 1, text),)
    document = TranscriptDocument(TITLE, segments, language=language, timestamps=False)
    rendered = pdf_bytes(document)
    assert not rendered.warnings
    return rendered.content


def lines_by_pdfium(content: bytes, page: int = 0) -> list[str]:
    """As Chrome copies them."""
    text = pypdfium2.PdfDocument(content)[page].get_textpage().get_text_range()
    return text.replace("\r\n", "\n").split("\n")


def lines_by_pypdf(content: bytes, page: int = 0) -> list[str]:
    text = pypdf.PdfReader(io.BytesIO(content)).pages[page].extract_text()
    return [line.strip() for line in text.split("\n")]


def picture_of_first_line(content: bytes) -> Image.Image:
    """White on black, cut to what is drawn."""
    page = pypdfium2.PdfDocument(content)[0]
    picture = page.render(scale=SCALE, grayscale=True).to_pil().convert("L")
    base = (page.get_height() - FIRST_LINE) * SCALE
    above, below = 13 * SCALE, 5 * SCALE
    line = picture.crop((0, round(base - above), picture.width, round(base + below)))
    return cut_to_ink(ImageChops.invert(line))


def cut_to_ink(picture: Image.Image) -> Image.Image:
    box = picture.point(lambda value: 255 if value > 64 else 0).getbbox()
    assert box, "nothing is drawn"
    return picture.crop(box)


def glyphs_drawn(content: bytes) -> list[int]:
    """Numbers of all glyphs of embedded fonts on all pages; 0 is what a font has for the unknown.

    A code of a font with a CIDToGIDMap stands for the glyph that this names, else for itself.
    """
    reader = pypdf.PdfReader(io.BytesIO(content))
    found = []
    for page in reader.pages:
        fonts = page["/Resources"]["/Font"]
        maps: dict[str, bytes | None] = {}
        for name, font in fonts.items():
            descendant = font.get_object().get("/DescendantFonts", [{}])[0]
            table = descendant.get_object().get("/CIDToGIDMap") if descendant else None
            maps[name] = table.get_object().get_data() if table else None
        current = ""
        for operands, operator in ContentStream(page.get_contents(), reader).operations:
            if operator == b"Tf":
                current = operands[0]
            elif operator == b"TJ":
                codes = b"".join(
                    part.original_bytes for part in operands[0] if hasattr(part, "original_bytes")
                )
                for at in range(0, len(codes), 2):
                    code = codes[at : at + 2]
                    table = maps[current]
                    if table is not None:
                        start = 2 * int.from_bytes(code, "big")
                        code = table[start : start + 2]
                    found.append(int.from_bytes(code, "big"))
    return found
