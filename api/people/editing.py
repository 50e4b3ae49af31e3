"""Makes edits out of what users ask for, checked whole against how things stand."""

from __future__ import annotations

import contextlib
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from api.http.answers import counted
from shared.cache.faces import face_id, parse_face_id
from shared.cache.speakers import parse_voice_id, voice_id
from shared.errors import BadInput, EditedMeanwhile, Missing
from shared.people.clustering import GONE, NO_CLUSTER
from shared.people.edits import (
    ClearNames,
    ClusterMerge,
    ClusterNaming,
    Edit,
    FaceMove,
    Modify,
    Names,
    NewEdit,
    Undo,
)
from shared.people.names import LONGEST_NAME, require_unicode
from shared.people.state import PeopleState, as_of, in_force, voice_indexes
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
    names: dict[int, str] = {}
    _require_clusters(state, (cluster_id for cluster_id, _ in assignments))
    given = [ClusterNaming(cluster_id, checked_person(name)) for cluster_id, name in assignments]
    for one in given:
        if names.setdefault(_root_now(state, one.cluster_id), one.name) != one.name:
            raise BadInput(f"The cluster {one.cluster_id} is given two names.")
    return Names(tuple(given))


def modify_edit(
    state: PeopleState,
    merges: Sequence[tuple[Sequence[int], int]] = (),
    moves: Sequence[tuple[ToMove, int | None]] = (),
    apart: Sequence[tuple[int, int]] = (),
) -> Modify:
    """An edit: merges (cluster_ids, target), moves (who, target; None: a new one), people apart.

    Raises Missing, BadInput, EditedMeanwhile; NO_CLUSTER may be the target of a move.
    """
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
        found = _root_now(state, cluster_id)
        while found in roots:
            found = roots[found]
        return found

    found = []
    for cluster_ids, target in merges:
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
    return _require_faces(state, asked.face_ids), _require_voices(state, asked.voice_ids)


def _require_faces(state: PeopleState, face_ids: Sequence[str]) -> _Checked:
    """Faces by id, each once. Raises Missing for those that are not there."""
    asked = {text: state.index_of(text) for text in face_ids}
    if unknown := [text for text, place in asked.items() if place is None]:
        raise Missing(f"There is no face {_listed(unknown)}.")
    places = {face_id(*parse_face_id(text)): place for text, place in asked.items()}
    return tuple(places), np.array(list(places.values()), np.int32)


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


def _listed(ids: Iterable[str]) -> str:
    ids = list(ids)
    return ", ".join(ids[:_NAMED]) + (f" and {len(ids) - _NAMED} more" if ids[_NAMED:] else "")


_TOLD = 3  # things that an error says were done


@dataclass(frozen=True, slots=True)
class _Touched:
    """Clusters, faces and voices that an edit is about.

    `pairs`: roots that are told apart, which touches only who is about both of them.
    """

    clusters: frozenset[int]
    faces: Set[str] = field(default_factory=frozenset)  # and voices
    is_all: bool = False
    pairs: Set[frozenset[int]] = field(default_factory=frozenset)

    def meets(self, other: _Touched) -> bool:
        return (
            self.is_all
            or other.is_all
            or not self.clusters.isdisjoint(other.clusters)
            or not self.faces.isdisjoint(other.faces)
            or not self.pairs.isdisjoint(other.pairs)
            or any(pair <= other.clusters for pair in self.pairs)
            or any(pair <= self.clusters for pair in other.pairs)
        )


_ANYBODY = _Touched(frozenset(), is_all=True)


def checked_since(
    state: PeopleState, known: str | None, make: Callable[[PeopleState], NewEdit]
) -> NewEdit:
    """The edit that `make` derives, if nobody has touched the same since the edit `known`.

    "": since before the first one; None: whoever did. Raises EditedMeanwhile, Missing for an
    unknown edit, and what `make` raises where it would have done so without the later edits.
    """
    if known is None:
        return make(state)
    later = _since(state.edits, known)
    try:
        new = make(state)
    except (BadInput, Missing) as error:
        wanted = None
        with contextlib.suppress(BadInput, EditedMeanwhile, Missing):
            wanted = make(as_of(state, known)) if later else None
        if wanted is None:
            raise
        told = hindrance(state, wanted, later) or _told(state, _ANYBODY, later[-1:])
        raise EditedMeanwhile(told) from error
    if told := hindrance(state, new, later):
        raise EditedMeanwhile(told)
    return new


def hindrance(state: PeopleState, new: NewEdit, others: Sequence[Edit]) -> str:
    """What to say where edits of others touch the same as a new one; "": they do not."""
    about = _ANYBODY if isinstance(new, Undo) else _touched(state, new)
    met = [edit for edit in others if about.meets(_of_entry(state, edit))]
    return _told(state, about, met) if met else ""


def _told(state: PeopleState, about: _Touched, edits: Sequence[Edit]) -> str:
    """What these edits did to what a caller is about, and a way on."""
    clusters = about.clusters.union(*about.pairs)
    count = len({_root_now(state, id_) for id_ in clusters})
    who = "a person" if about.is_all else "this person" if count == 1 else "one of these people"

    def is_about(ids: Set[int]) -> bool:
        return about.is_all or not clusters.isdisjoint(_with_roots(state, ids))

    texts = (text for edit in edits for text in _said(edit, who, is_about, about.faces))
    said = list(dict.fromkeys(texts))[-_TOLD:]
    return f"Meanwhile {', then '.join(said)}. Look again, then decide."


def _since(edits: Sequence[Edit], known: str) -> Sequence[Edit]:
    """The entries after one, ""; all. Raises Missing."""
    if not known:
        return edits
    for n in range(len(edits) - 1, -1, -1):
        if edits[n].id == known:
            return edits[n + 1 :]
    raise Missing(
        f"known_edit_id: there is no edit {known[:80]!r} in this collection; "
        "GET /faces/clusters?details=true names the newest."
    )


def _of_entry(state: PeopleState, entry: Edit) -> _Touched:
    """What an entry of the log changed; an undo changes what it takes back or brings back."""
    if not isinstance(entry.what, Undo):
        return _touched(state, entry.what)
    at = state.edits.index(entry)
    changed = set(in_force(state.edits[:at])).symmetric_difference(in_force(state.edits[: at + 1]))
    found = [_touched(state, edit.what) for edit in state.edits[:at] if edit.id in changed]
    return _Touched(
        frozenset().union(*(one.clusters for one in found)),
        frozenset().union(*(one.faces for one in found)),
        any(one.is_all for one in found),
        frozenset().union(*(one.pairs for one in found)),
    )


def _touched(state: PeopleState, what: NewEdit) -> _Touched:
    match what:
        case Names():
            return _Touched(_with_roots(state, {one.cluster_id for one in what.assignments}))
        case Modify():
            ids = {id_ for one in what.merges for id_ in (*one.cluster_ids, one.target)}
            for move in what.moves:
                ids |= {move.target, *move.sources, *move.voice_sources} - {NO_CLUSTER}
            faces = frozenset().union(
                *(some for move in what.moves for some in (move.face_ids, move.voice_ids))
            )
            pairs = frozenset(
                frozenset(_root_now(state, id_) for id_ in pair) for pair in what.apart
            )
            return _Touched(_with_roots(state, ids), faces, pairs=pairs)
        case ClearNames() | Undo():
            return _ANYBODY


def _with_roots(state: PeopleState, ids: Set[int]) -> frozenset[int]:
    """Ids of clusters with what they stand for now."""
    return frozenset(ids).union(_root_now(state, id_) for id_ in ids)


def _root_now(state: PeopleState, cluster_id: int) -> int:
    root = state.root(cluster_id)
    return cluster_id if root is None else root


def _said(
    edit: Edit, who: str, is_about: Callable[[Set[int]], bool], faces: Set[str]
) -> Iterator[str]:
    """What an edit did to `who` a caller is about, and to the faces and voices that it names."""
    match edit.what:
        case Names():
            for one in edit.what.assignments:
                if is_about({one.cluster_id}):
                    taken = f"the name of {who} was taken away"
                    yield f"{who} was named {one.name}" if one.name else taken
        case Modify():
            if any(is_about({*one.cluster_ids, one.target}) for one in edit.what.merges):
                yield f"{who} was merged with another one"
            for move in edit.what.moves:
                yield from _said_of_move(move, who, is_about, faces)
            if any(all(is_about({id_}) for id_ in two) for two in edit.what.apart):
                yield f"{who} was told apart from another one"
        case ClearNames():
            yield "all names were taken away"
        case Undo():
            yield "an edit was undone"


def _said_of_move(
    move: FaceMove, who: str, is_about: Callable[[Set[int]], bool], faces: Set[str]
) -> Iterator[str]:
    kinds = ("faces" if move.face_ids else "", "voices" if move.voice_ids else "")
    moved = " and ".join(filter(None, kinds))
    if move.target != NO_CLUSTER and is_about({move.target}):
        yield f"{moved} were moved to {who}"
    elif is_about({*move.sources, *move.voice_sources} - {NO_CLUSTER}):
        yield f"{moved} of {who} were moved away"
    elif not faces.isdisjoint(move.face_ids):
        yield "the same faces were moved"
    elif not faces.isdisjoint(move.voice_ids):
        yield "the same voices were moved"
