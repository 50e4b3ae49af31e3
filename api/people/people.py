"""Collections kept at hand, brought up to date at each request by a look at their folders."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from api.cache.caches import LruCache
from api.http.services import CoreServices
from api.people.snapshot import NOTHING_GROUPED, CollectionSnapshot, with_state
from api.people.voices.proposals import Proposing
from shared.cache import cache_files
from shared.cache.cache_dir import CacheDir
from shared.cache.faces import seconds_of
from shared.errors import CacheError, EditedMeanwhile, Missing, Unavailable
from shared.models.specs import FaceScale
from shared.opening import RootedPath
from shared.people.addition_log import order
from shared.people.claims import EDITS, EDITS_WAIT_S, turn
from shared.people.clustering import NO_CLUSTER, slices_of
from shared.people.collection import Collection, Version
from shared.people.edits import Edit, NewEdit, Undo
from shared.people.enrolment import References
from shared.people.names import spoken
from shared.people.state import PeopleState


class KnownPerson(NamedTuple):
    """Who somebody seen or heard is in a Collection; unnamed ones too."""

    cluster_id: int
    name: str | None
    collection: str


@dataclass(frozen=True, slots=True)
class CollectionVoices:
    """The voices of one Collection that are there, by file."""

    collection: str
    media: tuple[str, ...]  # [m] hash_str, ascending
    first: NDArray[np.int64]  # [m + 1] where the voices of each begin, and where all end
    ids: NDArray[np.uint32]  # [n] of the speakers
    clusters: NDArray[np.int32]  # [n]
    names: Mapping[int, str]  # by cluster

    def of(self, hash_str: str) -> Iterator[tuple[int, KnownPerson]]:
        """The speakers of a file, by id."""
        at = bisect_left(self.media, hash_str)
        if at == len(self.media) or self.media[at] != hash_str:
            return
        here = slice(*self.first[at : at + 2].tolist())
        for id_, cluster in zip(self.ids[here].tolist(), self.clusters[here].tolist(), strict=True):
            yield id_, KnownPerson(cluster, self.names.get(cluster), self.collection)

    def called(self, name: str) -> Iterator[tuple[str, int]]:
        """The voices with this name, whatever the case of its letters: file and speaker's id."""
        wanted = spoken(name)
        clusters = [id_ for id_, known in self.names.items() if spoken(known) == wanted]
        found = np.flatnonzero(np.isin(self.clusters, clusters))
        files = np.searchsorted(self.first, found, side="right") - 1
        for file, id_ in zip(files.tolist(), self.ids[found].tolist(), strict=True):
            yield self.media[file], id_


def voices_in(snapshot: CollectionSnapshot) -> CollectionVoices:
    """The voices of a Collection whose speakers are somebody."""
    state, grouped = snapshot.state, snapshot.state.grouped_voices
    kept = np.flatnonzero(grouped.is_there & (state.voices != NO_CLUSTER))
    first = np.searchsorted(grouped.media_of[kept], np.arange(len(grouped.media) + 1))
    return CollectionVoices(
        snapshot.name,
        grouped.media,
        first,
        grouped.ids[kept],
        state.voices[kept],
        state.voice_names,
    )


class FolderVoices:
    """The voices of all Collections of one CacheDir, as they were when they were asked for."""

    def __init__(self, collections: Iterable[CollectionVoices], unread: Sequence[str] = ()) -> None:
        """`unread`: names of the Collections that cannot be read."""
        self._collections: Sequence[CollectionVoices] = [one for one in collections if len(one.ids)]
        self.warnings = [
            f"The collection {name!r} cannot be read: whom it names is not known here."
            for name in unread
        ]

    def of(self, hash_str: str) -> dict[int, KnownPerson]:
        """Who the speakers of a file are, by their ids.

        Of several Collections one that has a name for the speaker counts, then the first by name.
        """
        found: dict[int, KnownPerson] = {}
        for collection in self._collections:
            for id_, person in collection.of(hash_str):
                known = found.get(id_)
                if known is None or (known.name is None and person.name is not None):
                    found[id_] = person
        return found

    def called(self, name: str) -> dict[str, set[int]]:
        """Ids of the speakers with this name in any Collection, by file."""
        found: dict[str, set[int]] = {}
        for collection in self._collections:
            for hash_str, id_ in collection.called(name):
                found.setdefault(hash_str, set()).add(id_)
        return found


_log = logging.getLogger(__name__)

ScaleOf = Callable[[str], FaceScale | None]
T = TypeVar("T")
_ALONE_WAIT_S = 10.0  # for others' edits, each of which takes a part of a second
_CAPACITY = 32  # Collections; 100,000 faces take some 20 MB
_SMALL_CAPACITY = 1000  # Collections of which only names are kept, and folders: photos
_MEMBERS_CAPACITY = 64  # Collections of which only members are read; 100,000 take some 20 MB


class NamedClusters(NamedTuple):
    """Clusters of one Collection that bear one name."""

    name: str  # as written there
    ids: tuple[int, ...]  # ascending
    face_count: int
    voice_count: int


class FolderRoster(NamedTuple):
    """Who has a name in one CacheDir, by how names are spoken."""

    folder: str
    enrolled: Mapping[str, tuple[str, int]]  # the name as written, its photos
    collections: Sequence[tuple[str, Mapping[str, NamedClusters]]]
    unread: Sequence[str]  # names of the Collections that cannot be read


def named_in(snapshot: CollectionSnapshot) -> Mapping[str, NamedClusters]:
    """Who has a name in a Collection, by how it is spoken."""
    state = snapshot.state
    names = {**state.voice_names, **state.names}
    ids: dict[str, list[int]] = {}
    for id_, name in names.items():
        ids.setdefault(spoken(name), []).append(id_)
    counts = {id_: (state.counts.get(id_, 0), state.voice_counts.get(id_, 0)) for id_ in names}
    return {
        who: NamedClusters(
            names[max(of, key=counts.__getitem__)],
            tuple(sorted(of)),
            sum(counts[id_][0] for id_ in of),
            sum(counts[id_][1] for id_ in of),
        )
        for who, of in ids.items()
    }


class SeenPerson(NamedTuple):
    """A cluster of a Collection in a file: on how many seconds, and on which one first."""

    collection: str
    cluster_id: int
    name: str | None
    seconds: int
    first: int


def people_in(snapshot: CollectionSnapshot, hash_str: str) -> list[SeenPerson]:
    """Clusters with faces in a file, those that are seen longest first."""
    clustering, state = snapshot.clustering, snapshot.state
    here = slices_of(clustering).get(hash_str, slice(0))
    roots, seconds = state.faces[here], seconds_of(clustering.keys[here])
    found = []
    for root in np.unique(roots).tolist():
        if root != NO_CLUSTER:
            shown = np.unique(seconds[roots == root])
            name = state.names.get(root)
            found.append(SeenPerson(snapshot.name, root, name, len(shown), int(shown[0])))
    return sorted(found, key=lambda one: (-one.seconds, one.cluster_id))


class _Digest(Generic[T]):
    """What was made of one Collection last, much smaller than a snapshot, and of which version."""

    def __init__(self) -> None:
        self.lock = threading.Lock()  # one makes it, others wait for that
        self.made: tuple[object, T] | None = None


class _KeptCollection:
    """A Collection at hand, with what was read of it last."""

    def __init__(
        self, cache: CacheDir, collection: Collection, references: References, scale_of: ScaleOf
    ) -> None:
        self.editing = threading.Lock()
        self.collection = collection
        self._cache = cache
        self._references = references
        self._scale_of = scale_of
        self._loading = threading.Lock()
        self._version: object = None
        self._snapshot: CollectionSnapshot | None = None

    def snapshot(self) -> CollectionSnapshot:
        """The Collection as it is now. While one request loads it, others wait and find it done."""
        with self._loading:
            # Before reading: what comes later is read again.
            version = (_of_people(self.collection.version()), self._references.version())
            if self._snapshot is None or version != self._version:
                self._snapshot = self._read()
                self._version = version
            return self._snapshot

    def _read(self) -> CollectionSnapshot:
        clustering = self.collection.clustering() or NOTHING_GROUPED
        edits, voices = self.collection.edits(), self.collection.voices()
        known = self._references.known(clustering.model, self._scale_of(clustering.model))
        former = self._snapshot
        follow = former.state.following if former else PeopleState.of
        state = follow(clustering, edits, known, voices)
        if former and clustering is former.clustering:
            return with_state(former, state)
        return CollectionSnapshot(self._cache, self.collection, state)


def left_out(collection: str) -> str:
    """What to say of a Collection that cannot be read, where others can."""
    return f'The collection "{collection}" cannot be read, so it is left out.'


class People:
    """The Collections of all CacheDirs, for one process; safe for threads."""

    def __init__(self, capacity: int = _CAPACITY, scale_of: ScaleOf = lambda _model: None) -> None:
        """`scale_of`: what distances of a face model mean, by its key."""
        self._scale_of = scale_of
        self._kept: LruCache[RootedPath, _KeptCollection] = LruCache(capacity)
        self._references: LruCache[RootedPath, References] = LruCache(_SMALL_CAPACITY)
        self._members: LruCache[RootedPath, Collection] = LruCache(_MEMBERS_CAPACITY)
        self._names = LruCache[RootedPath, _Digest[Mapping[str, NamedClusters]]](_SMALL_CAPACITY)
        self._voices = LruCache[RootedPath, _Digest[CollectionVoices]](_SMALL_CAPACITY)
        self.proposing = Proposing()

    def open(self, cache: CacheDir, name: str) -> CollectionSnapshot:
        """The collection as it is now.

        Raises BadInput for an impossible name, Missing for an unknown collection.
        """
        return self._at_hand(cache, name).snapshot()

    def all(self, cache: CacheDir) -> list[CollectionSnapshot]:
        """Every collection of the folder, by name."""
        found = []
        for name in Collection.all_names(cache.root):
            with contextlib.suppress(Missing):  # deleted just now
                found.append(self.open(cache, name))
        return found

    def readable(self, cache: CacheDir) -> tuple[list[CollectionSnapshot], list[str]]:
        """Every collection that can be read, by name; and the names of those that cannot.

        Raises CacheError where there are some and none can be read: the disk may be away.
        """
        found, unread = [], []
        failure: CacheError | None = None
        for name in Collection.all_names(cache.root):
            try:
                found.append(self.open(cache, name))
            except Missing:
                continue
            except CacheError as error:
                _log.warning("the collection %r is left out: %s", name, error)
                unread.append(name)
                failure = error
        if failure and not found:
            raise failure
        return found, unread

    def roster(self, cache: CacheDir, within_s: float = float("inf")) -> FolderRoster:
        """Who is named or enrolled in a folder; reads only what has changed since.

        Raises Unavailable where that takes too long. It goes on from there when asked again.
        """
        found, unread = self._digests(cache, self._names, named_in, time.monotonic() + within_s)
        return FolderRoster(str(cache.root), self.references(cache).photos(), found, unread)

    def voices(self, cache: CacheDir) -> FolderVoices:
        """Who speaks in a folder; reads only what has changed since.

        A collection that cannot be read is left out: speech is found without its names.
        """
        found, unread = self._digests(cache, self._voices, voices_in)
        return FolderVoices([voices for _, voices in found], unread)

    def _digests(
        self,
        cache: CacheDir,
        kept: LruCache[RootedPath, _Digest[T]],
        make: Callable[[CollectionSnapshot], T],
        until: float = float("inf"),
    ) -> tuple[list[tuple[str, T]], list[str]]:
        """What is made of each collection, by name; and the names of those that cannot be read.

        What is read for it pushes out nothing that is kept at hand.
        """
        references = self.references(cache).version()
        found, unread = [], []
        for name in Collection.all_names(cache.root):
            collection = Collection(cache.root, name)
            digest = kept.get(collection.folder, _Digest)
            left = min(until - time.monotonic(), threading.TIMEOUT_MAX)
            if left < 0 or not digest.lock.acquire(timeout=left):
                raise Unavailable
            try:
                version = _of_people(collection.version()), references
                if digest.made is None or digest.made[0] != version:
                    at_hand = self._kept.peek(collection.folder) or self._of(cache, collection)
                    digest.made = version, make(at_hand.snapshot())
                found.append((name, digest.made[1]))
            except CacheError as error:
                _log.warning("who is in the collection %r is not known: %s", name, error)
                unread.append(name)
            finally:
                digest.lock.release()
        return found, unread

    def in_file(self, cache: CacheDir, hash_str: str) -> list[SeenPerson]:
        """Who is to be seen in a file, in all Collections that it is a member of."""
        names = self.collections_of(cache.root, [hash_str])[hash_str]
        return [one for name in names for one in people_in(self.open(cache, name), hash_str)]

    def edit(
        self,
        cache: CacheDir,
        name: str,
        make: Callable[[CollectionSnapshot], NewEdit],
        hindrance: Callable[[PeopleState, NewEdit, Sequence[Edit]], str] | None = None,
    ) -> tuple[Edit, CollectionSnapshot]:
        """Write the edit that `make` derives from a snapshot; with it, the snapshot after it.

        Nothing is written when `make` raises. Edits of one collection are made one at a time, by
        all processes that share the folder. Where another one holds it for long, its edit comes
        before or after in the log, and replaying it decides. With `hindrance` Unavailable is raised
        then. It tells what to say where edits of others, which such a writer put before ours after
        we looked, forbid ours: that is undone, and EditedMeanwhile is raised.
        """
        kept = self._at_hand(cache, name)
        collection = kept.collection
        wait_s = EDITS_WAIT_S if hindrance is None else _ALONE_WAIT_S
        with (
            cache_files.clear_errors(cache.root),
            turn(collection.folder, EDITS, wait_s) as is_alone,
        ):
            if hindrance and not is_alone and collection.exists():
                raise Unavailable(
                    "Others are editing this collection right now, so nothing was done. Try again."
                )
            with kept.editing:
                before = kept.snapshot()
                edit = collection.append(make(before))
                after = kept.snapshot()
            if hindrance:
                # Entries before ours that were not there when it was checked.
                known = {one.id for one in before.state.edits}
                earlier = (one for one in after.state.edits if order(one) < order(edit))
                unseen = [one for one in earlier if one.id not in known]
                if unseen and (told := hindrance(after.state, edit.what, unseen)):
                    _take_back(collection, edit, after.state.edits)
                    raise EditedMeanwhile(told)
            return edit, after

    def references(self, cache: CacheDir) -> References:
        return self._references.get(cache.root, lambda: References(cache.root))

    def collections_of(self, cache_root: RootedPath, hashes: Iterable[str]) -> dict[str, list[str]]:
        """For each hash_str the names of the Collections that it is a member of, in order.

        Reads names and listings, and of the members only what is new.
        """
        found: dict[str, list[str]] = {hash_str: [] for hash_str in hashes}
        for name in Collection.all_names(cache_root) if found else ():
            with contextlib.suppress(Missing):  # deleted just now
                members = self._with_members(cache_root, name).members()
                for hash_str in found.keys() & members.hashes:
                    found[hash_str].append(name)
        return found

    def _with_members(self, cache_root: RootedPath, name: str) -> Collection:
        """A Collection that remembers the members it has read."""
        opened = Collection.open(cache_root, name, create=False)
        return self._members.get(opened.folder, lambda: opened)

    def _at_hand(self, cache: CacheDir, name: str) -> _KeptCollection:
        opened = Collection.open(cache.root, name, create=False)
        return self._kept.get(opened.folder, lambda: self._of(cache, opened))

    def _of(self, cache: CacheDir, collection: Collection) -> _KeptCollection:
        return _KeptCollection(cache, collection, self.references(cache), self._scale_of)


def _of_people(version: Version) -> Version:
    """What of a version says who is who: a file that joins changes nothing until it is grouped."""
    return version._replace(members=())


def _take_back(collection: Collection, edit: Edit, log: Sequence[Edit]) -> None:
    """Undo an edit that has others before it, and nothing but that."""
    before = [one for one in log if order(one) < order(edit)]
    collection.append(Undo(before[-1].id))
    for later in log:
        if order(later) > order(edit):  # the undo goes back to before these, too
            collection.append(later.what)


@dataclass(frozen=True, slots=True)
class PeopleServices(CoreServices):
    """The core services, and who is known in CacheDirs."""

    people: People


def people_seen(
    people: People, cache: CacheDir, stretches: Sequence[tuple[str, int, int]]
) -> tuple[list[list[KnownPerson]], list[str]]:
    """People in each stretch (hash_str, first second, the one it ends before), most faces first.

    With them the names of the collections that cannot be read.
    """
    found: list[list[KnownPerson]] = [[] for _ in stretches]
    snapshots, unread = people.readable(cache) if stretches else ([], [])
    for snapshot in snapshots:
        for seen, (hash_str, first, end) in zip(found, stretches, strict=True):
            for root in snapshot.seen_in(hash_str, first, end):
                seen.append(KnownPerson(root, snapshot.state.names.get(root), snapshot.name))
    return found, unread
