"""How well speakers are told apart: diarization error, and whether there are as many as speak.

    python -m tests.quality.transcripts.measure_speakers [--seeds N] [FOLDER]

Conversations of 90 s of two to four voices, with turns of 1 s to 20 s and pauses of up to 0.8 s:
clean, over pink noise 10 and 5 dB below speech, over music 10 dB below it. The voices are flite's,
and those of FOLDER where there is one: a folder for each voice, with recordings in it. Words lie
where speech is, as loose as a speech model's times. Prints the error without a collar and with
0.25 s of it, and CPU seconds for an hour of speech. Needs the network once.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from shared.cache.transcripts import Segment
from tests.quality.transcripts import paraphrases
from tests.quality.transcripts.conversations import (
    Conversation,
    Pcm,
    conversation,
    diarization_error,
)
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


def tell(talk: Conversation, clean: Pcm) -> Told:
    """The worker's way, but for reading the file."""
    segment = Segment(start=0, end=len(clean) / RATE, text="", words=talk.words)
    model = voice_model()
    began = time.process_time()
    diarizer = Diarizer([segment], model)
    for first in range(0, len(talk.pcm), 10 * RATE):
        diarizer.hear(None, talk.pcm[first : first + 10 * RATE])
    speakers, turns = diarizer.finish()
    spent = time.process_time() - began
    said = [(turn.start, turn.end, str(turn.speaker)) for turn in turns]
    return Told(
        error=diarization_error(talk, clean, said, 0),
        error_with_collar=diarization_error(talk, clean, said, _COLLAR_S),
        voices=len(talk.voices),
        found=len(speakers),
        speech_s=sum(word.end - word.start for word in talk.words),
        cpu_s=spent,
    )


def measure(voices: Mapping[str, Pcm], seeds: range, seconds: float = 90) -> dict[str, list[Told]]:
    """By what they speak over: what was found in a conversation of each seed."""
    found: dict[str, list[Told]] = defaultdict(list)
    for seed in seeds:
        count = min(2 + seed % 3, len(voices))
        chosen = np.random.default_rng(1000 + seed).permutation(sorted(voices))[:count]
        talk = conversation(
            {str(name): voices[str(name)] for name in chosen}, seed, seconds=seconds
        )
        for name, decibels in OVER.items():
            over = talk.over(name.partition(" ")[0], decibels) if decibels else talk
            found[name].append(tell(over, talk.pcm))
    return found


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
    asked = parser.parse_args()
    report("flite", measure(flite_voices(), range(100, 100 + asked.seeds)))
    if asked.folder:
        recorded = recorded_voices(asked.folder)
        report("recorded", measure(recorded, range(200, 200 + asked.seeds)))
        report("all", measure({**flite_voices(), **recorded}, range(300, 300 + asked.seeds)))
