"""Sound of a file and the words of its transcript into turns: who speaks when."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from shared.cache.speakers import Speaker, SpeakerTurn
from shared.cache.transcripts import Segment, Word
from workers.analysis.speakers.voices import (
    AROUND_S,
    MOST_VOICES,
    Listened,
    Rows,
    excerpts,
    joined,
    listen,
    pieces_of,
    unit,
    voices_in,
)
from workers.models.protocols import SAMPLE_RATE, VoiceEmbedder

_LITTLE_S = 2.0  # of speech in all: too little to tell one voice from two
_MUCH = 0.4  # of the speech may be somebody else's
# Part of the power that hardly pauses, weighted as in `voices.py`: 0.40 to 0.47 of ten voices at
# once, at most 0.33 of voices 3 dB over noise, 0.04 over music.
_MOST_NOISE = 0.37

_REACH_S = 1.0  # from a word to the middle of a window that still tells of it
_WINDOW_S = 1.7  # no window is longer
# A change of voice has to be worth it: as much as a word's cosines differ in `_WORD_S` of it, six
# times over. In a pause it costs less.
_WEIGHT, _WORD_S = 6.0, 0.32
_CHANGE, _CHANGE_IN_PAUSE, _PAUSE_S = 1.0, 0.3, 0.15
# Two voices that are as near: it may be either, or both at once. One that is farther than usual, by
# its usual nearness: somebody speaks over it.
_CLOSE, _FAR = 0.06, 0.9
_SHORT_S = 0.6  # a turn that tells little
_LEAST_S = 2.0  # of words that a voice has


# For each word the number of its voice, -1 for none, and whether it may be another one.
VoicedWords = tuple[NDArray[np.int64], NDArray[np.bool_]]


def lasting(
    parts: Sequence[tuple[Sequence[Word], Listened]], rows: Rows, checkpoint: Callable[[], None]
) -> Rows:
    """The voices to which words are given; those of a few words are mixtures of others."""
    while len(rows) > 1:
        seconds = np.zeros(len(rows))
        for words, heard in parts:
            checkpoint()
            voices, _ = assign(words, heard, rows)
            lengths = [word.end - word.start for word in words]
            seconds += np.bincount(voices + 1, lengths, len(rows) + 1)[1:]
        if seconds.min() >= _LEAST_S:
            break
        rows = np.delete(rows, int(seconds.argmin()), axis=0)
    return rows


def assign(words: Sequence[Word], heard: Listened, rows: Rows) -> VoicedWords:
    """Whose words these are, of the voices with these rows; twice, with better rows at last."""
    if not words or not len(rows):
        return np.full(len(words), -1), np.ones(len(words), np.bool_)
    middles = np.array([(word.start + word.end) / 2 for word in words])
    shares = _shares(middles, heard)
    found = _path(words, _scores(shares, heard.rows @ rows.T))
    rows = _renewed(middles, heard, found, rows)
    scores = _scores(shares, heard.rows @ rows.T)
    found = _path(words, scores)
    return found, _doubts(words, scores, found, shares)


Shares = list[tuple[slice, NDArray[np.float64]]]


def _shares(middles: NDArray[np.float64], heard: Listened) -> Shares:
    """For each word which windows tell of it, and how much each."""
    firsts = np.searchsorted(heard.starts, middles - _WINDOW_S)
    lasts = np.searchsorted(heard.starts, middles + 1e-6)
    centres = (heard.starts + heard.ends) / 2
    found: Shares = []
    for at, first, last in zip(middles, firsts, lasts, strict=True):
        part = slice(int(first), int(last))
        near = np.maximum(0, 1 - np.abs(centres[part] - at) / _REACH_S)
        found.append((part, near * (heard.ends[part] >= at)))
    return found


def _scores(shares: Shares, cosines: Rows) -> NDArray[np.float64]:
    """[words, voices]: the mean cosine of the windows around a word; 0 where there is none."""
    scores = np.zeros((len(shares), cosines.shape[1]))
    for row, (part, near) in zip(scores, shares, strict=True):
        if near.sum() > 0:
            row += near @ cosines[part] / near.sum()
    return scores


def _path(words: Sequence[Word], scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """The voices whose sum of scores is highest, less what changes cost."""
    lengths = np.array([word.end - word.start for word in words])
    values = scores * (_WEIGHT / _WORD_S) * lengths[:, None]
    count = scores.shape[1]
    before = np.zeros(scores.shape, np.int64)
    sums = values[0]
    for n in range(1, len(words)):
        is_pause = words[n].start - words[n - 1].end > _PAUSE_S
        best = int(sums.argmax())
        changed = sums[best] - _CHANGE * (_CHANGE_IN_PAUSE if is_pause else 1)
        before[n] = np.where(sums >= changed, np.arange(count), best)
        sums = np.maximum(sums, changed) + values[n]
    found = np.empty(len(words), np.int64)
    found[-1] = sums.argmax()
    for n in range(len(words) - 1, 0, -1):
        found[n - 1] = before[n, found[n]]
    return found


def _renewed(
    middles: NDArray[np.float64], heard: Listened, found: NDArray[np.int64], rows: Rows
) -> Rows:
    """Each voice by the windows in which nobody else has a word."""
    firsts = np.searchsorted(middles, heard.starts)
    lasts = np.searchsorted(middles, heard.ends)
    ends = np.cumsum(np.append(0, np.diff(found) != 0))  # number of the turn of each word
    inner = np.flatnonzero(lasts > firsts)
    alone = inner[ends[firsts[inner]] == ends[lasts[inner] - 1]]
    owners = found[firsts[alone]]
    renewed = rows.copy()
    for voice in np.unique(owners):
        own = alone[owners == voice]
        lengths = (heard.ends[own] - heard.starts[own])[:, None]
        renewed[voice] = unit((heard.rows[own] * lengths).sum(axis=0))
    return renewed


def _doubts(
    words: Sequence[Word], scores: NDArray[np.float64], found: NDArray[np.int64], shares: Shares
) -> NDArray[np.bool_]:
    """Which words may be another's: two voices are as near or neither is, or the turn is short."""
    own = scores[np.arange(len(words)), found]
    others = scores.copy()
    others[np.arange(len(words)), found] = -1
    doubtful: NDArray[np.bool_] = own - others.max(axis=1) < _CLOSE
    doubtful |= np.array([near.sum() <= 0 for _, near in shares])
    if scores.shape[1] > 1:
        for voice in np.unique(found):
            mine = found == voice
            doubtful[mine] |= own[mine] < _FAR * np.median(own[mine])
    changes = np.flatnonzero(np.diff(found)) + 1
    for turn in np.split(np.arange(len(words)), changes):
        if words[turn[-1]].end - words[turn[0]].start < _SHORT_S:
            doubtful[turn] = True
    return doubtful


def warnings_of(turns: Sequence[SpeakerTurn], noise: float) -> Iterator[str]:
    """Sentences for people; none where there is no reason to doubt. `noise`: of the `Diarizer`."""
    spoken = sum(turn.end - turn.start for turn in turns)
    doubtful = sum(turn.end - turn.start for turn in turns if turn.doubtful)
    if not turns:
        return
    if spoken < _LITTLE_S:
        yield (f"Somebody speaks for {spoken:.1f} s in all: too little to tell how many there are.")
    elif noise > _MOST_NOISE:
        yield (
            "The sound hardly ever pauses: many speak at once, or noise is as loud as what is "
            "said. More people may speak than are told apart here."
        )
    elif doubtful > _MUCH * spoken:
        yield (
            f"Who speaks is doubtful in {doubtful / spoken:.0%} of the speech: several speak at "
            "once, or noise drowns them."
        )
    if len({turn.speaker for turn in turns}) >= MOST_VOICES:
        yield (
            f"No more than {MOST_VOICES} speakers are told apart in a file: more may speak here, "
            "and stand among these."
        )


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
        """What part of the power is noise by `voices.py`, in the mean of all windows; 0 to 1."""
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
        self._waiting: list[Listened] = []
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
    voices, doubtful = assign(words, heard, unit(rows))
    turns: list[SpeakerTurn] = []
    for word, voice, is_doubtful in zip(words, voices.tolist(), doubtful.tolist(), strict=True):
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
