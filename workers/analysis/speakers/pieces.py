"""Where voices are listened to: pieces of speech, by the times of a transcript's words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.cache.transcripts import Word
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
    """What is heard in all windows of these pieces."""
    counts = [len(part) for part in parts]
    return Listened(
        np.concatenate([part.starts for part in parts]),
        np.concatenate([part.ends for part in parts]),
        np.repeat([part.piece for part in parts], counts),
        voices.embed(np.concatenate([part.windows for part in parts])),
        np.repeat([part.noise for part in parts], counts),
    )


def joined(parts: Sequence[Listened]) -> Listened:
    """All windows of several pieces."""
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
