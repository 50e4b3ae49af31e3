"""POST /faces/recluster and the worker that does it: progress, stops, kills, one at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.cache.cache_dir import CacheDir
from shared.cache.speakers import Speaker, SpeakerTurn, SpeakerTurns
from shared.domain import Stage
from shared.people.clustering import NO_CLUSTER
from shared.people.state import PeopleState
from tests.support.analysis.desk import Desk
from tests.support.people.grouping_desk import ADA, BO, CY, NAME, GroupingDesk, face, shots
from tests.support.private_redis import PrivateRedis
from tests.support.socketio_client import Watcher
from tests.support.stack import Client
from tests.support.waiting import wait_for


class Room:
    """A Collection and recluster workers."""

    def __init__(self, folder: Path, redis_url: str, client: Client) -> None:
        self.client = client
        self.desk = Desk(folder, redis_url)
        self.people = GroupingDesk(CacheDir.open(folder / "cache", create=True))
        self.desk.stack.settings.update(self.desk.squares_env())
        self.marker, self.release = folder / "marker", folder / "release"

    @property
    def body(self) -> dict[str, Any]:
        return {"cache_dir": str(self.people.cache.root), "cluster_job_name": NAME}

    def worker(self) -> None:
        self.desk.stack.start_worker("recluster")

    def waiting_worker(self, number: int = 0, **told: Any) -> Any:
        told = {"share": 0.5, "marker": str(self.marker), "release": str(self.release), **told}
        command = ("-m", "tests.support.programs.recluster_that_waits")
        return self.desk.stack.start(
            f"recluster-{number}", *command, TEST_RECLUSTER=json.dumps(told)
        )

    def recluster(self, **more: Any) -> str:
        return str(self.client.ok("/faces/recluster", **self.body, **more)["task_id"])

    def clusters(self) -> dict[str, tuple[str | None, int]]:
        answer = self.client.http.get("/faces/clusters", params=self.body)
        assert answer.status_code == 200, answer.text
        (job,) = answer.json()["cluster_jobs"]
        return {c["cluster_id"]: (c["name"], c["face_count"]) for c in job["clusters"]}

    def wait_marker(self) -> None:
        wait_for(self.marker.exists, 30, f"the recluster to wait; {self.desk.logs()}")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, _shared_redis: PrivateRedis) -> Iterator[Client]:
    desk = Desk(tmp_path_factory.mktemp("api"), _shared_redis.url)
    try:
        yield desk.stack.start_api(**desk.squares_env())
    finally:
        desk.close()


@pytest.fixture
def room(tmp_path: Path, redis_url: str, api: Client) -> Iterator[Room]:
    room = Room(tmp_path, redis_url, api)
    yield room
    room.desk.close()


def test_a_collection_of_a_removed_face_model_is_shown_and_says_how_to_go_on(room: Room) -> None:
    room.people.add(1, shots(ADA, BO, each=6), model="faceplugin-fr")
    room.people.group()
    before = room.clusters()
    assert len(before) == 2
    room.worker()
    ended = room.client.wait_final(room.recluster(), 30)
    assert ended["status"] == "failed"
    assert "The face model faceplugin-fr was removed from Rushes." in ended["error"]
    assert "rushes analyze PATH --collection NAME" in ended["error"]
    assert room.clusters() == before
    body = {**room.body, "face_media_paths": ["/a.mov"], "face_model_key": "faceplugin-fr"}
    refused = room.client.post("/analyze", **body)
    assert refused.status_code == 400
    assert "was removed from Rushes" in refused.json()["message"]


def test_a_recluster_reports_its_progress_and_keeps_ids_names_and_manual_work(room: Room) -> None:
    one = room.people.add(1, shots(ADA, BO, CY, each=6))
    room.worker()
    assert room.client.wait_final(room.recluster(eps=0.4, min_samples=3))["status"] == "completed"
    ada, bo = room.people.id_of(one, (0, ADA)), room.people.id_of(one, (6, BO))
    names = [{"cluster_id": str(ada), "name": "Ada"}, {"cluster_id": str(bo), "name": "Bo"}]
    answer = room.client.http.put("/faces/clusters/names", json={**room.body, "assignments": names})
    assert answer.status_code == 200, answer.text
    moves = [{"face_ids": [face(one, (0, ADA))], "target_cluster_id": str(bo)}]
    room.client.ok("/faces/clusters/modify", **room.body, moves=moves)
    room.people.add(2, shots(BO, ADA, each=6))
    task_id = room.recluster(eps=0.5)
    with Watcher(room.client.url) as watcher:
        watcher.join(task_id)
        events = watcher.until_final(task_id, timeout_s=30)
    assert events[-1]["status"] == "completed"
    assert {event["type"] for event in events} == {"recluster"}
    assert events[-1]["overall_progress"] == 100
    found = room.clusters()
    assert found[str(ada)] == ("Ada", 11)
    assert found[str(bo)] == ("Bo", 13)


def test_a_face_and_a_voice_that_users_have_merged_stay_one_person(room: Room) -> None:
    """The voices of members are grouped with the faces, which are grouped anew each time."""
    one = room.people.add(1, shots(ADA, BO, CY, each=6))
    cache, found = room.people.cache, (Speaker(9.0, (0.6, 0.8), 5), Speaker(9.0, (0.8, -0.6), 6))
    turns = (SpeakerTurn(0, 9, 0), SpeakerTurn(9, 18, 1))
    with cache.draft(one, Stage.SPEAKERS, "tones", "json", "w") as draft:
        draft.file.write(
            msgspec.json.encode(SpeakerTurns(model="resemblyzer", speakers=found, turns=turns))
        )
        draft.publish(rows=2)
    room.worker()
    room.client.wait_final(room.recluster())
    ada, (voice, other) = room.people.id_of(one, (0, ADA)), room.people.collection.voices().labels
    merges = [{"cluster_ids": [str(ada)], "target_cluster_id": str(voice)}]
    room.client.ok("/faces/clusters/modify", **room.body, merges=merges)
    room.people.add(2, shots(BO, ADA, each=6))
    room.client.wait_final(room.recluster(eps=0.5, min_samples=4))
    assert room.clusters()[str(voice)] == (None, 12)
    collection = room.people.collection
    state = PeopleState.of(room.people.now(), collection.edits(), voices=collection.voices())
    assert state.voices.tolist() == [voice, other]
    assert state.voices_of([ada]).tolist() == [0]


def test_names_are_cleared_when_asked_for_and_come_back_by_undo(room: Room) -> None:
    room.people.add(1, shots(ADA, each=6))
    room.worker()
    room.client.wait_final(room.recluster())
    (ada,) = room.clusters()
    names = [{"cluster_id": ada, "name": "Ada"}]
    room.client.http.put("/faces/clusters/names", json={**room.body, "assignments": names})
    room.client.wait_final(room.recluster(clear_names=True))
    assert room.clusters() == {ada: (None, 6)}
    room.client.ok("/faces/edits/undo", **room.body)
    assert room.clusters() == {ada: ("Ada", 6)}


def test_parameters_are_found_in_the_faces_when_asked_for(room: Room) -> None:
    people = range(8)
    for number in range(1, 6):
        room.people.add(number, shots(*people, each=8))
    room.worker()
    record = room.client.wait_final(room.recluster(auto_detect_params=True, eps=1.9))
    assert record["status"] == "completed", record
    answer = room.client.http.get("/faces/clusters", params=room.body).json()["cluster_jobs"][0]
    assert 0.24 <= answer["eps"] < 0.96
    assert 2 <= answer["min_samples"] <= 5
    assert [c["face_count"] for c in answer["clusters"]] == [40] * len(people)


def test_readers_see_the_old_people_until_the_new_ones_are_published(room: Room) -> None:
    room.people.add(1, shots(ADA, BO, each=6))
    room.people.group()
    before = room.clusters()
    room.waiting_worker()
    task_id = room.recluster(min_samples=7)
    room.wait_marker()
    assert room.clusters() == before
    refused = room.client.post("/faces/recluster", **room.body)
    assert (refused.status_code, task_id in refused.json()["message"]) == (409, True)
    room.release.touch()
    assert room.client.wait_final(task_id)["status"] == "completed"
    assert set(room.clusters()) == {str(NO_CLUSTER)}
    assert room.client.post("/faces/recluster", **room.body).status_code == 202


def test_a_stop_in_the_middle_leaves_the_former_people(room: Room) -> None:
    room.people.add(1, shots(ADA, BO, each=6))
    before = room.people.group()
    room.waiting_worker()
    task_id = room.recluster(min_samples=7, clear_names=True)
    room.wait_marker()
    assert room.client.ok("/analyze/cancel", task_id=task_id)["cancelled"] is True
    assert room.client.wait_final(task_id)["status"] == "cancelled"
    assert room.people.now().number == before.number
    assert not room.people.collection.edits()


def test_a_killed_worker_leaves_the_former_people_and_the_next_one_takes_over(room: Room) -> None:
    room.people.add(1, shots(ADA, BO, each=6))
    before = room.people.group()
    worker = room.waiting_worker(is_deaf=True)
    task_id = room.recluster(min_samples=7)
    room.wait_marker()
    worker.kill()
    assert room.people.now().number == before.number
    room.release.touch()
    room.waiting_worker(1)
    assert room.client.wait_final(task_id)["status"] == "completed"
    assert room.people.now().number == before.number + 1


def test_faces_that_came_meanwhile_are_kept(room: Room) -> None:
    room.people.add(1, shots(ADA, each=6))
    room.people.group()
    room.waiting_worker()
    task_id = room.recluster(min_samples=4)
    room.wait_marker()
    two = room.people.add(2, shots(ADA, BO, each=6))
    room.people.join(two)
    room.release.touch()
    assert room.client.wait_final(task_id)["status"] == "completed"
    after = room.people.now()
    assert two in after.media, "its faces are not lost by the older look of the recluster"
    assert after.min_samples == 4


def test_without_a_worker_the_task_waits_and_says_so(room: Room) -> None:
    room.people.add(1, shots(ADA, each=6))
    answer = room.client.ok("/faces/recluster", **room.body)
    assert "rushes worker recluster" in answer["message"]
    assert "rushes worker recluster" in room.client.task(answer["task_id"])["message"]
    room.worker()
    assert room.client.wait_final(answer["task_id"])["status"] == "completed"
