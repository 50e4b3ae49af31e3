"""A font as reportlab writes it into a PDF: a subset, two-byte codes, and the text of each code."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import uharfbuzz
from reportlab.pdfbase import pdfdoc
from reportlab.pdfgen.canvas import Canvas

from api.exports.transcripts.pdf.fonts import REGULAR, FontFace

_FLAGS_SYMBOLIC = 4
_LARGEST_CODE = 0xFFFF
_FLAGS = uharfbuzz.SubsetFlags
_CMAP = """/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
/CMapName /Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<0000> <FFFF>
endcodespacerange
{}
endcmap
CMapName currentdict /CMap defineresource pop
end
end
"""


class EmbeddedFont:
    """The glyphs of one FontFace that a document uses, as a composite font (ISO 32000-1, 9.7).

    A code stands for a glyph *and* the text that it is to be read as, so that what is copied or
    searched for is the text that was given, whatever shaping made of it. reportlab's own TTFont
    has codes for characters instead: shaped glyphs get private ones, which read as rubbish.
    """

    def __init__(self, face: FontFace, resource: str) -> None:
        self.face = face
        self.resource = resource  # its name on the pages
        self._advances: dict[int, float] = {}  # by glyph
        self._codes: dict[tuple[int | None, str], int] = {}
        self._glyphs: dict[int, int] = {0: 0}  # by code, as are the next two
        self._widths: dict[int, float] = {0: self.width(0)}
        self._texts: dict[int, str] = {}
        self._drawn: set[int] = set()

    @property
    def is_full(self) -> bool:
        """Whether other text had better get another font: half of the codes are taken."""
        return len(self._glyphs) > _LARGEST_CODE // 2

    def code(self, glyph: int, text: str) -> int:
        """The code of a glyph that reads as `text`."""
        key = (glyph, text)
        if key not in self._codes:
            # Outlines of PostScript know no table from codes to glyphs: there a glyph reads as
            # what it first stood for. It differs in compatibility forms and decomposed Hangul.
            code = glyph if self.face.has_cff else min(len(self._glyphs), _LARGEST_CODE)
            self._add(key, code, glyph, self.width(glyph))
        return self._codes[key]

    def blank(self, text: str) -> int:
        """The code of nothing, without a width, that reads as `text`. Not for PostScript's."""
        key = (None, text)
        if key not in self._codes:
            code = min(len(self._glyphs), _LARGEST_CODE)
            self._add(key, code, self.face.font.get_nominal_glyph(0x20) or 0, 0.0)
        return self._codes[key]

    def width(self, glyph: int) -> float:
        """A glyph's width in thousandths of the font size, as the viewer of the PDF is told."""
        if glyph not in self._advances:
            advance = self.face.font.get_glyph_h_advance(glyph)
            self._advances[glyph] = round(advance * self.face.per_mille, 2)
        return self._advances[glyph]

    def form(self, glyph: int) -> str:
        """The name of a drawing of this glyph, in the font's units."""
        self._drawn.add(glyph)
        return f"{self.resource}.{glyph}"

    def embed(self, canvas: Canvas) -> None:
        """Adds the font, as far as it was used, to a document whose pages are drawn."""
        doc = canvas._doc  # where reportlab's own fonts put themselves too
        for glyph in sorted(self._drawn):
            drawing = _Outline()
            self.face.font.draw_glyph_with_pen(glyph, drawing)
            form = pdfdoc.PDFFormXObject(*drawing.box())
            form.setStreamList([drawing.path()])
            form.compression = 1
            doc.addForm(self.form(glyph), form)
        glyphs = sorted(set(self._glyphs.values()))
        tag = hashlib.sha256(repr((self.face.name, self.resource, glyphs)).encode()).digest()[:6]
        name = "".join(chr(65 + byte % 26) for byte in tag) + "+" + self.face.name
        subset, new_glyphs = _subset(self.face, glyphs)
        descendant = {
            "Type": "/Font",
            "Subtype": "/CIDFontType0" if self.face.has_cff else "/CIDFontType2",
            "BaseFont": f"/{name}",
            "CIDSystemInfo": _dictionary(Registry="(Adobe)", Ordering="(Identity)", Supplement=0),
            "FontDescriptor": self._descriptor(doc, name, subset),
            "DW": 1000,
            "W": pdfdoc.PDFArray(self._width_array()),
        }
        if not self.face.has_cff:
            codes = range(max(self._glyphs) + 1)
            glyph_map = [new_glyphs.get(self._glyphs.get(code, 0), 0) for code in codes]
            packed = struct.pack(f">{len(glyph_map)}H", *glyph_map)
            descendant["CIDToGIDMap"] = _stream(doc, f"cidToGid:{name}", packed)
        doc.idToObject["BasicFonts"].dict[self.resource] = _dictionary(
            Type="/Font",
            Subtype="/Type0",
            BaseFont=f"/{name}",
            Encoding="/Identity-H",
            DescendantFonts=pdfdoc.PDFArray([pdfdoc.PDFDictionary(descendant)]),
            ToUnicode=_stream(doc, f"toUnicode:{name}", self._to_unicode().encode()),
        )

    def _add(self, key: tuple[int | None, str], code: int, glyph: int, width: float) -> None:
        self._codes[key] = code
        self._glyphs.setdefault(code, glyph)
        self._widths.setdefault(code, width)
        self._texts.setdefault(code, key[1])

    def _width_array(self) -> list[Any]:
        found: list[Any] = []
        for code, width in sorted(self._widths.items()):
            found += [code, pdfdoc.PDFArray([width])]
        return found

    def _to_unicode(self) -> str:
        lines = [
            f"<{code:04X}> <{text.encode('utf-16-be').hex().upper()}>"
            for code, text in sorted(self._texts.items())
        ]
        blocks = [lines[start : start + 100] for start in range(0, len(lines), 100)]
        return _CMAP.format(
            "\n".join(
                "\n".join([f"{len(block)} beginbfchar", *block, "endbfchar"]) for block in blocks
            )
        )

    def _descriptor(self, doc: Any, name: str, subset: Any) -> Any:
        scale = self.face.per_mille
        extents = self.face.font.get_font_extents("ltr")
        head = subset.reference_table("head").data
        box = [round(value * scale) for value in struct.unpack(">4h", head[36:44])]
        entries = {
            "Type": "/FontDescriptor",
            "FontName": f"/{name}",
            "Flags": _FLAGS_SYMBOLIC,
            "FontBBox": pdfdoc.PDFArray(box),
            "ItalicAngle": 0,
            "Ascent": round(extents.ascender * scale),
            "Descent": round(extents.descender * scale),
            "CapHeight": 714,
            "StemV": 80,
        }
        if self.face.has_cff:
            outlines = subset.reference_table("CFF ").data
            file = _stream(doc, f"fontFile:{name}", outlines, Subtype="/CIDFontType0C")
            entries["FontFile3"] = file
        else:
            whole = subset.blob.data
            entries["FontFile2"] = _stream(doc, f"fontFile:{name}", whole, Length1=len(whole))
        return doc.Reference(pdfdoc.PDFDictionary(entries), f"fontDescriptor:{name}")


class _Outline:
    """Takes the outline of a glyph as PDF's path operators."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._points: list[tuple[float, float]] = [(0.0, 0.0)]

    def path(self) -> str:
        return " ".join([*self._parts, "f"])

    def box(self) -> tuple[float, float, float, float]:
        xs, ys = zip(*self._points, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    def moveTo(self, point: tuple[float, float]) -> None:
        self._add("m", point)

    def lineTo(self, point: tuple[float, float]) -> None:
        self._add("l", point)

    def curveTo(self, *points: tuple[float, float]) -> None:
        self._add("c", *points)

    def qCurveTo(self, control: tuple[float, float], end: tuple[float, float]) -> None:
        start = self._points[-1]
        first, second = (
            tuple(at + (middle - at) * 2 / 3 for at, middle in zip(point, control, strict=True))
            for point in (start, end)
        )
        self._add("c", first, second, end)

    def closePath(self) -> None:
        self._parts.append("h")

    def _add(self, operator: str, *points: tuple[float, ...]) -> None:
        self._points += [(x, y) for x, y in points]
        numbers = " ".join(f"{round(value, 2):g}" for point in points for value in point)
        self._parts.append(f"{numbers} {operator}")


def _subset(face: FontFace, glyphs: list[int]) -> tuple[Any, dict[int, int]]:
    """A font of these glyphs at regular weight, and their numbers in it."""
    wanted = uharfbuzz.SubsetInput()
    wanted.glyph_set.update(glyphs)
    wanted.flags = _FLAGS.NO_HINTING | _FLAGS.NO_LAYOUT_CLOSURE | _FLAGS.NOTDEF_OUTLINE
    if face.has_cff:
        wanted.flags |= _FLAGS.RETAIN_GIDS | _FLAGS.DOWNGRADE_CFF2 | _FLAGS.CFF_IDENTITY_CHARSET
    wanted.pin_axis_location(face.face, "wght", REGULAR)
    for table in ("GSUB", "GPOS", "GDEF", "cmap", "name", "OS/2", "STAT", "BASE", "VORG"):
        wanted.drop_table_tag_set.add(struct.unpack(">I", table.encode().ljust(4))[0])
    plan = uharfbuzz.SubsetPlan(face.face, wanted)
    return plan.execute(), dict(plan.old_to_new_glyph_mapping)


def _dictionary(**entries: Any) -> Any:
    return pdfdoc.PDFDictionary(entries)


def _stream(doc: Any, name: str, content: bytes, **entries: Any) -> Any:
    return doc.Reference(
        pdfdoc.PDFStream(_dictionary(**entries), content, [pdfdoc.PDFZCompress]), name
    )
