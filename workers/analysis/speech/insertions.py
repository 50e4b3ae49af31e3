"""Names of a vocabulary, put into a text that was heard without it.

A speech model that hears with a vocabulary spells names right, and may lose full stops, whole
sentences or other words meanwhile: so nothing but the names is taken from what it hears then.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from workers.analysis.speech.inventions import words_of
from workers.analysis.speech.segments import ends_sentence
from workers.models.protocols import SpokenWord, Utterance

# A name as unlikely as this is not in the sound. Measured with whisper-base on 60 clips full of
# names: of 154 that were said 1 is, of 51 that were confused with others 9 are, and both that were
# written of 16 names that nobody says.
_UNSAID = 0.01
# Fitted on 30 clips of names and 200 of plain speech with lists (vocabulary_material.py).
_SURE = 0.9  # words that the model finds as likely as this stay
_ALIKE = 0.5  # share of letters that a name has in common with the words in whose place it comes,
_FAINTLY_ALIKE, _AT_ONCE = 0.35, 0.5  # and where both take so much of the same time
_MORE_WORDS = 3  # than a name has, in whose place it may come
_MOST_WORDS = 12  # of names that stand side by side; more are a loop, and take long to compare
_MARKS_BEFORE, _MARKS_BEHIND = re.compile(r"^\W*"), re.compile(r"\W*$")
Words = tuple[SpokenWord, ...]


def find_names(texts: Sequence[Utterance], vocabulary: Sequence[str]) -> set[int]:
    """Return the numbers of the words, of all texts, that belong to names of the vocabulary.

    Entries count where they stand whole. A part of one ("Will", "The") may be an ordinary word, as
    may an entry of one word: it counts with the entry's capital, and a part within a sentence only.
    """
    words = [word for spoken in texts for word in spoken.words]
    keys, has_capital = [_letters((word,)) for word in words], [_has_capital(w.text) for w in words]
    letters, names = "".join(keys), set[int]()
    wholes = {"".join(words_of(entry)): entry for entry in vocabulary}
    wholes = {key: entry for key, entry in wholes.items() if key * 3 not in letters}  # no loops
    capitals = " ".join(w for entry in vocabulary for w in entry.split() if _has_capital(w))
    parts = set(words_of(capitals))
    parts -= {key for key, capital in zip(keys, has_capital, strict=True) if not capital}
    for n, word in enumerate(words):
        for end in range(n + 1, min(n + _MOST_WORDS, len(words)) + 1):
            entry = wholes.get("".join(keys[n:end]), "")
            if " " in entry or (entry and has_capital[n] >= _has_capital(entry)):
                names.update(range(n, end))
        is_within = n > 0 and has_capital[n] and not ends_sentence(words[n - 1].text, word.text)
        if is_within and parts.intersection(words_of(word.text)):
            names.add(n)
    return {n for n in names if keys[n]}


def _has_capital(text: str) -> bool:
    return _MARKS_BEFORE.sub("", text)[:1].isupper()


def with_names(
    plain: Sequence[Utterance], named: Sequence[Utterance], vocabulary: Sequence[str], space: str
) -> list[Utterance]:
    """Return the plain texts with the names that `named` has in place of words like them.

    `named`: the same sound, heard with the vocabulary. `space`: between words of the language.
    """
    found, names = list(plain), find_names(named, vocabulary)
    places = [(at, n) for at, spoken in enumerate(plain) for n in range(len(spoken.words))]
    first, second = ([w for spoken in texts for w in spoken.words] for texts in (plain, named))
    keys, others = ([_letters((word,)) for word in words] for words in (first, second))
    matcher = difflib.SequenceMatcher(None, keys, others, autojunk=False)
    for kind, begin, end, other, other_end in reversed(matcher.get_opcodes()):
        numbers = [n for n in range(other, other_end) if n in names]
        most = _MOST_WORDS if space else min(_MOST_WORDS, len(numbers))  # characters: nothing else
        is_name = numbers and numbers[-1] - numbers[0] < most
        if kind == "replace" and is_name and places[begin][0] == places[end - 1][0]:
            at, n = places[begin]
            name = tuple(second[numbers[0] : numbers[-1] + 1])
            found[at] = _renamed(found[at], range(n, n + end - begin), name, space)
    return found


def _renamed(spoken: Utterance, numbers: range, name: Words, space: str) -> Utterance:
    """The utterance with a name in place of those words of it that are most like it, if any is."""
    words, lengths = spoken.words, range(1, len(name) + _MORE_WORDS + 1)
    spans = [(n, n + size) for size in lengths for n in numbers if n + size <= numbers.stop]
    first, last = max(spans, key=lambda each: sum(_likeness(words[each[0] : each[1]], name)))
    old, rest = words[first:last], words[last:]
    letters, times = _likeness(old, name)
    before, after = (min(word.probability for word in each) for each in (old, name))
    is_homophone = after >= before and _may_share_no_letter(old, name, space)
    is_faint = letters > _FAINTLY_ALIKE or is_homophone
    is_like = letters > _ALIKE or (is_faint and times > _AT_ONCE)
    new = _fitted(old, name)
    if not (is_like and before < _SURE and after >= _UNSAID):
        return spoken
    if _count_ends(old + rest[:1]) != _count_ends(new + rest[:1]):
        return spoken
    ends = [0]
    for word in words[:last]:
        ends.append(max(spoken.text.find(word.text, ends[-1]), ends[-1]) + len(word.text))
    begin = max(spoken.text.find(old[0].text, ends[first]), 0)
    text = spoken.text[:begin] + space.join(word.text for word in new) + spoken.text[ends[-1] :]
    return replace(spoken, text=text, words=words[:first] + new + rest)


def _letters(words: Words) -> str:
    return "".join(words_of("".join(word.text for word in words)))


def _likeness(words: Words, name: Words) -> tuple[float, float]:
    """The shares of letters and of time that both have in common, 0 to 1."""
    matcher = difflib.SequenceMatcher(None, _letters(words), _letters(name), autojunk=False)
    starts, ends = (words[0].start, name[0].start), (words[-1].end, name[-1].end)
    together, apart = min(ends) - max(starts), max(ends) - min(starts)
    return matcher.ratio(), max(together, 0.0) / apart if apart > 0 else 0.0


def _may_share_no_letter(words: Words, name: Words, space: str) -> bool:
    """Return True for two scripts, and for as many characters, which may sound the same."""
    texts = _letters(words), _letters(name)
    scripts = [{unicodedata.name(c, "?").split()[0] for c in t if c.isalpha()} for t in texts]
    is_other = all(scripts) and scripts[0].isdisjoint(scripts[1])
    return is_other or (not space and len(texts[0]) == len(texts[1]))


def _fitted(words: Words, name: Words) -> Words:
    """The name with the time of the words, their capital and the marks around them."""
    start, end = words[0].start, words[-1].end
    texts = [word.text for word in name]
    if words[0].text[:1].isupper():
        texts[0] = texts[0][:1].upper() + texts[0][1:]
    texts[0] = _MARKS_BEFORE.findall(words[0].text)[0] + _MARKS_BEFORE.sub("", texts[0])
    texts[-1] = _MARKS_BEHIND.sub("", texts[-1]) + _MARKS_BEHIND.findall(words[-1].text)[0]
    times = [[min(max(time, start), end) for time in (word.start, word.end)] for word in name]
    return tuple(
        replace(word, text=text, start=own[0], end=own[1])
        for word, text, own in zip(name, texts, times, strict=True)
    )


def _count_ends(words: Words) -> int:
    """How many sentences end in these words, as far as the next one tells."""
    texts = [word.text for word in words]
    return sum(map(ends_sentence, texts, [*texts[1:], ""]))
