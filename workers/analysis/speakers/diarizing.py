"""Sound of a file and the words of its transcript into turns: who speaks when."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.cache.speakers import Speaker, SpeakerTurn
from shared.cache.transcripts import Segment, Word
from workers.analysis.speakers.assigning import assign, lasting
from workers.analysis.speakers.voices import unit, voices_in
from workers.models.protocols import SAMPLE_RATE, VoiceEmbedder

Rows = NDArray[np.float32]

# Sound beside a piece that tells what noise there is.
AROUND_S = 1.5
# Words with a longer pause between them lie in two pieces: turns change in pauses, mostly.
_PAUSE_S = 0.4
_LONGEST_S = 60.0  # bounds what is held at once
_SHORTEST_S = 0.3  # of less no voice is known
_STEP_FRAMES = 80  # from window to window, half of one; more often costs more and finds no more
# Effective value to which each piece is brought. The network tells voices apart best there: at a
# third of it and at four times it, different voices are nearer.
_LEVEL, _MOST_GAIN = 0.06, 30.0
# What is as quiet as a tenth of the time around is noise. A bit more than that is taken away from
# the power of each band: noise draws all voices together.
_QUIET_PERCENT, _NOISE_WEIGHT, _SMOOTH_FRAMES = 10, 1.5, 9

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


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch in which somebody speaks, without a long pause."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Listened:
    """Windows of speech, by time: where each begins and ends, in which piece, what is heard.

    `noise`: what part of the power around is noise, 0 to 1.
    """

    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    pieces: NDArray[np.int64]
    rows: Rows
    noise: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.starts)


@dataclass(frozen=True, slots=True)
class Excerpts:
    """Windows of a piece before they are heard: many at once cost less."""

    piece: int
    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    windows: NDArray[np.float32]  # [n, frames, channels] mels
    noise: float

    def __len__(self) -> int:
        return len(self.starts)


def pieces_of(words: Sequence[Word]) -> Iterator[Piece]:
    """Pieces of speech by time, none longer than a minute."""
    start = end = -1.0
    for word in words:
        if start >= 0 and (word.start - end > _PAUSE_S or word.end - start > _LONGEST_S):
            yield Piece(start, end)
            start = -1.0
        if start < 0:
            start = end = word.start
        end = min(max(end, word.end), start + _LONGEST_S)
    if start >= 0:
        yield Piece(start, end)


def excerpts(
    piece: Piece, number: int, pcm: Rows, before_s: float, voices: VoiceEmbedder
) -> Excerpts | None:
    """Windows of a piece; one where it is shorter than a window, none where it is much shorter.

    `pcm` begins `before_s` before the piece and ends a bit after it.
    """
    mels = voices.mels(pcm)
    first = round(before_s * 100)
    own = mels[first : first + round((piece.end - piece.start) * 100)]
    frames, size = len(own), voices.window_frames
    if frames < _SHORTEST_S * 100:
        return None
    noise, mean = _noise(mels), np.maximum(mels.mean(axis=0, dtype=np.float64), 1e-20)
    share = float(np.minimum(noise, mean).sum() / mean.sum())
    speech = np.maximum(own - noise, 0)
    at = round(before_s * SAMPLE_RATE)
    power = float(np.mean(pcm[at : at + frames * SAMPLE_RATE // 100].astype(np.float64) ** 2))
    power *= float(speech.sum()) / max(float(own.sum()), 1e-20)
    speech *= min(_LEVEL**2 / max(power, 1e-20), _MOST_GAIN**2)
    if frames <= size:
        firsts = np.zeros(1, np.int64)
        speech = np.resize(speech, (size, speech.shape[1]))  # the same again until it is full
    else:
        last = frames - size
        firsts = np.append(np.arange(0, last - _STEP_FRAMES // 4, _STEP_FRAMES), last)
    windows = np.stack([speech[n : n + size] for n in firsts]).astype(np.float32)
    starts = piece.start + firsts / 100
    ends = np.minimum(starts + size / 100, piece.start + frames / 100)
    return Excerpts(number, starts, ends, windows, share)


def listen(parts: Sequence[Excerpts], voices: VoiceEmbedder) -> Listened:
    counts = [len(part) for part in parts]
    return Listened(
        np.concatenate([part.starts for part in parts]),
        np.concatenate([part.ends for part in parts]),
        np.repeat([part.piece for part in parts], counts),
        voices.embed(np.concatenate([part.windows for part in parts])),
        np.repeat([part.noise for part in parts], counts),
    )


def joined(parts: Sequence[Listened]) -> Listened:
    nothing = np.empty(0)
    return Listened(
        np.concatenate([nothing, *(part.starts for part in parts)]),
        np.concatenate([nothing, *(part.ends for part in parts)]),
        np.concatenate([np.empty(0, np.int64), *(part.pieces for part in parts)]),
        np.concatenate([np.empty((0, 256), np.float32), *(part.rows for part in parts)]),
        np.concatenate([nothing, *(part.noise for part in parts)]),
    )


def _noise(mels: Rows) -> NDArray[np.float64]:
    """The power of noise in each band, weighted."""
    sums = np.cumsum(mels, axis=0, dtype=np.float64)
    smooth = (sums[_SMOOTH_FRAMES:] - sums[:-_SMOOTH_FRAMES]) / _SMOOTH_FRAMES
    if not len(smooth):
        return np.zeros(mels.shape[1])
    return np.percentile(smooth, _QUIET_PERCENT, axis=0) * _NOISE_WEIGHT
