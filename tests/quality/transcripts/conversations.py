"""Conversations of which is known who speaks when: turns of known voices, joined by chance."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.cache.transcripts import Word
from tests.quality.transcripts.speech_material import band, pink_noise
from tests.support.media.speech import RATE

Pcm = NDArray[np.float32]
_STEP = RATE // 100
_LEVEL = 0.06  # of speech, its effective value
_LOOSE_S = 0.06  # a speech model's times of words are off by this, mostly
_WORD_S = 0.32


@dataclass(frozen=True, slots=True)
class Turn:
    start: float
    end: float
    voice: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """Sound, who speaks when in it, and where a speech model would find words."""

    pcm: Pcm
    turns: tuple[Turn, ...]
    words: tuple[Word, ...]

    @property
    def voices(self) -> set[str]:
        return {turn.voice for turn in self.turns}

    def over(self, what: str, decibels: float) -> Conversation:
        """The same over "noise" or "music", this much louder than it."""
        sound = (band if what == "music" else pink_noise)(30)
        sound = np.resize(sound, len(self.pcm)) / sound.std()
        mixed = self.pcm + sound * _LEVEL / 10 ** (decibels / 20)
        return Conversation(mixed.astype(np.float32), self.turns, self.words)


def conversation(
    voices: Mapping[str, Pcm],
    seed: int,
    *,
    seconds: float = 120,
    longest_s: float = 20,
    together: float = 0,
) -> Conversation:
    """Turns of 1 s to `longest_s`, each length as likely as twice it, pauses of up to 0.8 s.

    `together`: the part of the turns that begin up to 2 s before the last one has ended.
    """
    random = np.random.default_rng(seed)
    names = sorted(voices)
    loudness = {name: 10 ** (random.uniform(-3, 3) / 20) for name in names}
    pcm = np.zeros(0, np.float32)
    turns: list[Turn] = []
    at, last = 0.0, ""
    while at < seconds or {turn.voice for turn in turns} != set(names):
        name = str(random.choice([other for other in names if other != last or len(names) == 1]))
        length = float(np.exp(random.uniform(0, np.log(longest_s))))
        said = _part(voices[name], length, random) * loudness[name]
        pause = round(random.uniform(0, 0.8) * RATE)
        first = round(at * RATE)
        if together and random.random() < together:
            earlier = turns[-1].start if turns else at
            first -= round(min(random.uniform(0.5, 2), (at - earlier) / 2, length / 2) * RATE)
        end = first + len(said)
        pcm = np.pad(pcm, (0, max(end + pause - len(pcm), 0)))
        pcm[first:end] += said
        turns.append(Turn(first / RATE, end / RATE, name))
        at, last = (end + pause) / RATE, name
    hiss = random.normal(size=len(pcm)) * _LEVEL / 1000
    return Conversation((pcm + hiss).astype(np.float32), tuple(turns), _words(pcm, turns, random))


def monologue(voice: str, pcm: Pcm, seed: int) -> Conversation:
    """All of a voice's sound, at the usual level."""
    random = np.random.default_rng(seed)
    said = pcm * np.float32(_LEVEL / max(np.sqrt(np.mean(pcm**2)), 1e-6))
    turns = (Turn(0, len(said) / RATE, voice),)
    hiss = random.normal(size=len(said)) * _LEVEL / 1000
    return Conversation((said + hiss).astype(np.float32), turns, _words(said, turns, random))


def _part(voice: Pcm, seconds: float, random: np.random.Generator) -> Pcm:
    """About `seconds` of a voice, from a quiet place to a quiet place, at the usual level."""
    loud = _loudness(voice)
    length = min(round(seconds * 100), len(loud) - 60)
    first = int(random.integers(0, len(loud) - length - 30))
    first += int(np.argmin(loud[first : first + 30]))
    end = first + length
    end += int(np.argmin(loud[end - 15 : end + 15])) - 15
    part = voice[first * _STEP : end * _STEP].copy()
    fade = np.linspace(0, 1, _STEP, dtype=np.float32)
    part[:_STEP] *= fade
    part[-_STEP:] *= fade[::-1]
    return part * np.float32(_LEVEL / max(np.sqrt(np.mean(voice**2)), 1e-6))


def _loudness(pcm: Pcm) -> Pcm:
    frames = pcm[: len(pcm) // _STEP * _STEP].reshape(-1, _STEP)
    smooth = np.convolve(np.sqrt((frames**2).mean(axis=1)), np.ones(3) / 3, mode="same")
    return smooth.astype(np.float32)


def is_spoken(pcm: Pcm) -> NDArray[np.bool_]:
    """For each 10 ms of clean sound, whether somebody speaks: pauses under 0.2 s count."""
    loud = _loudness(pcm) > _LEVEL * 0.06
    edges = np.flatnonzero(np.diff(np.concatenate(([1], loud.astype(np.int8), [1]))))
    for first, end in edges.reshape(-1, 2):
        if first > 0 and end < len(loud) and end - first < 20:
            loud[first:end] = True
    return loud


def _words(pcm: Pcm, turns: Sequence[Turn], random: np.random.Generator) -> tuple[Word, ...]:
    """Pieces of a word's length of all that is spoken, with times as loose as a model's."""
    spoken = is_spoken(pcm)
    found: list[Word] = []
    for turn in turns:
        first, last = round(turn.start * 100), round(turn.end * 100)
        part = np.concatenate(([0], spoken[first:last].astype(np.int8), [0]))
        for begin, end in np.flatnonzero(np.diff(part)).reshape(-1, 2):
            count = max(1, round((end - begin) / 100 / _WORD_S))
            times = np.linspace(first + begin, first + end, count + 1) / 100
            times += random.uniform(-_LOOSE_S, _LOOSE_S, len(times))
            times = np.maximum.accumulate(np.maximum(times, found[-1].end if found else 0))
            found += [
                Word(float(a), float(b), "word", 0.9) for a, b in itertools.pairwise(times) if b > a
            ]
    return tuple(found)


def diarization_error(
    talk: Conversation, clean: Pcm, said: Sequence[tuple[float, float, str]], collar_s: float
) -> float:
    """Share of speech that is missed, or given to the wrong voice, by the best naming.

    `said`: spans with who was found. What lies within `collar_s` of the begin or end of a turn
    does not count.
    """
    count = len(clean) // _STEP
    truth = np.full(count, -1)
    names = sorted(talk.voices)
    for turn in talk.turns:
        truth[round(turn.start * 100) : round(turn.end * 100)] = names.index(turn.voice)
    truth[~is_spoken(clean)[:count]] = -1
    for turn in talk.turns:
        for edge in (turn.start, turn.end):
            first = max(0, round((edge - collar_s) * 100))
            truth[first : round((edge + collar_s) * 100)] = -1
    found = np.full(count, -1)
    labels = sorted({who for _, _, who in said})
    for start, end, who in said:
        found[round(start * 100) : round(end * 100)] = labels.index(who)
    table = np.zeros((len(names), max(len(labels), 1)))
    both = (truth >= 0) & (found >= 0)
    np.add.at(table, (truth[both], found[both]), 1)
    return 1 - _best(table) / max(int((truth >= 0).sum()), 1)


def _best(table: NDArray[np.float64]) -> float:
    """The most that a pairing of rows and columns holds."""
    if not table.size:
        return 0.0
    rest = [_best(np.delete(table[1:], column, axis=1)) for column in range(table.shape[1])]
    with_first = max(value + held for value, held in zip(table[0], rest, strict=True))
    return max(with_first, _best(table[1:])) if len(table) > table.shape[1] else with_first
