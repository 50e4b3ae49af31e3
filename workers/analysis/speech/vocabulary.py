"""What a speech model is told of before a file: people of the Collection, given words, folders."""

from __future__ import annotations

import logging
import re
from collections import Counter
from pathlib import PurePath

from shared.cache.cache_dir import CacheDir
from shared.domain import AnalyzeSpec
from shared.errors import CacheError
from shared.models.vocabulary import LONGEST_ENTRY, MOST_WORDS, most_relevant
from shared.paths import Roots
from shared.people.clustering import Clustering
from shared.people.collection import Collection, Version
from shared.people.edits import Names
from shared.people.enrolment import References
from shared.people.state import PeopleState
from shared.people.vocabulary import CollectionVocabulary

log = logging.getLogger(__name__)

_HALF = MOST_WORDS // 2  # for the names of people, where words were given, too
_FOLDER_WORDS = 8
_BETWEEN_WORDS = re.compile(r"[\s_.,;:+&()\[\]{}#@!~=-]+")
_SHORTEST = 3  # letters, in scripts that have few for a word
# What folders of footage are called that are named after nobody: by cameras (DCF, AVCHD, XDCAM,
# P2), systems and habit.
_COMMON = frozenset(
    """
    dcim private avchd bdmv stream contents clip clips video videos audio sound voice proxy proxies
    sub general thmbnl crm reel reels roll rolls card cards cam camera cameras media footage rushes
    dailies raw original originals film films movie movies photo photos picture pictures image
    images still stills mnt volumes users home root tmp temp var opt srv data share shared nas
    desktop documents downloads dropbox project projects archive archives backup backups export
    exports import imports incoming ingest new old untitled folder files day scene scenes take takes
    shot shots select selects edit edits final master test and the for from with
    """.split()
)


class Vocabulary:
    """The words for the files of an Item. Reads names of people once, at the first file."""

    def __init__(self, cache: CacheDir, spec: AnalyzeSpec, roots: Roots) -> None:
        self._cache = cache
        self._spec = spec
        self._roots = roots
        self._people: tuple[str, ...] | None = None
        self._given = spec.vocabulary

    def of(self, path: str) -> tuple[str, ...]:
        """At most MOST_WORDS words, the most relevant first."""
        if self._people is None:
            self._people = people_in(self._cache, self._spec.people_of)
            self._given += list_of(self._cache, self._spec.people_of)
        people = most_relevant(self._people, _HALF if self._given else MOST_WORDS)
        return most_relevant((*people, *self._given, *folder_names(path, self._roots)))


def folder_names(path: str, roots: Roots) -> tuple[str, ...]:
    """What the folders of a file are named after, the nearest first; words with letters only."""
    folder = PurePath(path).parent
    inside = [root for root in roots.folders or () if folder.is_relative_to(root)]
    parts = folder.relative_to(max(inside, key=lambda root: len(root.parts))) if inside else folder
    names = (_name(part) for part in reversed(parts.parts))
    return most_relevant(filter(None, names), _FOLDER_WORDS)


def _name(folder: str) -> str:
    words = [word for word in _BETWEEN_WORDS.split(folder) if _is_said(word)]
    return " ".join(words)[:LONGEST_ENTRY]


def _is_said(word: str) -> bool:
    letters = word.replace("'", "").replace("’", "")
    return letters.isalpha() and len(letters) >= _SHORTEST and letters.casefold() not in _COMMON


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
