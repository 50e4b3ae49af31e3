"""Names, merges, moves and the way back, as a client sees them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from api.people.people import People
from shared.domain import Stage
from shared.errors import Missing
from shared.people.collection import Collection
from tests.support.people.people_data import FACE_MODEL, clustering_of
from tests.support.people.people_desk import (
    ADA,
    BO,
    CY,
    FACES,
    NAME,
    NOBODY,
    PeopleDesk,
    listed,
)


def test_a_name_is_given_shared_and_taken_away(people: PeopleDesk) -> None:
    assert people.name(_1001=" Ada ", _2002="Ada") == {
        "updated": 2,
        "changes": {"1001": "Ada", "2002": "Ada"},
    }
    assert [name for _, name, _ in people.clusters()] == ["Ada", "Ada", None, None]
    assert {face["name"] for face in people.faces(cluster_id="1001")} == {"Ada"}
    assert people.name(_2002="") == {"updated": 1, "changes": {"2002": ""}}
    assert [name for _, name, _ in people.clusters()] == ["Ada", None, None, None]


def test_a_number_is_read_as_a_cluster_id(people: PeopleDesk) -> None:
    body = {**people.body, "assignments": [{"cluster_id": CY, "name": "Cy"}]}
    answer = people.client.http.put("/faces/clusters/names", json=body)
    assert answer.json() == {"updated": 1, "changes": {str(CY): "Cy"}}


def test_merged_clusters_are_one_and_their_ids_go_on_meaning_it(people: PeopleDesk) -> None:
    people.name(_3003="Cy")
    done = people.merge(CY, into=BO)
    assert (done["merged"], done["moved"], done["new_cluster_ids"]) == (1, 0, [])
    wanted = [(ADA, None, 4), (BO, "Cy", 3), (NOBODY, None, 1)]
    assert listed(done["clusters"]) == people.clusters() == wanted
    assert people.face_ids(CY) == people.face_ids(BO)
    assert {face["cluster_id"] for face in people.faces(cluster_id=str(CY))} == {str(BO)}
    samples = people.client.ok("/faces/clusters/samples", **people.body, cluster_ids=[str(CY)])
    assert set(samples["samples"]) == {str(CY)}


def test_a_moved_face_stays_where_it_was_put(people: PeopleDesk) -> None:
    first, second, *_ = people.face_ids(ADA)
    done = people.modify(
        moves=[
            {"face_ids": [first], "target_cluster_id": str(BO)},
            {"face_ids": [second], "target_cluster_id": "-1"},
        ]
    )
    assert (done["merged"], done["moved"]) == (0, 2)
    assert people.clusters() == [(BO, None, 3), (ADA, None, 2), (CY, None, 1), (NOBODY, None, 2)]
    assert first in people.face_ids(BO)
    assert second in people.face_ids(NOBODY)


@pytest.mark.parametrize("target", [{}, {"target_cluster_id": None}])
def test_a_move_to_nowhere_makes_a_new_cluster(people: PeopleDesk, target: dict[str, None]) -> None:
    (face_id,) = people.face_ids(NOBODY)
    done = people.modify(moves=[{"face_ids": [face_id], **target}])
    (new,) = done["new_cluster_ids"]
    assert int(new) not in (ADA, BO, CY)
    assert (int(new), None, 1) in people.clusters()
    assert people.name(**{f"_{new}": "Di"})["updated"] == 1
    assert (int(new), "Di", 1) in people.clusters()


def test_merges_come_before_moves_in_one_request(people: PeopleDesk) -> None:
    (cy,) = people.face_ids(CY)
    done = people.modify(
        merges=[{"cluster_ids": [str(CY)], "target_cluster_id": str(ADA)}],
        moves=[{"face_ids": [cy], "target_cluster_id": str(BO)}],
    )
    assert (done["merged"], done["moved"]) == (1, 1)
    assert people.clusters() == [(ADA, None, 4), (BO, None, 3), (NOBODY, None, 1)]


def test_the_log_tells_what_was_done_and_what_is_in_force(people: PeopleDesk) -> None:
    assert people.edits() == []
    (cy,) = people.face_ids(CY)
    people.name(_1001="Ada")
    people.modify(
        merges=[{"cluster_ids": [str(BO)], "target_cluster_id": str(ADA)}],
        moves=[{"face_ids": [cy], "target_cluster_id": None}],
    )
    people.undo()
    names, modify, undo = people.edits()
    assert names["assignments"] == [{"cluster_id": str(ADA), "name": "Ada"}]
    assert (names["kind"], names["applies"], names["reason"]) == ("names", True, None)
    assert modify["merges"] == [{"cluster_ids": [str(BO)], "target_cluster_id": str(ADA)}]
    (move,) = modify["moves"]
    assert (move["face_ids"], move["is_new"]) == ([cy], True)
    assert (modify["kind"], modify["applies"]) == ("modify", False)
    assert modify["reason"]
    assert (undo["kind"], undo["undone_to"]) == ("undo", names["edit_id"])
    assert names["at"] <= modify["at"] <= undo["at"]


def test_undoing_goes_back_step_by_step_or_to_any_edit_and_can_be_undone(
    people: PeopleDesk,
) -> None:
    states = [people.clusters()]
    people.name(_1001="Ada")
    states.append(people.clusters())
    people.merge(CY, into=BO)
    states.append(people.clusters())
    people.name(_2002="Bo")
    states.append(people.clusters())
    ids = [edit["edit_id"] for edit in people.edits()]

    assert listed(people.undo()["clusters"]) == people.clusters() == states[2]
    people.undo(edit_id=None)
    assert people.clusters() == states[1]
    people.undo(edit_id=ids[2])
    assert people.clusters() == states[3]
    undone = people.undo(edit_id="")
    assert people.clusters() == states[0]
    assert people.edits()[-1]["edit_id"] == undone["edit_id"]
    before_it = people.edits()[-2]["edit_id"]
    people.undo(edit_id=before_it)
    assert people.clusters() == states[3], "an undo can be undone"
    unknown = people.client.post("/faces/edits/undo", **people.body, edit_id="000000000001-x")
    assert unknown.status_code == 404
    assert "000000000001-x" in unknown.json()["message"]


def test_what_was_said_stays_when_the_faces_are_grouped_anew(people: PeopleDesk) -> None:
    people.name(_1001="Ada", _3003="Cy")
    people.merge(CY, into=BO)
    people.modify(moves=[{"face_ids": people.face_ids(ADA)[-1:], "target_cluster_id": "-1"}])
    before = [(ADA, "Ada", 3), (BO, "Cy", 3), (NOBODY, None, 2)]
    assert people.clusters() == before
    new = 4004
    files = {}
    for name, seen in FACES.items():
        manifest = people.cache.manifest(people.hash_of(name), Stage.FACES, FACE_MODEL)
        assert manifest is not None
        known = [face._replace(cluster=new) if face.cluster == NOBODY else face for face in seen]
        files[people.hash_of(name)] = (manifest.file, known)
    collection = Collection.open(people.cache.root, NAME, create=False)
    assert collection.publish(clustering_of(files, number=2))
    assert people.clusters() == [*before[:2], (new, None, 1), (NOBODY, None, 1)]
    people.undo(edit_id="")
    assert people.clusters() == [(ADA, None, 4), (BO, None, 2), (CY, None, 1), (new, None, 1)]


def test_replicas_see_each_others_edits_at_once(people: PeopleDesk) -> None:
    replica = People()  # as in another API process
    assert replica.open(people.cache, NAME).state.names == {}
    people.name(_1001="Ada")
    assert replica.open(people.cache, NAME).state.names == {ADA: "Ada"}
    with pytest.raises(Missing):
        replica.open(people.cache, "season 1")


def test_edits_made_at_the_same_time_all_count(people: PeopleDesk) -> None:
    faces = people.face_ids(ADA)

    def move(face_id: str) -> int:
        done = people.modify(moves=[{"face_ids": [face_id], "target_cluster_id": str(BO)}])
        return int(done["moved"])

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(move, faces)) == 4
    assert people.clusters() == [(BO, None, 6), (CY, None, 1), (NOBODY, None, 1)]
    assert people.face_ids(ADA) == []
    assert len(people.edits()) == 4
