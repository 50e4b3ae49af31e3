"""Screen time, moves of whole clusters, and the log in brief, as a client sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.domain import Stage
from shared.people.collection import Collection
from tests.support.media.by_path import hash_media
from tests.support.people.people_data import FACE_MODEL, Seen, clustering_of, make_collection
from tests.support.people.people_desk import (
    ADA,
    BO,
    CY,
    FACES,
    NAME,
    NOBODY,
    PeopleDesk,
    listed,
    people_desk,
)


def test_details_tell_how_long_and_where_each_is_seen(people: PeopleDesk, media: Path) -> None:
    assert "seconds" not in people.job()["clusters"][0]
    assert "last_edit_id" not in people.job()
    shown = {
        int(c["cluster_id"]): (c["seconds"], c["stills"], c["files"])
        for c in people.job(details="true")["clusters"]
    }
    assert shown == {ADA: (4, 0, 2), BO: (2, 0, 1), CY: (1, 0, 1), NOBODY: (1, 0, 1)}
    still = media / f"{people.cache.root.path.name}.jpg"
    still.write_bytes(still.name.encode() * 99)
    hash_str, film = hash_media(str(still)), people.hash_of("a.mp4")
    faces = {hash_str: [Seen(0, 1, 7), Seen(0, 6, 8)], film: [Seen(3, 1, 7), Seen(3, 6, 7)]}
    make_collection(people.cache, "Stills", faces)
    found = still.stat()
    people.cache.remember_path(hash_str, str(still), found.st_size, found.st_mtime_ns)
    items = people.job(cluster_job_name="Stills", details="true")["clusters"]
    assert items == [
        {"cluster_id": "7", "name": None, "face_count": 3, "seconds": 1, "stills": 1, "files": 2},
        {"cluster_id": "8", "name": None, "face_count": 1, "seconds": 0, "stills": 1, "files": 1},
    ]
    still.unlink()


def test_a_cluster_that_is_no_person_goes_as_a_whole_and_comes_back(people: PeopleDesk) -> None:
    people.name(_1001="Ada")
    before = people.clusters()
    move = {"cluster_ids": [str(ADA)], "target_cluster_id": "-1", "face_count": 3}
    answer = people.client.post("/faces/clusters/modify", **people.body, moves=[move])
    assert (answer.status_code, people.clusters()) == (409, before)
    move["face_count"] = 4
    done = people.modify(moves=[move])
    assert (done["moved"], done["merged"]) == (4, 0)
    assert listed(done["clusters"]) == people.clusters()
    assert people.clusters() == [(BO, None, 2), (CY, None, 1), (NOBODY, None, 5)]
    people.undo()
    assert people.clusters() == before


def test_who_is_no_person_stays_so_when_the_faces_are_grouped_anew(people: PeopleDesk) -> None:
    people.modify(moves=[{"cluster_ids": [str(ADA)], "target_cluster_id": "-1"}])
    files = {}
    for name, seen in FACES.items():
        manifest = people.cache.manifest(people.hash_of(name), Stage.FACES, FACE_MODEL)
        assert manifest is not None
        files[people.hash_of(name)] = (manifest.file, seen)
    collection = Collection.open(people.cache.root, NAME, create=False)
    assert collection.publish(clustering_of(files, number=2))
    assert people.clusters() == [(BO, None, 2), (CY, None, 1), (NOBODY, None, 5)]
    people.undo()
    assert people.clusters()[0] == (ADA, None, 4)


def test_whole_clusters_move_after_the_merges_and_with_named_faces(people: PeopleDesk) -> None:
    (loose,) = people.face_ids(NOBODY)
    done = people.modify(
        merges=[{"cluster_ids": [str(CY)], "target_cluster_id": str(BO)}],
        moves=[{"cluster_ids": [BO]}, {"face_ids": [loose], "target_cluster_id": str(ADA)}],
    )
    (new,) = done["new_cluster_ids"]
    assert done["moved"] == 4
    assert people.clusters() == [(ADA, None, 5), (int(new), None, 3)]


@pytest.mark.parametrize(
    ("status", "words", "move"),
    [
        (400, "give face_ids or cluster_ids", {}),
        (400, "give face_ids or cluster_ids", {"face_ids": ["x"], "cluster_ids": ["1001"]}),
        (400, 'moves[0].cluster_ids[0]: "-1"', {"cluster_ids": ["-1"]}),
        (400, "moves[0].face_count", {"face_ids": ["x"], "face_count": 1}),
        (404, "moves[0].cluster_ids[1]", {"cluster_ids": ["1001", "7"]}),
        (400, "to itself", {"cluster_ids": ["1001"], "target_cluster_id": "1001"}),
    ],
    ids=["neither", "both", "nobody", "count", "unknown", "itself"],
)
def test_a_wrong_move_of_clusters_says_why(
    people: PeopleDesk, status: int, words: str, move: dict[str, Any]
) -> None:
    answer = people.client.post("/faces/clusters/modify", **people.body, moves=[move])
    assert answer.status_code == status, answer.text
    assert words in answer.json()["message"]
    assert people.edits() == []


def test_the_log_can_be_short_and_brief(people: PeopleDesk) -> None:
    for number in range(3):
        people.name(_2002=f"Bo {number}")
    people.modify(moves=[{"cluster_ids": [str(ADA)], "target_cluster_id": "-1"}])

    def edits(**more: Any) -> list[dict[str, Any]]:
        answer = people.client.http.get("/faces/edits", params={**people.body, **more})
        return list(answer.json()["edits"])

    whole = edits()
    assert "face_count" not in whole[3]["moves"][0]
    assert edits(limit=2) == whole[-2:]
    (brief,) = edits(limit=1, brief="true")
    assert brief["moves"] == [
        {"face_ids": [], "target_cluster_id": "-1", "is_new": False, "face_count": 4}
    ]
    answer = people.client.http.get("/faces/edits", params={**people.body, "limit": "0"})
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("limit must be a whole number from 1 to")


def test_everybody_who_has_a_name_is_listed_over_collections_and_folders(
    people: PeopleDesk, caches: Path, media: Path, request: pytest.FixtureRequest
) -> None:
    http = people.client.http
    here = {"cache_dir": str(people.cache.root)}
    assert http.get("/faces/people", params=here).json() == {"people": []}
    make_collection(people.cache, "Rehearsals", {people.hash_of("a.mp4"): [Seen(0, 1, 7)]})
    people.name(_1001="ada", _3003="Ada", _2002="Bo")
    body = {**here, "cluster_job_name": "Rehearsals"}
    body["assignments"] = [{"cluster_id": "7", "name": "ADA"}]
    assert http.put("/faces/clusters/names", json=body).status_code == 200
    place = {**here, "cluster_job_name": NAME}
    ada: dict[str, Any] = {
        "name": "ada",
        "is_enrolled": False,
        "references": 0,
        "collections": [
            {**here, "cluster_job_name": "Rehearsals", "cluster_ids": ["7"], "face_count": 1},
            {**place, "cluster_ids": [str(ADA), str(CY)], "face_count": 5},
        ],
    }
    bo: dict[str, Any] = {
        "name": "Bo",
        "is_enrolled": False,
        "references": 0,
        "collections": [{**place, "cluster_ids": [str(BO)], "face_count": 2}],
    }
    assert http.get("/faces/people", params=here).json() == {"people": [ada, bo]}
    with people_desk(people.client, caches / f"{request.node.name[:40]}-2", media) as other:
        other.name(_2002="Di")
        elsewhere = {"cache_dir": str(other.cache.root), "cluster_job_name": NAME}
        # Folders of other tests are known, too.
        found = {one["name"].lower(): one for one in http.get("/faces/people").json()["people"]}
        di = {**elsewhere, "cluster_ids": [str(BO)], "face_count": 2}
        assert di in found["di"]["collections"]
        assert bo["collections"][0] in found["bo"]["collections"]
        assert all(place in found["ada"]["collections"] for place in ada["collections"])
    assert http.get("/faces/people", params={"cache_dir": "/etc"}).status_code == 403
