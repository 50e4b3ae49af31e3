"""A whole collection: the words that are said in its footage, and grouping its faces again."""

from __future__ import annotations

import msgspec

from api.http.answers import counted
from api.http.endpoint import Call, Endpoint
from api.http.services import CoreServices
from api.people.answers import VocabularyAnswer
from api.people.bodies import ReclusterBody, VocabularyBody
from api.tasks.answers import Accepted
from api.tasks.progress import enqueue, note_accepted, waiting_hint
from shared.cache.cache_dir import CacheDir
from shared.domain import ProgressType, ReclusterSpec, TaskKind
from shared.errors import BadInput, Busy
from shared.ledger.records import ItemFile, NewItem, NewTask
from shared.models.vocabulary import checked_vocabulary
from shared.people.collection import Collection, CollectionVocabulary
from shared.rights import KeyScope


def collection_vocabulary(call: Call[VocabularyBody], services: CoreServices) -> VocabularyAnswer:
    """The words of a collection.

    Names and rare words that are said in the footage of a collection. The speech model is told
    of them with every analysis into it, after those of the request itself. `vocabulary`
    replaces the list, and makes the collection where it is new; without it the list is told.
    Whoever is deleted goes from it, too.
    """
    body = call.body
    given = body.vocabulary
    words = None if given is None else checked_vocabulary(given)
    folder = services.paths.cache(body.cache_dir)
    if words is None:
        cache = services.caches.cache(folder)
        collection = Collection.open(cache.root, body.cluster_job_name, create=False)
        words = CollectionVocabulary(collection).read()
    else:
        cache = CacheDir.open(folder, services.paths.cache_roots, create=True)
        collection = Collection.open(cache.root, body.cluster_job_name, create=True)
        CollectionVocabulary(collection).write(words)
    return VocabularyAnswer(
        message=f"{body.cluster_job_name} has {counted(len(words), 'word')} of its own.",
        vocabulary=list(words),
    )


def recluster_faces(call: Call[ReclusterBody], services: CoreServices) -> Accepted:
    """Group faces anew.

    A background task with progress of `type` "recluster"; stop it with /analyze/cancel and its
    task_id. Clusters keep ids and names by majority of their faces; merges and moves made by
    hand stay. 404 for an unknown collection, 409 while another recluster of it runs.
    """
    body = call.body
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
        sender=call.sender,
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
        "POST /faces/collections/vocabulary",
        collection_vocabulary,
        "Faces",
        KeyScope.PEOPLE,
        is_audited=True,
        errors={BadInput: "vocabulary[0] holds no letter; leave it out."},
        example={"vocabulary": ...},
        answer_example={"message": "Season 1 has 1 word of its own."},
    ),
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
