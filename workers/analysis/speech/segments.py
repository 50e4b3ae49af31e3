"""Words into segments that read like sentences, whatever stretches the model gave them in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from shared.cache.transcripts import Segment, Word
from workers.analysis.speech.windows import Side, Window
from workers.models.protocols import SpokenWord, Utterance

# Written without spaces between words: those that Whisper's tokenizer splits by character
# (openai/whisper, tokenizer.py, split_to_word_tokens).
WITHOUT_SPACES = frozenset(("zh", "ja", "th", "lo", "my", "yue"))
PAUSE_S = 1.5  # a longer one ends a segment even within a sentence
FULL_STOP_S = 0.4  # what speakers take between sentences at least, and hardly within one
LONGEST_S = 15.0  # a longer sentence is divided, at a comma or a breath
_ENDS = (".", "?", "!", "…", "。", "？", "！", "｡", "؟", "۔", "।", "॥", "።", "։", "၊", "។")
_COMMAS = (",", ";", ":", "，", "、", "；", "：", "،", "؛", "–", "—")
_CLOSING = "\"'”’»)]}」』】）"
# End with a full stop and no sentence, in the languages in which the default model is good.
_ABBREVIATIONS = frozenset(
    "mr. mrs. ms. dr. prof. st. jr. sr. vs. no. e.g. i.e. approx. capt. col. gen. lt. sgt. rev. "
    "hr. fr. z.b. d.h. bzw. ca. nr. sra. dra. ud. uds. mme. mlle. m. sig. dott.".split()
)


@dataclass(frozen=True, slots=True)
class _Said:
    """A word at its place in the file, with what stands before it in the text."""

    start: float
    end: float
    glue: str
    text: str
    probability: float
    begins: bool  # a stretch of the model's own
    doubtful: bool

    def word(self) -> Word:
        return Word(round(self.start, 3), round(self.end, 3), self.text, round(self.probability, 3))


class SegmentBuilder:
    """What is said in one stream, in order of time, divided into sentences."""

    def __init__(self, stream: int | None, language: str) -> None:
        self._stream = stream
        self._space = "" if language in WITHOUT_SPACES else " "
        self._open: list[_Said] = []
        self._segments: list[Segment] = []

    def add(self, spoken: Utterance, window: Window) -> None:
        for said in _placed(spoken, window, self._space):
            if self._open:
                last = self._open[-1]
                # Times of neighbours may cross where two windows meet.
                said = replace(said, start=max(said.start, last.end), end=max(said.end, last.end))
                if _ends_segment(last, said):
                    self._close()
            self._open.append(said)

    def finish(self) -> list[Segment]:
        self._close()
        return self._segments

    def _close(self) -> None:
        for words in _divided(self._open) if self._open else ():
            text = "".join(f"{said.glue}{said.text}" for said in words).strip()
            self._segments.append(
                Segment(
                    start=round(words[0].start, 3),
                    end=round(words[-1].end, 3),
                    text=text,
                    words=tuple(said.word() for said in words),
                    stream=self._stream,
                    doubtful=tuple(n for n, said in enumerate(words) if said.doubtful),
                )
            )
        self._open = []


def _placed(spoken: Utterance, window: Window, space: str) -> Iterator[_Said]:
    """The words of an utterance at their places; without words, the text as one."""
    words: Sequence[SpokenWord] = spoken.words or (
        SpokenWord(spoken.start, spoken.end, spoken.text.strip(), 1.0),
    )
    at = 0
    for number, word in enumerate(words):
        found = spoken.text.find(word.text, at)
        glue = space
        if found >= 0:
            if number:
                glue = spoken.text[at:found]
            at = found + len(word.text)
        start, end = window.place(word.start, word.end, _side(words, number))
        yield _Said(start, end, glue, word.text, word.probability, number == 0, word.doubtful)


def _side(words: Sequence[SpokenWord], number: int) -> Side:
    """The side of a pause that a word is on: a phrase's first word after, its last one before."""
    if number == 0 or words[number - 1].text.endswith(_ENDS + _COMMAS):
        return "last"
    if number == len(words) - 1 or words[number].text.endswith(_ENDS + _COMMAS):
        return "first"
    return "most"


def _ends_segment(last: _Said, following: _Said) -> bool:
    pause = following.start - last.end
    if pause > PAUSE_S or ends_sentence(last.text, following.text):
        return True
    if pause > FULL_STOP_S and ends_sentence(last.text, ""):
        return True  # small letters after it are a slip of the model
    # Where the model began anew it means a break, unless the text goes on in small letters.
    return following.begins and not following.text[:1].islower()


def ends_sentence(text: str, following: str) -> bool:
    """Whether a sentence ends with the word `text`, after which `following` comes."""
    bare = text.rstrip(_CLOSING)
    if not bare.endswith(_ENDS) or following[:1].islower():
        return False
    if not bare.endswith("."):
        return True
    initial = len(bare) == 2 and bare[0].isupper()
    return not initial and bare.lower() not in _ABBREVIATIONS


def _divided(words: list[_Said]) -> Iterator[list[_Said]]:
    """Parts of at most LONGEST_S, cut where a speaker takes a breath, not far from the middle."""
    length = words[-1].end - words[0].start
    if length <= LONGEST_S or len(words) < 2:
        yield words
        return
    middle = words[0].start + length / 2

    def worth(at: int) -> float:
        before, after = words[at - 1], words[at]
        comma = 0.5 if before.text.endswith(_COMMAS) else 0.0
        return after.start - before.end + comma - abs(after.start - middle) / length

    best = max(range(1, len(words)), key=worth)
    yield from _divided(words[:best])
    yield from _divided(words[best:])
