"""Segments cut anew into captions: lines that are not too long, on screen long enough to read.

Each segment is cut where a reader would pause, and its cues get the times of their words (where
words are missing: by their share of the text). Segments are never joined, nor is text dropped.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from api.exports.transcripts.document import (
    CaptionsBody,
    ExportSegment,
    ExportWord,
    TranscriptDocument,
)

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

_USUAL_RATE = 24  # frames a second for gap_frames where the request names none, as Netflix does
_RAGGED = 6.0  # cost of a wholly empty line, against the penalties of breaks
_LOPSIDED = 12.0  # cost of a cut at the very end of a text, against the same


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
    """How bad a break between two pieces is, from SENTENCE to BAD.

    Rules from Netflix's Timed Text Style Guides: break after punctuation, before conjunctions and
    prepositions; not between article and noun, nor between first and last name.
    """
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


def reflowed(
    document: TranscriptDocument, rules: CaptionsBody, *, name_speakers: bool
) -> list[ExportSegment]:
    """Segments by start, each one a cue; lines of a cue are parted by `\n`.

    `name_speakers`: begin the first cue of a segment with its speaker and a colon.
    """
    cues: list[tuple[ExportSegment, float]] = []
    for segment in document.segments:
        cues += _cues(segment, document.language, rules, name_speakers)
    cues.sort(key=lambda cue: cue[0].start)
    rate = document.timecode.rate if document.timecode else _USUAL_RATE
    gap = float(rules.gap_frames / rate)
    starts = [cue.start for cue, _ in cues[1:]]
    return [
        dataclasses.replace(cue, end=_end(cue, reading, next_start, rules, gap))
        for (cue, reading), next_start in zip(cues, [*starts, None], strict=False)
    ]


def _end(
    cue: ExportSegment, reading: float, next_start: float | None, rules: CaptionsBody, gap: float
) -> float:
    """Long enough to read, with a gap before the next cue; people who talk at once overlap."""
    wanted = max(cue.end, cue.start + rules.min_duration, cue.start + reading / rules.max_cps)
    wanted = min(wanted, cue.start + rules.max_duration)
    if next_start is None:
        return wanted
    least = min(cue.end - gap, cue.start + rules.min_duration)
    return max(min(wanted, next_start - gap), least, cue.start)


def _cues(
    segment: ExportSegment, language: str | None, rules: CaptionsBody, name_speakers: bool
) -> list[tuple[ExportSegment, float]]:
    """Cues, each with its characters to read; the segment's time is shared out among them."""
    measure = Measure(language, segment.text)
    found = pieces(segment.text, measure, rules.max_chars)
    if not found:
        return []
    found[0].start, found[-1].end = segment.start, segment.end
    lead = []
    if name_speakers and segment.speaker:
        lead = pieces(f"{segment.speaker}:", measure, rules.max_chars)
        for piece in lead:
            piece.start = piece.end = segment.start
    breaks = [penalty(a, b, language) for a, b in pairwise([*lead, *found])]
    if lead:
        breaks[len(lead) - 1] = BAD
    whole = [*lead, *found]
    if _fits(whole, breaks, rules):
        ranges = [(0, len(whole))]
    else:
        _set_times(found, segment)
        ranges = _cuts(whole, breaks, rules)
    return [
        _cue(segment, whole[first:last], breaks[first : last - 1], rules, bool(lead))
        for first, last in ranges
    ]


def _cue(
    segment: ExportSegment,
    part: Sequence[CaptionPiece],
    breaks: Sequence[float],
    rules: CaptionsBody,
    is_named: bool,
) -> tuple[ExportSegment, float]:
    text = "\n".join(_joined(part[a:b]) for a, b in _lines(part, breaks, rules))
    speaker = None if is_named else segment.speaker
    reading = sum(piece.reading for piece in part) + sum(piece.has_space for piece in part[1:])
    return ExportSegment(part[0].start, part[-1].end, text, speaker), reading


def _cuts(
    found: Sequence[CaptionPiece], breaks: Sequence[float], rules: CaptionsBody
) -> list[tuple[int, int]]:
    """Ranges of pieces that fit a cue: cut where it reads best until all of them do."""
    done: list[tuple[int, int]] = []
    open_ranges = [(0, len(found))]
    while open_ranges:
        first, last = open_ranges.pop()
        if last - first == 1 or _fits(found[first:last], breaks[first : last - 1], rules):
            done.append((first, last))
            continue
        middle = _best_cut(found, breaks, first, last)
        open_ranges += [(middle, last), (first, middle)]
    return done


def _fits(part: Sequence[CaptionPiece], breaks: Sequence[float], rules: CaptionsBody) -> bool:
    columns = _columns(part)
    if columns > (rules.max_chars + 1) * rules.max_lines:  # a space goes where a line ends
        return False
    # A few words that are held for long stay together; their end is cut.
    is_long = part[-1].end - part[0].start > rules.max_duration
    if is_long and columns > rules.max_chars / 2:
        return False
    return bool(_lines(part, breaks, rules))


def _best_cut(found: Sequence[CaptionPiece], breaks: Sequence[float], first: int, last: int) -> int:
    total = sum(piece.columns for piece in found[first:last])
    best, best_cost, before = first + 1, float("inf"), 0.0
    for n in range(first + 1, last):
        before += found[n - 1].columns
        cost = breaks[n - 1] + _LOPSIDED * (2 * before / total - 1) ** 2
        if cost < best_cost:
            best, best_cost = n, cost
    return best


def _lines(
    part: Sequence[CaptionPiece], breaks: Sequence[float], rules: CaptionsBody
) -> list[tuple[int, int]]:
    """The fewest lines that hold the pieces, broken where it costs least; [] if too many.

    The optimum over all ways to break, as Knuth and Plass (1981) find it, with our costs.
    """
    columns = _columns(part)
    if columns <= rules.max_chars and not any(piece.starts_line for piece in part[1:]):
        return [(0, len(part))]
    best: list[tuple[int, float, int]] = [(0, 0.0, 0)]  # lines, cost, begin of the last line
    for end in range(1, len(part) + 1):
        found = (rules.max_lines + 1, 0.0, 0)
        columns = 0.0
        for begin in range(end - 1, -1, -1):
            columns += part[begin].columns
            if begin + 1 < end:
                columns += part[begin + 1].has_space
            if columns > rules.max_chars + 1e-6:
                break
            lines, cost, _ = best[begin]
            slack = 1 - columns / rules.max_chars
            cost += _RAGGED * slack * slack + (breaks[begin - 1] if begin else 0.0)
            found = min(found, (lines + 1, cost, begin))
            if part[begin].starts_line:
                break
        best.append(found)
    if best[-1][0] > rules.max_lines:
        return []
    ranges = []
    end = len(part)
    while end:
        begin = best[end][2]
        ranges.append((begin, end))
        end = begin
    return ranges[::-1]


def _columns(part: Sequence[CaptionPiece]) -> float:
    """Columns of the pieces on one line, with the spaces between them."""
    return sum(piece.columns for piece in part) + sum(piece.has_space for piece in part[1:])


def _joined(part: Sequence[CaptionPiece]) -> str:
    return "".join(
        f" {piece.text}" if number and piece.has_space else piece.text
        for number, piece in enumerate(part)
    )


def _set_times(found: Sequence[CaptionPiece], segment: ExportSegment) -> None:
    """Time pieces by the words where they spell the text, else by their share of the reading."""
    if bare("".join(word.text for word in segment.words)) == bare(segment.text):
        _set_times_of_words(found, segment)
    else:
        total = sum(piece.reading for piece in found) or 1.0
        rate = (segment.end - segment.start) / total
        read = 0.0
        for piece in found:
            piece.start = segment.start + read * rate
            read += piece.reading
            piece.end = segment.start + read * rate
    found[0].start, found[-1].end = segment.start, segment.end


def _set_times_of_words(found: Sequence[CaptionPiece], segment: ExportSegment) -> None:
    """Never back in time, nor out of the segment, whatever the words say."""
    spans = [span for word in segment.words for span in _spread(word)]
    position, now = 0, segment.start
    for piece in found:
        first, position = position, position + len(piece.text)
        piece.start = min(max(now, spans[first][0]), segment.end)
        piece.end = now = min(max(piece.start, spans[position - 1][1]), segment.end)


def _spread(word: ExportWord) -> list[tuple[float, float]]:
    """The time of each character of a word."""
    count = len(bare(word.text))
    step = (word.end - word.start) / max(1, count)
    return [(word.start + n * step, word.start + (n + 1) * step) for n in range(count)]
