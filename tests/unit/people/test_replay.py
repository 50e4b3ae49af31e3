"""Any edits in any order with any undos: against a replay so simple that it is plainly right."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.people.clustering import NO_CLUSTER, Clustering
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
from shared.people.state import PeopleState, report
from tests.support.people.clusterings import clustering, id_of
from tests.support.running.long_form import by_form

IDS = st.integers(1, 7)  # those above 5 are in no grouping
FACES = 12
IN_ALL = clustering([NO_CLUSTER] * FACES)

assignments = st.builds(ClusterNaming, IDS, st.sampled_from(["", "Anna", "Bo"]))
merges = st.builds(ClusterMerge, st.lists(IDS, min_size=1, max_size=3).map(tuple), IDS)
moves = st.builds(
    FaceMove,
    st.lists(st.integers(0, FACES - 1).map(lambda face: id_of(IN_ALL, face)), max_size=4).map(
        tuple
    ),
    st.one_of(IDS, st.just(NO_CLUSTER)),
)
changes = st.one_of(
    st.builds(Names, st.lists(assignments, min_size=1, max_size=3).map(tuple)),
    st.builds(
        Modify, st.lists(merges, max_size=2).map(tuple), st.lists(moves, max_size=2).map(tuple)
    ),
    st.just(ClearNames()),
    st.integers(0, 30).map(lambda to: Undo(f"{to:012d}-00000000" if to else "")),
)
logs = st.lists(changes, max_size=14).map(
    lambda made: [
        Edit(f"{n:012d}-00000000", n, float(n), what) for n, what in enumerate(made, start=1)
    ]
)
groupings = st.lists(
    st.sampled_from([1, 2, 3, 4, 5, NO_CLUSTER]), min_size=FACES, max_size=FACES
).map(clustering)


def effective(edits: list[Edit]) -> list[Edit]:
    after: dict[str, list[Edit]] = {"": []}
    now: list[Edit] = []
    for edit in edits:
        now = after.get(edit.what.to, now) if isinstance(edit.what, Undo) else [*now, edit]
        after[edit.id] = now
    return now


class Plain:
    """Who is who, one face and one id at a time."""

    def __init__(self, grouping: Clustering, edits: list[Edit]) -> None:
        self.means = {id_: id_ for id_ in range(1, 8)}
        self.names: dict[int, str] = {}
        self.labels = dict(enumerate(grouping.labels.tolist()))
        for edit in edits:
            self.apply(edit.what)

    def apply(self, what: NewEdit) -> None:
        if isinstance(what, ClearNames):
            self.names = {}
        elif isinstance(what, Names):
            for assignment in what.assignments:
                self.names[self.means[assignment.cluster_id]] = assignment.name
        elif isinstance(what, Modify):
            for merge in what.merges:
                for id_ in merge.cluster_ids:
                    self.unite(self.means[id_], self.means[merge.target])
            for move in what.moves:
                for face in range(FACES):
                    if id_of(IN_ALL, face) in move.face_ids:
                        self.labels[face] = move.target

    def unite(self, old: int, new: int) -> None:
        if old != new:
            self.names[new] = self.names.get(new) or self.names.get(old, "")
            self.names[old] = ""
            self.means = {id_: new if to == old else to for id_, to in self.means.items()}

    def shown(self) -> tuple[list[int], list[int], dict[int, int], dict[int, str]]:
        faces = [self.means.get(label, label) for label in self.labels.values()]
        counts = Counter(face for face in faces if face != NO_CLUSTER)
        names = {id_: name for id_, name in self.names.items() if name and counts[id_]}
        return faces, list(self.labels.values()), dict(counts), names


def shown(state: PeopleState) -> tuple[list[int], list[int], dict[int, int], dict[int, str]]:
    return (
        state.faces.tolist(),
        state.overlap_labels.tolist(),
        dict(state.counts),
        dict(state.names),
    )


@settings(max_examples=by_form(short=100, long=300), deadline=None)
@given(groupings, logs)
def test_a_state_is_what_the_edits_that_count_make_of_the_grouping(
    grouping: Clustering, edits: list[Edit]
) -> None:
    counting = effective(edits)
    state = PeopleState.of(grouping, edits)
    assert shown(state) == shown(PeopleState.of(grouping, counting))
    assert shown(state) == Plain(grouping, counting).shown()
    undone = {edit.id for edit, applies, reason in report(state) if reason == "undone"}
    others = {edit.id for edit in edits if not isinstance(edit.what, Undo)}
    assert others - undone == {edit.id for edit in counting}


@settings(max_examples=by_form(short=50, long=150), deadline=None)
@given(groupings, logs, st.data())
def test_a_state_made_step_by_step_is_the_one_made_at_once(
    grouping: Clustering, edits: list[Edit], data: st.DataObject
) -> None:
    state = PeopleState.of(grouping, [])
    arriving = data.draw(st.permutations(edits)) if data.draw(st.booleans()) else edits
    while arriving:
        count = data.draw(st.integers(1, len(arriving)))
        state, arriving = state.with_edits(*arriving[:count]), arriving[count:]
    whole = PeopleState.of(grouping, edits)
    assert shown(state) == shown(whole)
    assert report(state) == report(whole)
    assert state.known_ids == whole.known_ids
