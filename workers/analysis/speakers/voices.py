"""Whose voices are heard in a file: groups of windows that are alike, as many as it takes.

How many speak is not known, and how near the windows of one voice lie changes with noise and
microphone. So what counts as near is taken from the file: windows that follow each other without a
pause are of one voice, mostly.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources

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

    `rows`: [n, dim], or before they are heard mels [n, frames, channels]; many at once cost less.
    `noise`: what part of the power around is noise, 0 to 1.
    """

    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    pieces: NDArray[np.int64]
    rows: Rows
    noise: NDArray[np.float64]

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
) -> Listened | None:
    """Windows of a piece, to be heard; one where it is shorter than a window, none if much shorter.

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
    count = len(firsts)
    return Listened(starts, ends, np.full(count, number), windows, np.full(count, share))


def listen(parts: Sequence[Listened], voices: VoiceEmbedder) -> Listened:
    """What is heard in all windows of these pieces."""
    together = joined(parts)
    return dataclasses.replace(together, rows=voices.embed(together.rows))


def joined(parts: Sequence[Listened]) -> Listened:
    if not parts:
        nothing = np.empty(0)
        rows = np.empty((0, 256), np.float32)
        return Listened(nothing, nothing, np.empty(0, np.int64), rows, nothing)
    names = [field.name for field in dataclasses.fields(Listened)]
    return Listened(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _noise(mels: Rows) -> NDArray[np.float64]:
    """The power of noise in each band, weighted."""
    sums = np.cumsum(mels, axis=0, dtype=np.float64)
    smooth = (sums[_SMOOTH_FRAMES:] - sums[:-_SMOOTH_FRAMES]) / _SMOOTH_FRAMES
    if not len(smooth):
        return np.zeros(mels.shape[1])
    return np.percentile(smooth, _QUIET_PERCENT, axis=0) * _NOISE_WEIGHT


_FILE = "directions.npz"

# Of neighbours that do not overlap, how near they lie: over the median, for some are of two voices.
_PERCENT = 60
_USUAL, _LEAST_NEIGHBOURS = 0.64, 8  # where there are too few
_MARGIN = 0.14  # windows join in groups while they lie by no more than this farther apart
# Groups are of one voice from this ratio of the nearness between them to that within them.
_SAME = 0.77
# What a few seconds give is a matter of what was said in them: groups that last for less than
# `_LONG_S` are of one voice from less, by up to `_SHORT_BONUS` for one of `_LEAST_S`. Of more than
# a quarter of an hour so are groups of less than `_LONG_SHARE` of it: there are more odd moments.
_SHORT_BONUS, _LONG_S, _LONG_SHARE = 0.1, 8.0, 0.01
_WITHIN, _LEAST_WITHIN = 0.1, 0.05  # from the file's usual nearness, at most; and of all
# Who speaks for less is not told from a slip. Nor are more voices told apart.
_LEAST_S = 3.0
MOST_VOICES, _MOST_IN_BLOCK = 20, 12
_BLOCK = 800  # windows that are compared with each other: about ten minutes of speech


@dataclass(frozen=True, slots=True)
class _VoiceGroup:
    """Windows that may be of one voice, by sums alone."""

    total: NDArray[np.float64]  # of their weighted rows
    count: int
    beside: float  # sum of cosines of windows that follow each other, which overlap
    pairs: int  # of these
    seconds: float

    def __add__(self, other: _VoiceGroup) -> _VoiceGroup:
        return _VoiceGroup(
            self.total + other.total,
            self.count + other.count,
            self.beside + other.beside,
            self.pairs + other.pairs,
            self.seconds + other.seconds,
        )

    def within(self, usual: float) -> float:
        """Mean cosine of its windows with others of it that they do not overlap."""
        others = self.count**2 - self.count - 2 * self.pairs
        mean = usual
        if self.count >= 4 and others > 0:
            mean = (float(self.total @ self.total) - self.count - 2 * self.beside) / others
        return max(min(max(mean, usual - _WITHIN), usual + _WITHIN), _LEAST_WITHIN)


def nearness(heard: Listened) -> float:
    """How near windows of one voice lie in this file: a cosine."""
    one, other = slice(None, -2), slice(2, None)
    are_one = heard.pieces[one] == heard.pieces[other]
    are_one &= heard.starts[other] - heard.starts[one] >= 1.5
    cosines = (heard.rows[one] * heard.rows[other]).sum(axis=1)[are_one]
    return float(np.percentile(cosines, _PERCENT)) if len(cosines) >= _LEAST_NEIGHBOURS else _USUAL


def voices_in(heard: Listened, checkpoint: Callable[[], None] = lambda: None) -> Rows:
    """A unit row for each voice; none where nothing is heard."""
    if not len(heard):
        return heard.rows
    heard = dataclasses.replace(heard, rows=weighted(heard.rows))
    usual = nearness(heard)
    groups: list[_VoiceGroup] = []
    for first in range(0, len(heard), _BLOCK):
        checkpoint()
        block = _groups(heard, slice(first, first + _BLOCK), usual - _MARGIN)
        block.sort(key=lambda group: -group.seconds)
        groups += _lasting(block)[:_MOST_IN_BLOCK]
    groups = _merged(_lasting(groups), usual)
    groups.sort(key=lambda group: -group.seconds)
    return unit(of_network(np.stack([group.total for group in groups[:MOST_VOICES]])))


def unit(rows: NDArray[np.float64] | Rows) -> Rows:
    norms = np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)
    return np.asarray(rows / norms, np.float32)


def _groups(heard: Listened, part: slice, least: float) -> list[_VoiceGroup]:
    rows = heard.rows[part]
    lengths = heard.ends[part] - heard.starts[part]
    found = linked(rows, lengths, least)
    follows = np.append(False, (np.diff(heard.pieces[part]) == 0) & (np.diff(found) == 0))
    cosines = np.append(0.0, (rows[1:] * rows[:-1]).sum(axis=1))
    groups = []
    for number in range(found.max() + 1):
        own = found == number
        pairs = own & follows
        groups.append(
            _VoiceGroup(
                rows[own].sum(axis=0, dtype=np.float64),
                int(own.sum()),
                float(cosines[pairs].sum()),
                int(pairs.sum()),
                float(np.minimum(lengths[own], 0.8).sum()),
            )
        )
    return groups


def _lasting(groups: Sequence[_VoiceGroup]) -> list[_VoiceGroup]:
    longest = max(group.seconds for group in groups)
    return [group for group in groups if group.seconds >= min(_LEAST_S, longest)]


def _merged(groups: Iterable[_VoiceGroup], usual: float) -> list[_VoiceGroup]:
    """Groups until no two of them are of one voice; those that are surest of it join first."""
    left = list(groups)
    long_s = max(_LONG_S, _LONG_SHARE * sum(group.seconds for group in left))
    while len(left) > 1:
        means = np.stack([group.total / group.count for group in left])
        within = np.sqrt([group.within(usual) for group in left])
        ratios = means @ means.T / np.outer(within, within)
        seconds = np.array([group.seconds for group in left])
        shorter = np.minimum(seconds[:, None], seconds)
        ratios += np.interp(shorter, (_LEAST_S, long_s), (_SHORT_BONUS, 0))
        np.fill_diagonal(ratios, -1)
        kept, gone = sorted(divmod(int(ratios.argmax()), len(left)))
        if ratios[kept, gone] < _SAME:
            break
        left[kept] += left.pop(gone)
    return left


def weighted(rows: Rows) -> Rows:
    """Unit rows of the network [n, 256] -> unit rows [n, 356].

    Rows also move with what is said and with noise. Linear discriminant analysis (Fisher, 1936) of
    251 readers, clean and over noise and music, found the 100 directions in which readers differ
    most (`tests/quality/transcripts/fit_directions.py`).

    Cosines of these are the mean of two: of the rows, and of what they are in the directions. By
    both together voices are told apart better than by either.
    """
    middle, directions = _directions()
    found = (rows - middle) @ directions
    found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), np.float32(1e-12))
    return np.hstack([rows, found]) * np.float32(np.sqrt(0.5))


def of_network(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted rows, or sums of them -> those of the network, but for their length."""
    return rows[:, : len(_directions()[0])]


@functools.cache
def _directions() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The mean of all rows [256], and the directions [256, 100]."""
    path = resources.files(__package__) / _FILE
    with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
        return found["middle"].astype(np.float32), found["directions"].astype(np.float32)


def linked(
    rows: NDArray[np.float32], weights: NDArray[np.float64], least: float
) -> NDArray[np.int64]:
    """A number for the cluster of each row: clusters join while their mean cosine is `least`.

    Of two clusters that is the mean over all pairs between them, each counted by its `weights`.
    Takes time and memory of the square of the rows.
    """
    count = len(rows)
    sums = rows.astype(np.float64) * weights[:, None]
    masses = weights.astype(np.float64).copy()
    means = (sums @ sums.T) / np.outer(masses, masses)
    np.fill_diagonal(means, -np.inf)
    best = means.argmax(axis=1)
    found = np.arange(count)
    for _ in range(count - 1):
        values = means[np.arange(count), best]
        one = int(values.argmax())
        if values[one] < least:
            break
        kept, gone = sorted((one, int(best[one])))
        mass = masses[kept] + masses[gone]
        merged = (masses[kept] * means[kept] + masses[gone] * means[gone]) / mass
        merged[[kept, gone]] = -np.inf
        means[kept], means[:, kept] = merged, merged
        means[gone], means[:, gone] = -np.inf, -np.inf
        masses[kept] = mass
        found[found == gone] = kept
        _renew(means, best, kept, gone)
    return np.unique(found, return_inverse=True)[1].astype(np.int64)


def _renew(means: NDArray[np.float64], best: NDArray[np.int64], kept: int, gone: int) -> None:
    """The best partner of each row again, where it may be another one."""
    stale = np.flatnonzero((best == kept) | (best == gone))
    best[stale] = means[stale].argmax(axis=1)
    better = means[:, kept] > means[np.arange(len(best)), best]
    best[better] = kept
    best[kept] = means[kept].argmax()
