"""The fonts that PDFs are set in, and which of them shows a character.

All are Noto (SIL Open Font License 1.1), from packages of the Python registry, at regular weight.
"""

from __future__ import annotations

import functools
import hashlib
import re
import struct
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import uharfbuzz
from reportlab.pdfbase import pdfdoc
from reportlab.pdfgen.canvas import Canvas

REGULAR = 400.0  # on the weight axis; Noto Sans CJK would be thin by default
REPLACEMENT = "\ufffd"
# A character is looked for in this order. CJK before emoji, or its punctuation would be missed.
_NAMES = """
NotoSans NotoSansArabic NotoSansHebrew NotoSansDevanagari NotoSansThai NotoSansBengali
NotoSansGujarati NotoSansGurmukhi NotoSansKannada NotoSansMalayalam NotoSansOriya NotoSansSinhala
NotoSansTamil NotoSansTelugu NotoSansLao NotoSansKhmer NotoSansMyanmar NotoSansArmenian
NotoSansGeorgian NotoSansEthiopic NotoSansSymbols CJK NotoEmoji
""".split()
_CJK_FACES = {"ja": 0, "ko": 1, "zh": 2, "yue": 4}  # in the collection; 3 is Taiwan's
_CJK_SCRIPTS = {0: ("Kana", "ja"), 1: ("Hang", "ko")}
_KANA = re.compile("[\u3041-\u30ff]")
_HANGUL = re.compile("[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")
_EMOJI_STYLE = "\ufe0f"
# What no font need have, for it is not seen: joiners, direction marks, variation selectors, …
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
# Many fonts have these, so they stay in the font of what is before them.
_SHARED = re.compile(
    "[^A-Za-z\u00c0-\u02ff\u0370-\u08ff\u0980-\u1fff\u2c00-\uffff\U00010000-\U0010ffff]"
)


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


@dataclass(frozen=True, slots=True)
class FontFace:
    """One font. `characters` are the code points that it shows; `font` shapes in its units.

    Faces are equal by name: two threads may open one at the same time.
    """

    name: str
    face: Any = field(compare=False)
    font: Any = field(compare=False)
    characters: frozenset[int] = field(compare=False)
    has_cff: bool = field(compare=False)  # its outlines are PostScript's
    per_mille: float = field(compare=False)  # turns its units into thousandths of the font size
    # For what has none of its own: blanks of Korean are wider than others in the same font.
    script: str = field(compare=False, default="Zyyy")
    language: str | None = field(compare=False, default=None)


@functools.cache
def _face(name: str) -> FontFace:
    return _opened(name, str(files("manimgx_fonts") / f"{name}[wght].ttf"))


@functools.cache
def _cjk_face(index: int) -> FontFace:
    path = str(files("manimgx_fonts_cjk") / "NotoSansCJK-VF.otf.ttc")
    script, language = _CJK_SCRIPTS.get(index, ("Hani", "zh"))
    return _opened(f"NotoSansCJK-{index}", path, index, script, language)


def _opened(name: str, path: str, index: int = 0, *forms: str) -> FontFace:
    face = uharfbuzz.Face(uharfbuzz.Blob.from_file_path(path), index)
    font = uharfbuzz.Font(face)
    font.set_variations({"wght": REGULAR})
    has_cff = "CFF2" in face.table_tags
    return FontFace(name, face, font, frozenset(face.unicodes), has_cff, 1000 / face.upem, *forms)


class FontChoice:
    """Picks a font for each character of one document."""

    def __init__(self, language: str | None) -> None:
        self.missing: set[str] = set()  # what no font shows
        self._language = language or ""
        self._known: dict[tuple[str, int], FontFace | None] = {}

    def shown(self, text: str) -> str:
        """Text with U+FFFD for what no font shows, which is remembered in `missing`."""
        lost = {character for character in set(text) if self._of(character, 0) is None}
        lost = {character for character in lost if not _UNSEEN.match(character)}
        if not lost:
            return text
        self.missing |= lost
        return "".join(REPLACEMENT if character in lost else character for character in text)

    def faces(self, text: str) -> list[FontFace]:
        """The font of each character of a paragraph, which is a shown text."""
        latin = _face("NotoSans")
        if _EMOJI_STYLE not in text and latin.characters.issuperset(map(ord, text)):
            return [latin] * len(text)
        cjk = self._cjk(text)
        found: list[FontFace] = []
        for index, character in enumerate(text):
            before = found[-1] if found else None
            found.append(self._wanted(before, character, text[index + 1 : index + 2], cjk))
        return found

    def _cjk(self, text: str) -> int:
        """Which face draws Han in a paragraph: Japan's, Korea's or China's forms."""
        if _KANA.search(text):
            return _CJK_FACES["ja"]
        if _HANGUL.search(text):
            return _CJK_FACES["ko"]
        return _CJK_FACES.get(self._language, _CJK_FACES["zh"])

    def _wanted(self, before: FontFace | None, character: str, after: str, cjk: int) -> FontFace:
        code = ord(character)
        emoji = _face("NotoEmoji")
        if after == _EMOJI_STYLE and code in emoji.characters:
            return emoji
        if before and _UNSEEN.match(character):
            return before
        # Emoji have digits too, but only to begin a key cap.
        stays = _SHARED.match(character) and (before != emoji or not character.isascii())
        if before and stays and code in before.characters:
            return before
        return self._of(character, cjk) or before or _face("NotoSans")

    def _of(self, character: str, cjk: int) -> FontFace | None:
        key = (character, cjk)
        if key not in self._known:
            faces = (_cjk_face(cjk) if name == "CJK" else _face(name) for name in _NAMES)
            code = ord(character)
            self._known[key] = next((face for face in faces if code in face.characters), None)
        return self._known[key]


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
