"""Text of a window once the guard has seen it: doubtful stretches are heard again, or dropped."""

from __future__ import annotations

import difflib
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Literal

import numpy as np

from shared.cache.transcripts import Doubt, TranscriptWarning
from workers.analysis.speech.guard import Guard
from workers.analysis.speech.inventions import words_of
from workers.analysis.speech.segments import ends_sentence
from workers.analysis.speech.windows import SHORTEST_S, Window, best_cut
from workers.models.protocols import Utterance

# A model that goes on in the middle of a piece hears the end of the last word once more: a word
# that it hardly believes (faster-whisper's anomaly: under 0.15), right there, before a pause.
_STRAY_PROBABILITY, _STRAY_WITHIN_S, _STRAY_PAUSE_S = 0.15, 0.1, 0.25

# A doubtful stretch is heard again in shorter pieces: what is really said again and again comes
# out once from each, and a loop has no long run-up.
PIECE_S = 8.0
_LEAST_S = 2.0  # shorter ones are hard to understand
_AROUND_S = 0.2  # sound kept around the speech of such a piece
_LONGEST_REFUSED = 300  # characters of it in a warning
_REPEATING = frozenset((Doubt.REPEATS, Doubt.COMPRESSION))
_LIKE_BEFORE, _MORE_WORDS = 0.6, 1.3  # when two texts of the same sound agree

Again = Callable[[list[Window]], list[list[Utterance]]]
Placed = tuple[Utterance, Window]  # text and the window that its times count from


def review(window: Window, heard: list[Utterance], guard: Guard, again: Again) -> Review:
    """`again` hears pieces with care. Raises what it raises."""
    work = Review(window, guard, again)
    guard.begin_window()
    kept, echoes = without_echoes(heard)
    for echo in echoes:
        work.warn([echo], Doubt.UNSURE, "dropped")
    doubtful: list[tuple[Utterance, Doubt]] = []
    reached = 0.0
    for spoken in work.divided(kept, window):
        doubt = guard.doubt(spoken, window)
        if doubt:
            doubtful.append((spoken, doubt))
            continue
        work.hear_again((reached, spoken.start), doubtful)
        doubtful = []
        work.believed.append((spoken, window))
        reached = spoken.end
    work.hear_again((reached, window.seconds), doubtful)
    return work


class Review:
    """What is believed of a window's text, in order of time, and what is not."""

    def __init__(self, window: Window, guard: Guard, again: Again) -> None:
        self._window = window
        self._guard = guard
        self._again = again
        self.believed: list[Placed] = []
        self.warnings: list[TranscriptWarning] = []

    def divided(self, heard: list[Utterance], window: Window) -> Iterator[Utterance]:
        """Utterances cut into sentences; one that is too fast stays whole, which shows it best."""
        for spoken in heard:
            if not has_words(spoken):
                continue
            if self._guard.is_too_fast(spoken, window):
                yield spoken
            else:
                yield from sentences(spoken)

    def hear_again(
        self, span: tuple[float, float], doubtful: list[tuple[Utterance, Doubt]]
    ) -> None:
        """A second text for a stretch of the window, as far as it stands."""
        if not doubtful:
            return
        first: list[Placed] = [(spoken, self._window) for spoken, _ in doubtful]
        doubts = {doubt for _, doubt in doubtful}
        pieces = list(_pieces(self._window, *span, in_two=bool(doubts & _REPEATING)))
        second = [
            (spoken, piece)
            for texts, piece in zip(self._again(pieces), pieces, strict=True)
            for spoken in self.divided(texts, piece)
        ]
        stands = self._standing(first, second, doubts)
        self.believed += stands
        if _words(stands) != _words(first):
            action: Literal["dropped", "decoded_again"] = "decoded_again" if stands else "dropped"
            self.warn([spoken for spoken, _ in first], doubtful[0][1], action)

    def _standing(
        self, first: list[Placed], second: list[Placed], doubts: set[Doubt]
    ) -> list[Placed]:
        """The text that stands where the `first` was doubted."""
        lasting = self._guard.lasting_doubt
        may_stay = not any(lasting(*placed, may_repeat=True) for placed in first)
        if may_stay and doubts & _REPEATING and _agree(_words(first), _words(second)):
            return first
        second = _no_more_often(first, second, self._guard)
        stands = [placed for placed in second if not lasting(*placed)]
        merely_unlikely = may_stay and doubts == {Doubt.UNSURE}
        if merely_unlikely and (not stands or _likely(first) >= _likely(stands)):
            return first
        return stands

    def warn(
        self, refused: list[Utterance], doubt: Doubt, action: Literal["dropped", "decoded_again"]
    ) -> None:
        text = " ".join(spoken.text for spoken in refused)
        if len(text) > _LONGEST_REFUSED:
            text = text[: _LONGEST_REFUSED - 1] + "…"
        start, _ = self._window.place(refused[0].start, refused[0].end, "first")
        _, end = self._window.place(refused[-1].start, refused[-1].end, "last")
        self.warnings.append(
            TranscriptWarning(
                start=round(start, 3),
                end=round(max(start, end), 3),
                doubt=doubt,
                action=action,
                text=text,
                stream=self._window.stream,
            )
        )


def _words(placed: list[Placed]) -> list[str]:
    return words_of(" ".join(spoken.text for spoken, _ in placed))


def _likely(placed: list[Placed]) -> float:
    return float(np.mean([spoken.mean_logprob for spoken, _ in placed]))


def _agree(first: list[str], second: list[str]) -> bool:
    """Whether what was heard at once and in pieces is about the same: then it was said so."""
    if len(second) > _MORE_WORDS * len(first) + 1:
        return False
    return difflib.SequenceMatcher(None, first, second, autojunk=False).ratio() >= _LIKE_BEFORE


def _no_more_often(first: list[Placed], second: list[Placed], guard: Guard) -> list[Placed]:
    """`second` without what comes from several pieces alike, and not surely from any of them.

    Such text is the model's answer to anything. A line that is said in take after take is sure.
    """
    before = Counter(" ".join(words_of(spoken.text)) for spoken, _ in first)
    texts = [" ".join(words_of(spoken.text)) for spoken, _ in second]
    now = Counter(texts)
    return [
        placed
        for placed, text in zip(second, texts, strict=True)
        if now[text] <= before.get(text, 2) or guard.is_sure(*placed)
    ]


def _pieces(window: Window, start: float, end: float, *, in_two: bool) -> Iterator[Window]:
    """The speech within a span of the window, cut into pieces of at most PIECE_S.

    `in_two`: into two at least, unless there is too little of it.
    """
    first, last = window.frames(start, end)
    spoken = np.flatnonzero(window.speaking[first:last]) + first
    if len(spoken) * window.frame_s < SHORTEST_S:
        return
    around = round(_AROUND_S / window.frame_s)
    part = window.part(max(first, int(spoken[0]) - around), min(last, int(spoken[-1]) + 1 + around))
    longest = int(PIECE_S / window.frame_s)
    if in_two:
        longest = min(longest, max(len(part.numbers) * 2 // 3, int(_LEAST_S / window.frame_s)))
    while len(part.numbers) > longest:
        cut = best_cut(part.part(0, longest), int(part.numbers[longest]))
        yield part.part(0, cut)
        part = part.part(cut, len(part.numbers))
    if part.speaking.any():
        yield part


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
