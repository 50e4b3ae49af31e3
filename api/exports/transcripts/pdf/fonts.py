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
# By language: index in the collection (3 is Taiwan's), script and language of what has none.
_CJK = {
    "ja": (0, "Kana", "ja"),
    "ko": (1, "Hang", "ko"),
    "zh": (2, "Hani", "zh"),
    "yue": (4, "Hani", "zh"),
}
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
    """Open a font by its name, or that of a language of `_CJK`."""
    index, *forms = _CJK.get(name, (0,))
    path = files("manimgx_fonts") / f"{name}[wght].ttf"
    if forms:
        name = f"NotoSansCJK-{index}"
        path = files("manimgx_fonts_cjk") / "NotoSansCJK-VF.otf.ttc"
    face = uharfbuzz.Face(uharfbuzz.Blob.from_file_path(str(path)), index)
    font = uharfbuzz.Font(face)
    font.set_variations({"wght": REGULAR})
    has_cff = "CFF2" in face.table_tags
    return FontFace(name, face, font, frozenset(face.unicodes), has_cff, 1000 / face.upem, *forms)


@functools.lru_cache(100_000)
def _face_with(character: str, cjk: str) -> FontFace | None:
    """Return the first font that shows a character, Han in the forms of the language `cjk`."""
    faces = (_face(cjk if name == "CJK" else name) for name in _NAMES)
    return next((face for face in faces if ord(character) in face.characters), None)


def choose_faces(text: str, language: str | None) -> tuple[str, list[FontFace], set[str]]:
    """Return a paragraph, the font of each character of it, and what no font shows.

    That is U+FFFD in the paragraph. `language`: of the whole document.
    """
    lost = {c for c in set(text) if _face_with(c, "ja") is None and not _UNSEEN.match(c)}
    text = "".join(REPLACEMENT if c in lost else c for c in text) if lost else text
    latin = _face("NotoSans")
    if _EMOJI_STYLE not in text and latin.characters.issuperset(map(ord, text)):
        return text, [latin] * len(text), lost
    # Han has the forms of Japan or Korea where their own letters stand beside it.
    cjk = language if language in _CJK else "zh"
    cjk = "ja" if _KANA.search(text) else "ko" if _HANGUL.search(text) else cjk
    faces: list[FontFace] = []
    for index, character in enumerate(text):
        before = faces[-1] if faces else None
        faces.append(_next_face(before, character, text[index + 1 : index + 2], cjk))
    return text, faces, lost


def _next_face(before: FontFace | None, character: str, after: str, cjk: str) -> FontFace:
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
    return _face_with(character, cjk) or before or _face("NotoSans")


class EmbeddedFont:
    """The glyphs of one FontFace that a document uses, as a composite font (ISO 32000-1, 9.7).

    A code stands for a glyph *and* the text that it is to be read as, so that what is copied or
    searched for is the text that was given, whatever shaping made of it. reportlab's own TTFont
    has codes for characters instead: shaped glyphs get private ones, which read as rubbish; and it
    takes neither variable fonts nor outlines of PostScript.
    """

    def __init__(self, face: FontFace, resource: str) -> None:
        self.face = face
        self.resource = resource  # its name on the pages
        self._codes: dict[tuple[int | None, str], int] = {}
        # By code: glyph, width in thousandths of the font size, text.
        self._meanings: dict[int, tuple[int, float, str]] = {0: (0, self.width(0), "")}
        self._drawn: set[int] = set()

    @property
    def is_full(self) -> bool:
        """Return True if other text should get another font: half of the codes are taken."""
        return len(self._meanings) > _LARGEST_CODE // 2

    def code(self, glyph: int | None, text: str) -> int:
        """Return the code of a glyph that reads as `text`; None: of nothing, without a width."""
        key = (glyph, text)
        if key not in self._codes:
            code = min(len(self._meanings), _LARGEST_CODE)
            if glyph is None:
                meaning = (self.face.font.get_nominal_glyph(0x20) or 0, 0.0, text)
            else:
                meaning = (glyph, self.width(glyph), text)
                # Outlines of PostScript know no table from codes to glyphs: there a glyph reads
                # as what it first stood for. It differs in compatibility forms and decomposed
                # Hangul.
                code = glyph if self.face.has_cff else code
            self._codes[key] = code
            self._meanings.setdefault(code, meaning)
        return self._codes[key]

    def width(self, glyph: int) -> float:
        """A glyph's width in thousandths of the font size, as the viewer of the PDF is told."""
        advance: int = self.face.font.get_glyph_h_advance(glyph)
        return round(advance * self.face.per_mille, 2)

    def form(self, glyph: int) -> str:
        """The name of a drawing of this glyph, in the font's units."""
        self._drawn.add(glyph)
        return f"{self.resource}.{glyph}"

    def embed(self, canvas: Canvas) -> None:
        """Adds the font, as far as it was used, to a document whose pages are drawn."""
        doc = canvas._doc  # where reportlab's own fonts put themselves too
        for glyph in sorted(self._drawn):
            doc.addForm(self.form(glyph), _drawing(self.face.font, glyph))
        glyphs = sorted({glyph for glyph, _, _ in self._meanings.values()})
        tag = hashlib.sha256(repr((self.face.name, self.resource, glyphs)).encode()).digest()[:6]
        name = "".join(chr(65 + byte % 26) for byte in tag) + "+" + self.face.name
        subset, new_glyphs = _subset(self.face, glyphs)
        meanings = sorted(self._meanings.items())
        widths = [part for code, (_, width, _) in meanings for part in (code, _array([width]))]
        descendant = _dictionary(
            Type="/Font",
            Subtype="/CIDFontType0" if self.face.has_cff else "/CIDFontType2",
            BaseFont=f"/{name}",
            CIDSystemInfo=_dictionary(Registry="(Adobe)", Ordering="(Identity)", Supplement=0),
            FontDescriptor=self._descriptor(doc, name, subset),
            DW=1000,
            W=_array(widths),
        )
        if not self.face.has_cff:  # whose codes are 0, 1, 2, … without a gap
            packed = [struct.pack(">H", new_glyphs[glyph]) for _, (glyph, _, _) in meanings]
            descendant["CIDToGIDMap"] = _stream(doc, f"cidToGid:{name}", b"".join(packed))
        texts = [(code, text) for code, (_, _, text) in meanings if text]
        doc.idToObject["BasicFonts"].dict[self.resource] = _dictionary(
            Type="/Font",
            Subtype="/Type0",
            BaseFont=f"/{name}",
            Encoding="/Identity-H",
            DescendantFonts=_array([descendant]),
            ToUnicode=_stream(doc, f"toUnicode:{name}", _to_unicode(texts).encode()),
        )

    def _descriptor(self, doc: Any, name: str, subset: Any) -> Any:
        scale = self.face.per_mille
        extents = self.face.font.get_font_extents("ltr")
        head = subset.reference_table("head").data
        box = [round(value * scale) for value in struct.unpack(">4h", head[36:44])]
        entries = _dictionary(
            Type="/FontDescriptor",
            FontName=f"/{name}",
            Flags=_FLAGS_SYMBOLIC,
            FontBBox=_array(box),
            ItalicAngle=0,
            Ascent=round(extents.ascender * scale),
            Descent=round(extents.descender * scale),
            CapHeight=714,
            StemV=80,
        )
        if self.face.has_cff:
            outlines = subset.reference_table("CFF ").data
            file = _stream(doc, f"fontFile:{name}", outlines, Subtype="/CIDFontType0C")
            entries["FontFile3"] = file
        else:
            whole = subset.blob.data
            entries["FontFile2"] = _stream(doc, f"fontFile:{name}", whole, Length1=len(whole))
        return doc.Reference(entries, f"fontDescriptor:{name}")


def _drawing(font: Any, glyph: int) -> Any:
    """Draw the outline of a glyph as a form, in the font's units."""
    parts: list[str] = []

    def add(operator: str, *values: float) -> None:
        parts.append(" ".join([*(f"{round(value, 2):g}" for value in values), operator]))

    outline = uharfbuzz.DrawFuncs()  # which makes cubic curves of TrueType's quadratic ones
    outline.set_move_to_func(lambda *values: add("m", *values[:-1]))
    outline.set_line_to_func(lambda *values: add("l", *values[:-1]))
    outline.set_cubic_to_func(lambda *values: add("c", *values[:-1]))
    outline.set_close_path_func(lambda _: add("h"))
    font.draw_glyph(glyph, outline)
    box = font.get_glyph_extents(glyph)
    right, bottom = box.x_bearing + box.width, box.y_bearing + box.height
    form = pdfdoc.PDFFormXObject(box.x_bearing, bottom, right, box.y_bearing)
    form.setStreamList([" ".join([*parts, "f"])])
    form.compression = 1
    return form


def _to_unicode(texts: list[tuple[int, str]]) -> str:
    """Write the CMap of codes to texts, in blocks of at most a hundred."""
    blocks = []
    for start in range(0, len(texts), 100):
        lines = [
            f"<{code:04X}> <{text.encode('utf-16-be').hex().upper()}>"
            for code, text in texts[start : start + 100]
        ]
        blocks += [f"{len(lines)} beginbfchar", *lines, "endbfchar"]
    return _CMAP.format("\n".join(blocks))


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


def _array(values: list[Any]) -> Any:
    return pdfdoc.PDFArray(values)


def _dictionary(**entries: Any) -> Any:
    return pdfdoc.PDFDictionary(entries)


def _stream(doc: Any, name: str, content: bytes, **entries: Any) -> Any:
    return doc.Reference(
        pdfdoc.PDFStream(_dictionary(**entries), content, [pdfdoc.PDFZCompress]), name
    )
