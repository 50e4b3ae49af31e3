"""Deleting a person comes to its end whatever happens in between, and harms nobody else."""

from __future__ import annotations

import dataclasses
import errno
from functools import partial
from typing import Any

import numpy as np
import pytest

from api.deleting.person_faces import PersonFaces, delete_faces, without_mention
from api.deleting.person_routes import FoundPerson, PersonDeletion, delete_person
from api.people.people import People
from shared.cache import faces
from shared.domain import Stage
from shared.errors import CacheError
from shared.opening import OpenedFile
from shared.people.clustering import Clustering
from shared.people.collection import Collection
from shared.people.enrolment import Enrolment, Reference, References
from tests.support.people.deleted_person import (
    UNSEEN,
    by_another_model,
    delete,
    embeddings_of,
    everything_in,
    snapshot_of,
)
from tests.support.people.people_data import (
    FACE_MODEL,
)
from tests.support.people.people_desk import (
    ADA,
    NAME,
    PeopleDesk,
)


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


def test_a_deletion_killed_before_the_photos_are_forgotten_forgets_them_when_asked_again(
    people: PeopleDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    References(people.cache.root).add(Enrolment(UNSEEN, (Reference("other", b"\0<" * 4),)))
    deletion = PersonDeletion.of([FoundPerson(snapshot_of(people), (ADA,))], UNSEEN)

    def killed(_self: References, _names: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(References, "forget", killed)
    with pytest.raises(KeyboardInterrupt):
        delete_person(
            people.cache, deletion, lambda: People().all(people.cache), bool, lambda: None
        )
    monkeypatch.undo()
    delete(people, name="Bo", dry_run=False)  # whoever goes next
    assert UNSEEN.encode() not in everything_in(people.cache.root.path)


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
