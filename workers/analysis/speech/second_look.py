"""A second look at the words of a text: which of them are likely to be wrong. None is changed."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import replace

from workers.analysis.speech.insertions import find_names
from workers.analysis.speech.inventions import words_of
from workers.models.protocols import SpokenWord, Utterance

# Of a word without another model's opinion. Measured with whisper-base, words of plain speech: 47 %
# of the wrong ones are less likely and 5 % of the right ones. Names of the vocabulary are not
# judged so: two in three that are right are less likely than this.
UNLIKELY_WORD = 0.5
# A word as likely as this is not doubted, whatever whisper-tiny.en hears: of plain speech 65 % of
# the wrong words are less likely and heard otherwise, and 2.5 % of the right ones; without this
# limit 70 % and 5.6 %.
SURE_WORD = 0.9

Second = Callable[[], list[Utterance]]  # what another model hears in the same sound


def marked(
    texts: Sequence[Utterance], second: Second | None, vocabulary: Sequence[str] = ()
) -> list[Utterance]:
    """The texts of a window with their doubtful words marked.

    By what another model hears, where there is one and a word is not sure; else by how likely the
    model itself finds each word.
    """
    words = [word for spoken in texts for word in spoken.words]
    if second is None:
        names = find_names(texts, vocabulary)
        doubts = [
            word.probability < UNLIKELY_WORD and n not in names for n, word in enumerate(words)
        ]
    elif any(word.probability < SURE_WORD for word in words):
        other = _otherwise([word.text for word in words], [each.text for each in second()])
        doubts = [
            differs and word.probability < SURE_WORD
            for differs, word in zip(other, words, strict=True)
        ]
    else:
        return list(texts)
    left = iter(doubts)
    return [_with(spoken, [next(left) for _ in spoken.words]) for spoken in texts]


def _with(spoken: Utterance, doubts: Sequence[bool]) -> Utterance:
    words = zip(spoken.words, doubts, strict=True)
    return replace(spoken, words=tuple(_doubted(word) if doubt else word for word, doubt in words))


def _doubted(word: SpokenWord) -> SpokenWord:
    return replace(word, doubtful=True)


def _otherwise(first: Sequence[str], second: Sequence[str]) -> list[bool]:
    """Of each word of the first text: whether the second one has another in its place."""
    parts = [(n, part) for n, word in enumerate(first) for part in words_of(word)]
    others = words_of(" ".join(second))
    matcher = difflib.SequenceMatcher(None, [part for _, part in parts], others, autojunk=False)
    alike = {block.a + n for block in matcher.get_matching_blocks() for n in range(block.size)}
    doubted = {parts[at][0] for at in range(len(parts)) if at not in alike}
    return [n in doubted for n in range(len(first))]
