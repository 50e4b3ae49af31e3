"""When and from what the voices of a Collection are grouped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from shared.cache import cache_files
from shared.cache.cache_dir import CacheDir
from shared.cache.speakers import Speaker, SpeakerTurn, SpeakerTurns
from shared.domain import Stage
from shared.models import voice_model
from shared.people.clustering import Memory
from shared.people.collection import Collection
from shared.people.enrolment import Enrolment, Reference, References, enrolled_id
from tests.support.people.clusterings import clustering
from workers.recluster import voice_upkeep
from workers.recluster.voice_upkeep import DIM, group_voices, keep_voices_grouped, without_faces

ONE, TWO, THREE = (f"{n:016x}" for n in (1, 2, 3))
ADA, BO = 0, 1


@dataclass
class Room:
    """What the Context of an Item is to the upkeep, and the Collection that it keeps."""

    cache: CacheDir
    more_items: bool = True

    @property
    def collection(self) -> Collection:
        """Opened anew, as by another process."""
        return Collection(self.cache.root, "Cast")

    def others_will_follow(self) -> bool:
        return self.more_items

    def checkpoint(self) -> None:
        return

    def keep(self, *hashes: str) -> tuple[str, ...]:
        keep_voices_grouped(self, self.cache, self.collection, hashes)  # type: ignore[arg-type]
        return self.collection.voices().media

    def tell(self, hash_str: str, *people: int, model: str = voice_model.KEY) -> str:
        """Publish who speaks in a file; the name of the artefact."""
        told = SpeakerTurns(
            model=model,
            speakers=tuple(Speaker(30.0, row(person), person + 1) for person in people),
            turns=tuple(SpeakerTurn(n, n + 1, n) for n, _ in enumerate(people)),
        )
        with self.cache.draft(hash_str, Stage.SPEAKERS, "tones", "json", "w") as draft:
            draft.file.write(msgspec.json.encode(told))
            return draft.publish(rows=len(people), task_id="t", worker="w").file


def row(person: int) -> tuple[float, ...]:
    return tuple(np.eye(DIM)[person].tolist())


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(CacheDir.open(tmp_path / "cache", create=True))


def test_items_without_speakers_look_at_no_other_file(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = Collection.open(room.cache.root, "Cast", create=True)
    collection.add("faces", [ONE, TWO, THREE], "task")
    room.more_items = False
    monkeypatch.setattr(voice_upkeep, "group_voices", None)
    assert room.keep(ONE) == ()
    monkeypatch.undo()
    room.tell(TWO, ADA)
    room.tell(THREE, ADA)
    assert room.keep(TWO) == (TWO, THREE), "with the first grouping older members are taken in"


def test_while_others_follow_voices_wait_and_the_last_item_groups_them_all(room: Room) -> None:
    for hash_str in (ONE, TWO, THREE):
        room.tell(hash_str, ADA)
    assert room.keep(ONE) == (ONE,)
    number = room.collection.voices().number
    anew = room.tell(ONE, ADA, BO)
    assert room.keep(ONE, TWO) == (ONE,)
    assert room.collection.voices().number == number
    room.more_items = False
    assert room.keep() == (ONE, TWO)
    assert room.collection.voices().media_files[0] == anew
    assert room.keep(THREE) == (ONE, TWO, THREE)


@pytest.mark.parametrize("seconds", [40, -3600])
def test_a_grouping_of_long_ago_is_renewed_while_others_follow(
    room: Room, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.tell(ONE, ADA)
    room.tell(TWO, ADA)
    room.keep(ONE)
    now = voice_upkeep.time.time()
    monkeypatch.setattr(voice_upkeep.time, "time", lambda: now + seconds)
    assert room.keep(TWO) == (ONE, TWO)


def test_what_cannot_be_read_or_compared_stays_as_it_was(room: Room) -> None:
    name = room.tell(ONE, ADA, BO)
    room.keep(ONE)
    manifest = room.cache.media_dir(ONE) / cache_files.manifest_name(Stage.SPEAKERS, "tones")
    whole = manifest.path.read_bytes()
    manifest.path.write_bytes(b"{")
    room.tell(TWO, BO)
    group_voices(room.cache, room.collection, [ONE, TWO], lambda: None)
    found = room.collection.voices()
    assert (found.is_there.all(), found.media_files[0]) == (True, name)
    manifest.path.write_bytes(whole)
    room.tell(ONE, ADA, model="another")
    group_voices(room.cache, room.collection, [ONE], lambda: None)
    again = room.collection.voices()
    assert (again.number, again.media_files[0]) == (found.number, name)


def test_a_person_deleted_while_a_worker_groups_is_in_no_file_afterwards(room: Room) -> None:
    room.tell(ONE, ADA, BO)
    looks = 0

    def delete_ada() -> None:
        nonlocal looks
        looks += 1
        if looks == 2:  # the file was read
            room.tell(ONE, BO)

    group_voices(room.cache, room.collection, [ONE], delete_ada)
    found = room.collection.voices()
    assert found.is_there.tolist() == [False, True]
    assert [path.name for path in room.collection.folder.path.glob("voices-*")] == [
        f"voices-{found.number:09d}.npz"
    ]


def test_no_voice_gets_an_id_that_faces_had_or_may_have_again(room: Room) -> None:
    collection = Collection.open(room.cache.root, "Cast", create=True)
    memory = Memory((ONE,), np.zeros(2, np.int32), np.arange(2, dtype=np.uint64), ints(6, -1))
    faces = replace(clustering([5, 5]), retired=ints(4), memory=memory)
    assert collection.publish(faces)
    References(room.cache.root).add(Enrolment("Ada", (Reference("f", b""),)))
    found = without_faces(room.cache, collection)
    assert (found.number, len(found)) == (faces.number, 0)
    assert found.cluster_ids.tolist() == [5]
    assert set(found.retired.tolist()) == {4, 6, enrolled_id("Ada")}


def ints(*numbers: int) -> NDArray[np.int32]:
    return np.array(numbers, np.int32)
