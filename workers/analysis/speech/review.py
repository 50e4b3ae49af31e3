"""Text of a window once the guard has seen it: doubtful stretches are heard again, or dropped."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from shared.transcripts import Doubt, TranscriptWarning
from workers.analysis.speech.guard import Guard
from workers.analysis.speech.inventions import words_of
from workers.analysis.speech.segments import ends_sentence
from workers.analysis.speech.windows import SHORTEST_S, Window, best_cut
from workers.models.protocols import Spoken

# A doubtful stretch is heard again in shorter pieces: what is really said again and again comes
# out once from each, and a loop has no long run-up.
PIECE_S = 8.0
_AROUND_S = 0.2  # sound kept around the speech of such a piece
_LONGEST_REFUSED = 300  # characters of it in a warning
# A model that goes on in the middle of a piece hears the end of the last word once more: a word
# that it hardly believes (faster-whisper's anomaly: under 0.15), right there, before a pause.
_STRAY_PROBABILITY, _STRAY_WITHIN_S, _STRAY_PAUSE_S = 0.15, 0.1, 0.25

Again = Callable[[list[Window]], list[list[Spoken]]]
Placed = tuple[Spoken, Window]  # text and the window that its times count from


@dataclass(slots=True)
class Review:
    """What is believed of a window's text, in order of time, and what is not."""

    believed: list[Placed]
    warnings: list[TranscriptWarning]


def review(window: Window, heard: list[Spoken], guard: Guard, again: Again) -> Review:
    """`again` hears pieces with care. Raises what it raises."""
    result = Review([], [])
    doubtful: list[tuple[Spoken, Doubt]] = []
    reached = 0.0
    for spoken in sentences(_without_strays(window, heard, result)):
        doubt = guard.doubt(spoken, window)
        if doubt:
            doubtful.append((spoken, doubt))
            continue
        if doubtful:
            _hear_again(window, (reached, spoken.start), doubtful, guard, again, result)
            doubtful = []
        result.believed.append((spoken, window))
        reached = spoken.end
    if doubtful:
        _hear_again(window, (reached, window.seconds), doubtful, guard, again, result)
    return result


def _without_strays(window: Window, heard: list[Spoken], result: Review) -> list[Spoken]:
    kept: list[Spoken] = []
    for spoken in heard:
        if kept and _is_stray(spoken, kept[-1].end):
            stray = replace(spoken, words=spoken.words[:1], end=spoken.words[0].end)
            _warn(result, window, [stray], Doubt.UNSURE, "dropped", stray.words[0].text)
            spoken = _without_stray(spoken)
        kept.append(spoken)
    return kept


def _warn(
    result: Review,
    window: Window,
    stretch: list[Spoken],
    doubt: Doubt,
    action: Literal["dropped", "decoded_again"],
    text: str,
) -> None:
    start, end = _in_file(window, stretch)
    text = text if len(text) <= _LONGEST_REFUSED else text[: _LONGEST_REFUSED - 1] + "…"
    result.warnings.append(
        TranscriptWarning(
            start=start, end=end, doubt=doubt, action=action, text=text, stream=window.stream
        )
    )


def _hear_again(
    window: Window,
    span: tuple[float, float],
    doubtful: list[tuple[Spoken, Doubt]],
    guard: Guard,
    again: Again,
    result: Review,
) -> None:
    """Second text for a stretch of the window, as far as it stands."""
    first = [spoken for spoken, _ in doubtful]
    pieces = list(_pieces(window, *span))
    second = list(zip(again(pieces), pieces, strict=True)) if pieces else []
    candidates = [(spoken, piece) for texts, piece in second for spoken in sentences(texts)]
    stands = [placed for placed in candidates if not guard.lasting_doubt(*placed)]
    first_stands = [(s, window) for s in first if pieces and not guard.lasting_doubt(s, window)]
    if _is_first_better(doubtful, first_stands, stands):
        stands = first_stands
    result.believed += stands
    refused = " ".join(spoken.text for spoken in first)
    if words_of(" ".join(spoken.text for spoken, _ in stands)) == words_of(refused):
        return
    action: Literal["dropped", "decoded_again"] = "decoded_again" if stands else "dropped"
    _warn(result, window, first, doubtful[0][1], action, refused)


def _is_first_better(
    doubtful: list[tuple[Spoken, Doubt]], first: list[Placed], second: list[Placed]
) -> bool:
    """Whether a text that is merely unlikely is likelier than what was heard in its place."""
    if not second:
        return bool(first)
    only_unsure = all(doubt is Doubt.UNSURE for _, doubt in doubtful)
    return only_unsure and len(first) == len(doubtful) and _likely(first) >= _likely(second)


def _likely(placed: list[Placed]) -> float:
    return float(np.mean([spoken.mean_logprob for spoken, _ in placed]))


def _in_file(window: Window, stretch: list[Spoken]) -> tuple[float, float]:
    start, _ = window.place(stretch[0].start, stretch[0].end, "first")
    _, end = window.place(stretch[-1].start, stretch[-1].end, "last")
    return round(start, 3), round(max(start, end), 3)


def _pieces(window: Window, start: float, end: float) -> Iterator[Window]:
    """The speech within a span of the window, cut into pieces of at most PIECE_S."""
    first, last = window.frames(start, end)
    spoken = np.flatnonzero(window.speaking[first:last]) + first
    if len(spoken) * window.frame_s < SHORTEST_S:
        return
    around = round(_AROUND_S / window.frame_s)
    part = window.part(max(first, int(spoken[0]) - around), min(last, int(spoken[-1]) + 1 + around))
    longest = int(PIECE_S / window.frame_s)
    while len(part.numbers) > longest:
        cut = best_cut(part.part(0, longest), int(part.numbers[longest]))
        yield part.part(0, cut)
        part = part.part(cut, len(part.numbers))
    if part.speaking.any():
        yield part


def sentences(heard: list[Spoken]) -> Iterator[Spoken]:
    """The same text, a Spoken for each sentence, so that one can be doubted alone."""
    for spoken in heard:
        words = spoken.words
        if not any(letter.isalnum() for letter in spoken.text):
            continue  # "...", which models give for sound without words
        ends = [
            number
            for number in range(1, len(words))
            if ends_sentence(words[number - 1].text, words[number].text)
        ]
        if not ends:
            yield spoken
            continue
        at = 0
        for first, last in zip([0, *ends], [*ends, len(words)], strict=True):
            text = spoken.text[at:]
            if last < len(words):
                cut = _after(text, [word.text for word in words[first:last]])
                text, at = text[:cut], at + cut
            yield _part(spoken, first, last, text.strip())


def _after(text: str, words: list[str]) -> int:
    """Where these words end in the text that begins with them."""
    at = 0
    for word in words:
        found = text.find(word, at)
        at = found + len(word) if found >= 0 else at
    return at


def _part(spoken: Spoken, first: int, end: int, text: str) -> Spoken:
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


def _is_stray(spoken: Spoken, before: float) -> bool:
    """Whether its first word is an echo of the word that ended at `before`."""
    if len(spoken.words) < 2:
        return False
    first, second = spoken.words[:2]
    return (
        first.probability < _STRAY_PROBABILITY
        and first.start - before <= _STRAY_WITHIN_S
        and second.start - first.end >= _STRAY_PAUSE_S
    )


def _without_stray(spoken: Spoken) -> Spoken:
    cut = _after(spoken.text, [spoken.words[0].text])
    words = spoken.words[1:]
    return replace(spoken, start=words[0].start, text=spoken.text[cut:].strip(), words=words)
