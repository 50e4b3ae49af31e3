"""How well speakers are told apart: diarization error, and whether there are as many as speak.

    python -m tests.quality.transcripts.measure_speakers [--seeds N] [--heard] [FOLDER]

Conversations of 90 s of two to four voices, with turns of 1 s to 20 s and pauses of up to 0.8 s:
clean, over pink noise 10 and 5 dB below speech, over music 10 dB below it. The voices are flite's,
and those of FOLDER where there is one: a folder for each voice, with recordings in it. Words lie
where speech is, as loose as a speech model's times; with --heard they are Whisper's. Prints the
error without a collar and with 0.25 s of it, and CPU seconds for an hour of speech; then, where two
speak at once for a part of the time, which words are marked as doubtful. Needs the network once.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from shared.cache.speakers import SpeakerTurn
from shared.cache.transcripts import Segment, Word
from tests.quality.transcripts import paraphrases
from tests.quality.transcripts.conversations import (
    Conversation,
    Pcm,
    conversation,
    diarization_error,
)
from tests.quality.transcripts.speech_material import hear
from tests.support.lite_models import voice_model
from tests.support.media.speech import RATE
from tests.support.media.voices import FLITE, uttered
from workers.analysis.speakers.diarizing import Diarizer

OVER = {"clean": 0.0, "noise 10 dB": 10.0, "noise 5 dB": 5.0, "music 10 dB": 10.0}
_COLLAR_S = 0.25
_SENTENCES = 30
_LONGEST_S = 240


@dataclass(frozen=True, slots=True)
class Told:
    """What was found in a conversation; errors are shares of its speech."""

    error: float
    error_with_collar: float
    voices: int
    found: int
    speech_s: float
    cpu_s: float


def flite_voices() -> dict[str, Pcm]:
    texts = [text for file in paraphrases.read().files for text in file]
    return {
        f"flite {voice}": np.concatenate([uttered(text, voice) for text in own])
        for n, voice in enumerate(FLITE)
        if (own := texts[n * _SENTENCES : (n + 1) * _SENTENCES])
    }


def recorded_voices(folder: Path) -> dict[str, Pcm]:
    """A voice for each folder: all of its recordings, one after the other."""
    return {
        place.name: np.concatenate([decoded(path) for path in sorted(place.iterdir())])[
            : _LONGEST_S * RATE
        ]
        for place in sorted(folder.iterdir())
        if place.is_dir()
    }


def turns_of(talk: Conversation, words: Sequence[Word] = ()) -> tuple[SpeakerTurn, ...]:
    """The worker's way, but for reading the file."""
    words = words or talk.words
    segment = Segment(start=0, end=len(talk.pcm) / RATE, text="", words=tuple(words))
    diarizer = Diarizer([segment], voice_model())
    for first in range(0, len(talk.pcm), 10 * RATE):
        diarizer.hear(None, talk.pcm[first : first + 10 * RATE])
    return diarizer.finish()[1]


def tell(talk: Conversation, clean: Pcm, words: Sequence[Word] = ()) -> Told:
    """What is found by these words, or by those of the conversation."""
    voice_model()
    began = time.process_time()
    turns = turns_of(talk, words)
    spent = time.process_time() - began
    said = [(turn.start, turn.end, str(turn.speaker)) for turn in turns]
    return Told(
        error=diarization_error(talk, clean, said, 0),
        error_with_collar=diarization_error(talk, clean, said, _COLLAR_S),
        voices=len(talk.voices),
        found=len({turn.speaker for turn in turns}),
        speech_s=sum(word.end - word.start for word in talk.words),
        cpu_s=spent,
    )


def chosen(voices: Mapping[str, Pcm], seed: int) -> dict[str, Pcm]:
    count = min(2 + seed % 3, len(voices))
    names = np.random.default_rng(1000 + seed).permutation(sorted(voices))[:count]
    return {str(name): voices[str(name)] for name in names}


def measure(
    voices: Mapping[str, Pcm], seeds: range, *, seconds: float = 90, is_heard: bool = False
) -> dict[str, list[Told]]:
    """By what they speak over: what was found in a conversation of each seed."""
    found: dict[str, list[Told]] = defaultdict(list)
    for seed in seeds:
        talk = conversation(chosen(voices, seed), seed, seconds=seconds)
        for name, decibels in OVER.items():
            over = talk.over(name.partition(" ")[0], decibels) if decibels else talk
            words = hear(over.pcm).words if is_heard else ()
            found[name].append(tell(over, talk.pcm, words))
    return found


@dataclass(frozen=True, slots=True)
class Doubted:
    """Of words at which two speak at once, and of the others: how many, and how many are marked."""

    at_once: int
    at_once_marked: int
    others: int
    others_marked: int


def doubted(voices: Mapping[str, Pcm], seeds: range, over: str = "clean") -> Doubted:
    """In conversations in which most turns begin before the last one has ended."""
    counts = np.zeros((2, 2), int)
    for seed in seeds:
        talk = conversation(chosen(voices, seed), seed, seconds=90, together=0.9)
        heard = talk.over(over.partition(" ")[0], OVER[over]) if OVER[over] else talk
        turns = turns_of(heard)
        for word in talk.words:
            middle = (word.start + word.end) / 2
            speaking = sum(turn.start <= middle < turn.end for turn in talk.turns)
            marked = any(turn.doubtful for turn in turns if turn.start <= middle < turn.end)
            counts[int(speaking > 1), int(marked)] += 1
    (plain, marked), (missed, found) = counts.tolist()
    return Doubted(missed + found, found, plain + marked, marked)


def report(title: str, found: Mapping[str, list[Told]]) -> None:
    for over, told in found.items():
        errors = np.array([(one.error, one.error_with_collar) for one in told])
        right = np.mean([one.found == one.voices for one in told])
        cpu = sum(one.cpu_s for one in told) / sum(one.speech_s for one in told) * 3600
        print(
            f"{title:12} {over:12} {len(told):3} conversations  error {errors[:, 0].mean():.3f}, "
            f"with collar {errors[:, 1].mean():.3f} (worst {errors[:, 1].max():.3f})  "
            f"as many as speak {right:.0%} {[one.found - one.voices for one in told]}  "
            f"{cpu:.0f} CPU s an hour",
            flush=True,
        )


def decoded(path: Path) -> Pcm:
    with av.open(str(path)) as file:
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE)
        frames = [part for frame in file.decode(audio=0) for part in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--heard", action="store_true")
    asked = parser.parse_args()
    sets = [("flite", flite_voices(), 100)]
    if asked.folder:
        recorded = recorded_voices(asked.folder)
        sets += [("recorded", recorded, 200), ("all", {**flite_voices(), **recorded}, 300)]
    for title, voices, first in sets:
        seeds = range(first, first + asked.seeds)
        report(title, measure(voices, seeds, is_heard=asked.heard))
        for over in list(OVER)[:2]:
            print(f"{title:12} {over:12} {doubted(voices, seeds, over)}", flush=True)
