"""Voices beside faces: listed, named, merged, moved and undone as faces are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from api.people.filtering import Person, unknown
from api.people.people import KnownPerson, People
from shared.domain import Stage
from tests.support.people.people_desk import ADA, BO, CY, NAME, NOBODY, PeopleDesk
from tests.support.people.voices_desk import (
    Talk,
    add_voices,
    give_voices,
    voice,
    with_voices,
)
from tests.support.stack import Stack

TOM, UMA = 70_001, 70_002  # voices only
TALKS: dict[str, Sequence[Talk]] = {
    "a.mp4": (
        Talk(9, TOM, [(0, 4, "Ready when you are."), (6, 13, "Then we roll at last, everybody.")]),
        Talk(5, UMA, [(4, 6, "Quiet, please.")]),
    ),
    "b.mp4": (Talk(7, UMA, [(1, 3.5, "That was it.")]),),
}
FACES_ONLY = [(ADA, None, 4, None), (BO, None, 2, None), (CY, None, 1, None)]
LOOSE = (NOBODY, None, 1, None)


@pytest.fixture
def talking(people: PeopleDesk) -> PeopleDesk:
    give_voices(people, TALKS)
    return people


def voices(people: PeopleDesk, cluster: int, **more: Any) -> dict[str, Any]:
    body = {**people.body, "cluster_id": str(cluster), **more}
    return dict(people.client.ok("/faces/clusters/voices", **body))


def ids(people: PeopleDesk, cluster: int) -> list[str]:
    return [one["voice_id"] for one in voices(people, cluster)["voices"]]


def speakers(people: PeopleDesk, name: str) -> list[tuple[str, str | None, str | None]]:
    path = str(people.media[name])
    found = people.client.ok("/faces/voices/of", **people.body, media_path=path)["speakers"]
    return [(one["speaker"], one["cluster_id"], one["name"]) for one in found]


def test_voices_are_told_to_who_asks(talking: PeopleDesk) -> None:
    assert talking.clusters() == [(ADA, None, 4), (BO, None, 2), (CY, None, 1), (NOBODY, None, 1)]
    assert "voice" not in str(talking.job(details="true"))
    clusters = talking.job(voices="true", details="true")["clusters"]
    assert clusters[3] == {
        "cluster_id": str(TOM), "name": None, "face_count": 0, "seconds": 0, "stills": 0,
        "files": 0, "voice_count": 1, "voice_seconds": 11.0,
    }  # fmt: skip
    assert with_voices(talking) == [*FACES_ONLY, (TOM, None, 0, 1), (UMA, None, 0, 2), LOOSE]


def test_the_voices_of_a_person_have_something_to_listen_to(talking: PeopleDesk) -> None:
    (tom,) = voices(talking, TOM)["voices"]
    assert tom == {
        "voice_id": voice(talking, "a.mp4", 9),
        "media_path": str(talking.media["a.mp4"]),
        "hash_str": talking.hash_of("a.mp4"),
        "speaker": "S1",
        "seconds": 11.0,
        "excerpt": {"start_seconds": 6.0, "end_seconds": 13.0},
        "text": "Then we roll at last, everybody.",
    }
    first = voices(talking, UMA, limit=1)
    assert [one["seconds"] for one in first["voices"]] == [2.5]
    second = voices(talking, UMA, limit=1, after=first["next"])
    assert [one["speaker"] for one in second["voices"]] == ["S2"]
    assert "next" not in second
    assert voices(talking, ADA) == {"voices": []}


def test_who_speaks_in_a_file_can_be_named_from_there(talking: PeopleDesk) -> None:
    talking.name(_70001="Tom")
    assert speakers(talking, "a.mp4") == [("S1", str(TOM), "Tom"), ("S2", str(UMA), None)]
    add_voices(talking.cache, "Season 2", {talking.hash_of("b.mp4"): TALKS["b.mp4"]})
    (uma,) = talking.job(cluster_job_name="Season 2", voices="true")["clusters"]
    assert (uma["face_count"], uma["voice_count"]) == (0, 1), "a collection without faces"
    path = str(talking.media["a.mp4"])
    body = {**talking.body, "cluster_job_name": "Season 2", "media_path": path}
    found = talking.client.ok("/faces/voices/of", **body)["speakers"]
    assert [(one["voice_id"], one["cluster_id"]) for one in found] == [(None, None)] * 2
    named = People().voices(talking.cache).of(talking.hash_of("a.mp4"))
    assert named == {9: KnownPerson(TOM, "Tom", NAME), 5: KnownPerson(UMA, None, NAME)}


def test_a_face_and_a_voice_become_one_and_part_again(talking: PeopleDesk) -> None:
    talking.name(_70001="Tom")
    talking.merge(TOM, into=BO)
    assert with_voices(talking)[1] == (BO, "Tom", 2, 1)
    assert talking.clusters()[1] == (BO, "Tom", 2)
    assert ids(talking, BO) == ids(talking, TOM) == [voice(talking, "a.mp4", 9)]
    assert speakers(talking, "a.mp4")[0] == ("S1", str(BO), "Tom")
    undone = talking.undo(voices=True)
    assert (TOM, "Tom", 0, 1) in with_voices(talking)
    assert undone["clusters"] == talking.job(voices="true")["clusters"]


def test_voices_move_alone_with_faces_and_with_their_cluster(talking: PeopleDesk) -> None:
    uma, face = voice(talking, "b.mp4", 7), talking.face_ids(CY)
    done = talking.modify(
        moves=[{"voice_ids": [uma], "face_ids": face, "target_cluster_id": None}], voices=True
    )
    (new,) = done["new_cluster_ids"]
    assert (done["moved"], done["moved_voices"]) == (1, 1)
    assert (int(new), None, 1, 1) in with_voices(talking)
    assert done["clusters"] == talking.job(voices="true")["clusters"]
    (move,) = talking.edits()[-1]["moves"]
    assert (move["face_ids"], move["voice_ids"]) == (face, [uma])
    brief = talking.client.http.get("/faces/edits", params={**talking.body, "brief": "true"})
    (told,) = brief.json()["edits"][-1]["moves"]
    assert "voice_ids" not in told
    assert (told["face_count"], told["voice_count"]) == (1, 1)

    whole = {"cluster_ids": [new], "voice_count": 2, "target_cluster_id": "-1"}
    refused = talking.client.post("/faces/clusters/modify", **talking.body, moves=[whole])
    assert refused.status_code == 409
    assert "has 1 voice, not 2" in refused.json()["message"]
    talking.modify(moves=[{**whole, "voice_count": 1}])
    assert ids(talking, NOBODY) == [uma]
    assert with_voices(talking)[-1] == (NOBODY, None, 2, 1)
    loose = {"face_ids": talking.face_ids(NOBODY), "target_cluster_id": str(BO)}
    talking.modify(moves=[loose])
    assert with_voices(talking)[-1] == (NOBODY, None, 0, 1), "voices alone are nobody's"
    assert str(NOBODY) not in [one["cluster_id"] for one in talking.job()["clusters"]]
    talking.undo(edit_id="")
    assert with_voices(talking) == [*FACES_ONLY, (TOM, None, 0, 1), (UMA, None, 0, 2), LOOSE]
    assert "moved_voices" not in talking.modify(moves=[{"face_ids": face}])


@pytest.mark.parametrize(
    ("status", "wanted", "body"),
    [
        (400, "moves[0]: give face_ids or cluster_ids", {"moves": [{}]}),
        (
            400,
            "moves[0].voice_count: give it with cluster_ids",
            {"moves": [{"voice_ids": ["x"], "voice_count": 1}]},
        ),
        (400, "'x' is no voice_id", {"moves": [{"voice_ids": ["x"]}]}),
        (404, "There is no voice", {"moves": [{"voice_ids": [f"{'0' * 16}-voice-00000001"]}]}),
        (404, "apart[0].cluster_ids[1]: ", {"apart": [{"cluster_ids": [str(ADA), "77"]}]}),
        (400, "are one person", {"apart": [{"cluster_ids": [str(ADA), str(ADA)]}]}),
        (400, "apart[0].cluster_ids", {"apart": [{"cluster_ids": [str(ADA)]}]}),
    ],
)
def test_what_is_wrong_is_said(
    talking: PeopleDesk, status: int, wanted: str, body: dict[str, Any]
) -> None:
    answer = talking.client.post("/faces/clusters/modify", **talking.body, **body)
    assert answer.status_code == status, answer.text
    assert wanted in answer.json()["message"]
    assert talking.edits() == []


def test_who_did_not_know_of_a_voice_that_was_moved_is_told(talking: PeopleDesk) -> None:
    uma = voice(talking, "b.mp4", 7)
    talking.modify(moves=[{"voice_ids": [uma], "target_cluster_id": str(TOM)}])
    talking.modify(apart=[{"cluster_ids": [str(ADA), str(TOM)]}])

    def refused(**edit: Any) -> str:
        body = {**talking.body, **edit, "known_edit_id": ""}
        answer = talking.client.post("/faces/clusters/modify", **body)
        return str(answer.json()["message"]) if answer.status_code == 409 else ""

    merge = {"cluster_ids": [str(UMA)], "target_cluster_id": str(CY)}
    assert "voices of one of these people were moved away" in refused(merges=[merge])
    assert "voices were moved to " in refused(moves=[{"voice_ids": [uma]}])
    accept = {"cluster_ids": [str(TOM)], "target_cluster_id": str(ADA)}
    assert "told apart from another one" in refused(merges=[accept])
    only_ada = {"cluster_ids": [str(ADA)], "target_cluster_id": str(BO)}
    assert refused(merges=[only_ada]) == ""


def test_a_voice_that_has_a_name_counts_among_everybody(talking: PeopleDesk) -> None:
    talking.name(_70002="Uma", _1001="Ada")
    params = {"cache_dir": talking.body["cache_dir"]}
    found = talking.client.http.get("/faces/people", params=params).json()["people"]
    (ada,), (uma,) = (person["collections"] for person in found)
    assert "voice_count" not in ada
    assert (uma["cluster_ids"], uma["face_count"], uma["voice_count"]) == ([str(UMA)], 0, 2)


def test_a_filter_of_people_says_that_somebody_is_only_heard(talking: PeopleDesk) -> None:
    talking.name(_70001="Tom", _1001="Ada")
    persons = [Person(NAME, "TOM"), Person(NAME, cluster_id=UMA), Person(NAME, "Ada")]
    assert unknown(People(), talking.cache, persons) == [
        f"'TOM' is only heard in the collection {NAME!r}: no face has the name.",
        f"The cluster {UMA} in the collection {NAME!r} is a voice: it has no face.",
    ]


def test_a_key_with_roots_hears_of_no_file_outside(
    talking: PeopleDesk, api_stack: Stack, media: Path
) -> None:
    roots = [talking.body["cache_dir"], str(media / "elsewhere")]
    made = talking.client.http.post("/keys", json={"roots": roots}).json()
    guest = PeopleDesk(api_stack.client(key=made["license_key"]), talking.cache, talking.media)
    (tom,) = voices(guest, TOM)["voices"]
    faces = guest.faces(cluster_id=str(ADA))
    assert tom["media_path"] == faces[0]["media_path"], "what faces tell of a file, voices tell"
    path = str(talking.media["a.mp4"])
    refused = guest.client.post("/faces/voices/of", **talking.body, media_path=path)
    assert refused.status_code == 403
    assert "media_path" in refused.json()["message"]


def test_files_that_cannot_be_read_any_more_are_left_out(talking: PeopleDesk) -> None:
    hash_str, path = talking.hash_of("a.mp4"), str(talking.media["a.mp4"])
    manifest = talking.cache.manifest(hash_str, Stage.SPEAKERS, "whisper-base")
    assert manifest is not None
    talking.cache.data_path(hash_str, manifest).path.write_text("{")
    (tom,) = voices(talking, TOM)["voices"]
    assert (tom["speaker"], tom["text"]) == ("S1", None)
    answer = talking.client.post("/faces/voices/of", **talking.body, media_path=path)
    assert answer.json() == {"speakers": []}
    assert "damaged" in answer.headers["x-rushes-warnings"]
    unknown = talking.client.post("/faces/voices/of", **talking.body, media_path=f"{path}-not")
    assert unknown.status_code == 404
    no_voice = talking.client.post(
        "/faces/clusters/voices", **talking.body, cluster_id=str(TOM), after="x"
    )
    assert (no_voice.status_code, no_voice.json()["message"][:7]) == (400, "after: ")
