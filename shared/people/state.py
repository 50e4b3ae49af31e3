"""Who is who in a Collection: a grouping with users' edits replayed over it."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.people.addition_log import order
from shared.people.clustering import (
    GONE,
    NO_CLUSTER,
    Clustering,
    FaceIndex,
    VoiceGrouping,
    VoiceIndex,
)
from shared.people.edits import (
    ClearNames,
    ClusterMerge,
    ClusterNaming,
    Edit,
    FaceMove,
    Modify,
    Names,
    Undo,
)
from shared.people.enrolment import NOBODY, KnownPeople, recognise
from shared.people.names import spoken

_NAMED = 3  # clusters that a reason names one by one
NOT_PINNED = -2  # NO_CLUSTER is a place to be pinned to


class EditOutcome(NamedTuple):
    """Whether an edit still does something, and what of it does not."""

    applies: bool = True
    reason: str = ""


class Moved(NamedTuple):
    """Faces and voices of a move, GONE for those that are."""

    faces: NDArray[np.int32]
    voices: NDArray[np.int32]


class Ground:
    """Look-ups that all replays over one grouping share. Only the cache of what is found grows."""

    def __init__(
        self,
        clustering: Clustering,
        known: KnownPeople,
        voices: VoiceGrouping,
    ) -> None:
        self.clustering = clustering
        self.voices = voices
        self.known = known
        self.recognised = recognise(clustering, known)
        self.faces = FaceIndex(clustering)
        self.voice_index = VoiceIndex(voices)
        ids = clustering.cluster_ids
        self.row_of_id = {id_: n for n, id_ in enumerate(ids.tolist())}
        # [n] row in cluster_ids; those in no cluster have the one behind the last
        rows = np.searchsorted(ids, clustering.labels)
        self.rows = np.where(clustering.labels == NO_CLUSTER, len(ids), rows)
        self._found: dict[tuple[str, int], Moved] = {}

    def found(self, edit: Edit, number: int, move: FaceMove) -> Moved:
        """Who is moved by one of an edit's moves; searched once."""
        found = self._found.get((edit.id, number))
        if found is None:
            found = Moved(self.faces.find(move.face_ids), self.voice_index.find(move.voice_ids))
            self._found[edit.id, number] = found
        return found


class Replay:
    """People as the edits applied so far have them. Copy it to go on from there."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.names: dict[int, str] = {}  # by root
        self.nameless: set[int] = set()  # roots whose name was taken away, also a recognised one
        self._taken_out: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = []  # faces, sources
        self.pins = np.full(len(ground.clustering), NOT_PINNED, np.int32)
        self.voice_pins = np.full(len(ground.voices), NOT_PINNED, np.int32)
        self._apart: list[tuple[int, int]] = []
        self.outcomes: dict[str, EditOutcome] = {}  # by edit
        self._roots: dict[int, int] = {}  # of ids merged into another one
        self._merged: dict[int, tuple[int, ...]] = {}  # the other way around
        # Roots that faces or voices belong to, or did.
        self._alive = {*ground.row_of_id, *ground.recognised.own_ids.values()}
        self._alive.update(ground.voices.labels[ground.voices.is_there].tolist())

    def copy(self) -> Replay:
        new = copy.copy(self)
        for name, value in vars(self).items():
            if name != "ground":
                setattr(new, name, copy.copy(value))
        return new

    def root(self, cluster_id: int) -> int:
        """The cluster id that an id stands for; itself unless it was merged."""
        return self._roots.get(cluster_id, cluster_id)

    def merged_into(self, root: int) -> tuple[int, ...]:
        """All ids that stand for this root, itself first."""
        return (root, *self._merged.get(root, ()))

    def is_alive(self, root: int) -> bool:
        """Whether faces or voices belong to a cluster, or did until they were moved away."""
        return root in self._alive

    def taken_out(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Faces that were moved out of clusters and are not back, and the roots of those."""
        none = np.zeros(0, np.int32)
        faces = np.concatenate([none, *(moved for moved, _ in self._taken_out)])
        sources = np.concatenate([none, *(source for _, source in self._taken_out)])
        here = (faces != GONE) & (sources != NO_CLUSTER)
        faces, roots = faces[here], self.roots_of(sources[here])
        is_out = self.roots_of(self.pins[faces]) != roots
        pairs = np.unique(np.stack([faces[is_out], roots[is_out]]), axis=1)
        return pairs[0], pairs[1]

    def apart(self) -> frozenset[tuple[int, int]]:
        """Pairs of roots that users have said are two people, the lower one first."""
        pairs = ((self.root(one), self.root(other)) for one, other in self._apart)
        return frozenset((min(pair), max(pair)) for pair in pairs if pair[0] != pair[1])

    def roots_of(self, ids: NDArray[np.int32]) -> NDArray[np.int32]:
        """The root of each of these ids, which may be NO_CLUSTER."""
        known, place = np.unique(ids, return_inverse=True)
        return np.array(list(map(self.root, known.tolist())), np.int32)[place]

    def apply(self, edit: Edit) -> None:
        """Apply any edit but an undo."""
        match edit.what:
            case Names():
                parts = [self._name(assignment) for assignment in edit.what.assignments]
            case Modify():
                parts = [self._merge(merge) for merge in edit.what.merges]
                for number, move in enumerate(edit.what.moves):
                    parts.append(self._move(move, self.ground.found(edit, number, move)))
                parts += [self._part(pair) for pair in edit.what.apart]
            case ClearNames():
                self.names.clear()
                self.nameless.clear()
                parts = [EditOutcome()]
            case Undo():
                raise AssertionError("an undo chooses among edits, it is none")
        reasons = dict.fromkeys(part.reason for part in parts if part.reason)
        self.outcomes[edit.id] = EditOutcome(
            any(part.applies for part in parts), "; ".join(reasons)
        )

    def _name(self, what: ClusterNaming) -> EditOutcome:
        root = self.root(what.cluster_id)
        # A name also stays with a cluster that is gone: the cluster may come back.
        if what.name:
            self.names[root] = what.name
            self.nameless.discard(root)
        else:
            self.names.pop(root, None)
            self.nameless.add(root)
        is_alive = root in self._alive
        return EditOutcome(is_alive, "" if is_alive else _gone([what.cluster_id]))

    def _merge(self, what: ClusterMerge) -> EditOutcome:
        """Ids of clusters that are gone are united, too: their names go on, and they may return."""
        target = self.root(what.target)
        others = [id_ for id_ in what.cluster_ids if self.root(id_) != target]
        if not others:
            return EditOutcome(False, f"cluster {what.target} held the others already")
        gone = [id_ for id_ in others if self.root(id_) not in self._alive]
        for root in dict.fromkeys(map(self.root, others)):
            self._unite(root, target)
        return EditOutcome(len(gone) < len(others), _gone(gone))

    def _unite(self, root: int, target: int) -> None:
        ids = self.merged_into(root)
        self._roots.update(dict.fromkeys(ids, target))
        self._merged[target] = (*self._merged.get(target, ()), *ids)
        self._merged.pop(root, None)
        self.nameless.discard(root)
        name = self.names.pop(root, "")
        if name:
            self.names.setdefault(target, name)
        if root in self._alive:
            self._alive.add(target)

    def _move(self, what: FaceMove, found: Moved) -> EditOutcome:
        faces, voices = (some[some != GONE] for some in found)
        if len(what.sources) in (1, len(found.faces)):
            sources = np.broadcast_to(np.array(what.sources, np.int32), found.faces.shape)
            self._taken_out.append((found.faces, sources))
        self.pins[faces] = what.target
        self.voice_pins[voices] = what.target
        there = len(faces) + int(self.ground.voices.is_there[voices].sum())
        if there and what.target >= 0:
            self._alive.add(self.root(what.target))
        lost = {
            "faces": (len(found.faces) - len(faces), len(found.faces)),
            "voices": (len(found.voices) - there + len(faces), len(found.voices)),
        }
        reasons = [f"{n} of {count} {kind} are gone" for kind, (n, count) in lost.items() if n]
        return EditOutcome(bool(there) or not reasons, "; ".join(reasons))

    def _part(self, pair: tuple[int, int]) -> EditOutcome:
        self._apart.append(pair)
        if self.root(pair[0]) == self.root(pair[1]):
            return EditOutcome(False, f"cluster {pair[0]} and cluster {pair[1]} are one")
        gone = [id_ for id_ in pair if self.root(id_) not in self._alive]
        return EditOutcome(not gone, _gone(gone))


def _gone(cluster_ids: list[int]) -> str:
    if len(cluster_ids) > _NAMED:
        return f"{len(cluster_ids)} clusters are gone"
    return ", ".join(f"cluster {id_} is gone" for id_ in cluster_ids)


_NO_VOICES = VoiceGrouping.empty()


@dataclass(frozen=True, slots=True, eq=False)
class PeopleState:
    """Immutable. A cluster's id is one of the Clustering or one that a user's move made."""

    clustering: Clustering
    faces: NDArray[np.int32]  # [n] the cluster each face belongs to, or NO_CLUSTER
    overlap_labels: NDArray[np.int32]  # [n] the same without merges: what a new grouping keeps
    recognised: NDArray[np.int32]  # [n] cluster of an enrolled person's face in none, or NO_CLUSTER
    names: Mapping[int, str]  # of clusters that have faces
    counts: Mapping[int, int]  # faces of each cluster that has any, without NO_CLUSTER
    grouped_voices: VoiceGrouping
    voices: NDArray[np.int32]  # [grouped voices] the cluster each belongs to, or NO_CLUSTER
    voice_labels: NDArray[np.int32]  # the same without merges
    voice_names: Mapping[int, str]  # of clusters that have voices
    voice_counts: Mapping[int, int]  # voices of each cluster that has any, without NO_CLUSTER
    apart: frozenset[tuple[int, int]]  # clusters that users say are two, the lower id first
    edits: tuple[Edit, ...]  # the whole log, undone ones too
    in_force: tuple[str, ...]  # ids of the edits that count, the oldest first
    _replay: Replay

    @classmethod
    def of(
        cls,
        clustering: Clustering,
        edits: Sequence[Edit],
        known: KnownPeople = NOBODY,
        voices: VoiceGrouping = _NO_VOICES,
    ) -> PeopleState:
        """The state of faces and voices after all these edits, with enrolled people recognised."""
        return _after(Replay(Ground(clustering, known, voices)), (), edits)

    def with_edits(self, *edits: Edit) -> PeopleState:
        """The state after more edits; fast if they are newer than the known ones."""
        known = {edit.id for edit in self.edits}
        new = [edit for edit in edits if edit.id not in known]
        return _after(self._replay, self.in_force, (*self.edits, *new)) if new else self

    def following(
        self,
        clustering: Clustering,
        edits: Sequence[Edit],
        known: KnownPeople,
        voices: VoiceGrouping = _NO_VOICES,
    ) -> PeopleState:
        """The state `of` these, made from this state where that is faster."""
        ground = self._replay.ground
        is_same = clustering is ground.clustering and known is ground.known
        is_same = is_same and voices is ground.voices
        if not is_same or not {edit.id for edit in self.edits} <= {edit.id for edit in edits}:
            return PeopleState.of(clustering, edits, known, voices)
        return self.with_edits(*edits)

    @property
    def known_ids(self) -> frozenset[int]:
        """Cluster ids that mean somebody, or did, or could again after an undo."""
        ids = set(self.clustering.cluster_ids.tolist())
        ids.update(self.clustering.retired.tolist())
        ids.update(self._replay.ground.recognised.own_ids.values())
        ids.update(self.grouped_voices.labels.tolist())
        for edit in self.edits:
            ids.update(_ids_in(edit))
        return frozenset(ids)

    def root(self, cluster_id: int) -> int | None:
        """The cluster that an id stands for after merges; None for an unknown one."""
        root = self._replay.root(cluster_id)
        return root if self._replay.is_alive(root) else None

    def ids_of(self, root: int) -> tuple[int, ...]:
        """All ids that stand for a cluster, its own first."""
        return self._replay.merged_into(root)

    def ids_named(self, name: str, *, heard: bool = False) -> list[int]:
        """Ids of all clusters with faces and this name, whatever the case of its letters.

        `heard`: also those with voices.
        """
        wanted, names = spoken(name), {**(self.voice_names if heard else {}), **self.names}
        return sorted(id_ for id_, known in names.items() if spoken(known) == wanted)

    def faces_of(self, ids: Collection[int]) -> NDArray[np.int32]:
        """Faces (indexes into the clustering) of these clusters, ascending."""
        roots = [self._replay.root(id_) for id_ in ids]
        return np.flatnonzero(np.isin(self.faces, roots)).astype(np.int32)

    def index_of(self, face_id: str) -> int | None:
        """Index of the face with this id. Raises BadInput for what is no face_id."""
        return self._replay.ground.faces.index_of(face_id)

    def voices_of(self, ids: Collection[int]) -> NDArray[np.int32]:
        """Voices (indexes into the grouped ones) of these clusters that are there, ascending."""
        roots = [self._replay.root(id_) for id_ in ids]
        here = np.isin(self.voices, roots) & self.grouped_voices.is_there
        return np.flatnonzero(here).astype(np.int32)

    def voice_index_of(self, voice_id: str) -> int | None:
        """Index of the voice with this id. Raises BadInput for what is no voice_id."""
        return self._replay.ground.voice_index.index_of(voice_id)

    def samples_of(self, cluster_id: int, count: int) -> list[int]:
        """Faces to show for a cluster: chosen samples of all it was merged from, then others."""
        root = self._replay.root(cluster_id)
        chosen = list(dict.fromkeys(self._chosen(root)))[:count]
        if len(chosen) < count:
            others = np.setdiff1d(self.faces_of([root]), chosen)
            # From all over: neighbours look alike.
            at = np.linspace(0, len(others) - 1, min(len(others), count - len(chosen)))
            chosen += others[at.round().astype(np.intp)].tolist()
        return chosen

    def _chosen(self, root: int) -> Iterator[int]:
        """The first sample of each grouping's cluster in a merged one, then the second ones, …"""
        ground = self._replay.ground
        ids = [id_ for id_ in self._replay.merged_into(root) if id_ in ground.row_of_id]
        rows = [ground.row_of_id[id_] for id_ in ids]
        for face in self.clustering.samples[rows].T.ravel().tolist():
            if face >= 0 and self.faces[face] == root:  # and was not moved away
                yield face


def voice_indexes(state: PeopleState, voice_ids: Sequence[str]) -> NDArray[np.int32]:
    """Indexes of many voices by id, GONE for those that are not known: one search for all."""
    return state._replay.ground.voice_index.find(voice_ids)


def as_of(state: PeopleState, edit_id: str) -> PeopleState:
    """The state of the same faces right after an edit of the log; "": before the first."""
    count = next((n for n, edit in enumerate(state.edits, 1) if edit.id == edit_id), 0)
    return _after(Replay(state._replay.ground), (), state.edits[:count])


def taken_out(state: PeopleState) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Faces that were taken out of clusters by hand and are not back, and those clusters."""
    return state._replay.taken_out()


def all_names(state: PeopleState) -> Mapping[int, str]:
    """Names of clusters, also of such as nobody is seen or heard in just now."""
    return _names(state._replay)


def report(state: PeopleState) -> list[tuple[Edit, bool, str]]:
    """The edits of the log, whether each does something now, and what of it does not."""
    found: list[tuple[Edit, bool, str]] = []
    before = {""}
    for edit in state.edits:
        if isinstance(edit.what, Undo):
            known = edit.what.to in before
            outcome = EditOutcome(known, "" if known else f"edit {edit.what.to} is gone")
        else:
            outcome = state._replay.outcomes.get(edit.id, EditOutcome(False, "undone"))
        found.append((edit, *outcome))
        before.add(edit.id)
    return found


def _after(replay: Replay, applied: Sequence[str], edits: Sequence[Edit]) -> PeopleState:
    """The state after a log of edits. `replay` has applied those, which may not count any more."""
    log = sorted(edits, key=order)
    counting = in_force(log)
    if counting[: len(applied)] == applied:
        replay = replay.copy()
    else:  # some were undone, or another machine wrote one without having seen our newest
        replay, applied = Replay(replay.ground), ()
    by_id = {edit.id: edit for edit in log}
    for edit_id in counting[len(applied) :]:
        replay.apply(by_id[edit_id])
    return _seen(replay, tuple(log), counting)


def in_force(log: Sequence[Edit]) -> tuple[str, ...]:
    """Ids of the edits that count at the end of a log, the oldest first."""
    last = ""  # that counts at a point of the log
    last_after = {"": ""}
    before: dict[str, str] = {}
    for edit in log:
        if isinstance(edit.what, Undo):  # of an edit that is not known it is kept, and reported
            last = last_after.get(edit.what.to, last)
        else:
            before[edit.id] = last
            last = edit.id
        last_after[edit.id] = last
    found = []
    while last:
        found.append(last)
        last = before[last]
    return tuple(reversed(found))


def _seen(replay: Replay, edits: tuple[Edit, ...], counting: tuple[str, ...]) -> PeopleState:
    clustering, grouped = replay.ground.clustering, replay.ground.voices
    names = _names(replay)
    recognised = _recognised(replay, names)
    pins = _pinned(replay.pins, recognised)
    pinned = np.flatnonzero((replay.pins != NOT_PINNED) | (recognised != NO_CLUSTER))
    of_rows = [*map(replay.root, clustering.cluster_ids.tolist()), NO_CLUSTER]
    faces = np.array(of_rows, np.int32)[replay.ground.rows]
    faces[pinned] = replay.roots_of(pins[pinned])
    counts = _counts(faces)
    overlap_labels = _pinned(replay.pins, clustering.labels)
    voice_labels = _pinned(replay.voice_pins, grouped.labels)
    voices = replay.roots_of(voice_labels)
    voice_counts = _counts(voices[grouped.is_there])
    for array in (faces, overlap_labels, recognised, voices, voice_labels):
        array.flags.writeable = False
    return PeopleState(
        clustering=clustering,
        faces=faces,
        overlap_labels=overlap_labels,
        recognised=recognised,
        names={root: name for root, name in names.items() if root in counts},
        counts=counts,
        grouped_voices=grouped,
        voices=voices,
        voice_labels=voice_labels,
        voice_names={root: name for root, name in names.items() if root in voice_counts},
        voice_counts=voice_counts,
        apart=replay.apart(),
        edits=edits,
        in_force=counting,
        _replay=replay,
    )


def _pinned(pins: NDArray[np.int32], labels: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.where(pins != NOT_PINNED, pins, labels)


def other_names(state: PeopleState, enrolled: str) -> list[str]:
    """Return what users call clusters that look like an enrolled person, where that differs."""
    found, person_name = state._replay.ground.recognised, spoken(enrolled)
    names = {
        state.names.get(state._replay.root(id_), "")
        for id_, (person, _) in found.clusters.items()
        if spoken(found.known.names[person]) == person_name
    }
    return sorted(name for name in names if spoken(name) not in ("", person_name))


def _counts(roots: NDArray[np.int32]) -> dict[int, int]:
    """How often each cluster is there, without NO_CLUSTER."""
    ids, counts = np.unique(roots, return_counts=True)
    pairs = zip(ids.tolist(), counts.tolist(), strict=True)
    return {id_: count for id_, count in pairs if id_ != NO_CLUSTER}


def _names(replay: Replay) -> dict[int, str]:
    """Names by root: those that users gave, else that of the enrolled person who it is."""
    found = replay.ground.recognised
    best: dict[int, tuple[float, str]] = {}
    for id_, (person, cosine) in found.clusters.items():
        root = replay.root(id_)
        best[root] = max(best.get(root, (-1.0, "")), (cosine, found.known.names[person]))
    for person, id_ in found.own_ids.items():
        best.setdefault(replay.root(id_), (-1.0, found.known.names[person]))
    seen = {root: name for root, (_, name) in best.items() if root not in replay.nameless}
    return {**seen, **replay.names}


def _recognised(replay: Replay, names: Mapping[int, str]) -> NDArray[np.int32]:
    """[n] the cluster of the enrolled person whose face in no cluster it is, or NO_CLUSTER.

    That is the person's nearest one, unless users call it another name.
    """
    found = replay.ground.recognised
    target = dict(found.own_ids)
    nearest: dict[int, float] = {}
    for id_, (person, cosine) in found.clusters.items():
        is_theirs = spoken(names.get(replay.root(id_), "")) == spoken(found.known.names[person])
        if person in target and is_theirs and cosine > nearest.get(person, -1.0):
            target[person], nearest[person] = id_, cosine
    labels = np.full(len(replay.pins), NO_CLUSTER, np.int32)
    labels[found.faces] = [target[person] for person in found.who.tolist()]
    labels[found.faces[_nearer_to_taken_out(replay, target)]] = NO_CLUSTER
    labels[replay.pins != NOT_PINNED] = NO_CLUSTER
    return labels


def _nearer_to_taken_out(replay: Replay, target: Mapping[int, int]) -> NDArray[np.bool_]:
    """[recognised faces] whether one that was taken out of the person is nearer than a photo."""
    found, clustering = replay.ground.recognised, replay.ground.clustering
    nearer = np.zeros(len(found.faces), bool)
    faces, roots = replay.taken_out()
    for person, id_ in target.items():
        theirs = np.flatnonzero(found.who == person)
        wrong = np.flatnonzero(np.isin(clustering.loose, faces[roots == replay.root(id_)]))
        if len(wrong):
            rows = clustering.loose_embeddings[found.at[theirs]].astype(np.float32)
            cosines = rows @ clustering.loose_embeddings[wrong].astype(np.float32).T
            nearer[theirs] = cosines.max(axis=1) > found.cosines[theirs]
    return nearer


def _ids_in(edit: Edit) -> Iterator[int]:
    match edit.what:
        case Names():
            yield from (assignment.cluster_id for assignment in edit.what.assignments)
        case Modify():
            for merge in edit.what.merges:
                yield from (*merge.cluster_ids, merge.target)
            yield from (move.target for move in edit.what.moves if move.target != NO_CLUSTER)
            for pair in edit.what.apart:
                yield from pair
