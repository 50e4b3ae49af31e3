"""Faces and voices that are proposed as one person, as a client sees them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.people.people_data import Seen, make_collection
from tests.support.people.people_desk import ADA, BO, CY, PeopleDesk
from tests.support.people.voices_desk import Talk, add_voices, proposals

TALKS = "Talks"
TOM, UMA, NARRATOR = 70_001, 70_002, 70_003


def turns(first: int, count: int = 4) -> list[tuple[float, float, str]]:
    """Ten of every twenty seconds."""
    return [(start, start + 10.0, "So it was") for start in range(first, first + 20 * count, 20)]


def shown(cluster: int, tenth: int, first: int) -> list[Seen]:
    return [Seen(int(s) + n, tenth, cluster) for s, *_ in turns(first) for n in range(10)]


VOICES: Sequence[Talk] = (
    Talk(1, TOM, turns(0)),
    Talk(2, UMA, turns(10)),
    Talk(3, NARRATOR, [(80.0, 110.0, "Many years ago")]),
)


@pytest.fixture
def talk(people: PeopleDesk) -> PeopleDesk:
    """Ada and Bo take turns on screen, Cy is always there, and a narrator never."""
    film = people.hash_of("a.mp4")
    always = [Seen(second, 8, CY) for second in range(110)]
    make_collection(people.cache, TALKS, {film: [*shown(ADA, 1, 0), *shown(BO, 5, 10), *always]})
    add_voices(people.cache, TALKS, {film: VOICES})
    return people


def pairs(people: PeopleDesk) -> list[tuple[int, int]]:
    found = proposals(people, cluster_job_name=TALKS)
    return [(int(one["face_cluster_id"]), int(one["voice_cluster_id"])) for one in found]


def modify(people: PeopleDesk, **more: object) -> None:
    people.client.ok("/faces/clusters/modify", **{**people.body, "cluster_job_name": TALKS}, **more)


def test_who_is_seen_while_a_voice_speaks_is_proposed_until_somebody_decides(
    talk: PeopleDesk,
) -> None:
    assert proposals(talk) == [], "a collection without voices"
    first, second = proposals(talk, cluster_job_name=TALKS)
    assert first == {
        "face_cluster_id": str(ADA),
        "face_name": None,
        "voice_cluster_id": str(TOM),
        "voice_name": None,
        "seconds_together": 40,
        "seconds_spoken": 40,
        "share": 1.0,
        "media_paths": [str(talk.media["a.mp4"])],
    }
    assert (second["face_cluster_id"], second["voice_cluster_id"]) == (str(BO), str(UMA))
    accept = {"cluster_ids": [str(TOM)], "target_cluster_id": str(ADA)}
    modify(talk, merges=[accept], apart=[{"cluster_ids": [str(UMA), str(BO)]}])
    assert pairs(talk) == []
    undo = {**talk.body, "cluster_job_name": TALKS}
    talk.client.ok("/faces/edits/undo", **undo)
    assert pairs(talk) == [(ADA, TOM), (BO, UMA)]


def test_who_has_another_name_is_not_proposed(talk: PeopleDesk) -> None:
    def name(*names: tuple[int, str]) -> None:
        assignments = [{"cluster_id": str(id_), "name": given} for id_, given in names]
        body = {**talk.body, "cluster_job_name": TALKS, "assignments": assignments}
        assert talk.client.http.put("/faces/clusters/names", json=body).status_code == 200

    name((ADA, "Ada"), (TOM, "Tom"), (BO, "Uma"))
    assert pairs(talk) == [(BO, UMA)]
    name((TOM, "ADA"))
    assert pairs(talk) == [(ADA, TOM), (BO, UMA)]


def test_a_file_whose_speakers_are_gone_is_left_out(talk: PeopleDesk) -> None:
    for path in talk.cache.media_dir(talk.hash_of("a.mp4")).path.glob("speakers*"):
        path.unlink()
    params = {**talk.body, "cluster_job_name": TALKS}
    answer = talk.client.http.get("/faces/proposals", params=params)
    assert answer.json() == {"proposals": []}
    warning = answer.headers["x-rushes-warnings"]
    assert "1 file of 1 with faces and voices could not be looked at: who speaks" in warning
    assert "Ask again" not in warning
    missing = talk.client.http.get("/faces/proposals", params={"cache_dir": params["cache_dir"]})
    assert missing.status_code == 400
