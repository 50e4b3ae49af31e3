"""Deleting what was derived of a person."""

from __future__ import annotations

from typing import Any

from api.deleting.answers import DeletedFaces, PersonDeleted
from api.deleting.bodies import DeletePersonBody
from api.deleting.person import FoundPerson, delete_person, faces_in, named
from api.http.answers import counted
from api.http.endpoint import Call, Endpoint
from api.services import Services
from shared.cache.cache_dir import CacheDir
from shared.domain import TaskKind
from shared.errors import BadInput, Busy, Missing
from shared.people.clustering import NO_CLUSTER
from shared.rights import KeyScope


async def delete_person_data(call: Call[DeletePersonBody]) -> PersonDeleted:
    """Faces, pictures, vectors and names of a person go, at once and for good."""
    return await call.services.in_cache_dir(
        call.body.cache_dir, _delete, call.services, call.body, call.audited
    )


def _delete(services: Services, body: DeletePersonBody, audited: dict[str, Any]) -> PersonDeleted:
    cache = services.caches.cache(services.paths.cache(body.cache_dir))
    found = _found(services, cache, body)
    person = faces_in(found)
    if not body.dry_run:
        _check_idle(services, found)
        audited["faces"] = person.count
        audited["clusters"] = {one.snapshot.name: list(one.roots) for one in found}
        delete_person(
            cache,
            found,
            body.name or "",
            lambda: services.people.all(cache),
            services.ledger.is_over,
        )
    faces = f"{counted(person.count, 'face')} in {counted(len(person.keys), 'file')}"
    message = (
        f"To delete: {faces}. Nothing is deleted yet: send dry_run false for that. It cannot be "
        "undone."
        if body.dry_run
        else f"Deleted: {faces}, with their pictures, vectors and names."
    )
    return PersonDeleted(
        message=message,
        dry_run=body.dry_run,
        files=len(person.keys),
        faces=person.count,
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


def _found(services: Services, cache: CacheDir, body: DeletePersonBody) -> list[FoundPerson]:
    """Raises BadInput for a request that names nobody, or somebody twice, and Missing."""
    if body.name is not None and body.cluster_id is None and body.cluster_job_name is None:
        return named(services.people.all(cache), body.name)
    if body.name is not None or body.cluster_id is None or body.cluster_job_name is None:
        raise BadInput(
            "Name the person by name alone, or by cluster_job_name and cluster_id together."
        )
    snapshot = services.people.open(cache, body.cluster_job_name)
    root = snapshot.root(body.cluster_id, "cluster_id")
    if root == NO_CLUSTER:
        raise BadInput('cluster_id: "-1" stands for the faces in no cluster, which are no person.')
    return [FoundPerson(snapshot, (root,))]


def _check_idle(services: Services, found: list[FoundPerson]) -> None:
    """Raise Busy while faces of such a collection are grouped anew: the person would come back."""
    names = {one.snapshot.name for one in found}
    for task_id in services.ledger.open_tasks(TaskKind.RECLUSTER):
        if any(file.media_path in names for file in services.ledger.files(task_id)):
            raise Busy(
                f"Task {task_id} groups these faces anew; wait for its end or cancel it, then "
                "delete."
            )


ENDPOINTS = (
    Endpoint(
        "POST",
        "/faces/people/delete",
        delete_person_data,
        scope=KeyScope.ADMIN,
        is_audited=True,
        tag="Faces",
        summary="Delete a person",
        description="For those who must by law. Goes at once, and cannot be undone: the person's "
        "faces with their vectors and pictures, from the results of every face model and from "
        "every collection of the cache folder, and the names in the log of edits. Nothing goes "
        "unless `dry_run` is false. Merge first what is the same person. Media files, their "
        "stored frames and backups still show the person, and a new analysis of the faces finds "
        "them again.",
        body=DeletePersonBody,
        answer=PersonDeleted,
        errors={
            BadInput: "Name the person by name alone, or by cluster_job_name and cluster_id "
            "together.",
            Missing: "name: nobody in this cache folder is called 'Adda'; GET /faces/clusters "
            "lists all people.",
            Busy: "Task 8f14e45fceea167a5a36dedd4bea2543 groups these faces anew; wait for its "
            "end or cancel it, then delete.",
        },
        example={"cache_dir": "/footage/.rushes", "name": "Ada", "dry_run": False},
        answer_example={
            "message": "Deleted: 812 faces in 31 files, with their pictures, vectors and names.",
            "dry_run": False,
            "files": 31,
            "faces": 812,
            "collections": [
                {
                    "cluster_job_name": "Season 1",
                    "cluster_ids": ["418350733"],
                    "names": ["Ada"],
                    "face_count": 812,
                }
            ],
        },
    ),
)
