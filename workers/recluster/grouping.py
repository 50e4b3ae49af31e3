"""Groups the faces of a Collection: everything anew, or newcomers into what there is.

Nothing here holds a lock: a grouping is published under the next number, and whoever finds that
number taken does the (short) last part of the work again on what the other one published.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from collections.abc import Collection as Several
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from shared.cache.cache_dir import CacheDir
from shared.domain import AnalyzeSpec, ModelKind, ProgressType, Stage
from shared.errors import CacheError, ModelError
from shared.models.model_catalogue import resolve
from shared.models.specs import DEFAULT_EPS, DEFAULT_MIN_SAMPLES, FaceScale
from shared.people.clustering import GONE, NO_CLUSTER, SAMPLES, Clustering, Memory, take
from shared.people.collection import Collection
from shared.people.enrolment import References
from shared.people.state import PeopleState, taken_out
from shared.process import traces
from shared.settings import Settings
from workers.context import Context
from workers.recluster.homes import (
    MergedTables,
    Table,
    at_new_places,
    claims_of,
    homes_of,
    keep_ids,
    merged,
    named,
    remembered,
    settled,
    without_empty,
)
from workers.recluster.loading import LoadedFaces, load_faces
from workers.recluster.people import (
    assign_faces,
    group_faces,
    lessons_for,
    part,
    taught_by,
    teaching,
)
from workers.recluster.tracks import with_steady_unmarked
from workers.recluster.types import Assigned, FaceSet, Groups, Known, Lesson, Rule, Step

log = logging.getLogger(__name__)

_TRIES = 50  # somebody publishes each time that we do not
_READING = 0.2  # of the work on everything

_Labelled = tuple[NDArray[np.int32], NDArray[np.int32]]  # labels of faces, ids of new people


def scale_of(settings: Settings, model: str) -> FaceScale:
    """What distances of this face model mean. Raises ModelError where that is not known."""
    spec = resolve(settings, ModelKind.FACES, model)
    if spec.faces is None:
        raise ModelError(f"It is not known what distances of the face model {model} mean.")
    return spec.faces


class Grouping:
    """The faces of one Collection by one model, as long as that is the Collection's."""

    def __init__(
        self, cache: CacheDir, collection: Collection, model: str, scale: FaceScale, step: Step
    ) -> None:
        self._cache = cache
        self._collection = collection
        self._model = model
        self._scale = scale
        self._step = step
        self._references = References(cache.root)

    @traces.stage("group faces")
    def everything(self, choose: Callable[[LoadedFaces], tuple[float, int]]) -> bool:
        """Group all members anew with the eps and min_samples that `choose` says.

        False: nothing was published, since meanwhile faces of another model have come.
        """
        loaded = self.load(self._collection.members().hashes)
        eps, min_samples = choose(loaded)
        rule = Rule(self._scale, eps, min_samples)
        loaded = self._unmarked(loaded, rule)
        before = self._collection.clustering()
        state = self._state(before) if before else None
        taught = taught_by(state, loaded) if state and len(taken_out(state)[0]) else None
        groups = group_faces(loaded.faces, rule, part(self._step, _READING, 1), taught)
        log.info("%s: %d faces, %d people", self._collection.name, len(loaded.table),
                 len(groups.means))  # fmt: skip

        def make(old: Clustering | None) -> Clustering:
            state = self._state(old) if old else None
            draft = _whole(loaded, groups, self._model, (eps, min_samples))
            found = _with_ids(draft, groups, old, state, self._collection.voices().labels)
            if old is None or state is None or old.model != found.model:
                return found
            # MediaFiles that others have grouped or made anew while we were at work.
            ours = set(zip(found.media, found.media_files, strict=True))
            theirs = set(zip(old.media, old.media_files, strict=True)) - ours
            late = news_of(self._cache, found, {hash_str for hash_str, _ in theirs})
            if not late:
                return found
            # Whose faces are all gone by now is nobody: a person may have been deleted meanwhile.
            return without_empty(self._grown(found, late, state.known_ids))

        return self._publish(make)

    @traces.stage("assign faces")
    def newcomers(self, hashes: Several[str]) -> bool:
        """Assign the faces of these MediaFiles, which the newest grouping does not know so.

        False: nothing was published, since there is no grouping of this model (any more).
        """

        def make(old: Clustering | None) -> Clustering | None:
            is_same = old is not None and old.model == self._model
            return self._grown(old, hashes, frozenset()) if old and is_same else None

        return self._publish(make)

    def _grown(self, old: Clustering, hashes: Several[str], taken: frozenset[int]) -> Clustering:
        """The clustering with the faces of these MediaFiles in it; new people get no `taken` id.

        The faces are read here, after the number was asked for: whoever makes them anew later
        takes it.
        """
        rule = Rule(self._scale, old.eps, old.min_samples)
        loaded = self._unmarked(self.load(hashes, old.means.shape[1] if len(old) else None), rule)
        if not len(old):  # a grouping of no faces is one of vectors of any length
            none = np.zeros((0, loaded.faces.embeddings.shape[1]), np.float32)
            old = replace(old, means=none, loose_embeddings=none.astype(np.float16))
        state = self._state(old)
        taken = taken | state.known_ids
        lessons = self._lessons(state)
        both = merged(old, loaded.table)
        stays = both.old_at[old.loose] != GONE
        old = take(old, stays, "l")
        known = Known(means=old.means, sizes=old.sizes, loose=old.loose_embeddings, lessons=lessons)
        assigned = assign_faces(loaded.faces, known, rule, self._step)
        labelled = _labels_with_newcomers(old, both, assigned, state, taken)
        return _put_together(old, both, loaded.faces, assigned, labelled)

    def _state(self, clustering: Clustering) -> PeopleState:
        known = self._references.known(self._model, self._scale)
        voices = self._collection.voices()
        return PeopleState.of(clustering, self._collection.edits(), known, voices)

    def _lessons(self, state: PeopleState) -> list[Lesson]:
        """What moves by hand teach newcomers. Reads the faces that teach."""
        media = teaching(state)
        if not media:
            return []
        loaded = self.load(media, state.clustering.means.shape[1])
        return lessons_for(state, taught_by(state, loaded))

    @traces.stage("load faces")
    def load(self, hashes: Several[str], dim: int | None = None) -> LoadedFaces:
        step = part(self._step, 0, _READING)
        return load_faces(self._cache, self._model, hashes, step, dim)

    def _unmarked(self, loaded: LoadedFaces, rule: Rule) -> LoadedFaces:
        return replace(loaded, faces=with_steady_unmarked(loaded.faces, rule, self._step))

    def _publish(self, make: Callable[[Clustering | None], Clustering | None]) -> bool:
        """Publish what `make` builds on the newest grouping; None: nothing is to be published."""
        for _ in range(_TRIES):
            number = self._collection.face_files.next_number()
            if self._collection.members().model != self._model:
                return False
            clustering = make(self._collection.clustering())
            if clustering is None:
                return False
            if self._collection.publish(replace(clustering, number=number)):
                return True
            self._step(1.0, "Publishing")
        raise CacheError(f"Others published {self._collection.name} first each time. Try again.")


def news_of(cache: CacheDir, grouped: Clustering, hashes: Several[str]) -> dict[str, int]:
    """MediaFiles whose faces are not in a clustering as they are now, and how many they are."""
    files = dict(zip(grouped.media, grouped.media_files, strict=True))
    news = {}
    for hash_str in hashes:
        manifest = cache.manifest(hash_str, Stage.FACES, grouped.model)
        if manifest and manifest.file != files.get(hash_str):
            news[hash_str] = manifest.rows
    return news


def _whole(loaded: LoadedFaces, groups: Groups, model: str, how: tuple[float, int]) -> Clustering:
    """Still with the groups' own numbers for labels, and without clusters."""
    table = loaded.table
    loose = np.flatnonzero((groups.labels == NO_CLUSTER) & (loaded.faces.marks == 0))
    return replace(
        Clustering.empty(model),
        eps=how[0],
        min_samples=how[1],
        made_at=time.time(),
        grouped_faces=len(table),
        **table.columns,
        labels=groups.labels,
        means=groups.means,
        sizes=groups.sizes,
        samples=groups.samples,
        loose=loose.astype(np.int32),
        loose_embeddings=loaded.faces.embeddings[loose].astype(np.float16),
    )


def _with_ids(
    draft: Clustering,
    groups: Groups,
    old: Clustering | None,
    state: PeopleState | None,
    heard: NDArray[np.int32],
) -> Clustering:
    """Every cluster under the id of the person whose faces are in it, else under a new one.

    None is under an id of those that are `heard`: with voices faces are by what users say alone.
    """
    memory = old.memory if old else Memory.empty()
    homes = homes_of(memory, draft)
    none = np.full(len(draft), NO_CLUSTER, np.int32)
    claims: tuple[NDArray[np.int32], ...] = (homes, none, none, none)
    taken = set(heard.tolist())
    if old is not None and state is not None:
        taken |= state.known_ids
        claims = claims_of(draft, homes, old, state, heard)
    ids = keep_ids(groups.labels, claims, _seeds(groups.labels, draft), taken)
    labels = named(groups.labels, ids)
    born = set(ids.tolist()).difference(*(np.unique(claim).tolist() for claim in claims))
    gone = np.append(old.cluster_ids, old.retired) if old else np.zeros(0, np.int32)
    found = replace(
        draft,
        labels=labels,
        cluster_ids=ids,
        retired=np.setdiff1d(gone, ids),
        memory=remembered(memory, draft, settled(homes, labels, born)),
    )
    return take(found, np.argsort(ids), "c")


def _put_together(
    old: Clustering, both: MergedTables, faces: FaceSet, assigned: Assigned, labelled: _Labelled
) -> Clustering:
    """The old grouping with newcomers in it; faces that were made anew replace their old ones."""
    table, loose_at = both.table, both.old_at[old.loose]
    labels, new_ids = labelled
    ids = np.concatenate([old.cluster_ids, new_ids])
    samples = np.concatenate([
        at_new_places(old.samples, both.old_at),
        at_new_places(
            assigned.samples.reshape(-1, SAMPLES), np.concatenate([both.new_at, loose_at])
        ),
    ])  # fmt: skip
    formers = faces.marks == 0
    loose = np.concatenate([loose_at, both.new_at[formers]])
    embeddings = np.concatenate([old.loose_embeddings, faces.embeddings[formers].astype("f2")])
    homes = settled(homes_of(old.memory, table), labels, set(new_ids.tolist()))
    found = replace(
        old,
        made_at=time.time(),
        **table.columns,
        labels=labels,
        cluster_ids=ids,
        means=assigned.means,
        sizes=assigned.sizes,
        samples=samples,
        retired=np.setdiff1d(old.retired, new_ids),
        loose=loose.astype(np.int32),
        loose_embeddings=embeddings,
        memory=remembered(old.memory, table, homes),
    )
    return take(take(found, np.argsort(ids), "c"), labels[loose] == NO_CLUSTER, "l")


def _labels_with_newcomers(
    old: Clustering,
    both: MergedTables,
    assigned: Assigned,
    state: PeopleState,
    taken: frozenset[int],
) -> _Labelled:
    """Label of each face of both, and the ids of new people."""
    labels, fresh, claims = np.full((3, len(both.table)), NO_CLUSTER, np.int32)
    stays = both.old_at != GONE
    labels[both.old_at[stays]] = old.labels[stays]
    # The id that an enrolled person's faces in no cluster had until now.
    claims[both.old_at[stays]] = state.recognised[stays]
    claims[np.isin(claims, old.cluster_ids)] = NO_CLUSTER
    joined = assigned.loose_labels != NO_CLUSTER
    at = np.concatenate([both.new_at, both.old_at[old.loose][joined]])
    number = np.concatenate([assigned.labels, assigned.loose_labels[joined]])
    known = len(old.cluster_ids)
    old_one, new_one = (number >= 0) & (number < known), number >= known
    labels[at[old_one]] = old.cluster_ids[number[old_one]]
    fresh[at[new_one]] = number[new_one] - known  # numbers of new clusters
    new_ids = keep_ids(fresh, (claims,), _seeds(fresh, both.table), taken)
    return np.where(fresh == NO_CLUSTER, labels, named(fresh, new_ids)), new_ids


def _seeds(labels: NDArray[np.int32], table: Table) -> list[tuple[str, int]]:
    """(hash_str, key) of the first face of each cluster."""
    numbers, first = np.unique(labels, return_index=True)
    return [
        (table.media[table.media_of[at]], int(table.keys[at]))
        for number, at in zip(numbers, first, strict=True)
        if number != NO_CLUSTER
    ]


_EVERY_S = 30.0  # while more Items of the Task follow
_CHEAP = 2_000  # faces that are grouped anew each time: it takes less than a second
_GROWTH = 1.5  # of a Collection since it was last grouped as a whole; then it is again


def bring_up_to_date(
    context: Context, spec: AnalyzeSpec, collection: Collection, hashes: Several[str]
) -> None:
    """Group the faces of these MediaFiles, and what others have added meanwhile.

    The last Item of a Task always does; earlier ones now and then, so that people can be seen
    while a long Task runs. Also whoever has made faces anew: nobody else would notice them.
    """
    cache = context.cache(spec.cache_dir)
    old = collection.clustering()
    if (
        old
        and abs(time.time() - old.made_at) < _EVERY_S  # by two clocks
        and not news_of(cache, old, {*hashes}.intersection(old.media))
        and context.others_will_follow()
    ):
        return
    while not _grouped(context, spec, collection, hashes):
        context.checkpoint()  # the Collection has changed its model meanwhile


def _grouped(
    context: Context, spec: AnalyzeSpec, collection: Collection, hashes: Several[str]
) -> bool:
    cache = context.cache(spec.cache_dir)
    old = collection.clustering()
    members = collection.members()
    if not members.model:  # deleted just now
        return True
    eps, min_samples = (old.eps, old.min_samples) if old else (DEFAULT_EPS, DEFAULT_MIN_SAMPLES)
    before = eps, min_samples
    wanted = (
        eps if spec.face_eps is None else spec.face_eps,
        min_samples if spec.face_min_samples is None else spec.face_min_samples,
    )

    def step(_share: float, message: str) -> None:
        context.checkpoint()
        context.progress.report(
            ProgressType.FACES, 0.0, "", f"{collection.name}: {message.lower()}."
        )

    scale = scale_of(context.bench.settings, members.model)
    grouping = Grouping(cache, collection, members.model, scale, step)
    if old is None or old.model != members.model or wanted != before:
        return grouping.everything(lambda _: wanted)
    news = news_of(cache, old, {*hashes, *set(members.hashes).difference(old.media)})
    if not news:
        return True
    count = len(old) - old.grouped_faces + sum(news.values())
    if len(old) + count <= _CHEAP or count > (_GROWTH - 1) * old.grouped_faces:
        return grouping.everything(lambda _: wanted)
    return grouping.newcomers(news)
