"""Group the faces of a collection anew: a background task on a queue of its own."""

from __future__ import annotations

import msgspec

from api.http.endpoint import Call, Endpoint
from api.http.services import CoreServices
from api.people.bodies import ReclusterBody
from api.tasks.answers import Accepted
from api.tasks.progress import enqueue, note_accepted, waiting_hint
from shared.domain import ProgressType, ReclusterSpec, TaskKind
from shared.errors import Busy
from shared.ledger.records import ItemFile, NewItem, NewTask, Sender
from shared.people.collection import Collection
from shared.process import logs
from shared.rights import KeyScope


async def recluster_faces(call: Call[ReclusterBody], services: CoreServices) -> Accepted:
    """Group faces anew.

    A background task with progress of `type` "recluster"; stop it with /analyze/cancel and its
    task_id. Clusters keep ids and names by majority of their faces; merges and moves made by
    hand stay. 404 for an unknown collection, 409 while another recluster of it runs.
    """
    accepted = await services.in_cache_dir(
        call.body.cache_dir, _submit, services, call.body, call.sender
    )
    logs.task_id_var.set(accepted.task_id)
    return accepted


def _submit(services: CoreServices, body: ReclusterBody, sender: Sender) -> Accepted:
    cache = services.caches.cache(services.paths.cache(body.cache_dir))
    collection = Collection.open(cache.root, body.cluster_job_name, create=False)
    spec = ReclusterSpec(
        cache_dir=str(cache.root),
        collection=collection.name,
        eps=body.eps,
        min_samples=body.min_samples,
        auto_detect=body.auto_detect_params,
        clear_names=body.clear_names,
    )
    file = ItemFile(media_path=collection.name, wants=(ProgressType.RECLUSTER,))
    task = NewTask(
        kind=TaskKind.RECLUSTER,
        queue="recluster",
        items=[NewItem(spec=msgspec.json.encode(spec), files=(file,))],
        sender=sender,
        exclusive=f"collection:{cache.id}:{collection.folder.name}",
    )
    hint = waiting_hint(services, TaskKind.RECLUSTER, body.cache_dir)
    services.ledger.submit(task)
    note_accepted(task)
    enqueue(services, task)
    message = f"The faces of {collection.name!r} are grouped anew.{hint}"
    return Accepted(message=message, task_id=task.task_id)


ENDPOINTS = (
    Endpoint(
        "POST /faces/recluster",
        recluster_faces,
        "Faces",
        KeyScope.PEOPLE,
        is_audited=True,
        errors={
            Busy: "Task 8f14e45fceea167a5a36dedd4bea2543 groups the same collection; wait for its "
            "end or cancel it."
        },
        status=202,
        example={"eps": 0.48, "min_samples": 5},
        answer_example={"message": "The faces of 'Season 1' are grouped anew."},
    ),
)
