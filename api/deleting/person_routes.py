"""Finds a person in a cache folder and deletes what was derived of them.

What is to go is written down first, in CACHE_DIR/deletions/person.json, and that is removed last:
a deletion that was interrupted is finished by the next one.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial

import msgspec
import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray
from redis.exceptions import LockError

from api.deleting.answers import DeletedFaces, PersonDeleted
from api.deleting.bodies import DeletePersonBody
from api.deleting.data_routes import read_record, remove_record, write_record
from api.deleting.person_faces import (
    Keys,
    PersonFaces,
    PersonVoices,
    delete_faces,
    delete_voices,
    faces_of_person,
    voices_of_people,
    with_ids_elsewhere,
    without_mention,
    without_person,
)
from api.http.answers import counted
from api.http.endpoint import Call, Endpoint
from api.people.people import PeopleServices
from api.people.snapshot import CollectionSnapshot
from shared.audit import AuditLog
from shared.cache import cache_files
from shared.cache.cache_dir import CacheDir
from shared.domain import Manifest, ReclusterSpec, Stage, TaskKind
from shared.errors import BadInput, Busy, CacheError, Missing, RedisAway
from shared.people.clustering import GONE, NO_CLUSTER, FaceIndex, slices_of, take
from shared.people.collection import CollectionVocabulary
from shared.people.edits import Modify, Names
from shared.people.enrolment import References
from shared.people.names import folder_name, spoken
from shared.people.state import PeopleState, all_names
from shared.redis.clients import key_prefix, translated
from shared.rights import KeyScope

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
        voices = (voices_of_people(one.snapshot.state, one.roots) for one in found)
        return cls(
            names=(spoken(name),) if name else (),
            keys=_by_file(map(_faces_of, found)),
            clusters={one.snapshot.name: tuple(one.clusters) for one in found},
            references=tuple(sorted(called - {""})),
            voices=_by_file(voices),
        )

    @property
    def voice_count(self) -> int:
        return sum(len(ids) for ids in self.voices.values())


def _by_file(found: Iterable[Iterable[tuple[str, int]]]) -> dict[str, tuple[int, ...]]:
    numbers: dict[str, set[int]] = {}
    for hash_str, number in itertools.chain.from_iterable(found):
        numbers.setdefault(hash_str, set()).add(number)
    return {hash_str: tuple(sorted(own)) for hash_str, own in numbers.items()}


def _faces_of(one: FoundPerson) -> Iterable[tuple[str, int]]:
    """MediaFiles and keys of faces: those of now, and those of files that have no results now.

    The latter were the person's when their file was grouped last.
    """
    clustering, memory = one.snapshot.clustering, one.snapshot.clustering.memory
    is_gone = FaceIndex(clustering).same(memory) == GONE
    former = take(memory, np.flatnonzero(np.isin(memory.homes, one.clusters) & is_gone))
    for faces in (take(clustering, one.faces), former):
        for number, key in zip(faces.media_of.tolist(), faces.keys.tolist(), strict=True):
            yield faces.media[number], key


def named(
    snapshots: Iterable[CollectionSnapshot], name: str, references: References
) -> list[FoundPerson]:
    """Everybody of this name. Raises Missing where nobody is, or was, called or enrolled so."""
    found = []
    for snapshot in snapshots:
        roots = _called(snapshot.state, name)
        log = (edit.what for edit in snapshot.state.edits if isinstance(edit.what, Names))
        ever = {spoken(given.name) for what in log for given in what.assignments}
        if roots or spoken(name) in ever:
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


def unfinished(cache: CacheDir) -> PersonDeletion | None:
    """The deletion that was interrupted in this folder."""
    return read_record(cache, _RECORD, PersonDeletion)


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
    write_record(cache, _RECORD, deletion)
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
    _leave_groupings(cache, deletion, person, voices, snapshots, go_on)
    for hash_str in cache.catalogue.hashes():
        go_on()
        _forget_words(cache, hash_str, {*deletion.names, *deletion.references})
    remove_record(cache, _RECORD)
    return damaged


def _leave_groupings(
    cache: CacheDir,
    deletion: PersonDeletion,
    person: PersonFaces,
    voices: PersonVoices,
    snapshots: Callable[[], Sequence[CollectionSnapshot]],
    go_on: Callable[[], None],
) -> None:
    """Take the person out of all collections. Raises Busy while workers bring them back."""
    for _ in range(_TRIES):
        for snapshot in snapshots():
            go_on()
            _forget(cache, snapshot, person, voices, deletion)
        left = [snapshot.state for snapshot in snapshots()]
        is_seen = any(faces_of_person(state.clustering, person).any() for state in left)
        if not is_seen and not any(voices.among(state.grouped_voices).any() for state in left):
            return
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


def _others(
    snapshots: Iterable[CollectionSnapshot], deletion: PersonDeletion, mine: Mapping[str, Keys]
) -> dict[str, Keys]:
    """Keys of the other faces in the groupings that the person was found in, by MediaFile."""
    others: dict[str, Keys] = {}
    for snapshot in snapshots:
        for hash_str, here in slices_of(snapshot.clustering).items():
            if hash_str in mine and snapshot.name in deletion.clusters:
                known = others.get(hash_str, np.zeros(0, np.uint64))
                keys = np.union1d(known, snapshot.clustering.keys[here])
                others[hash_str] = np.setdiff1d(keys, mine[hash_str])
    return others


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
    deletion = PersonDeletion.of(found, body.name or "")
    photos = await services.in_cache_dir(body.cache_dir, _photos, services, body, deletion)
    if body.dry_run:
        return _answer(found, deletion, photos, None)
    call.audited["faces"] = sum(len(one.faces) for one in found)
    if deletion.voice_count:
        call.audited["voices"] = deletion.voice_count
    call.audited["clusters"] = {one.snapshot.name: one.clusters for one in found}
    call.audited["state"] = "begun"
    await call.audit(services.audit, "delete_person_data")  # before: nothing brings it back
    damaged = await services.in_cache_dir(body.cache_dir, _delete, services, body)
    call.audited["state"] = "done"
    return _answer(found, deletion, photos, damaged)


def _photos(services: DeletionServices, body: DeletePersonBody, deletion: PersonDeletion) -> int:
    """Vectors of reference photos that go with the person."""
    references = services.people.references(_cache(services, body))
    return sum(len(references.of(name)) for name in deletion.references)


def _answer(
    found: list[FoundPerson], deletion: PersonDeletion, photos: int, damaged: int | None
) -> PersonDeleted:
    """What was found, and deleted with so many damaged results; None: was not deleted."""
    count = sum(len(keys) for keys in deletion.keys.values())
    faces = f"{counted(count, 'face')} in {counted(len(deletion.keys), 'file')}"
    voices = deletion.voice_count
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

        def go_on() -> None:
            with translated():
                lock.reacquire()

        run = partial(
            delete_person,
            cache,
            snapshots=lambda: services.people.all(cache),
            is_over=services.ledger.is_over,
            go_on=go_on,
        )
        damaged = run(former) if (former := unfinished(cache)) else 0
        found = _found(services, body)
        return damaged + run(PersonDeletion.of(found, body.name or ""))
    except Missing:
        if former is None:
            raise
        return damaged  # it was the one that was interrupted
    finally:
        with contextlib.suppress(LockError, RedisAway):  # it ends by itself
            lock.release()


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
        if body.name:
            return named(snapshots, body.name, references)
        snapshot = services.people.open(cache, body.cluster_job_name or "")
        root = snapshot.root(body.cluster_id or "", "cluster_id")
    except Missing:
        if unfinished(cache) is None:
            raise
        return []
    if root == NO_CLUSTER:
        raise BadInput('cluster_id: "-1" stands for the faces in no cluster, which are no person.')
    return [FoundPerson(snapshot, (root,))]


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
