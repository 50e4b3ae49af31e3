"""Two people who edit one person at once: who comes second is told what the first one did."""

from __future__ import annotations

from typing import Any

import httpx

from tests.support.people.people_desk import ADA, BO, CY, NOBODY, PeopleDesk

LOOK = "Look again, then decide."


def last(people: PeopleDesk) -> str:
    return str(people.job(details="true")["last_edit_id"])


def name(people: PeopleDesk, cluster: int, given: str, **more: Any) -> httpx.Response:
    assignments = [{"cluster_id": str(cluster), "name": given}]
    body = {**people.body, "assignments": assignments, **more}
    return people.client.http.put("/faces/clusters/names", json=body)


def modify(people: PeopleDesk, **more: Any) -> httpx.Response:
    return people.client.post("/faces/clusters/modify", **people.body, **more)


def refused(answer: httpx.Response) -> str:
    assert answer.status_code == 409, answer.text
    assert answer.json()["error"] == "Changed meanwhile"
    return str(answer.json()["message"])


def test_who_knows_the_newest_edit_goes_on_from_it(people: PeopleDesk) -> None:
    assert last(people) == ""
    first = name(people, ADA, "Ada", known_edit_id="").json()
    assert first == {"updated": 1, "changes": {str(ADA): "Ada"}, "edit_id": last(people)}
    merges = [{"cluster_ids": [str(CY)], "target_cluster_id": str(BO)}]
    second = modify(people, merges=merges, known_edit_id=first["edit_id"]).json()
    assert second["edit_id"] == last(people) == people.edits()[-1]["edit_id"]
    undone = people.undo(known_edit_id=second["edit_id"])
    assert undone["edit_id"] == last(people)
    assert "edit_id" not in name(people, ADA, "Adda").json(), "as ever for who does not ask"


def test_a_later_edit_of_the_same_person_is_told_and_nothing_is_done(people: PeopleDesk) -> None:
    people.name(_1001="Bea")
    before, edits = people.clusters(), people.edits()
    told = f"Meanwhile this person was named Bea. {LOOK}"
    assert refused(name(people, ADA, "Ada", known_edit_id="")) == told
    move = [{"cluster_ids": [str(ADA)], "target_cluster_id": "-1"}]
    assert refused(modify(people, moves=move, known_edit_id="")) == told
    merge = [{"cluster_ids": [str(ADA)], "target_cluster_id": str(BO)}]
    assert "one of these people was named Bea" in refused(
        modify(people, merges=merge, known_edit_id="")
    )
    undo = people.client.post("/faces/edits/undo", **people.body, known_edit_id="")
    assert refused(undo) == f"Meanwhile a person was named Bea. {LOOK}"
    assert (people.clusters(), people.edits()) == (before, edits)
    assert name(people, BO, "Bo", known_edit_id="").status_code == 200, "somebody else"
    assert name(people, ADA, "Ada").status_code == 200, "who does not ask is not hindered"


def test_merges_moves_and_undos_of_others_are_told(people: PeopleDesk) -> None:
    face, other, *_ = people.face_ids(ADA)
    people.merge(CY, into=BO)
    assert "this person was merged" in refused(name(people, BO, "Bo", known_edit_id=""))
    assert "this person was merged" in refused(name(people, CY, "Cy", known_edit_id=""))
    known = last(people)
    people.modify(moves=[{"face_ids": [face], "target_cluster_id": "-1"}])
    assert "faces of this person were moved away" in refused(
        name(people, ADA, "Ada", known_edit_id=known)
    )
    move = [{"face_ids": [face], "target_cluster_id": str(BO)}]
    assert "the same faces were moved" in refused(modify(people, moves=move, known_edit_id=known))
    known = last(people)
    people.modify(moves=[{"face_ids": [other], "target_cluster_id": str(BO)}])
    assert "faces were moved to this person" in refused(name(people, BO, "Bo", known_edit_id=known))
    known = last(people)
    people.undo()
    assert "an edit was undone" in refused(name(people, ADA, "Ada", known_edit_id=known))


def test_a_cluster_that_an_undo_took_away_is_no_404(people: PeopleDesk) -> None:
    (face,) = people.face_ids(NOBODY)
    move = [{"face_ids": [face], "target_cluster_id": None}]
    made = modify(people, moves=move, known_edit_id="").json()
    people.undo()
    new = int(made["new_cluster_ids"][0])
    assert "an edit was undone" in refused(name(people, new, "Di", known_edit_id=made["edit_id"]))
    assert name(people, new, "Di", known_edit_id=last(people)).status_code == 404


def test_an_unknown_edit_is_404_and_a_long_name_is_400(people: PeopleDesk) -> None:
    answer = name(people, ADA, "Ada", known_edit_id="000000000007-0a0b0c0d")
    assert answer.status_code == 404
    assert answer.json()["message"].startswith("known_edit_id: there is no edit")
    people.name(_1001="Bea")
    answer = name(people, ADA, "x" * 10_000, known_edit_id="")
    assert answer.status_code == 400
    assert answer.json()["message"] == (
        "assignments[0].name: A name has at most 200 characters, this one has 10000."
    )
