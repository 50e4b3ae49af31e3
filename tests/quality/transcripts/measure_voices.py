"""How safely voices of many files are told to be one person's, and how many are.

    python -m tests.quality.transcripts.measure_voices [FOLDER]

Each file is of one voice, 12 s or more: flite's, and those of FOLDER where there is one, a folder
for each voice with recordings in it. Clean, over pink noise 10 and 5 dB below speech, over music
10 dB below it, and all of them together, the files come in five orders by chance. Prints how many
joined somebody else, and of those whose person was there how many joined that one. Needs the
network once.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.cache.transcripts import Segment
from shared.people.clustering import Clustering, VoiceGrouping
from shared.people.enrolment import NOBODY
from shared.people.state import PeopleState
from tests.quality.transcripts.conversations import Conversation, Pcm, monologue
from tests.quality.transcripts.measure_speakers import OVER, flite_voices, recorded_voices
from tests.support.lite_models import voice_model
from tests.support.media.speech import RATE
from workers.analysis.speakers.diarizing import Diarizer
from workers.recluster.voice_upkeep import FileVoices, HeardVoice, regrouped

_ORDERS = range(5)
_LEAST_S = 12


@dataclass(frozen=True, slots=True)
class HeardFile:
    """What is heard in a file of one voice: the speaker who has most of it."""

    voice: str
    over: str
    seconds: float
    row: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Joined:
    """Files that joined a wrong person, the right one, and that could have joined the right one."""

    wrong: int
    right: int
    known: int


def heard_in(voice: str, pcm: Pcm, overs: Iterable[str], seed: int) -> Iterator[HeardFile]:
    talk = monologue(voice, pcm, seed)
    for over in overs:
        mixed = talk.over(over.partition(" ")[0], OVER[over]) if OVER[over] else talk
        if speakers := _told(mixed):
            seconds, row = max(speakers)
            yield HeardFile(voice, over, seconds, row)


def _told(talk: Conversation) -> list[tuple[float, tuple[float, ...]]]:
    segment = Segment(start=0, end=len(talk.pcm) / RATE, text="", words=talk.words)
    diarizer = Diarizer([segment], voice_model())
    for first in range(0, len(talk.pcm), 10 * RATE):
        diarizer.hear(None, talk.pcm[first : first + 10 * RATE])
    return [(speaker.seconds, speaker.row) for speaker in diarizer.finish()[0]]


def joined(files: Sequence[HeardFile], order: int) -> Joined:
    """What becomes of them when they come one after another."""
    wrong = right = known = 0
    person: dict[int, str] = {}
    grouping = VoiceGrouping.empty()
    for number in np.random.default_rng(order).permutation(len(files)).tolist():
        file = files[number]
        one = HeardVoice(1, 0, file.row, file.seconds, (0.0, 1.0))
        state = PeopleState.of(Clustering.empty(), (), NOBODY, grouping)
        found = FileVoices(f"{number:016x}", "speakers.json", [one])
        grouping = regrouped(state, [found])
        label = int(grouping.labels[grouping.media.index(found.hash_str)])
        known += file.voice in person.values()
        right += person.get(label) == file.voice
        wrong += person.setdefault(label, file.voice) != file.voice
    return Joined(wrong, right, known)


def report(files: Sequence[HeardFile]) -> None:
    for over in (*OVER, "all of them"):
        chosen = [file for file in files if over in (file.over, "all of them")]
        found = [joined(chosen, order) for order in _ORDERS]
        wrong, right, known = (
            sum(getattr(one, name) for one in found) for name in ("wrong", "right", "known")
        )
        people = len({file.voice for file in chosen})
        print(
            f"{over:12} {len(chosen):4} files of {people:3} people, in {len(found)} orders: "
            f"{wrong} joined somebody else, {right} of {known} their own ({right / known:.0%})",
            flush=True,
        )


def _parts(pcm: Pcm) -> list[Pcm]:
    return np.array_split(pcm, max(1, len(pcm) // (_LEAST_S * RATE)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path)
    asked = parser.parse_args()
    voices = flite_voices() | (recorded_voices(asked.folder) if asked.folder else {})
    report(
        [
            file
            for voice, pcm in voices.items()
            for seed, part in enumerate(_parts(pcm))
            for file in heard_in(voice, part, OVER, seed)
        ]
    )
