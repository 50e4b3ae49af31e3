"""Applies edits one after another over a grouping: who is whom, who is pinned where, names."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.people.clustering import NO_CLUSTER, Clustering
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
from shared.people.enrolment import KnownPeople
from shared.people.face_index import GONE, FaceIndex
from shared.people.recognition import recognise
from shared.people.voices import VoiceGrouping, VoiceIndex

_NAMED = 3  # clusters that a reason names one by one
NOT_PINNED = -2  # NO_CLUSTER is a place to be pinned to


class EditOutcome(NamedTuple):
    """Whether an edit still does something, and what of it does not."""

    applies: bool
    reason: str = ""


_FINE = EditOutcome(True)


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
        self.row_of_id = {id_: n for n, id_ in enumerate(clustering.cluster_ids.tolist())}
        ids = np.append(clustering.cluster_ids, np.int32(np.iinfo(np.int32).max))
        rows = np.searchsorted(ids, clustering.labels)
        # [n] row in cluster_ids; those in no cluster have the one behind the last
        self.rows = np.where(ids[rows] == clustering.labels, rows, len(ids) - 1)
        self._found: dict[tuple[str, int], Moved] = {}

    def found(self, edit: Edit, number: int, move: FaceMove) -> Moved:
        """Who is moved by one of an edit's moves; searched once."""
        key = (edit.id, number)
        if key not in self._found:
            faces, voices = self.faces.find(move.face_ids), self.voice_index.find(move.voice_ids)
            self._found[key] = Moved(faces, voices)
        return self._found[key]


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
        new = Replay.__new__(Replay)
        new.ground = self.ground
        new.names = self.names.copy()
        new.nameless = self.nameless.copy()
        new._taken_out = self._taken_out.copy()
        new.pins = self.pins.copy()
        new.voice_pins = self.voice_pins.copy()
        new._apart = self._apart.copy()
        new.outcomes = self.outcomes.copy()
        new._roots = self._roots.copy()
        new._merged = self._merged.copy()
        new._alive = self._alive.copy()
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
                parts = [_FINE]
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
        return _FINE if root in self._alive else EditOutcome(False, _gone([what.cluster_id]))

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
