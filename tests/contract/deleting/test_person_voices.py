"""With a person go the voices: their rows, their places in groupings, and what users said."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
import pytest

from api.deleting.person_routes import PersonDeletion, delete_person, named
from api.people.people import People
from shared.cache import speakers
from shared.cache.cache_dir import CacheDir
from shared.cache.speakers import Speaker, SpeakerTurn, SpeakerTurns
from shared.domain import Stage
from shared.people.clustering import VoiceGrouping
from shared.people.collection import Collection
from shared.people.edits import ClusterMerge, ClusterNaming, FaceMove, Modify, Names
from shared.people.enrolment import References
from tests.support.people.deleted_person import UNSEEN, delete, everything_in, snapshot_of
from tests.support.people.people_desk import ADA, NAME, PeopleDesk
from workers.recluster.voice_upkeep import group_voices

MODEL = "tones"
HEARD = "Cyd Unüberhörbar"  # who is nowhere seen
REST = (0.0,) * 253
MINE, OTHERS = (0.59375, 0.804688, 0.0, *REST), (0.0, 0.601562, 0.798828, *REST)
# The same voice by the words of another model.
ELSEWHERE = (0.59375, 0.796875, 0.015625, *REST)
TURNS = (SpeakerTurn(0, 40, 0), SpeakerTurn(41, 90, 1))


@dataclass
class Heard:
    """Two voices in each of two files; `mine` and `others` are their clusters."""

    people: PeopleDesk
    mine: int
    others: int

    @property
    def collection(self) -> Collection:
        return Collection.open(self.people.cache.root, NAME, create=False)

    def rows(self, name: str) -> list[tuple[float, ...]]:
        cache, hash_str = self.people.cache, self.people.hash_of(name)
        manifest = cache.manifest(hash_str, Stage.SPEAKERS, MODEL)
        assert manifest is not None
        found = speakers.read(cache, hash_str, manifest)
        assert found.turns == TURNS, "when somebody speaks stays with the transcript"
        return [speaker.row for speaker in found.speakers]

    def all_bytes(self) -> bytes:
        return everything_in(self.people.cache.root.path)


def traces(row: tuple[float, ...]) -> tuple[bytes, bytes]:
    """A row as speakers artefacts and as groupings have it."""
    return json.dumps(row[1]).encode(), np.array(row, np.float16).tobytes()


def publish(
    cache: CacheDir,
    hash_str: str,
    *told: Speaker,
    turns: tuple[SpeakerTurn, ...] = TURNS,
    model: str = MODEL,
    made_at: float = 1234.5,
) -> None:
    found = SpeakerTurns(model="resemblyzer", speakers=told, turns=turns)
    with cache.draft(hash_str, Stage.SPEAKERS, model, "json", "w") as draft:
        draft.file.write(msgspec.json.encode(found))
        draft.publish(rows=len(told), task_id="t", worker="w", made_at=made_at, audio_streams="mix")


@pytest.fixture
def heard(people: PeopleDesk) -> Heard:
    cache = people.cache
    for name in people.media:
        publish(cache, people.hash_of(name), Speaker(40.0, MINE, 11), Speaker(49.0, OTHERS, 12))
    collection = Collection.open(cache.root, NAME, create=False)
    group_voices(cache, collection, map(people.hash_of, people.media), lambda: None)
    labels = collection.voices().labels.tolist()
    assert labels == labels[:2] * 2
    return Heard(people, *labels[:2])


def test_with_a_person_who_is_seen_and_heard_go_faces_and_voices(heard: Heard) -> None:
    heard.collection.append(Modify(merges=(ClusterMerge((heard.mine,), ADA),)))
    assert all(part in heard.all_bytes() for part in traces(MINE))
    planned = delete(heard.people, name=UNSEEN)
    assert (planned["faces"], planned["voices"]) == (4, 2)
    assert "4 faces in 2 files, 2 voices in 2 files" in planned["message"]
    assert heard.rows("a.mp4") == [MINE, OTHERS]
    delete(heard.people, name=UNSEEN, dry_run=False)
    after = heard.all_bytes()
    assert [part for part in traces(MINE) if part in after] == []
    assert all(part in after for part in traces(OTHERS))
    assert UNSEEN.encode() not in after
    assert [heard.rows(name) for name in ("a.mp4", "b.mp4")] == [[(), OTHERS]] * 2
    manifest = heard.people.cache.manifest(heard.people.hash_of("a.mp4"), Stage.SPEAKERS, MODEL)
    assert manifest is not None
    assert (manifest.made_at, manifest.audio_streams) == (1234.5, "mix")
    left = heard.collection.voices()
    assert (left.ids.tolist(), set(left.labels.tolist())) == ([12, 12], {heard.others})
    again = map(heard.people.hash_of, heard.people.media)
    group_voices(heard.people.cache, heard.collection, again, lambda: None)
    assert heard.collection.voices().ids.tolist() == [12, 12], "nothing brings them back"


def test_who_is_only_heard_is_deleted_by_name(heard: Heard) -> None:
    heard.collection.append(Names((ClusterNaming(heard.mine, HEARD),)))
    said = delete(heard.people, name=HEARD, dry_run=False)
    assert (said["faces"], said["files"], said["voices"]) == (0, 0, 2)
    after = heard.all_bytes()
    assert [part for part in (*traces(MINE), HEARD.encode()) if part in after] == []
    assert "voices" not in delete(heard.people, name=UNSEEN), "answers for faces are as before"


def test_moves_of_the_voices_are_forgotten_and_those_of_others_stay(heard: Heard) -> None:
    grouped = heard.collection.voices()
    both = tuple(grouped.voice_id(voice) for voice in range(4))
    heard.collection.append(Names((ClusterNaming(heard.mine, HEARD),)))
    heard.collection.append(Modify(moves=(FaceMove((), 77, is_new=True, voice_ids=both[1:2]),)))
    heard.collection.append(
        Modify(moves=(FaceMove((), heard.mine, voice_ids=both[:2]),), apart=((ADA, 77),))
    )
    delete(heard.people, name=HEARD, dry_run=False)
    said: list[Any] = [edit.what for edit in heard.collection.edits()]
    assert said[-3:] == [Names(()), Modify(), Modify(apart=((ADA, 77),))]
    assert heard.collection.voices().ids.tolist() == [12], "one was moved to the person"


def test_a_deletion_killed_before_the_groupings_is_finished_by_asking_again(
    heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard.collection.append(Names((ClusterNaming(heard.mine, HEARD),)))
    cache = heard.people.cache
    found = named([snapshot_of(heard.people)], HEARD, References(cache.root))
    deletion = PersonDeletion.of(found, HEARD)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Collection, "rewrite", killed)
    with pytest.raises(KeyboardInterrupt):
        delete_person(cache, deletion, lambda: People().all(cache), bool, lambda: None)
    monkeypatch.undo()
    assert traces(MINE)[1] in heard.all_bytes()
    delete(heard.people, name=HEARD, dry_run=False)
    after = heard.all_bytes()
    assert [part for part in (*traces(MINE), HEARD.encode()) if part in after] == []


def test_speakers_that_cannot_be_read_go_as_a_whole(heard: Heard) -> None:
    cache, hash_str = heard.people.cache, heard.people.hash_of("b.mp4")
    manifest = cache.manifest(hash_str, Stage.SPEAKERS, MODEL)
    assert manifest is not None
    cache.data_path(hash_str, manifest).path.write_bytes(b'{"model": "r", "speakers": 7')
    heard.collection.append(Names((ClusterNaming(heard.mine, HEARD),)))
    said = delete(heard.people, name=HEARD, dry_run=False)
    assert said["damaged"] == 1
    assert cache.manifest(hash_str, Stage.SPEAKERS, MODEL) is None
    assert heard.rows("a.mp4") == [(), OTHERS]


def test_the_same_voice_goes_by_the_words_of_other_models_whatever_its_id(heard: Heard) -> None:
    cache, hash_str = heard.people.cache, heard.people.hash_of("a.mp4")
    turns = (SpeakerTurn(0.4, 35, 1), SpeakerTurn(36, 39, 2), SpeakerTurn(39.5, 90, 0))
    told = (Speaker(50.0, OTHERS, 21), Speaker(35.0, ELSEWHERE, 22), Speaker(3.0, ELSEWHERE, 12))
    publish(cache, hash_str, *told, turns=turns, model="other", made_at=1000.0)
    heard.collection.append(Names((ClusterNaming(heard.mine, HEARD),)))
    late = Collection.open(cache.root, "Of the other model", create=True)
    of_other = cache.manifest(hash_str, Stage.SPEAKERS, "other")
    assert of_other is not None
    old = heard.collection.voices()
    ids = np.where(old.ids == 11, 22, 21)[[1, 0]].astype(np.uint32)
    grouping = replace(
        old,
        number=1,
        media=(hash_str,),
        media_files=(of_other.file,),
        media_of=old.media_of[:2] * 0,
        ids=ids,
        **{
            name: getattr(old, name)[[1, 0]]
            for name in ("numbers", "rows", "seconds", "excerpts", "labels", "is_there")
        },
    )
    assert late.voice_files.publish(grouping)
    delete(heard.people, name=HEARD, dry_run=False)
    after = heard.all_bytes()
    assert [part for row in (MINE, ELSEWHERE) for part in traces(row) if part in after] == []
    manifest = cache.manifest(hash_str, Stage.SPEAKERS, "other")
    assert manifest is not None
    left = speakers.read(cache, hash_str, manifest)
    assert [speaker.row for speaker in left.speakers] == [OTHERS, (), ()]
    assert late.voices().ids.tolist() == [21]
    assert heard.collection.voices().ids.tolist() == [12, 12], "an older artefact had another's id"


def test_a_voice_that_no_file_has_now_is_found_by_its_name(heard: Heard) -> None:
    cache = heard.people.cache
    heard.collection.append(Names((ClusterNaming(heard.mine, HEARD),)))
    hashes = list(map(heard.people.hash_of, heard.people.media))
    for hash_str in hashes:
        publish(cache, hash_str, Speaker(49.0, OTHERS, 12), turns=(SpeakerTurn(41, 90, 0),))
    group_voices(cache, heard.collection, hashes, lambda: None)
    assert heard.collection.voices().is_there.tolist() == [False, True] * 2
    assert traces(MINE)[1] in heard.all_bytes(), "in the grouping before"
    assert delete(heard.people, name=HEARD, dry_run=False)["voices"] == 2
    after = heard.all_bytes()
    assert [part for part in (*traces(MINE), HEARD.encode()) if part in after] == []
    assert heard.collection.voices().ids.tolist() == [12, 12]


def test_a_worker_that_read_the_voices_before_they_went_cannot_publish_them(heard: Heard) -> None:
    """Nor in a collection in which nobody was found."""
    heard.collection.append(Names((ClusterNaming(heard.mine, HEARD),)))
    other = Collection.open(heard.people.cache.root, "Another", create=True)
    assert other.voice_files.publish(replace(VoiceGrouping.empty(), number=1))
    number, before = other.voice_files.next_number(), heard.collection.voices()
    delete(heard.people, name=HEARD, dry_run=False)
    assert not other.voice_files.publish(replace(before, number=number))
    assert len(other.voices()) == 0
