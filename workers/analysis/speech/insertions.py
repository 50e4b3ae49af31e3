"""Names that a speech model was told of, and wrote where something else is said."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from workers.analysis.speech.inventions import words_of
from workers.models.protocols import SpokenWord, Utterance

# A name as unlikely as this is not in the sound. Measured with whisper-base on 60 clips full of
# names: of 154 that were said 1 is, of 51 that were confused with others 9 are, and both that were
# written of 16 names that nobody says.
_UNSAID = 0.01


def told_words(heard: Sequence[Utterance], vocabulary: Sequence[str]) -> dict[int, SpokenWord]:
    """The words of these texts, counted through, that are words of the vocabulary's entries."""
    told = {part for entry in vocabulary for part in words_of(entry)}
    words = (word for spoken in heard for word in spoken.words)
    return {n: word for n, word in enumerate(words) if told.intersection(words_of(word.text))}


def unsaid(heard: Sequence[Utterance], vocabulary: Sequence[str]) -> set[int]:
    """Which words, counted through, are of the vocabulary and hardly in the sound."""
    told = told_words(heard, vocabulary)
    return {n for n, word in told.items() if word.probability < _UNSAID}


def replaced(
    heard: Sequence[Utterance], numbers: set[int], plain: Sequence[Utterance], space: str
) -> list[Utterance]:
    """The texts with these words, and those around them that differ, as in `plain`.

    `plain`: the same sound, heard without a vocabulary. `space`: between words of the language.
    """
    first = [(at, word) for at, spoken in enumerate(heard) for word in spoken.words]
    second = [word for spoken in plain for word in spoken.words]
    kept: list[list[SpokenWord]] = [[] for _ in heard]
    ours, theirs = [_key(word) for _, word in first], [_key(word) for word in second]
    matcher = difflib.SequenceMatcher(None, ours, theirs, autojunk=False)
    for kind, begin, end, other, other_end in matcher.get_opcodes():
        if kind != "equal" and not numbers.isdisjoint(range(begin, end)):
            kept[first[begin][0]] += second[other:other_end]
        else:
            for at, word in first[begin:end]:
                kept[at].append(word)
    return list(_rebuilt(heard, kept, space))


def _key(word: SpokenWord) -> str:
    return "".join(words_of(word.text))


def _rebuilt(
    heard: Sequence[Utterance], kept: Sequence[Sequence[SpokenWord]], space: str
) -> Iterator[Utterance]:
    for spoken, words in zip(heard, kept, strict=True):
        if tuple(words) == spoken.words:
            yield spoken
        elif words:
            yield replace(
                spoken,
                start=min(spoken.start, *(word.start for word in words)),
                end=max(spoken.end, *(word.end for word in words)),
                text=space.join(word.text for word in words),
                words=tuple(words),
            )
