"""Words that a speech model is given with a file: names of people of the Collection, and lists."""

from __future__ import annotations

import logging
from collections import Counter

from shared.cache.cache_dir import CacheDir
from shared.domain import AnalyzeSpec
from shared.errors import CacheError
from shared.models.vocabulary import MOST_WORDS, most_relevant
from shared.people.clustering import Clustering
from shared.people.collection import Collection, CollectionVocabulary, Version
from shared.people.edits import Names
from shared.people.enrolment import References
from shared.people.state import PeopleState

log = logging.getLogger(__name__)

_HALF = MOST_WORDS // 2  # for the names of people, where words were given, too


def vocabulary_of(cache: CacheDir, spec: AnalyzeSpec) -> tuple[str, ...]:
    """Return the words for the files of an Item: at most MOST_WORDS, the most relevant first."""
    if not spec.uses_vocabulary:
        return ()
    given = (*spec.vocabulary, *list_of(cache, spec.people_of))
    people = most_relevant(people_in(cache, spec.people_of), _HALF if given else MOST_WORDS)
    return most_relevant((*people, *given))


def people_in(cache: CacheDir, collection: str) -> tuple[str, ...]:
    """Names of people in a Collection ("": in all), who is seen most first; none if unreadable.

    Who is enrolled by photos may be in any: those names come last.
    """
    faces: Counter[str] = Counter()
    try:
        for name in [collection] if collection else Collection.all_names(cache.root):
            faces.update(_faces_by_name(Collection(cache.root, name)))
        faces.update(dict.fromkeys(References(cache.root).names(), 0))
    except CacheError as error:
        log.warning("Speech is heard without names of people: %s", error.message)
    return tuple(name for name, _ in faces.most_common())


def list_of(cache: CacheDir, collection: str) -> tuple[str, ...]:
    """The Collection's own list of words; none without a Collection, or where it is unreadable."""
    if not collection:
        return ()
    try:
        return CollectionVocabulary(Collection(cache.root, collection)).read()
    except CacheError as error:
        log.warning("Speech is heard without the list of %r: %s", collection, error.message)
        return ()


# What was read last of each Collection: who is who is known only from all its faces, and every
# file of a Task asks.
_known: dict[str, tuple[Version, Counter[str]]] = {}
_MOST_KNOWN = 100


def _faces_by_name(collection: Collection) -> Counter[str]:
    version, key = collection.version(), str(collection.folder)
    if (known := _known.get(key)) and known[0] == version:
        return known[1]
    faces: Counter[str] = Counter()
    edits = collection.edits()
    if any(isinstance(edit.what, Names) for edit in edits):
        clustering, voices = collection.clustering() or Clustering.empty(), collection.voices()
        state = PeopleState.of(clustering, edits, voices=voices)
        for cluster, name in {**state.voice_names, **state.names}.items():
            faces[name] += state.counts.get(cluster, 0)
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    _known[key] = version, faces
    return faces
