"""Stretches of text as a model gives them, divided by sentence and freed of echoes."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from workers.analysis.speech.segments import ends_sentence
from workers.models.protocols import Utterance

# A model that goes on in the middle of a piece hears the end of the last word once more: a word
# that it hardly believes (faster-whisper's anomaly: under 0.15), right there, before a pause.
_STRAY_PROBABILITY, _STRAY_WITHIN_S, _STRAY_PAUSE_S = 0.15, 0.1, 0.25


def sentences(spoken: Utterance) -> Iterator[Utterance]:
    """An Utterance for each sentence of the text, so that one can be doubted alone."""
    words = spoken.words
    ends = [
        number
        for number in range(1, len(words))
        if ends_sentence(words[number - 1].text, words[number].text)
    ]
    if not ends:
        yield spoken
        return
    at = 0
    for first, last in zip([0, *ends], [*ends, len(words)], strict=True):
        cut = at + _after(spoken.text[at:], [word.text for word in words[first:last]])
        yield _part(spoken, first, last, spoken.text[at:cut].strip())
        at = cut


def has_words(spoken: Utterance) -> bool:
    """Whether there is text at all; models give "..." for sound without words."""
    return any(letter.isalnum() for letter in spoken.text)


def without_echoes(heard: Iterable[Utterance]) -> tuple[list[Utterance], list[Utterance]]:
    """The text without words that are an echo of the word before, and those words."""
    kept: list[Utterance] = []
    echoes: list[Utterance] = []
    for spoken in heard:
        if kept and _begins_with_an_echo(spoken, kept[-1].end):
            cut = _after(spoken.text, [spoken.words[0].text])
            echoes.append(_part(spoken, 0, 1, spoken.text[:cut].strip()))
            spoken = _part(spoken, 1, len(spoken.words), spoken.text[cut:].strip())
        kept.append(spoken)
    return kept, echoes


def _begins_with_an_echo(spoken: Utterance, before: float) -> bool:
    if len(spoken.words) < 2:
        return False
    first, second = spoken.words[:2]
    return (
        first.probability < _STRAY_PROBABILITY
        and first.start - before <= _STRAY_WITHIN_S
        and second.start - first.end >= _STRAY_PAUSE_S
    )


def _after(text: str, words: list[str]) -> int:
    """Where these words end in the text that begins with them."""
    at = 0
    for word in words:
        found = text.find(word, at)
        at = found + len(word) if found >= 0 else at
    return at


def _part(spoken: Utterance, first: int, end: int, text: str) -> Utterance:
    words = spoken.words[first:end]
    raw = text.encode()
    own = len(raw) / len(zlib.compress(raw))
    return replace(
        spoken,
        start=words[0].start,
        end=words[-1].end,
        text=text,
        words=words,
        compression_ratio=max(own, spoken.compression_ratio),
    )
