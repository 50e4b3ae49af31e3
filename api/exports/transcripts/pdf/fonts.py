"""The fonts that PDFs are set in, and which of them shows a character.

All are Noto (SIL Open Font License 1.1), from packages of the Python registry, at regular weight.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import uharfbuzz

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
