"""Words that a speech model is told of before it hears: names of people and places above all."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from shared.errors import BadInput

# Words that a model is told of at once. 40 names of two syllables and more are some 160 tokens of
# the 223 that Whisper has room for.
MOST_WORDS = 40
MOST_ENTRIES = 200  # of a list that somebody gives
LONGEST_ENTRY = 60  # characters
_UNSPOKEN = ("Cc", "Cs", "Co", "Cn")  # controls, half characters, private, unassigned


def checked_vocabulary(given: Sequence[str], field: str = "vocabulary") -> tuple[str, ...]:
    """The words of a request in one form (NFC, single spaces). Raises BadInput, naming the field.

    An entry is a word or a few that belong together, such as a full name.
    """
    if len(given) > MOST_ENTRIES:
        raise BadInput(
            f"{field} has {len(given):,} entries, at most {MOST_ENTRIES} are taken; give the most "
            f"important ones first: the model is told of {MOST_WORDS} words."
        )
    return tuple(_checked(entry, f"{field}[{n}]") for n, entry in enumerate(given))


def _checked(entry: str, name: str) -> str:
    word = " ".join(unicodedata.normalize("NFC", entry).split())
    if len(word) > LONGEST_ENTRY:
        raise BadInput(
            f"{name} has {len(word):,} characters, at most {LONGEST_ENTRY} are taken; give single "
            "words and names, not sentences."
        )
    if not any(letter.isalnum() for letter in word):
        raise BadInput(f"{name} holds no letter; leave it out.")
    for letter in word:
        if unicodedata.category(letter) in _UNSPOKEN:
            raise BadInput(f"{name} holds {letter!a}, which nobody says; remove it.")
    return word


def most_relevant(entries: Iterable[str], words: int = MOST_WORDS) -> tuple[str, ...]:
    """The first of them that have so many words together, each once whatever its case."""
    found: dict[str, str] = {}
    for entry in entries:
        if (folded := entry.casefold()) in found:
            continue
        words -= len(entry.split())
        if words < 0:
            break
        found[folded] = entry
    return tuple(found.values())
