"""Voices of files as a worker publishes them, in the Collection of a PeopleDesk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shared.cache.cache_dir import CacheDir
from shared.cache.speakers import Speaker, SpeakerTurn, SpeakerTurns
from shared.people.clustering import VoiceGrouping
from shared.people.collection import Collection
from tests.support.people.people_desk import NAME, PeopleDesk
from tests.support.search.transcribed import publish, publish_speakers, spoken

MODEL = "resemblyzer"
ROW = (0.6, 0.8)


@dataclass(frozen=True)
class Talk:
    """Somebody in a file: the speaker's id, in which cluster, and turns (start, end, words)."""

    id: int
    cluster: int
    turns: Sequence[tuple[float, float, str]]

    @property
    def seconds(self) -> float:
        return sum(end - start for start, end, _ in self.turns)


def publish_talks(cache: CacheDir, hash_str: str, talks: Sequence[Talk]) -> str:
    """Transcript and speakers of a file; the name of the speakers artefact."""
    turns = sorted((*turn, n) for n, talk in enumerate(talks) for turn in talk.turns)
    publish(cache, hash_str, tuple(spoken(start, words, end) for start, end, words, _ in turns))
    told = SpeakerTurns(
        model=MODEL,
        speakers=tuple(Speaker(talk.seconds, ROW, talk.id) for talk in talks),
        turns=tuple(SpeakerTurn(start, end, n) for start, end, _, n in turns),
    )
    return publish_speakers(cache, hash_str, told).file


def grouping_of(files: Mapping[str, tuple[str, Sequence[Talk]]], number: int = 1) -> VoiceGrouping:
    """Voices as a worker groups them; `files`: hash_str -> (speakers artefact, who speaks)."""
    media = tuple(sorted(files))
    voices = [
        (n, place, talk)
        for n, hash_str in enumerate(media)
        for place, talk in sorted(enumerate(files[hash_str][1]), key=lambda one: one[1].id)
    ]
    longest = [max(talk.turns, key=lambda turn: turn[1] - turn[0]) for *_, talk in voices]
    return VoiceGrouping(
        number=number,
        model=MODEL,
        made_at=1_700_000_000.5,
        media=media,
        media_files=tuple(files[hash_str][0] for hash_str in media),
        media_of=np.array([n for n, *_ in voices], np.int32),
        ids=np.array([talk.id for *_, talk in voices], np.uint32),
        numbers=np.array([place for _, place, _ in voices], np.int32),
        rows=np.tile(np.array(ROW, np.float16), (len(voices), 1)),
        seconds=np.array([talk.seconds for *_, talk in voices], np.float32),
        excerpts=np.array(
            [(start, min(end, start + 10)) for start, end, _ in longest], np.float32
        ).reshape(-1, 2),
        labels=np.array([talk.cluster for *_, talk in voices], np.int32),
        is_there=np.ones(len(voices), np.bool_),
    )


def add_voices(
    cache: CacheDir, name: str, files: Mapping[str, Sequence[Talk]], number: int = 1
) -> None:
    """Publish who speaks in these files (by hash_str), and group the voices in a Collection."""
    told = {
        hash_str: (publish_talks(cache, hash_str, talks), talks)
        for hash_str, talks in files.items()
    }
    collection = Collection.open(cache.root, name, create=True)
    assert collection.voice_files.publish(grouping_of(told, number))


def give_voices(people: PeopleDesk, files: Mapping[str, Sequence[Talk]]) -> None:
    """The same for files of a desk, by their names."""
    add_voices(people.cache, NAME, {people.hash_of(name): talks for name, talks in files.items()})


def voice(people: PeopleDesk, name: str, id_: int) -> str:
    return f"{people.hash_of(name)}-voice-{id_:08x}"


def with_voices(people: PeopleDesk) -> list[tuple[int, str | None, int, int | None]]:
    """(id, name, faces, voices) of each cluster."""
    return [
        (int(c["cluster_id"]), c["name"], c["face_count"], c.get("voice_count"))
        for c in people.job(voices="true")["clusters"]
    ]


def proposals(people: PeopleDesk, **more: Any) -> list[dict[str, Any]]:
    answer = people.client.http.get("/faces/proposals", params={**people.body, **more})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["proposals"])
