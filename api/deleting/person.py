"""Finds a person in a cache folder and deletes what was derived of them.

What is to go is written down first, in CACHE_DIR/deletions/person.json, and that is removed last:
a deletion that was interrupted is finished by the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial

import msgspec
import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from api.deleting.person_faces import (
    Keys,
    PersonFaces,
    delete_faces,
    faces_of_person,
    without_mention,
    without_person,
)
from api.deleting.person_voices import (
    PersonVoices,
    delete_voices,
    voices_of_people,
    with_ids_elsewhere,
)
from api.people.snapshot import CollectionSnapshot
from shared.cache import cache_files, limits
from shared.cache.cache_dir import CacheDir
from shared.cache.publishing import DELETIONS
from shared.domain import Manifest, Stage
from shared.errors import Busy, CacheError, Missing
from shared.msgspec_decoding import UNDECODABLE
from shared.people.clustering import NO_CLUSTER
from shared.people.collection import CollectionVocabulary
from shared.people.edits import Modify, Names
from shared.people.enrolment import References
from shared.people.face_index import GONE, FaceIndex
from shared.people.names import folder_name, spoken
from shared.people.state import PeopleState, all_names
from shared.unusable_files import UnusableFile

_TRIES = 3
_RECORD = "person.json"


@dataclass(frozen=True, slots=True)
class FoundPerson:
    """Who is to go, in one collection. `roots`: clusters; none where only an edit has the name."""

    snapshot: CollectionSnapshot
    roots: tuple[int, ...]

    @property
    def faces(self) -> NDArray[np.int32]:
        """Indexes into the clustering."""
        return self.snapshot.state.faces_of(self.roots)

    @property
    def names(self) -> list[str]:
        """Names of the clusters."""
        known = all_names(self.snapshot.state)
        return sorted({known[root] for root in self.roots if root in known})

    @property
    def clusters(self) -> list[int]:
        """All ids that mean the person."""
        return [id_ for root in self.roots for id_ in self.snapshot.state.ids_of(root)]


class PersonDeletion(msgspec.Struct, frozen=True):
    """What is to go, as it is written down until it is gone."""

    names: tuple[str, ...]  # as `spoken` has them
    keys: dict[str, tuple[int, ...]]  # of faces, by MediaFile
    clusters: dict[str, tuple[int, ...]]  # ids by the name of their collection
    references: tuple[str, ...] = ()  # whose reference photos are forgotten, as `spoken` has it
    voices: dict[str, tuple[int, ...]] = {}  # ids of speakers, by MediaFile

    @classmethod
    def of(cls, found: Sequence[FoundPerson], name: str) -> PersonDeletion:
        """`name`: "" to forget only the names of the clusters."""
        called = {spoken(known) for known in (name, *(n for one in found for n in one.names))}
        keys: dict[str, set[int]] = {}
        for one in found:
            clustering, faces = one.snapshot.clustering, one.faces
            places = (clustering.media, clustering.media_of[faces], clustering.keys[faces])
            for hash_str, key in [*_pairs(*places), *_remembered(one)]:
                keys.setdefault(hash_str, set()).add(key)
        voices: dict[str, set[int]] = {}
        for one in found:
            for hash_str, speaker in voices_of_people(one.snapshot.state, one.roots):
                voices.setdefault(hash_str, set()).add(speaker)
        return cls(
            names=(spoken(name),) if name else (),
            keys={hash_str: tuple(sorted(own)) for hash_str, own in keys.items()},
            clusters={one.snapshot.name: tuple(one.clusters) for one in found},
            references=tuple(sorted(called - {""})),
            voices={hash_str: tuple(sorted(own)) for hash_str, own in voices.items()},
        )


def _pairs(
    media: Sequence[str], media_of: NDArray[np.int32], keys: Keys
) -> Iterable[tuple[str, int]]:
    for number, key in zip(media_of.tolist(), keys.tolist(), strict=True):
        yield media[number], key


def _remembered(one: FoundPerson) -> Iterable[tuple[str, int]]:
    """Faces that were the person's when their file was grouped last; it has no results now."""
    memory = one.snapshot.clustering.memory
    was_theirs = np.isin(memory.homes, one.clusters)
    is_gone = FaceIndex(one.snapshot.clustering).same(memory) == GONE
    at = np.flatnonzero(was_theirs & is_gone)
    return _pairs(memory.media, memory.media_of[at], memory.keys[at])


def named(
    snapshots: Iterable[CollectionSnapshot], name: str, references: References
) -> list[FoundPerson]:
    """Everybody of this name. Raises Missing where nobody is, or was, called or enrolled so."""
    found = []
    for snapshot in snapshots:
        roots = _called(snapshot.state, name)
        if roots or spoken(name) in _names_in_edits(snapshot):
            found.append(FoundPerson(snapshot, roots))
    if not found and not references.of(name):
        raise Missing(
            f"name: nobody in this cache folder is called {name[:80]!r}; GET /faces/people lists "
            "everybody who has a name."
        )
    return found


def _called(state: PeopleState, name: str) -> tuple[int, ...]:
    """Clusters of this name that have faces or voices, or had voices: these may come back."""
    heard = {*state.voices.tolist()} - {NO_CLUSTER}
    known = all_names(state).items()
    ever = {root for root, called in known if root in heard and spoken(called) == spoken(name)}
    return tuple(sorted({*ever, *state.ids_named(name)}))


def _names_in_edits(snapshot: CollectionSnapshot) -> set[str]:
    log = (edit.what for edit in snapshot.state.edits if isinstance(edit.what, Names))
    return {spoken(given.name) for what in log for given in what.assignments}


def unfinished(cache: CacheDir) -> PersonDeletion | None:
    """The deletion that was interrupted in this folder."""
    try:
        raw = cache_files.read(cache.root / DELETIONS / _RECORD, limits.DELETION)
        return msgspec.json.decode(raw, type=PersonDeletion)
    except (FileNotFoundError, NotADirectoryError, UnusableFile, *UNDECODABLE):
        return None
    except OSError as error:
        raise cache_files.cache_error(cache.root, error) from error


def check_collections(cache: CacheDir, snapshots: Iterable[CollectionSnapshot]) -> None:
    """Raise CacheError where a collection cannot be read: the person may be in it."""
    known = {folder_name(snapshot.name) for snapshot in snapshots}
    with cache_files.clear_errors(cache.root):
        strange = set(cache_files.names(cache.root / "collections")) - known
        for folder in sorted(strange):
            if cache_files.names(cache.root / "collections" / folder):
                raise CacheError(
                    f"The collection in {cache.root}/collections/{folder} has no name that can be "
                    "read. Mend its name.json or remove the folder, then delete."
                )


def delete_person(
    cache: CacheDir,
    deletion: PersonDeletion,
    snapshots: Callable[[], Sequence[CollectionSnapshot]],
    is_over: Callable[[str], bool],
    go_on: Callable[[], None],
) -> int:
    """Delete faces and voices from all results and collections, and what edits say of the person.

    Returns how many damaged artefacts went as a whole. `go_on`: called before each file; raises
    where others may be at it. Raises CacheError, and Busy while workers bring the faces back.
    """
    ids = with_ids_elsewhere(cache, deletion.voices, go_on)
    deletion, voices = msgspec.structs.replace(deletion, voices=ids), PersonVoices(ids)
    _write_down(cache, deletion)
    References(cache.root).forget(deletion.references)
    keys = {h: np.array(own, np.uint64) for h, own in deletion.keys.items()}
    person = PersonFaces(keys, _others(snapshots(), deletion, keys))
    damaged = 0
    for hash_str in keys:
        go_on()
        damaged += delete_faces(cache, person, hash_str, is_over)
    for hash_str in ids:
        go_on()
        damaged += delete_voices(cache, voices, hash_str, is_over)
    _leave_groupings(cache, deletion, (person, voices), snapshots, go_on)
    for hash_str in cache.catalogue.hashes():
        go_on()
        _forget_words(cache, hash_str, {*deletion.names, *deletion.references})
    _strike_out(cache)
    return damaged


def _leave_groupings(
    cache: CacheDir,
    deletion: PersonDeletion,
    who: tuple[PersonFaces, PersonVoices],
    snapshots: Callable[[], Sequence[CollectionSnapshot]],
    go_on: Callable[[], None],
) -> None:
    """Take the person out of all collections. Raises Busy while workers bring them back."""
    for _ in range(_TRIES):
        for snapshot in snapshots():
            go_on()
            _forget(cache, snapshot, *who, deletion)
        left = [snapshot for snapshot in snapshots() if _is_in(snapshot, *who)]
        if not left:
            return
    is_seen = any(faces_of_person(snapshot.clustering, who[0]).any() for snapshot in left)
    raise Busy(
        f"Workers go on grouping these {'faces' if is_seen else 'voices'}. Ask again once no "
        f"analysis of {'faces' if is_seen else 'speech'} runs."
    )


def _forget_words(cache: CacheDir, hash_str: str, names: Set[str]) -> None:
    """Drop these names from the words that transcripts record, also of those that can be undone."""

    def is_wanted(name: str) -> bool:
        return f"manifest.{Stage.TRANSCRIPT}." in name and name.endswith(".json")

    place = cache.media_dir(hash_str)
    with cache_files.clear_errors(cache.root), cache_files.folder(place) as folder:
        for name, found in cache_files.manifests_in(folder, Manifest, is_wanted):
            if isinstance(found, Manifest) and found.vocabulary is not UNSET:
                left = tuple(word for word in found.vocabulary if spoken(word) not in names)
                if left != found.vocabulary:
                    raw = msgspec.json.encode(msgspec.structs.replace(found, vocabulary=left))
                    cache_files.write_atomically(folder, name, raw, "delete")


def _write_down(cache: CacheDir, deletion: PersonDeletion) -> None:
    with (
        cache_files.clear_errors(cache.root),
        cache_files.folder(cache.root / DELETIONS, create=True) as records,
    ):
        cache_files.write_atomically(records, _RECORD, msgspec.json.encode(deletion), "delete")


def _strike_out(cache: CacheDir) -> None:
    """Nothing is left to be finished."""
    with (
        cache_files.clear_errors(cache.root),
        cache_files.folder(cache.root / DELETIONS) as records,
    ):
        records.remove(_RECORD)
        records.sync()


def _others(
    snapshots: Iterable[CollectionSnapshot], deletion: PersonDeletion, mine: Mapping[str, Keys]
) -> dict[str, Keys]:
    """Keys of the other faces in the groupings that the person was found in, by MediaFile."""
    others: dict[str, Keys] = {}
    for snapshot in snapshots:
        clustering = snapshot.clustering
        ends = np.searchsorted(clustering.media_of, np.arange(len(clustering.media) + 1))
        for number, hash_str in enumerate(clustering.media):
            if hash_str in mine and snapshot.name in deletion.clusters:
                here = clustering.keys[ends[number] : ends[number + 1]]
                known = others.get(hash_str, np.zeros(0, np.uint64))
                others[hash_str] = np.setdiff1d(np.union1d(known, here), mine[hash_str])
    return others


def _is_in(snapshot: CollectionSnapshot, person: PersonFaces, voices: PersonVoices) -> bool:
    is_seen = faces_of_person(snapshot.clustering, person).any()
    return bool(is_seen or voices.among(snapshot.state.grouped_voices).any())


def _forget(
    cache: CacheDir,
    snapshot: CollectionSnapshot,
    person: PersonFaces,
    voices: PersonVoices,
    deletion: PersonDeletion,
) -> None:
    state = snapshot.state
    theirs = faces_of_person(state.clustering, person)
    spoken_by = voices.among(state.grouped_voices)
    emptied = {*state.faces[theirs].tolist(), *state.voices[spoken_by].tolist()}
    emptied -= {*state.faces[~theirs].tolist(), *state.voices[~spoken_by].tolist()}
    clusters = {id_ for root in emptied - {NO_CLUSTER} for id_ in state.ids_of(root)}
    clusters.update(deletion.clusters.get(snapshot.name, ()))
    called = {*deletion.names, *deletion.references}
    CollectionVocabulary(snapshot.collection).forget(called)
    snapshot.collection.rewrite(
        partial(without_person, cache, person=person, clusters=clusters),
        partial(
            without_mention,
            faces=_ids_in_edits(snapshot, theirs, person),
            clusters=clusters,
            names=deletion.names,
            voices=voices.mentioned(edit.what for edit in state.edits),
        ),
        voices.without,
    )


def _ids_in_edits(
    snapshot: CollectionSnapshot, theirs: NDArray[np.bool_], person: PersonFaces
) -> set[str]:
    """Ids of the person's faces in moves: also such as they had before they were detected anew."""
    index = FaceIndex(snapshot.clustering)
    found: set[str] = set()
    for edit in snapshot.state.edits:
        for move in edit.what.moves if isinstance(edit.what, Modify) else ():
            faces = index.find(move.face_ids)
            known = (faces != GONE) & theirs[np.maximum(faces, 0)] if len(theirs) else faces > GONE
            for face_id, is_known in zip(move.face_ids, known.tolist(), strict=True):
                if is_known or person.has(face_id):
                    found.add(face_id)
    return found
