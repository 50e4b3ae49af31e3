"""A person is deleted from everything that was derived, and from what users said."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from shared.cache.faces import FaceRows, read_faces
from shared.cache.frame_packs import PackReader
from shared.domain import Stage
from shared.people.collection import Collection, CollectionVocabulary
from shared.people.enrolment import Enrolment, Reference, References
from shared.people.numbered_files import check_clustering
from tests.support.people.deleted_person import (
    UNSEEN,
    by_another_model,
    crops_of,
    delete,
    embeddings_of,
    everything_in,
    publish_of,
    shifted_rows,
)
from tests.support.people.people_data import (
    FACE_MODEL,
    make_collection,
)
from tests.support.people.people_desk import (
    ADA,
    BO,
    CY,
    FACES,
    NAME,
    NOBODY,
    PeopleDesk,
)
from tests.support.search.transcribed import publish as publish_transcript
from tests.support.search.transcribed import spoken
from tests.support.stack import Client, Stack


def test_nothing_goes_unless_dry_run_is_false(people: PeopleDesk) -> None:
    before = everything_in(people.cache.root.path)
    said = delete(people, name=UNSEEN.upper())
    assert (said["dry_run"], said["faces"], said["files"]) == (True, 4, 2)
    (collection,) = said["collections"]
    assert collection == {
        "cluster_job_name": NAME,
        "cluster_ids": [str(ADA)],
        "names": [UNSEEN],
        "face_count": 4,
    }
    assert everything_in(people.cache.root.path) == before


def test_no_file_holds_the_persons_faces_pictures_or_name_afterwards(people: PeopleDesk) -> None:
    mine = [*embeddings_of(people, ADA), *crops_of(people, ADA), UNSEEN.encode()]
    theirs = [*embeddings_of(people, BO), *crops_of(people, BO)]
    before = everything_in(people.cache.root.path)
    assert all(part in before for part in (*mine, *theirs))
    said = delete(people, name=UNSEEN, dry_run=False)
    assert (said["dry_run"], said["faces"], said["files"]) == (False, 4, 2)
    after = everything_in(people.cache.root.path)
    assert [part for part in mine if part in after] == []
    assert json.dumps(UNSEEN)[1:-1].encode() not in after
    assert [part for part in embeddings_of(people, BO) if part not in after] == []


def test_the_others_stay_who_and_where_they_were(people: PeopleDesk) -> None:
    before = {face["face_id"]: face for face in people.faces()}
    ada = set(people.face_ids(ADA))
    delete(people, name=UNSEEN, dry_run=False)
    assert people.clusters() == [(BO, "Bo", 2), (CY, None, 1), (NOBODY, None, 1)]
    after = {face["face_id"]: face for face in people.faces()}
    assert after == {id_: face for id_, face in before.items() if id_ not in ada}
    clustering = Collection.open(people.cache.root, NAME, create=False).clustering()
    assert clustering is not None
    check_clustering(clustering)
    assert ADA in clustering.retired.tolist()
    for row, hash_str, key in zip(
        clustering.rows,
        (clustering.media[n] for n in clustering.media_of),
        clustering.keys,
        strict=True,
    ):
        manifest = people.cache.manifest(hash_str, Stage.FACES, FACE_MODEL)
        assert manifest is not None
        rows = FaceRows(**read_faces(people.cache.data_path(hash_str, manifest)))
        assert rows.keys[row] == key


def test_the_log_of_edits_goes_on_without_the_person(people: PeopleDesk) -> None:
    first, *_ = people.face_ids(ADA)
    people.modify(moves=[{"face_ids": [first], "target_cluster_id": str(BO)}])
    people.undo()
    ids = [edit["edit_id"] for edit in people.edits()]
    delete(people, name=UNSEEN, dry_run=False)
    edits = people.edits()
    assert [edit["edit_id"] for edit in edits] == ids
    assert edits[0]["assignments"] == [{"cluster_id": str(BO), "name": "Bo"}]
    assert edits[1]["moves"] == []
    assert first not in json.dumps(edits)
    people.undo(edit_id="")
    assert people.clusters() == [(BO, None, 2), (CY, None, 1), (NOBODY, None, 1)]


def test_a_face_that_a_user_gave_to_somebody_else_stays_theirs(people: PeopleDesk) -> None:
    first, *others = people.face_ids(ADA)
    people.modify(moves=[{"face_ids": [first], "target_cluster_id": str(BO)}])
    assert delete(people, name=UNSEEN, dry_run=False)["faces"] == len(others)
    assert people.clusters() == [(BO, "Bo", 3), (CY, None, 1), (NOBODY, None, 1)]
    assert first in people.face_ids(BO)


def test_merged_clusters_go_together(people: PeopleDesk) -> None:
    people.merge(CY, into=ADA)
    assert delete(people, name=UNSEEN, dry_run=False)["faces"] == 5
    assert people.clusters() == [(BO, "Bo", 2), (NOBODY, None, 1)]


def test_a_cluster_goes_by_its_id_and_its_name_with_it(people: PeopleDesk) -> None:
    said = delete(people, cluster_job_name=NAME, cluster_id=ADA, dry_run=False)
    assert said["collections"][0]["names"] == [UNSEEN]
    assert [id_ for id_, *_ in people.clusters()] == [BO, CY, NOBODY]
    assert UNSEEN.encode() not in everything_in(people.cache.root.path)


def test_the_same_faces_go_from_other_collections_and_of_other_models(people: PeopleDesk) -> None:
    hash_str = people.hash_of("a.mp4")
    shifted, other = by_another_model(people)
    delete(people, name=UNSEEN, dry_run=False)
    left = other.clustering()
    assert left is not None
    assert left.cluster_ids.tolist() == [7002, 7003]  # Ada was 7001 there
    manifest = people.cache.manifest(hash_str, Stage.FACES, "other-faces")
    assert manifest is not None
    rows = FaceRows(**read_faces(people.cache.data_path(hash_str, manifest)))
    assert rows.keys.tolist() == shifted.keys[1:].tolist()
    with PackReader(people.cache.media_dir(hash_str) / str(manifest.pack)) as pack:
        assert [pack.read(n) for n in range(len(rows))] == [b"1", b"2"]


def test_who_stands_close_to_the_person_stays(people: PeopleDesk) -> None:
    """Also where another model has found one face of the two, and when it is asked for again."""
    hash_str = people.hash_of("b.mp4")
    near = (*FACES["b.mp4"][:3], FACES["b.mp4"][3]._replace(tenth=1.5))  # type: ignore[arg-type]
    make_collection(people.cache, NAME, {hash_str: near}, number=2)
    publish_of(people.cache, hash_str, "other-faces", shifted_rows(near[3:]))
    people.name(_1001=UNSEEN)
    for _ in range(2):
        delete(people, name=UNSEEN, dry_run=False)
        assert people.clusters() == [(BO, "Bo", 1)]
        manifest = people.cache.manifest(hash_str, Stage.FACES, "other-faces")
        assert manifest is not None
        assert manifest.rows == 1
        people.name(_2002="Bo")
        if UNSEEN.encode() not in everything_in(people.cache.root.path):
            break


def test_deleted_results_with_the_person_cannot_be_brought_back(
    people: PeopleDesk, client: Client
) -> None:
    body = {"cache_dir": people.body["cache_dir"]}
    paths = [str(people.media["a.mp4"])]
    deleted = client.ok("/analysis-data/delete", **body, media_paths=paths, dry_run=False)
    delete(people, name=UNSEEN, dry_run=False)
    after = everything_in(people.cache.root.path)
    assert [part for part in embeddings_of(people, ADA) if part in after] == []
    undone = client.ok("/analysis-data/deletions/undo", **body, deletion_id=deleted["deletion_id"])
    assert undone["lost"] == 1


def test_damaged_faces_are_deleted_as_a_whole(people: PeopleDesk) -> None:
    hash_str = people.hash_of("a.mp4")
    manifest = people.cache.manifest(hash_str, Stage.FACES, FACE_MODEL)
    assert manifest is not None
    path = people.cache.data_path(hash_str, manifest).path
    path.write_bytes(path.read_bytes()[:-40])
    delete(people, name=UNSEEN, dry_run=False)
    assert not path.exists()
    assert people.cache.manifest(hash_str, Stage.FACES, FACE_MODEL) is None
    assert [id_ for id_, *_ in people.clusters()] == [BO, CY, NOBODY]


def test_a_name_that_only_the_log_knows_is_forgotten(people: PeopleDesk) -> None:
    people.name(_1001="Ada")
    assert delete(people, name=UNSEEN, dry_run=False)["faces"] == 0
    assert UNSEEN.encode() not in everything_in(people.cache.root.path)
    assert people.clusters()[0] == (ADA, "Ada", 4)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 400, "by name alone"),
        ({"name": "x", "cluster_id": "1001"}, 400, "by name alone"),
        ({"cluster_id": "1001"}, 400, "cluster_job_name"),
        ({"name": "Somebody"}, 404, "nobody in this cache folder"),
        ({"cluster_job_name": NAME, "cluster_id": "-1"}, 400, "no person"),
        ({"cluster_job_name": NAME, "cluster_id": "5"}, 404, "cluster_id"),
    ],
)
def test_bad_input_names_the_field_and_what_is_possible(
    people: PeopleDesk, body: dict[str, Any], status: int, words: str
) -> None:
    cache_dir = people.body["cache_dir"]
    refused = people.client.post("/faces/people/delete", cache_dir=cache_dir, **body)
    assert refused.status_code == status
    assert words in refused.json()["message"]


def test_while_the_faces_are_grouped_anew_nobody_is_deleted(people: PeopleDesk) -> None:
    task = people.client.ok("/faces/recluster", **people.body)
    body = {"cache_dir": people.body["cache_dir"], "name": UNSEEN, "dry_run": False}
    refused = people.client.post("/faces/people/delete", **body)
    assert refused.status_code == 409
    assert task["task_id"] in refused.json()["message"]


def test_the_audit_log_says_what_was_deleted_and_no_name(
    people: PeopleDesk, api_stack: Stack
) -> None:
    delete(people, name=UNSEEN)
    delete(people, name=UNSEEN, dry_run=False)
    log = (api_stack.folder / "state" / "audit.jsonl").read_text()
    assert UNSEEN not in log
    lines = [json.loads(line) for line in log.splitlines()]
    cache_dir = people.body["cache_dir"]
    begun, done = (
        line["details"]
        for line in lines
        if line["action"] == "delete_person_data" and line["details"]["cache_dir"] == cache_dir
    )
    assert (begun["faces"], begun["clusters"]) == (4, {NAME: [ADA]})
    assert (begun["state"], done["state"]) == ("begun", "done")


@pytest.mark.parametrize("by", ["name", "id"])
def test_what_was_enrolled_of_the_person_goes(people: PeopleDesk, by: str) -> None:
    references, vector = References(people.cache.root), b"\0<" * 4
    for name in (UNSEEN.lower(), "Bo"):
        references.add(Enrolment(name, (Reference("other", vector),)))
    who = {"name": UNSEEN} if by == "name" else {"cluster_job_name": NAME, "cluster_id": str(ADA)}
    assert "1 vector of reference photos" in delete(people, **who)["message"]
    assert references.of(UNSEEN), "that was a dry run"
    delete(people, **who, dry_run=False)
    assert not references.of(UNSEEN)
    assert len(references.of("Bo")) == 1
    assert UNSEEN.lower().encode() not in everything_in(people.cache.root.path)


def test_the_name_goes_from_the_words_of_collections(people: PeopleDesk) -> None:
    made = Collection.open(people.cache.root, "Another", create=True)
    for collection in (made, Collection.open(people.cache.root, NAME, create=False)):
        CollectionVocabulary(collection).write((UNSEEN.title(), "Kestrelhaven"))
    delete(people, name=UNSEEN, dry_run=False)
    assert CollectionVocabulary(made).read() == ("Kestrelhaven",)
    assert UNSEEN.lower().encode() not in everything_in(people.cache.root.path).lower()


def test_the_name_goes_from_the_words_that_transcripts_record(people: PeopleDesk) -> None:
    cache, told = people.cache, (UNSEEN.title(), "Kestrelhaven")
    publish_transcript(cache, "ab" * 8, (spoken(0, "Hello.", 1),), vocabulary=told)
    before = cache.manifest("ab" * 8, Stage.TRANSCRIPT, "whisper-base")
    delete(people, name=UNSEEN, dry_run=False)
    after = cache.manifest("ab" * 8, Stage.TRANSCRIPT, "whisper-base")
    assert before is not None
    assert after == msgspec.structs.replace(before, vocabulary=told[1:])
    assert UNSEEN.lower().encode() not in everything_in(cache.root.path).lower()


def test_who_is_only_enrolled_can_be_deleted(people: PeopleDesk) -> None:
    References(people.cache.root).add(Enrolment("Dee", (Reference("other", b"\0<" * 4),)))
    said = delete(people, name="Dee", dry_run=False)
    assert (said["faces"], said["collections"]) == (0, [])
    assert b"Dee" not in everything_in(people.cache.root.path)
    answer = people.client.post(
        "/faces/people/delete", cache_dir=people.body["cache_dir"], name="Dee"
    )
    assert answer.status_code == 404
