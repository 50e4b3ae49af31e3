"""Makes edits out of what users ask for, checked whole against how things stand."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from api.http.answers import counted
from shared.cache.faces import face_id, parse_face_id
from shared.cache.speakers import parse_voice_id, voice_id
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
from shared.people.face_index import GONE
from shared.people.names import LONGEST_NAME, require_unicode
from shared.people.state import PeopleState, voice_indexes
from shared.seeded_ids import seeded_id

_NAMED = 5  # ids that an error lists


class WholeClusters(NamedTuple):
    """What a move may name instead: all faces and voices of clusters, as they are after merges."""

    cluster_ids: tuple[int, ...]
    face_count: int | None = None  # that who asks has seen; None: however many
    voice_count: int | None = None  # likewise


@dataclass(frozen=True, slots=True)
class FacesAndVoices:
    """What a move may name, at least one."""

    face_ids: Sequence[str] = ()
    voice_ids: Sequence[str] = ()


ToMove: TypeAlias = Sequence[str] | FacesAndVoices | WholeClusters  # a plain list is of faces
_Checked: TypeAlias = tuple[tuple[str, ...], NDArray[np.int32]]  # ids and indexes
_Both: TypeAlias = tuple[_Checked, _Checked]  # faces and voices


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
    moves: Sequence[tuple[ToMove, int | None]] = (),
    apart: Sequence[tuple[int, int]] = (),
) -> Modify:
    """An edit: merges (cluster_ids, target), moves (who, target; None: a new one), people apart.

    Raises Missing, BadInput, EditedMeanwhile; NO_CLUSTER may be the target of a move.
    """
    if not merges and not moves and not apart:
        raise BadInput("Neither merges nor moves are given, and nobody is told apart.")
    checked, root = _checked_merges(state, merges)
    for one, other in apart:
        _require_clusters(state, [one, other])
        if root(one) == root(other):
            raise BadInput(f"The clusters {one} and {other} are one person; part them by a move.")
    return Modify(checked, _checked_moves(state, moves, root), tuple(apart))


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
    moves: Sequence[tuple[ToMove, int | None]],
    root: Callable[[int], int],
) -> tuple[FaceMove, ...]:
    """`root`: what a known id stands for after the merges of the same edit."""
    found = []
    moved: set[str] = set()
    taken = set(state.known_ids) if any(target is None for _, target in moves) else set()
    for asked, target in moves:
        if target is not None and target != NO_CLUSTER:
            _require_clusters(state, [target])
        if isinstance(asked, WholeClusters):
            (faces, places), (voices, heard) = _everybody(state, asked, target, root)
        else:
            (faces, places), (voices, heard) = _named(state, asked)
        for kind, ids in (("face", faces), ("voice", voices)):
            if twice := moved.intersection(ids):
                raise BadInput(f"The {kind} {min(twice)} is in two moves.")
            moved.update(ids)
        is_new = target is None
        if target is None:
            target = seeded_id((*faces, *voices)[0], taken)
            taken.add(target)
        sources = tuple(state.faces[places].tolist())
        if isinstance(asked, WholeClusters) and len(set(sources)) == 1:
            sources = sources[:1]  # there may be very many
        voice_sources = tuple(np.unique(state.voices[heard]).tolist())
        found.append(FaceMove(faces, target, is_new, sources, voices, voice_sources))
    return tuple(found)


def _everybody(
    state: PeopleState, asked: WholeClusters, target: int | None, root: Callable[[int], int]
) -> _Both:
    """All faces and voices of these clusters. Raises Missing, BadInput, EditedMeanwhile."""
    _require_clusters(state, asked.cluster_ids)
    wanted = set(map(root, asked.cluster_ids))
    if target is not None and target != NO_CLUSTER and root(target) in wanted:
        raise BadInput(f"The faces of the cluster {target} cannot be moved to itself.")
    places = state.faces_of([one for one in state.counts if root(one) in wanted])
    voices = state.voices_of([one for one in state.voice_counts if root(one) in wanted])
    for kind, seen, there in (
        ("face", asked.face_count, places),
        ("voice", asked.voice_count, voices),
    ):
        if seen is not None and seen != len(there):
            raise EditedMeanwhile(
                f"Meanwhile the cluster {_listed(map(str, asked.cluster_ids))} has "
                f"{counted(len(there), kind)}, not {seen:,}. Look again, then decide."
            )
    if not len(places) and not len(voices):
        raise BadInput(f"No faces are in the cluster {_listed(map(str, asked.cluster_ids))}.")
    grouping = state.clustering
    media = map(grouping.media.__getitem__, grouping.media_of[places].tolist())
    faces = tuple(map(face_id, media, grouping.keys[places].tolist()))
    voice_ids = tuple(map(state.grouped_voices.voice_id, voices.tolist()))
    return (faces, places), (voice_ids, voices)


def _named(state: PeopleState, asked: Sequence[str] | FacesAndVoices) -> _Both:
    """Faces and voices by normalised ids, each once. Raises Missing, BadInput."""
    if not isinstance(asked, FacesAndVoices):
        asked = FacesAndVoices(asked)
    if not asked.face_ids and not asked.voice_ids:
        raise BadInput("A move has no face_ids.")
    faces = _require_faces(state, asked.face_ids)
    places = [at for face in faces if (at := state.index_of(face)) is not None]
    return (faces, np.array(places, np.int32)), _require_voices(state, asked.voice_ids)


def _require_faces(state: PeopleState, face_ids: Sequence[str]) -> tuple[str, ...]:
    """Normalised face ids, each once. Raises Missing for faces that are not there."""
    unknown = [text for text in face_ids if state.index_of(text) is None]
    if unknown:
        raise Missing(f"There is no face {_listed(unknown)}.")
    return tuple(dict.fromkeys(face_id(*parse_face_id(text)) for text in face_ids))


def _require_voices(state: PeopleState, voice_ids: Sequence[str]) -> _Checked:
    """Voices by id, each once. Raises Missing for those that are not there."""
    asked = tuple(dict.fromkeys(voice_id(*parse_voice_id(text)) for text in voice_ids))
    places = voice_indexes(state, asked)
    here = places != GONE
    here[here] = state.grouped_voices.is_there[places[here]]
    if not here.all():
        unknown = [text for text, is_here in zip(asked, here.tolist(), strict=True) if not is_here]
        raise Missing(f"There is no voice {_listed(unknown)}.")
    return asked, places


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
