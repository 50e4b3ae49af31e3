"""Names of a vocabulary, put into a text that was heard without it.

A speech model that hears with a vocabulary spells names right, and may lose full stops, whole
sentences or other words meanwhile: so nothing but the names is taken from what it hears then.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from workers.analysis.speech.inventions import words_of
from workers.analysis.speech.segments import ends_sentence
from workers.models.protocols import SpokenWord, Utterance

# A name as unlikely as this is not in the sound. Measured with whisper-base on 60 clips full of
# names: of 154 that were said 1 is, of 51 that were confused with others 9 are, and both that were
# written of 16 names that nobody says.
_UNSAID = 0.01
_ALIKE = 0.5  # letters that a name shares with the words in whose place it comes, at least
_SURE = 0.9
_FAINTLY_ALIKE, _AT_ONCE = 0.35, 0.5
_MORE_WORDS = 3  # than a name has, in whose place it may come
_MARKS_BEFORE, _MARKS_BEHIND = re.compile(r"^\W*"), re.compile(r"\W*$")
_Part = tuple[Sequence[SpokenWord], Sequence[SpokenWord]]  # words, and what comes in their place


def told_words(heard: Sequence[Utterance], vocabulary: Sequence[str]) -> dict[int, SpokenWord]:
    """The words of these texts, counted through, that are words of the vocabulary's entries."""
    told = {part for entry in vocabulary for part in words_of(entry)}
    words = (word for spoken in heard for word in spoken.words)
    return {n: word for n, word in enumerate(words) if told.intersection(words_of(word.text))}


def with_names(
    plain: Sequence[Utterance], named: Sequence[Utterance], vocabulary: Sequence[str], space: str
) -> list[Utterance]:
    """Return the plain texts with the names that `named` has in place of words like them.

    `named`: the same sound, heard with the vocabulary. `space`: between words of the language.
    """
    first = [(at, word) for at, spoken in enumerate(plain) for word in spoken.words]
    second = [word for spoken in named for word in spoken.words]
    names = told_words(named, vocabulary)
    parts: list[list[_Part]] = [[] for _ in plain]
    for begin, end, other, other_end in _pairs([word for _, word in first], second):
        words = [word for _, word in first[begin:end]]
        numbers = [n for n in range(other, other_end) if n in names]
        if numbers and len({at for at, _ in first[begin:end]}) == 1:
            following = first[end][1].text if end < len(first) else ""
            name = second[numbers[0] : numbers[-1] + 1]
            parts[first[begin][0]] += _renamed(words, name, following)
        else:
            for at, word in first[begin:end]:
                parts[at].append(([word], [word]))
    return [_rebuilt(*each, space) for each in zip(plain, parts, strict=True)]


def _pairs(
    first: Sequence[SpokenWord], second: Sequence[SpokenWord]
) -> Iterator[tuple[int, int, int, int]]:
    """Stretches of both texts that stand for each other; of equal words each by itself."""
    keys = [["".join(words_of(word.text)) for word in words] for words in (first, second)]
    matcher = difflib.SequenceMatcher(None, *keys, autojunk=False)
    for kind, begin, end, other, other_end in matcher.get_opcodes():
        if kind == "equal":
            for n, m in zip(range(begin, end), range(other, other_end), strict=True):
                yield n, n + 1, m, m + 1
        else:
            yield begin, end, other, other_end


def _renamed(
    words: Sequence[SpokenWord], name: Sequence[SpokenWord], following: str
) -> Iterator[_Part]:
    """Put the name in place of those of the words that are most like it, unless none are."""
    lengths = range(1, len(name) + _MORE_WORDS + 1)
    spans = [(n, n + length) for length in lengths for n in range(len(words) - length + 1)]
    begin, end = max(spans, key=lambda span: sum(_likeness(words[slice(*span)], name)))
    replaced, rest = words[begin:end], words[end:]
    new = list(_fitted(replaced, name))
    if rest:
        following = rest[0].text
    letters, times = _likeness(replaced, name)
    is_like = letters > _ALIKE or (letters > _FAINTLY_ALIKE and times > _AT_ONCE)
    is_unsure = min(word.probability for word in replaced) < _SURE
    is_believed = is_like and is_unsure and min(word.probability for word in name) >= _UNSAID
    if not is_believed or _count_ends(new, following) != _count_ends(replaced, following):
        new = list(replaced)
    yield from (([word], [word]) for word in words[:begin])
    yield replaced, new
    yield from (([word], [word]) for word in rest)


def _likeness(words: Sequence[SpokenWord], name: Sequence[SpokenWord]) -> tuple[float, float]:
    """The shares of letters and of time that both have in common, 0 to 1."""
    letters = ["".join(words_of("".join(w.text for w in part))) for part in (words, name)]
    starts, ends = (words[0].start, name[0].start), (words[-1].end, name[-1].end)
    together, apart = min(ends) - max(starts), max(ends) - min(starts)
    same = difflib.SequenceMatcher(None, *letters, autojunk=False).ratio()
    return same, max(together, 0.0) / apart if apart > 0 else 0.0


def _fitted(words: Sequence[SpokenWord], name: Sequence[SpokenWord]) -> Iterator[SpokenWord]:
    """The name with the time of the words, their capital and the marks behind them."""
    start, end = words[0].start, words[-1].end
    texts = [word.text for word in name]
    if words[0].text[:1].isupper():
        texts[0] = texts[0][:1].upper() + texts[0][1:]
    texts[0] = _MARKS_BEFORE.findall(words[0].text)[0] + _MARKS_BEFORE.sub("", texts[0])
    texts[-1] = _MARKS_BEHIND.sub("", texts[-1]) + _MARKS_BEHIND.findall(words[-1].text)[0]
    for word, text in zip(name, texts, strict=True):
        times = sorted((start, word.start, end))[1], sorted((start, word.end, end))[1]
        yield replace(word, text=text, start=times[0], end=times[1])


def _count_ends(words: Sequence[SpokenWord], following: str) -> int:
    """How many sentences end in these words."""
    texts = [word.text for word in words]
    return sum(map(ends_sentence, texts, [*texts[1:], following]))


def _rebuilt(spoken: Utterance, parts: Sequence[_Part], space: str) -> Utterance:
    """The utterance with the second words of each part in place of the first, all else as it is."""
    text, at = "", 0
    for old, new in parts:
        begin = end = max(spoken.text.find(old[0].text, at), at)
        for word in old:
            end = max(spoken.text.find(word.text, end), end) + len(word.text)
        is_same = [word.text for word in old] == [word.text for word in new]
        text += spoken.text[at:begin]
        text += spoken.text[begin:end] if is_same else space.join(word.text for word in new)
        at = end
    words = tuple(word for _, new in parts for word in new)
    return replace(spoken, text=text + spoken.text[at:], words=words)
