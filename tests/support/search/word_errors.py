"""Word error rate: the edits that turn a found text into the expected one, by its words.

Before they are compared both texts are made alike: lower case without accents of typography
(NFKC), "Mr." and the like written out, some British spellings as American ones, punctuation and
hyphens gone, English numbers as digits ("twenty-one", "nineteen eighty four", "1,984" and "$5"
become 21, 1984, 1984 and 5).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_SHORT = {
    "mr": "mister", "mrs": "missus", "dr": "doctor", "st": "saint", "ok": "okay", "vs": "versus",
    "ms": "miss", "prof": "professor",
}  # fmt: skip
_SMALL = {
    word: number
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen".split()
    )
}
_TENS = {
    word: number * 10
    for number, word in enumerate(
        "twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2
    )
}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
_BRITISH = {"neighbour": "neighbor", "colour": "color", "metre": "meter", "grey": "gray"}
_SIGNS = {"%": " percent ", "&": " and ", "€": " ", "$": " ", "£": " "}


@dataclass(frozen=True, slots=True)
class WordErrors:
    """Substituted, inserted and missing words of so many expected ones; adds up over texts."""

    errors: int
    words: int

    @property
    def rate(self) -> float:
        return self.errors / max(self.words, 1)

    def __add__(self, other: WordErrors) -> WordErrors:
        return WordErrors(self.errors + other.errors, self.words + other.words)


def word_errors(expected: str, found: str) -> WordErrors:
    """The fewest edits between the words of both texts (Levenshtein)."""
    wanted, got = normalised(expected), normalised(found)
    row = list(range(len(got) + 1))
    for number, word in enumerate(wanted, start=1):
        diagonal, row[0] = row[0], number
        for column, other in enumerate(got, start=1):
            best = min(row[column] + 1, row[column - 1] + 1, diagonal + (word != other))
            diagonal, row[column] = row[column], best
    return WordErrors(row[-1], len(wanted))


def normalised(text: str) -> list[str]:
    """The words that count, as the module's docstring says."""
    text = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    for sign, word in _SIGNS.items():
        text = text.replace(sign, word)
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text).replace("'", "")
    words = re.findall(r"\d+(?:\.\d+)?|[^\W_]+", text)
    for british, american in _BRITISH.items():
        words = [re.sub(f"^{british}(?=s?$)", american, word) for word in words]
    return _with_digits([_SHORT.get(word, word) for word in words])


def _with_digits(words: list[str]) -> list[str]:
    out: list[str] = []
    at = 0
    while at < len(words):
        taken, number = _number(words[at:])
        out.append(str(number) if taken else words[at])
        at += taken or 1
    return out


def _number(words: list[str]) -> tuple[int, int]:
    """How many words at the beginning are one number, and which."""
    total, part, taken, last = 0, 0, 0, 0  # last: the value that the next word may add to
    for position, word in enumerate(words):
        if word in _SCALES and taken:
            scale = _SCALES[word]
            part = max(part, 1) * scale
            if scale > 100:
                total, part = total + part, 0
            last = scale
        elif word in _TENS or word in _SMALL:
            value = _TENS.get(word, _SMALL.get(word, 0))
            fits = not taken or last >= 100 or (last in _TENS.values() and 0 < value < 10)
            is_year = 10 <= part <= 99 and value >= 10 and total == 0
            if not fits and not is_year:
                break
            part = part * 100 + value if is_year and not fits else part + value
            last = value
        elif word == "and" and last in (100, 1000) and words[position + 1 : position + 2]:
            following = words[position + 1]
            if following not in _TENS and following not in _SMALL:
                break
            continue
        else:
            break
        taken = position + 1
    return taken, total + part
