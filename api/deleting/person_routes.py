"""Deleting what was derived of a person."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import partial

import msgspec
import redis
from msgspec import UNSET
from redis.lock import Lock

from api.deleting.answers import DeletedFaces, PersonDeleted
from api.deleting.bodies import DeletePersonBody
from api.deleting.person import (
    FoundPerson,
    PersonDeletion,
    check_collections,
    delete_person,
    named,
    unfinished,
)
from api.http.answers import counted
from api.http.endpoint import Call, Endpoint
from api.people.people import PeopleServices
from shared.audit import AuditLog
from shared.cache.cache_dir import CacheDir
from shared.domain import ReclusterSpec, TaskKind
from shared.errors import BadInput, Busy, Missing
from shared.people.clustering import NO_CLUSTER
from shared.redis.clients import key_prefix, translated
from shared.rights import KeyScope

_LOCK_S = 300  # longer than the faces of one file take


@dataclass(frozen=True, slots=True)
class DeletionServices(PeopleServices):
    """Who is known in CacheDirs, and the audit log."""

    audit: AuditLog


async def delete_person_data(
    call: Call[DeletePersonBody], services: DeletionServices
) -> PersonDeleted:
    """Delete a person.

    For those who must by law. Goes at once, and cannot be undone: the person's faces with their
    vectors and pictures, from the results of every face model and from every collection of the
    cache folder; the voices, with their vectors, from the speakers of every transcript and from
    every collection; what was enrolled from photos, and the names in the log of edits. Nothing
    goes unless `dry_run` is false. Merge first what is one person. When the person speaks stays
    with the transcripts. Media files, their stored frames and backups still show the person,
    and a new analysis of faces or speech tells them again, as somebody new without a name.
    """
    body = call.body
    found = await services.in_cache_dir(body.cache_dir, _found, services, body)
    photos = await services.in_cache_dir(body.cache_dir, _photos, services, body, found)
    if body.dry_run:
        return _answer(found, photos, None)
    call.audited["faces"] = sum(len(one.faces) for one in found)
    if voices := _voice_count(PersonDeletion.of(found, "")):
        call.audited["voices"] = voices
    call.audited["clusters"] = {one.snapshot.name: one.clusters for one in found}
    call.audited["state"] = "begun"
    await call.audit(services.audit, "delete_person_data")  # before: nothing brings it back
    damaged = await services.in_cache_dir(body.cache_dir, _delete, services, body)
    call.audited["state"] = "done"
    return _answer(found, photos, damaged)


def _photos(services: DeletionServices, body: DeletePersonBody, found: list[FoundPerson]) -> int:
    """Vectors of reference photos that go with the person."""
    references = services.people.references(_cache(services, body))
    names = PersonDeletion.of(found, body.name or "").references
    return sum(len(references.of(name)) for name in names)


def _answer(found: list[FoundPerson], photos: int, damaged: int | None) -> PersonDeleted:
    """What was found, and deleted with so many damaged results; None: was not deleted."""
    deletion = PersonDeletion.of(found, "")
    count = sum(len(keys) for keys in deletion.keys.values())
    faces = f"{counted(count, 'face')} in {counted(len(deletion.keys), 'file')}"
    voices = _voice_count(deletion)
    if voices:
        faces += f", {counted(voices, 'voice')} in {counted(len(deletion.voices), 'file')}"
    if photos:
        faces += f" and {counted(photos, 'vector')} of reference photos"
    if damaged is None:
        message = (
            f"To delete: {faces}. Nothing is deleted yet: send dry_run false for that. It cannot "
            "be undone."
        )
    else:
        message = f"Deleted: {faces}, with their pictures, vectors and names."
    if damaged:
        what = "faces and speakers" if voices else "faces"
        message += f" Damaged results of {what} that were deleted as a whole: {damaged}."
    return PersonDeleted(
        message=message,
        dry_run=damaged is None,
        files=len(deletion.keys),
        faces=count,
        voices=voices or UNSET,
        damaged=damaged or 0,
        collections=[
            DeletedFaces(
                cluster_job_name=one.snapshot.name,
                cluster_ids=[str(root) for root in one.roots],
                names=one.names,
                face_count=len(one.faces),
            )
            for one in found
        ],
    )


def _voice_count(deletion: PersonDeletion) -> int:
    return sum(len(ids) for ids in deletion.voices.values())


def _delete(services: DeletionServices, body: DeletePersonBody) -> int:
    """One deletion at a time in a cache folder; one that was interrupted is finished before."""
    cache = _cache(services, body)
    name = f"{key_prefix(services.settings.instance)}deleting:{cache.id}"
    lock = services.redis.lock(name, timeout=_LOCK_S)
    with translated():
        if not lock.acquire(blocking=False):
            raise Busy("Another person is being deleted from this cache folder; ask again shortly.")
    try:
        _check_idle(services, cache)
        run = partial(
            delete_person,
            cache,
            snapshots=lambda: services.people.all(cache),
            is_over=services.ledger.is_over,
            go_on=partial(_keep, lock),
        )
        damaged = run(former) if (former := unfinished(cache)) else 0
        found = _found(services, body)
        return damaged + run(PersonDeletion.of(found, body.name or ""))
    except Missing:
        if former is None:
            raise
        return damaged  # it was the one that was interrupted
    finally:
        with contextlib.suppress(redis.RedisError):
            lock.release()


def _keep(lock: Lock) -> None:
    with translated():
        lock.reacquire()


def _cache(services: DeletionServices, body: DeletePersonBody) -> CacheDir:
    return services.caches.cache(services.paths.cache(body.cache_dir))


def _found(services: DeletionServices, body: DeletePersonBody) -> list[FoundPerson]:
    """Raises BadInput for a request that names nobody, or somebody twice, Missing, CacheError.

    Nobody, where only a deletion that was interrupted knows of the person.
    """
    by_name = body.name is not None and body.cluster_id is None and body.cluster_job_name is None
    if not by_name and (body.name is not None or None in (body.cluster_id, body.cluster_job_name)):
        raise BadInput(
            "Name the person by name alone, or by cluster_job_name and cluster_id together."
        )
    cache = _cache(services, body)
    snapshots = services.people.all(cache)
    check_collections(cache, snapshots)
    references = services.people.references(cache)
    try:
        return (
            named(snapshots, body.name, references)
            if body.name
            else [_by_id(services, cache, body)]
        )
    except Missing:
        if unfinished(cache) is None:
            raise
        return []


def _by_id(services: DeletionServices, cache: CacheDir, body: DeletePersonBody) -> FoundPerson:
    snapshot = services.people.open(cache, body.cluster_job_name or "")
    root = snapshot.root(body.cluster_id or "", "cluster_id")
    if root == NO_CLUSTER:
        raise BadInput('cluster_id: "-1" stands for the faces in no cluster, which are no person.')
    return FoundPerson(snapshot, (root,))


def _check_idle(services: DeletionServices, cache: CacheDir) -> None:
    """Raise Busy while faces of this folder are grouped anew: the person would come back."""
    for task_id in services.ledger.open_tasks(TaskKind.RECLUSTER):
        raw = services.ledger.spec(task_id)
        if raw and msgspec.json.decode(raw, type=ReclusterSpec).cache_dir == str(cache.root):
            raise Busy(
                f"Task {task_id} groups these faces anew; wait for its end or cancel it, then "
                "delete."
            )


ENDPOINTS = (
    Endpoint(
        "POST /faces/people/delete",
        delete_person_data,
        "Faces",
        KeyScope.ADMIN,
        is_audited=True,
        errors={
            BadInput: "Name the person by name alone, or by cluster_job_name and cluster_id "
            "together.",
            Missing: "name: nobody in this cache folder is called 'Adda'; GET /faces/people "
            "lists everybody who has a name.",
            Busy: "Task 8f14e45fceea167a5a36dedd4bea2543 groups these faces anew; wait for its "
            "end or cancel it, then delete.",
        },
        example={"name": ..., "dry_run": False},
        answer_example={"message": "Deleted: 12 faces in 3 files, with their pictures."},
    ),
)
