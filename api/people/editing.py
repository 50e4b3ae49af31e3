"""Makes edits out of what users ask for, checked whole against how things stand."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Iterable, Sequence, Set
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.cache.faces import face_id, parse_face_id
from shared.errors import BadInput, EditedMeanwhile, Missing
from shared.people.clustering import NO_CLUSTER
from shared.people.edits import (
    ClusterMerge,
    ClusterNaming,
    Edit,
    FaceMove,
    Modify,
    Names,
    Undo,
)
from shared.people.names import LONGEST_NAME, require_unicode
from shared.people.state import PeopleState

_HIGHEST_ID = 2**31 - 1
_NAMED = 5  # ids that an error lists


class AllFacesOf(NamedTuple):
    """What a move may name instead of faces: all of these clusters, as they are after merges."""

    cluster_ids: tuple[int, ...]
    face_count: int | None = None  # that who asks has seen; None: however many


def names_edit(state: PeopleState, assignments: Sequence[tuple[int, str]]) -> Names:
    """An edit that names clusters (cluster_id, name), "" for no name. Raises Missing, BadInput."""
    if not assignments:
        raise BadInput("assignments is empty; name at least one cluster.")
    names: dict[int, str] = {}
    _require_clusters(state, (cluster_id for cluster_id, _ in assignments))
    for cluster_id, name in assignments:
        name = checked_person(name)
        if names.setdefault(_root(state, cluster_id), name) != name:
            raise BadInput(f"The cluster {cluster_id} is given two names.")
    return Names(tuple(ClusterNaming(id_, checked_person(name)) for id_, name in assignments))


def modify_edit(
    state: PeopleState,
    merges: Sequence[tuple[Sequence[int], int]] = (),
    moves: Sequence[tuple[Sequence[str] | AllFacesOf, int | None]] = (),
) -> Modify:
    """An edit: merges (cluster_ids, target), then moves (faces, target; None: a new one).

    Raises Missing, BadInput, EditedMeanwhile; NO_CLUSTER may be the target of a move.
    """
    if not merges and not moves:
        raise BadInput("Neither merges nor moves are given.")
    checked, root = _checked_merges(state, merges)
    return Modify(checked, _checked_moves(state, moves, root))


def undo_edit(edits: Sequence[Edit], to: str) -> Undo:
    """An edit that goes back to right after edit `to`, "": before the first. Raises Missing."""
    if not edits:
        raise BadInput("There are no edits to undo.")
    if to and all(edit.id != to for edit in edits):
        raise Missing(f"There is no edit {to[:80]!r}; GET /faces/edits lists them.")
    return Undo(to)


def checked_person(name: str) -> str:
    """The one form of a person's name, "" allowed. Raises BadInput."""
    name = unicodedata.normalize("NFC", name).strip()
    if len(name) > LONGEST_NAME:
        raise BadInput(f"A name has at most {LONGEST_NAME} characters, this one has {len(name)}.")
    if any(unicodedata.category(letter) == "Cc" for letter in name):
        raise BadInput("A name has no line breaks and no control characters.")
    require_unicode(name)
    return name


def _checked_merges(
    state: PeopleState, merges: Sequence[tuple[Sequence[int], int]]
) -> tuple[tuple[ClusterMerge, ...], Callable[[int], int]]:
    """The merges, and what ids stand for after them."""
    roots: dict[int, int] = {}  # as the merges before this one leave them

    def root(cluster_id: int) -> int:
        found = _root(state, cluster_id)
        while found in roots:
            found = roots[found]
        return found

    found = []
    for cluster_ids, target in merges:
        if not cluster_ids:
            raise BadInput("A merge has no cluster_ids.")
        _require_clusters(state, [*cluster_ids, target])
        others = [id_ for id_ in dict.fromkeys(cluster_ids) if root(id_) != root(target)]
        if not others:
            raise BadInput(f"The cluster {target} cannot be merged into itself.")
        for id_ in others:
            if root(id_) != root(target):
                roots[root(id_)] = root(target)
        found.append(ClusterMerge(tuple(others), target))
    return tuple(found), root


def _checked_moves(
    state: PeopleState,
    moves: Sequence[tuple[Sequence[str] | AllFacesOf, int | None]],
    root: Callable[[int], int],
) -> tuple[FaceMove, ...]:
    """`root`: what a known id stands for after the merges of the same edit."""
    found = []
    moved: set[str] = set()
    taken = set(state.known_ids) if any(target is None for _, target in moves) else set()
    for asked, target in moves:
        if target is not None and target != NO_CLUSTER:
            _require_clusters(state, [target])
        if isinstance(asked, AllFacesOf):
            faces, places = _all_faces(state, asked, target, root)
        else:
            faces, places = _named_faces(state, asked)
        if twice := moved.intersection(faces):
            raise BadInput(f"The face {min(twice)} is in two moves.")
        moved.update(faces)
        is_new = target is None
        if target is None:
            target = new_id(faces[0], taken)
            taken.add(target)
        sources = tuple(state.faces[places].tolist())
        if isinstance(asked, AllFacesOf) and len(set(sources)) == 1:
            sources = sources[:1]  # there may be very many
        found.append(FaceMove(faces, target, is_new, sources))
    return tuple(found)


def _all_faces(
    state: PeopleState, asked: AllFacesOf, target: int | None, root: Callable[[int], int]
) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """All faces of these clusters: ids and indexes. Raises Missing, BadInput, EditedMeanwhile."""
    _require_clusters(state, asked.cluster_ids)
    wanted = set(map(root, asked.cluster_ids))
    if target is not None and target != NO_CLUSTER and root(target) in wanted:
        raise BadInput(f"The faces of the cluster {target} cannot be moved to itself.")
    places = state.faces_of([one for one in state.counts if root(one) in wanted])
    if asked.face_count is not None and asked.face_count != len(places):
        raise EditedMeanwhile(
            f"Meanwhile the cluster {_listed(map(str, asked.cluster_ids))} has {len(places):,} "
            f"faces, not {asked.face_count:,}. Look again, then decide."
        )
    if not len(places):
        raise BadInput(f"No faces are in the cluster {_listed(map(str, asked.cluster_ids))}.")
    grouping = state.clustering
    media = map(grouping.media.__getitem__, grouping.media_of[places].tolist())
    return tuple(map(face_id, media, grouping.keys[places].tolist())), places


def _named_faces(
    state: PeopleState, face_ids: Sequence[str]
) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """Normalised ids of faces, each once, and their indexes. Raises Missing, BadInput."""
    if not face_ids:
        raise BadInput("A move has no face_ids.")
    faces = _require_faces(state, face_ids)
    places = [at for face in faces if (at := state.index_of(face)) is not None]
    return faces, np.array(places, np.int32)


def _require_faces(state: PeopleState, face_ids: Sequence[str]) -> tuple[str, ...]:
    """Normalised face ids, each once. Raises Missing for faces that are not there."""
    unknown = [text for text in face_ids if state.index_of(text) is None]
    if unknown:
        raise Missing(f"There is no face {_listed(unknown)}.")
    return tuple(dict.fromkeys(face_id(*parse_face_id(text)) for text in face_ids))


def _require_clusters(state: PeopleState, cluster_ids: Iterable[int]) -> None:
    asked = list(dict.fromkeys(cluster_ids))
    if NO_CLUSTER in asked:
        raise BadInput("Faces in no cluster (-1) have no name and are not merged; move them.")
    unknown = [id_ for id_ in asked if state.root(id_) is None]
    if unknown:
        raise Missing(f"There is no cluster {_listed(map(str, unknown))}.")


def _root(state: PeopleState, cluster_id: int) -> int:
    root = state.root(cluster_id)
    assert root is not None, "checked before"
    return root


def _listed(ids: Iterable[str]) -> str:
    ids = list(ids)
    return ", ".join(ids[:_NAMED]) + (f" and {len(ids) - _NAMED} more" if ids[_NAMED:] else "")


def new_id(seed: str, taken: Set[int]) -> int:
    """An id that no cluster has: the same one on every machine that sees the same."""
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4]) & _HIGHEST_ID
    while not number or number in taken:
        number = (number + 1) & _HIGHEST_ID
    return number
