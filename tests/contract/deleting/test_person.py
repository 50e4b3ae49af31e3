"""A person is deleted from everything that was derived, and from what users said."""

from __future__ import annotations

import dataclasses
import errno
import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.deleting.person import FoundPerson, PersonDeletion, delete_person
from api.deleting.person_faces import PersonFaces, delete_faces
from api.deleting.person_groups import without_mention
from api.people.people import People
from api.people.snapshot import CollectionSnapshot
from shared.cache import faces
from shared.cache.cache_dir import CacheDir
from shared.cache.faces import FaceRows, read_faces, write_faces
from shared.cache.frame_packs import PackReader, PackWriter
from shared.domain import Stage
from shared.errors import CacheError
from shared.opening import OpenedFile
from shared.people.clustering import Clustering
from shared.people.clustering_files import check
from shared.people.collection import Collection
from tests.support.people.people_data import (
    FACE_MODEL,
    Seen,
    clustering_of,
    face_rows,
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
    people_desk,
)
from tests.support.stack import Client, Stack

UNSEEN = "Ada Ünverkennbar"  # a name that no file may hold afterwards


@pytest.fixture
def people(
    client: Client, caches: Path, media: Path, request: pytest.FixtureRequest
) -> Iterator[PeopleDesk]:
    with people_desk(client, caches / request.node.name[:60], media) as desk:
        desk.name(_1001=UNSEEN, _2002="Bo")
        yield desk


def delete(people: PeopleDesk, **body: Any) -> dict[str, Any]:
    cache_dir = people.body["cache_dir"]
    return dict(people.client.ok("/faces/people/delete", cache_dir=cache_dir, **body))


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def embeddings_of(people: PeopleDesk, cluster: int) -> list[bytes]:
    """The vectors of a person as bytes, as any file of ours has them."""
    found = []
    for seen in FACES.values():
        rows = face_rows(seen)
        ordered = sorted(seen, key=lambda face: (face.second, face.tenth))
        found += [
            rows.embeddings[n].tobytes()
            for n, face in enumerate(ordered)
            if face.cluster == cluster
        ]
    return found


def crops_of(people: PeopleDesk, cluster: int) -> list[bytes]:
    """What the pack holds as pictures of a person's faces."""
    found = []
    for name, seen in FACES.items():
        ordered = sorted(seen, key=lambda face: (face.second, face.tenth))
        found += [
            f"{people.hash_of(name)} {n}".encode()
            for n, face in enumerate(ordered)
            if face.cluster == cluster
        ]
    return found


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
    check(clustering)
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


@pytest.mark.parametrize("by", ["name", "id"])
def test_an_interrupted_deletion_is_finished_by_asking_again(
    people: PeopleDesk, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the first file and the first collection: nothing of the person is left."""
    _, other = by_another_model(people)
    who = {"name": UNSEEN} if by == "name" else {"cluster_job_name": NAME, "cluster_id": str(ADA)}
    found = [FoundPerson(snapshot_of(people), (ADA,))]
    deletion = PersonDeletion.of(found, UNSEEN if by == "name" else "")
    rewrite = Collection.rewrite

    def killed(collection: Collection, *how: Any) -> None:
        if collection.name == NAME:
            rewrite(collection, *how)
            raise KeyboardInterrupt

    monkeypatch.setattr(Collection, "rewrite", killed)
    with pytest.raises(KeyboardInterrupt):
        delete_person(
            people.cache, deletion, lambda: People().all(people.cache), bool, lambda: None
        )
    monkeypatch.undo()
    assert delete(people, **who, dry_run=False)["faces"] == 0
    after = everything_in(people.cache.root.path)
    assert [part for part in embeddings_of(people, ADA) if part in after] == []
    assert UNSEEN.encode() not in after
    left = other.clustering()
    assert left is not None
    assert left.cluster_ids.tolist() == [7002, 7003]
    assert not (people.cache.root.path / "deletions" / "person.json").exists()


def test_a_name_in_an_edit_whose_snapshot_was_written_by_a_killed_deletion_goes_too(
    people: PeopleDesk,
) -> None:
    collection = snapshot_of(people).collection
    (old,) = (collection.folder.path / "edits").glob("0*.json")
    content = old.read_bytes()
    delete(people, name=UNSEEN, dry_run=False)
    old.write_bytes(content)  # as if it had not been removed
    redact = partial(without_mention, faces=set(), clusters=[ADA], names=[])
    Collection.open(people.cache.root, NAME, create=False).rewrite(lambda found: found, redact)
    assert UNSEEN.encode() not in everything_in(people.cache.root.path)


def test_a_file_that_cannot_be_read_just_now_loses_nothing(
    people: PeopleDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = people.cache.manifest(people.hash_of("a.mp4"), Stage.FACES, FACE_MODEL)
    assert manifest is not None
    path = people.cache.data_path(people.hash_of("a.mp4"), manifest)

    def fails(*_: Any) -> Any:
        raise OSError(errno.EIO, "Input/output error")

    found = [FoundPerson(snapshot_of(people), (ADA,))]
    monkeypatch.setattr(OpenedFile, "read", fails)
    monkeypatch.setattr(faces, "read_npz", fails)
    person = PersonFaces(
        {h: np.array(k, np.uint64) for h, k in PersonDeletion.of(found, "").keys.items()}
    )
    with pytest.raises(CacheError, match="Input/output"):
        delete_faces(people.cache, person, people.hash_of("a.mp4"), bool)
    assert path.exists()


def test_a_collection_that_cannot_be_read_is_named_and_nothing_is_deleted(
    people: PeopleDesk,
) -> None:
    other = Collection.open(people.cache.root, "Season 9", create=True)
    (other.folder.path / "name.json").write_text("damaged")
    body = {"cache_dir": people.body["cache_dir"], "name": UNSEEN, "dry_run": False}
    refused = people.client.post("/faces/people/delete", **body)
    assert refused.status_code == 400
    assert str(other.folder) in refused.json()["message"]
    assert people.clusters()[0] == (ADA, UNSEEN, 4)


def test_a_grouping_of_a_worker_that_comes_meanwhile_is_built_on(people: PeopleDesk) -> None:
    collection = Collection.open(people.cache.root, NAME, create=False)
    before = collection.clustering()
    assert before is not None

    def change(found: Clustering) -> Clustering:
        if found.number == before.number:  # and just then a worker publishes the next one
            assert collection.publish(
                dataclasses.replace(found, number=found.number + 1, made_at=1.5)
            )
        return dataclasses.replace(found, eps=0.9)

    collection.rewrite(change, lambda edit: edit)
    after = collection.clustering()
    assert after is not None
    assert (after.eps, after.made_at) == (0.9, 1.5)


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


def snapshot_of(people: PeopleDesk) -> CollectionSnapshot:
    return People().open(people.cache, NAME)


def by_another_model(people: PeopleDesk) -> tuple[FaceRows, Collection]:
    """The faces of a.mp4 as another model has them, in a collection of their own."""
    hash_str = people.hash_of("a.mp4")
    seen = sorted(FACES["a.mp4"], key=lambda face: (face.second, face.tenth))
    rows = shifted_rows(seen)
    file = publish_of(people.cache, hash_str, "other-faces", rows)
    moved = [face._replace(cluster=n) for n, face in enumerate(seen, 7001)]
    clustering = dataclasses.replace(
        clustering_of({hash_str: (file, moved)}), model="other-faces", keys=rows.keys
    )
    other = Collection.open(people.cache.root, "Season 2", create=True)
    other.add("other-faces", [hash_str], "1")
    assert other.publish(clustering)
    return rows, other


def shifted_rows(seen: Sequence[Seen]) -> FaceRows:
    rows = face_rows(seen)
    kept = {name: getattr(rows, name) for name in FaceRows.__slots__}
    kept["boxes"] = rows.boxes + np.array([0.004, 0.004, 0, 0], np.float32)
    kept["embeddings"] = -rows.embeddings
    return FaceRows(**kept)


def publish_of(cache: CacheDir, hash_str: str, model: str, rows: FaceRows) -> str:
    """Faces of a model; the picture of each is its number."""
    with cache.draft(hash_str, Stage.FACES, model, "npz", "1") as draft:
        assert draft.pack is not None
        write_faces(draft.file, rows)
        pack = PackWriter(draft.pack)
        for row in range(len(rows)):
            pack.add(row, f"{row}".encode())
        pack.finish()
        return draft.publish(rows=len(rows), dim=4).file
