"""Sound of a file and the words of its transcript into turns: who speaks when."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from shared.cache.speakers import Speaker, SpeakerTurn
from shared.cache.transcripts import Segment, Word
from workers.analysis.speakers.assigning import assign, lasting
from workers.analysis.speakers.pieces import (
    AROUND_S,
    Excerpts,
    Listened,
    excerpts,
    joined,
    listen,
    pieces_of,
)
from workers.analysis.speakers.voices import unit, voices_in
from workers.models.protocols import SAMPLE_RATE, VoiceEmbedder

Pcm = NDArray[np.float32]
_AT_ONCE = 32  # windows that are heard together
_GAP_S = 0.5  # a longer pause parts two turns of one voice


class Diarizer:
    """Hears the sound of a file block by block, then tells who speaks. Holds a minute of it."""

    def __init__(
        self,
        segments: Sequence[Segment],
        voices: VoiceEmbedder,
        checkpoint: Callable[[], None] = lambda: None,
    ) -> None:
        self._checkpoint = checkpoint
        words: dict[int | None, list[Word]] = {}
        for segment in segments:
            words.setdefault(segment.stream, []).extend(segment.words)
        self._words: Mapping[int | None, list[Word]] = {
            stream: sorted(found, key=lambda word: word.start) for stream, found in words.items()
        }
        self._streams = {
            stream: _Stream(found, voices) for stream, found in self._words.items() if found
        }
        self.heard = joined([])  # all windows, once all sound has come

    @property
    def noise(self) -> float:
        """What part of the power is noise by `pieces.py`, in the mean of all windows; 0 to 1."""
        return float(self.heard.noise.mean()) if len(self.heard) else 0.0

    def hear(self, stream: int | None, pcm: Pcm) -> None:
        """The next sound of a stream."""
        if stream in self._streams:
            self._streams[stream].hear(pcm)

    def finish(self) -> tuple[tuple[Speaker, ...], tuple[SpeakerTurn, ...]]:
        """All sound has come: the speakers by first appearance, and their turns by time.

        Streams are of one conversation: a voice that is heard in two is one speaker.
        """
        heard = {stream: found.finish() for stream, found in self._streams.items()}
        self.heard = joined(list(heard.values()))
        rows = voices_in(self.heard, self._checkpoint)
        parts = [(self._words[stream], found) for stream, found in heard.items()]
        rows = lasting(parts, rows, self._checkpoint)
        turns: list[SpeakerTurn] = []
        for stream, words in self._words.items():
            self._checkpoint()
            if stream in heard:
                turns += _turns(stream, words, heard[stream], rows)
        turns.sort(key=lambda turn: (turn.start, turn.stream or 0))
        order = list(dict.fromkeys(turn.speaker for turn in turns))
        numbers = {voice: number for number, voice in enumerate(order)}
        named = [
            SpeakerTurn(turn.start, turn.end, numbers[turn.speaker], turn.doubtful, turn.stream)
            for turn in turns
        ]
        seconds = np.zeros(len(order))
        for turn in named:
            seconds[turn.speaker] += turn.end - turn.start
        speakers = [
            Speaker(round(float(seconds[n]), 2), tuple(rows[voice].round(4).tolist()))
            for n, voice in enumerate(order)
        ]
        return tuple(speakers), tuple(named)


class _Stream:
    """The sound of one stream, of which no more is held than its next piece needs."""

    def __init__(self, words: Sequence[Word], voices: VoiceEmbedder) -> None:
        self._pieces = list(pieces_of(words))
        self._voices = voices
        self._next = 0  # number of the next piece
        self._sound = np.empty(0, np.float32)
        self._at = 0  # sample of the file at which it begins
        self._waiting: list[Excerpts] = []
        self._heard: list[Listened] = []

    def hear(self, pcm: Pcm) -> None:
        self._sound = np.concatenate([self._sound, pcm])
        self._listen(self._at + len(self._sound))
        kept = self._at + len(self._sound)
        if self._next < len(self._pieces):
            kept = min(kept, self._begin(self._next))
        dropped = max(kept - self._at, 0)
        self._sound, self._at = self._sound[dropped:], self._at + dropped

    def finish(self) -> Listened:
        self._listen(None)
        if self._waiting:
            self._heard.append(listen(self._waiting, self._voices))
        return joined(self._heard)

    def _begin(self, number: int) -> int:
        return max(round((self._pieces[number].start - AROUND_S) * SAMPLE_RATE), 0)

    def _listen(self, until: int | None) -> None:
        """To the pieces that have come whole; to all that are left where nothing follows."""
        while self._next < len(self._pieces):
            piece = self._pieces[self._next]
            end = round((piece.end + AROUND_S) * SAMPLE_RATE)
            if until is not None and end > until:
                return
            begin = self._begin(self._next)
            sound = self._sound[max(begin - self._at, 0) : max(end - self._at, 0)]
            before_s = piece.start - begin / SAMPLE_RATE
            if len(sound) > before_s * SAMPLE_RATE:
                found = excerpts(piece, self._next, sound, before_s, self._voices)
                self._waiting += [found] if found else []
            if sum(map(len, self._waiting)) >= _AT_ONCE:
                self._heard.append(listen(self._waiting, self._voices))
                self._waiting.clear()
            self._next += 1


def _turns(
    stream: int | None, words: Sequence[Word], heard: Listened, rows: Pcm
) -> list[SpeakerTurn]:
    assigned = assign(words, heard, unit(rows))
    turns: list[SpeakerTurn] = []
    for word, voice, is_doubtful in zip(
        words, assigned.voices.tolist(), assigned.doubtful.tolist(), strict=True
    ):
        if voice < 0:
            continue
        last = turns[-1] if turns else None
        if (
            last is not None
            and (last.speaker, last.doubtful) == (voice, is_doubtful)
            and word.start - last.end <= _GAP_S
        ):
            end = max(last.end, word.end)
            turns[-1] = SpeakerTurn(last.start, end, voice, is_doubtful, stream)
        else:
            turns.append(SpeakerTurn(word.start, word.end, voice, is_doubtful, stream))
    return turns
