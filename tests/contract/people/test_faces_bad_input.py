"""Bad input about people: a clear 400 or 404, in the order of the checks, and nothing changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.people.people_desk import ADA, BO, CY, PeopleDesk, people_desk
from tests.support.stack import Client

A_FACE = "00000000000000aa-1-000000"
MERGE = {"cluster_ids": [str(BO)], "target_cluster_id": str(ADA)}
ENDPOINTS = [
    ("GET", "/faces/clusters", {}),
    ("POST", "/faces/clusters/samples", {}),
    ("POST", "/faces/clusters/faces", {}),
    ("PUT", "/faces/clusters/names", {"assignments": [{"cluster_id": str(ADA), "name": "Ada"}]}),
    ("POST", "/faces/clusters/modify", {"merges": [MERGE]}),
    ("POST", "/faces/clusters/voices", {"cluster_id": str(ADA)}),
    ("GET", "/faces/proposals", {}),
    ("POST", "/faces/recluster", {}),
    ("GET", "/faces/edits", {}),
    ("POST", "/faces/edits/undo", {}),
]


@pytest.fixture
def people(
    client: Client, caches: Path, media: Path, request: pytest.FixtureRequest
) -> Iterator[PeopleDesk]:
    name = f"bad-{abs(hash(request.node.name))}"
    with people_desk(client, caches / name, media) as desk:
        yield desk
        assert desk.edits() == [], "nothing was changed"


def ask(client: Client, method: str, path: str, body: dict[str, Any]) -> httpx.Response:
    if method == "GET":
        params = {key: value for key, value in body.items() if value is not None}
        return client.http.get(path, params=params)
    return client.http.request(method, path, json=body)


def message(people: PeopleDesk, status: int, method: str, path: str, **body: Any) -> str:
    answer = ask(people.client, method, path, {**people.body, **body})
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error", "message"}
    return str(answer.json()["message"])


@pytest.mark.parametrize(("method", "path", "body"), ENDPOINTS, ids=lambda e: str(e)[:30])
def test_route_key_and_body_are_checked_in_this_order(
    people: PeopleDesk, method: str, path: str, body: dict[str, Any], tmp_path: Path
) -> None:
    with httpx.Client(base_url=f"{people.client.url}/api/v1") as anonymous:
        assert anonymous.request(method, path, content="{").status_code == 401

    def why(status: int, **more: Any) -> str:
        return message(people, status, method, path, **{**body, **more})

    assert why(400, cache_dir=None) == "cache_dir is required."
    assert why(400, cache_dir="") == "cache_dir must not be empty."
    assert why(400, cache_dir="caches").startswith("cache_dir")
    assert "RUSHES_CACHE_ROOTS" in why(403, cache_dir=str(tmp_path))
    if path != "/faces/clusters":
        assert why(400, cluster_job_name=None) == "cluster_job_name is required."
        assert why(400, cluster_job_name="") == "cluster_job_name must not be empty."
        missing = why(400, cache_dir=str(tmp_path), cluster_job_name=None)
        assert missing == "cluster_job_name is required.", "said before the folder is looked at"
    for unknown in ("Season 2", "season 1", "../Season 1", "x" * 200):
        assert "no collection" in why(404, cluster_job_name=unknown)
    nowhere = str(people.cache.root.path / "nowhere")
    assert "no collection" in why(404, cache_dir=nowhere)
    assert "200" in why(400, cluster_job_name="x" * 201)


@pytest.mark.parametrize(
    "unknown", ["7", "-2", "0", "01001", " 1001", "1001.0", "Ada", "٣", "1" * 500, 2**70, -1001]
)
def test_an_unknown_cluster_is_404_naming_the_field(people: PeopleDesk, unknown: Any) -> None:
    def why(method: str, path: str, **body: Any) -> str:
        return message(people, 404, method, path, **body)

    faces = people.face_ids(CY)
    names, modify = "/faces/clusters/names", "/faces/clusters/modify"
    assert why("POST", "/faces/clusters/faces", cluster_id=unknown).startswith("cluster_id")
    for path in ("/faces/clusters/faces", "/faces/clusters/samples"):
        said = why("POST", path, cluster_ids=[str(ADA), unknown])
        assert said.startswith("cluster_ids[1]")
    given = [{"cluster_id": str(ADA), "name": "Ada"}, {"cluster_id": unknown, "name": "Bo"}]
    assert why("PUT", names, assignments=given).startswith("assignments[1]")
    merge = {"cluster_ids": [str(BO), unknown], "target_cluster_id": str(ADA)}
    assert why("POST", modify, merges=[merge]).startswith("merges[0].cluster_ids[1]")
    merge = {"cluster_ids": [str(BO)], "target_cluster_id": unknown}
    assert why("POST", modify, merges=[MERGE, merge]).startswith("merges[1].target_cluster_id")
    move = {"face_ids": faces, "target_cluster_id": unknown}
    said = why("POST", modify, merges=[MERGE], moves=[move])
    assert said.startswith("moves[0].target_cluster_id")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {}),
        (400, {"merges": [], "moves": []}),
        (400, {"merges": None, "moves": None}),
        (400, {"merges": [{"cluster_ids": [str(ADA)], "target_cluster_id": str(ADA)}]}),
        (400, {"merges": [MERGE, {"cluster_ids": [str(CY)], "target_cluster_id": str(CY)}]}),
        (400, {"merges": [{"cluster_ids": ["-1"], "target_cluster_id": str(ADA)}]}),
        (400, {"merges": [{"cluster_ids": [str(ADA)], "target_cluster_id": "-1"}]}),
        (400, {"moves": [{"target_cluster_id": str(ADA)}]}),
        (400, {"moves": [{"face_ids": ["no face"], "target_cluster_id": str(ADA)}]}),
        (400, {"moves": [{"face_ids": [""], "target_cluster_id": None}]}),
        (404, {"moves": [{"face_ids": [A_FACE], "target_cluster_id": str(ADA)}]}),
        (404, {"merges": [MERGE], "moves": [{"face_ids": [A_FACE], "target_cluster_id": None}]}),
    ],
)
def test_a_change_that_makes_no_sense_changes_nothing(
    people: PeopleDesk, status: int, body: dict[str, Any]
) -> None:
    before = people.job()
    message(people, status, "POST", "/faces/clusters/modify", **body)
    assert people.job() == before


def test_a_face_cannot_go_two_ways_at_once(people: PeopleDesk) -> None:
    (cy,) = people.face_ids(CY)
    moves = [
        {"face_ids": [cy], "target_cluster_id": str(ADA)},
        {"face_ids": [cy], "target_cluster_id": str(BO)},
    ]
    assert cy in message(people, 400, "POST", "/faces/clusters/modify", moves=moves)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"assignments": [{"cluster_id": "-1", "name": "Ada"}]}, "no person"),
        (
            {"assignments": [{"cluster_id": str(ADA), "name": "x" * 10_000}]},
            "[0].name: A name has at most 200",
        ),
        ({"assignments": [{"cluster_id": str(ADA), "name": "x" * 201}]}, "200"),
    ],
)
def test_a_wrong_name_is_400(people: PeopleDesk, wrong: dict[str, Any], words: str) -> None:
    assert words in message(people, 400, "PUT", "/faces/clusters/names", **wrong)
    assert people.clusters()[0] == (ADA, None, 4)


def test_a_recluster_with_a_wrong_parameter_starts_nothing(people: PeopleDesk) -> None:
    assert message(people, 400, "POST", "/faces/recluster", eps=2.1).startswith("eps")
    assert people.client.get("/tasks").json()["tasks"] == []


def test_undoing_what_is_not_there_is_refused(people: PeopleDesk) -> None:
    path = "/faces/edits/undo"
    assert "undo" in message(people, 400, "POST", path)
    assert "no edits" in message(people, 400, "POST", path, edit_id="000000000001-00000000")
    assert "no edits" in message(people, 400, "POST", path, edit_id="")


def test_more_faces_than_one_request_can_move_at_once_are_refused(people: PeopleDesk) -> None:
    moves = [
        {"face_ids": [A_FACE] * 15_000, "target_cluster_id": str(CY)},
        {"face_ids": [A_FACE] * 15_000, "target_cluster_id": None},
    ]
    said = message(people, 400, "POST", "/faces/clusters/modify", moves=moves)
    assert "30,000 faces, more than the 20,000" in said
