"""Whether others have edited the same people since a caller looked, and what they did."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace

from shared.errors import BadInput, EditedMeanwhile, Missing
from shared.people.clustering import NO_CLUSTER
from shared.people.edits import ClearNames, Edit, FaceMove, Modify, Names, NewEdit, Undo
from shared.people.state import PeopleState, as_of

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


def last_edit_id(edits: Sequence[Edit]) -> str:
    """The newest edit; "": there is none."""
    return edits[-1].id if edits else ""


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
        if not later or (wanted := _made(make, as_of(state, known))) is None:
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


def _made(make: Callable[[PeopleState], NewEdit], state: PeopleState) -> NewEdit | None:
    """The edit that could be made of a state, if any."""
    try:
        return make(state)
    except (BadInput, EditedMeanwhile, Missing):
        return None


def _told(state: PeopleState, about: _Touched, edits: Sequence[Edit]) -> str:
    about = replace(about, clusters=about.clusters.union(*about.pairs))
    count = len({_root(state, id_) for id_ in about.clusters})
    who = "a person" if about.is_all else "this person" if count == 1 else "one of these people"
    return _Teller(state, about, who).sentence(edits)


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
    found = [_touched(state, edit.what) for edit in _between(state.edits, entry, entry.what.to)]
    return _Touched(
        frozenset().union(*(one.clusters for one in found)),
        frozenset().union(*(one.faces for one in found)),
        any(one.is_all for one in found),
        frozenset().union(*(one.pairs for one in found)),
    )


def _between(edits: Sequence[Edit], undo: Edit, to: str) -> Iterator[Edit]:
    """Edits that an undo may have taken back or brought back, the newest first."""
    place = {"": -1} | {edit.id: n for n, edit in enumerate(edits)}
    first = place.get(to, place[undo.id])
    at = place[undo.id] - 1
    while at > first:
        what = edits[at].what
        if isinstance(what, Undo):
            first = min(first, place.get(what.to, first))
        else:
            yield edits[at]
        at -= 1


def _touched(state: PeopleState, what: NewEdit) -> _Touched:
    match what:
        case Names():
            return _Touched(_with_roots(state, {one.cluster_id for one in what.assignments}))
        case Modify():
            ids = {id_ for one in what.merges for id_ in (*one.cluster_ids, one.target)}
            for move in what.moves:
                ids |= _clusters_of(move)
            faces = frozenset().union(
                *(some for move in what.moves for some in (move.face_ids, move.voice_ids))
            )
            pairs = frozenset(frozenset(_root(state, id_) for id_ in pair) for pair in what.apart)
            return _Touched(_with_roots(state, ids), faces, pairs=pairs)
        case ClearNames() | Undo():
            return _ANYBODY


def _clusters_of(move: FaceMove) -> set[int]:
    return {move.target, *move.sources, *move.voice_sources} - {NO_CLUSTER}


def _with_roots(state: PeopleState, ids: Set[int]) -> frozenset[int]:
    """Ids of clusters with what they stand for now."""
    return frozenset(ids).union(_root(state, id_) for id_ in ids)


def _root(state: PeopleState, cluster_id: int) -> int:
    root = state.root(cluster_id)
    return cluster_id if root is None else root


@dataclass(frozen=True, slots=True)
class _Teller:
    """Says what others did to what a caller is about."""

    state: PeopleState
    about: _Touched
    who: str  # what the caller is about, in words

    def sentence(self, edits: Sequence[Edit]) -> str:
        """What these edits did, and a way on."""
        said = list(dict.fromkeys(text for edit in edits for text in self._said(edit)))
        return f"Meanwhile {', then '.join(said[-_TOLD:])}. Look again, then decide."

    def _said(self, edit: Edit) -> Iterator[str]:
        match edit.what:
            case Names():
                yield from self._said_of_names(edit.what)
            case Modify():
                if any(self._is_about({*m.cluster_ids, m.target}) for m in edit.what.merges):
                    yield f"{self.who} was merged with another one"
                for move in edit.what.moves:
                    yield from self._said_of_move(move)
                if any(map(self._is_about_both, edit.what.apart)):
                    yield f"{self.who} was told apart from another one"
            case ClearNames():
                yield "all names were taken away"
            case Undo():
                yield "an edit was undone"

    def _said_of_names(self, what: Names) -> Iterator[str]:
        for one in what.assignments:
            if self._is_about({one.cluster_id}):
                yield (
                    f"{self.who} was named {one.name}"
                    if one.name
                    else f"the name of {self.who} was taken away"
                )

    def _said_of_move(self, move: FaceMove) -> Iterator[str]:
        kinds = ("faces" if move.face_ids else "", "voices" if move.voice_ids else "")
        moved = " and ".join(filter(None, kinds))
        if move.target != NO_CLUSTER and self._is_about({move.target}):
            yield f"{moved} were moved to {self.who}"
        elif self._is_about({*move.sources, *move.voice_sources} - {NO_CLUSTER}):
            yield f"{moved} of {self.who} were moved away"
        elif not self.about.faces.isdisjoint(move.face_ids):
            yield "the same faces were moved"
        elif not self.about.faces.isdisjoint(move.voice_ids):
            yield "the same voices were moved"

    def _is_about_both(self, pair: tuple[int, int]) -> bool:
        return all(self._is_about({id_}) for id_ in pair)

    def _is_about(self, ids: Set[int]) -> bool:
        about = self.about
        return about.is_all or not about.clusters.isdisjoint(_with_roots(self.state, ids))
