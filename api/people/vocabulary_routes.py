"""The words that are said in the footage of a collection."""

from __future__ import annotations

from api.http.answers import counted
from api.http.endpoint import Call, Endpoint
from api.http.services import CoreServices
from api.people.answers import VocabularyAnswer
from api.people.bodies import VocabularyBody
from shared.cache.cache_dir import CacheDir
from shared.errors import BadInput
from shared.models.vocabulary import checked_vocabulary
from shared.people.collection import Collection
from shared.people.vocabulary import CollectionVocabulary
from shared.rights import KeyScope


async def collection_vocabulary(
    call: Call[VocabularyBody], services: CoreServices
) -> VocabularyAnswer:
    """The words of a collection.

    Names and rare words that are said in the footage of a collection. The speech model is told
    of them with every analysis into it, after those of the request itself. `vocabulary`
    replaces the list, and makes the collection where it is new; without it the list is told.
    Whoever is deleted goes from it, too.
    """
    return await services.in_cache_dir(call.body.cache_dir, _answer, services, call.body)


def _answer(services: CoreServices, body: VocabularyBody) -> VocabularyAnswer:
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
)
