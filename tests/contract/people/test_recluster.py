"""POST /faces/recluster: what a client gets and what the worker is told."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from shared.domain import ReclusterSpec, TaskKind
from shared.ledger.ledger import Ledger
from shared.redis.clients import connect
from tests.support.people.people_data import Seen, make_collection
from tests.support.people.people_desk import NAME, PeopleDesk
from tests.support.private_redis import PrivateRedis


def test_the_task_can_be_followed_and_waits_for_a_worker_of_its_kind(people: PeopleDesk) -> None:
    answer = people.client.post("/faces/recluster", **people.body)
    assert answer.status_code == 202
    assert set(answer.json()) == {"message", "task_id"}
    assert "rushes worker recluster" in answer.json()["message"]
    task = people.client.task(answer.json()["task_id"], files=True)
    assert (task["kind"], task["type"], task["status"]) == ("recluster", "recluster", "queued")
    assert (task["total"], task["files"][0]["media_path"]) == (1, NAME)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, {"eps": 0.48, "min_samples": 5}),
        ({"eps": None, "clear_names": None}, {"eps": 0.48, "min_samples": 5}),
        (
            {"eps": 0.3, "min_samples": 2, "auto_detect_params": True, "clear_names": True},
            {"eps": 0.3, "min_samples": 2, "auto_detect": True, "clear_names": True},
        ),
        ({"eps": 1}, {"eps": 1.0, "min_samples": 5}),
    ],
)
def test_the_worker_is_told_what_was_asked(
    people: PeopleDesk, api_redis: PrivateRedis, asked: dict[str, object], told: dict[str, object]
) -> None:
    task_id = people.client.ok("/faces/recluster", **people.body, **asked)["task_id"]
    lease = Ledger(connect(api_redis.url), "default").claim(task_id, 0, "recluster-0", "n")
    assert lease is not None
    assert lease.kind is TaskKind.RECLUSTER
    assert msgspec.json.decode(lease.spec, type=ReclusterSpec) == ReclusterSpec(
        cache_dir=str(people.cache.root), collection=NAME, **told
    )
    assert people.client.task(task_id)["message"].startswith("Grouping has not begun.")


def test_a_second_one_is_409_until_the_first_has_ended_but_other_collections_are_free(
    people: PeopleDesk,
) -> None:
    make_collection(people.cache, "Rehearsals", {people.hash_of("a.mp4"): [Seen(0, 1, 7)]})
    first = people.client.ok("/faces/recluster", **people.body)["task_id"]
    refused = people.client.post("/faces/recluster", **people.body)
    assert (refused.status_code, refused.json()["error"]) == (409, "Task already running")
    assert f"Task {first} groups the same collection" in refused.json()["message"]
    people.client.ok("/faces/recluster", **{**people.body, "cluster_job_name": "Rehearsals"})
    assert people.client.ok("/analyze/cancel", task_id=first)["cancelled"]
    assert people.client.task(first)["status"] == "cancelled"
    people.client.ok("/faces/recluster", **people.body)


def test_an_analysis_neither_stops_a_recluster_nor_waits_for_it(
    people: PeopleDesk, media: Path
) -> None:
    task_id = people.client.ok("/faces/recluster", **people.body)["task_id"]
    people.client.analyze(people.cache.root.path, media / "a.mp4")
    assert people.client.task(task_id)["status"] == "queued"


def test_people_can_be_named_while_it_waits(people: PeopleDesk) -> None:
    people.client.ok("/faces/recluster", **people.body)
    assert people.name(_1001="Ada")["updated"] == 1
    assert people.clusters()[0] == (1001, "Ada", 4)
