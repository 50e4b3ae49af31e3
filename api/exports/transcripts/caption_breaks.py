"""Where a caption may break, and how well: pieces of text, their widths, penalties of breaks.

Rules from Netflix's Timed Text Style Guides: break after punctuation, before conjunctions and
prepositions; not between article and noun, nor between first and last name.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

SENTENCE, CLAUSE, CONJUNCTION, PREPOSITION, PLAIN, BAD = 0.0, 1.0, 2.0, 3.0, 5.0, 12.0

_WITHIN = 7.0  # inside what is most likely one word of a script without spaces
_SPACE = re.compile("[^\\S\xa0\u2007\u202f]+")  # not the spaces that forbid a break
_ENDS_SENTENCE = re.compile(r"[.?!…。！？؟।]['\"”’»)\]」』]*$")
_ENDS_CLAUSE = re.compile(r"[,;:–—，、；：،؛]['\"”’»)\]」』]*$")
_DASHES = ("-", "–", "—")
# Conjunctions / prepositions / articles and other words that lean on the next one.
_SMALL_WORDS = {
    "en": (
        "and but or nor so yet because although though while if when whereas unless until that "
        "which who",
        "in on at by for with from to of into onto over under about after before between through "
        "during without against among towards upon like as than",
        "a an the my your his her its our their this that these those no every some any",
    ),
    "de": (
        "und oder aber denn sondern doch weil obwohl während wenn als dass ob damit bevor nachdem",
        "in im an am auf aus bei beim mit nach von vom zu zum zur für um durch über unter vor "
        "hinter neben zwischen ohne gegen seit",
        "der die das den dem des ein eine einen einem einer eines kein keine mein meine dein "
        "deine sein seine ihr ihre unser unsere",
    ),
    "fr": (
        "et ou mais donc or ni car que qui quand lorsque si comme puisque parce",
        "à de en dans par pour sur sous avec sans chez vers entre depuis pendant avant après "
        "contre du des au aux",
        "le la les un une mon ma mes ton ta tes son sa ses notre nos votre vos leur leurs ce cet "
        "cette ces",
    ),
    "es": (
        "y e o u pero sino ni que porque aunque si cuando como mientras pues",
        "a de en por para con sin sobre entre hacia hasta desde contra según tras durante del al",
        "el la los las un una unos unas mi mis tu tus su sus nuestro nuestra este esta ese esa lo",
    ),
    "it": (
        "e ed o ma però che perché se quando come mentre anche né dunque",
        "a di da in con su per tra fra del della dei delle al alla nel nella dal dalla sul sulla",
        "il lo la i gli le un uno una mio mia tuo tua suo sua questo questa quel quella",
    ),
    "pt": (
        "e ou mas porém nem que porque embora se quando como enquanto pois",
        "a de em por para com sem sobre entre até desde contra do da dos das no na nos nas ao à",
        "o a os as um uma uns umas meu minha teu tua seu sua este esta esse essa",
    ),
    "nl": (
        "en of maar want dus omdat hoewel terwijl als toen dat die wanneer",
        "in op aan bij met van voor door over onder naar uit tot tegen tussen zonder na om te",
        "de het een mijn jouw zijn haar ons onze hun deze dit geen",
    ),
}
_TITLES = frozenset("mr. mrs. ms. dr. prof. st. m. mme. sr. sra. herr frau".split())
_WORDS = {
    code: tuple(frozenset(words.split()) for words in groups)
    for code, groups in _SMALL_WORDS.items()
}
# Full-width characters to a line and characters a second, from the guides of these languages,
# beside 42 and 17 for text in Latin script: (columns, reading time) of one such character.
_FULL_WIDTH = {"zh": (42 / 16, 17 / 9), "ja": (42 / 13, 17 / 4), "ko": (42 / 16, 17 / 12)}
_NOT_FIRST = frozenset(
    "、。，．・：；？！）］｝」』】》〉ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ…"
)
_NOT_LAST = frozenset("（［｛「『【《〈")


@dataclass(slots=True)
class CaptionPiece:
    """Text that is not broken. `columns` and `reading`: its size in Latin characters."""

    text: str
    columns: float
    reading: float
    start: float = 0.0  # seconds
    end: float = 0.0
    has_space: bool = True  # stood after white space
    starts_line: bool = False  # what another person says, marked by a dash on a line of its own


class Measure:
    """Widths in one language. Full-width characters of unknown language go by their script."""

    def __init__(self, language: str | None, text: str) -> None:
        code = {"yue": "zh"}.get(language or "", language)
        if code not in _FULL_WIDTH:
            code = _script_language(text)
        self._wide = _FULL_WIDTH[code]

    def piece(self, text: str, **more: bool) -> CaptionPiece:
        if text.isascii():
            return CaptionPiece(text, len(text), len(text), **more)
        columns = reading = 0.0
        for character in text:
            if unicodedata.combining(character) or character in "\u200d\ufe0f":
                continue
            wide = unicodedata.east_asian_width(character) in ("W", "F")
            columns += self._wide[0] if wide else 1
            reading += self._wide[1] if wide else 1
        return CaptionPiece(text, columns, reading, **more)


def pieces(text: str, measure: Measure, widest: int) -> list[CaptionPiece]:
    """Words, single characters where a script needs no spaces, parts of what fits no line."""
    found: list[CaptionPiece] = []
    for line in text.split("\n"):
        first = True
        for word in filter(None, _SPACE.split(line)):
            starts_line = first and bool(found) and word.startswith(_DASHES)
            parts = _parts(word, measure, widest)
            for number, part in enumerate(parts):
                lead = number == 0
                found.append(measure.piece(part, has_space=lead, starts_line=lead and starts_line))
            first = False
    return found


def bare(text: str) -> str:
    """Text as its pieces spell it: without white space."""
    return _SPACE.sub("", text)


def penalty(before: CaptionPiece, after: CaptionPiece, language: str | None) -> float:
    """How bad a break between two pieces is, from SENTENCE to BAD."""
    if after.starts_line:
        return SENTENCE
    if before.text.lower() in _TITLES:
        return BAD
    if _ENDS_SENTENCE.search(before.text):
        return SENTENCE
    if _ENDS_CLAUSE.search(before.text):
        return CLAUSE
    conjunctions, prepositions, leaning = _WORDS.get(language or "en", _WORDS["en"])
    last = before.text.strip("'\"“”‘’«»([").lower().rstrip(".")
    next_one = after.text.strip("'\"“”‘’«»([").lower()
    if not after.has_space:
        return _penalty_within(before.text[-1], after.text[0])
    if last in leaning or last in prepositions or last in conjunctions:
        return BAD
    if language != "de" and before.text[:1].isupper() and after.text[:1].isupper():
        return BAD  # most likely a name; German writes every noun so
    if next_one in conjunctions:
        return CONJUNCTION
    return PREPOSITION if next_one in prepositions else PLAIN


def _penalty_within(before: str, after: str) -> float:
    """A break in text without spaces: Japanese particles are hiragana, so break behind them."""
    if not "\u3040" <= before <= "\u309f":
        return _WITHIN
    return PLAIN if "\u3040" <= after <= "\u309f" else PREPOSITION


def _parts(word: str, measure: Measure, widest: int) -> list[str]:
    """A word as the parts between which it may be broken."""
    if word.isascii() and len(word) <= widest:
        return [word]
    parts: list[str] = []
    for character in word:
        if parts and not _may_break(parts[-1][-1], character):
            parts[-1] += character
        else:
            parts.append(character)
    return [
        piece
        for part in parts
        for piece in (
            [part] if measure.piece(part).columns <= widest else _cut(part, measure, widest)
        )
    ]


def _cut(part: str, measure: Measure, widest: int) -> list[str]:
    """What is wider than a line, in parts that fit one; accents stay with their letters."""
    found: list[str] = []
    room = 0.0
    for character in part:
        columns = measure.piece(character).columns
        if found and (columns == 0 or columns <= room):
            found[-1] += character
        else:
            found.append(character)
            room = widest
        room -= columns
    return found


def _may_break(before: str, after: str) -> bool:
    if after in _NOT_FIRST or before in _NOT_LAST or unicodedata.combining(after):
        return False
    return _is_ideographic(before) or _is_ideographic(after)


def _is_ideographic(character: str) -> bool:
    """Whether lines may break beside it: Han and kana. Korean has spaces, emoji are words."""
    return (
        "\u3040" <= character <= "\u30ff"
        or "\u3400" <= character <= "\u9fff"
        or ("\U00020000" <= character <= "\U0003ffff")
        or character in _NOT_FIRST
        or character in _NOT_LAST
    )


def _script_language(text: str) -> str:
    if text.isascii():
        return "zh"
    if any("\u3040" <= character <= "\u30ff" for character in text):
        return "ja"
    return "ko" if any("\uac00" <= character <= "\ud7a3" for character in text) else "zh"
