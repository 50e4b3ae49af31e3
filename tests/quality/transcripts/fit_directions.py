"""Makes the directions in which voices differ (`workers/analysis/speakers/directions.npz`) anew.

    python -m tests.quality.transcripts.fit_directions FOLDER FILE

FOLDER: a folder for each of some hundred voices, with recordings in it; a quarter of a minute each
is enough. What is committed was made of the 251 readers of LibriSpeech's train-clean-100 (CC BY
4.0, V. Panayotov and others) of whom Resemblyzer's repository has a recording each. Each is
heard clean, over pink noise 10 and 5 dB below speech and over music 10 and 5 dB below it, and all
that varies within one voice counts against a direction. Needs the network once.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.cache.transcripts import Segment
from tests.quality.transcripts.conversations import Conversation, monologue
from tests.quality.transcripts.measure_speakers import recorded_voices
from tests.support.lite_models import voice_model
from tests.support.media.speech import RATE
from workers.analysis.speakers.diarizing import Diarizer

_OVER = (("noise", 10.0), ("noise", 5.0), ("music", 10.0), ("music", 5.0))
_COUNT = 100  # of directions: 64, 128 and 160 told a few less of the fitted conversations apart
_LEAST_S = 1.2  # shorter windows are filled with their own repetition
# Of the mean variance within voices, added to it in each direction: some have hardly any by chance.
_SHRINKAGE = 0.1

Matrix = NDArray[np.float64]


def heard_in(talk: Conversation) -> Matrix:
    """A row of the network for each window."""
    segment = Segment(start=0, end=len(talk.pcm) / RATE, text="", words=talk.words)
    diarizer = Diarizer([segment], voice_model())
    diarizer.hear(None, talk.pcm)
    diarizer.finish()
    heard = diarizer.heard
    return heard.rows[heard.ends - heard.starts > _LEAST_S].astype(np.float64)


def directions(voices: list[Matrix]) -> tuple[Matrix, Matrix]:
    """Of rows by voice: their mean, and the directions that tell voices apart best."""
    everything = np.concatenate(voices)
    middle = everything.mean(axis=0)
    means = np.stack([rows.mean(axis=0) for rows in voices])
    apart = np.concatenate([rows - mean for rows, mean in zip(voices, means, strict=True)])
    within = apart.T @ apart / len(everything)
    within += _SHRINKAGE * np.trace(within) / len(within) * np.eye(len(within))
    between = (means - middle).T @ (means - middle) / len(means)
    white = np.linalg.inv(np.linalg.cholesky(within))
    _, found = np.linalg.eigh(white @ between @ white.T)
    return middle, white.T @ found[:, ::-1][:, :_COUNT]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("file", type=Path)
    asked = parser.parse_args()
    voices = []
    for seed, (name, pcm) in enumerate(recorded_voices(asked.folder).items()):
        clean = monologue(name, pcm, seed)
        talks = [clean, *(clean.over(*over) for over in _OVER)]
        rows = np.concatenate([heard_in(talk) for talk in talks])
        if len(rows):
            voices.append(rows)
        else:
            print(f"{name} is left out: too little is said.")
    middle, found = directions(voices)
    np.savez_compressed(
        asked.file, middle=middle.astype(np.float32), directions=found.astype(np.float16)
    )
    print(f"{asked.file}: {found.shape[1]} directions by {len(voices)} voices")
