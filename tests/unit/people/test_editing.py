"""Edits that users ask for are checked whole before anything is written."""

from __future__ import annotations

import numpy as np
import pytest

from api.deleting.person_faces import without_mention
from api.people import editing
from api.people.editing import (
    WholeClusters,
    checked_person,
    modify_edit,
    names_edit,
    undo_edit,
)
from shared.errors import BadInput, EditedMeanwhile, Missing
from shared.people.clustering import NO_CLUSTER
from shared.people.edits import (
    ClearNames,
    ClusterMerge,
    ClusterNaming,
    Edit,
    Modify,
    Names,
    NewEdit,
    Undo,
)
from shared.people.state import PeopleState, taken_out
from tests.support.people.clusterings import clustering, id_of

GROUPING = clustering((10, 10, 10, 20, 20, 20, 30, 30, 40, -1, -1, 40))
FACE = [id_of(GROUPING, face) for face in range(12)]


def written(number: int, what: NewEdit) -> Edit:
    return Edit(f"{number:012d}-00000000", number, 0.0, what)


@pytest.fixture
def state() -> PeopleState:
    return PeopleState.of(GROUPING, [written(1, Modify(merges=(ClusterMerge((20,), 10),)))])


def test_names_are_stripped_and_composed(state: PeopleState) -> None:
    edit = names_edit(state, [(10, " Zoe\u0308\n"), (30, "")])
    assert edit == Names((ClusterNaming(10, "Zo\u00eb"), ClusterNaming(30, "")))
    assert names_edit(state, [(30, "x" * 200)]).assignments[0].name == "x" * 200
    assert names_edit(state, [(20, "Bo"), (10, "Bo ")]).assignments[0].cluster_id == 20


@pytest.mark.parametrize(
    ("assignments", "error", "message"),
    [
        ([(30, "x" * 201)], BadInput, "at most 200 characters, this one has 201"),
        ([(30, "x" * 10_000)], BadInput, "at most 200 characters, this one has 10000"),
        ([(30, "Ada\nBo")], BadInput, "no line breaks"),
        ([(30, "Ada\0")], BadInput, "no control characters"),
        ([(30, "\ud800")], BadInput, "not valid Unicode"),
        ([(10, "A"), (20, "B")], BadInput, "is given two names"),
        ([(30, "A"), (99, "B")], Missing, "no cluster 99"),
        ([(2**40, "A")], Missing, "no cluster 1099511627776"),
        ([(-1, "A")], BadInput, "in no cluster"),
        ([(n, "A") for n in range(100, 107)], Missing, "100, 101, 102, 103, 104 and 2 more"),
    ],
)
def test_bad_names_are_refused(
    state: PeopleState, assignments: list[tuple[int, str]], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        names_edit(state, assignments)


def test_a_merge_may_name_its_target_among_others(state: PeopleState) -> None:
    edit = modify_edit(state, [([10, 30, 30], 10), ([40], 30)])
    assert edit.merges == (ClusterMerge((30,), 10), ClusterMerge((40,), 30))
    assert dict(state.with_edits(written(2, edit)).counts) == {10: 10}


@pytest.mark.parametrize(
    ("merges", "error", "message"),
    [
        ([([10], 10)], BadInput, "10 cannot be merged into itself"),
        ([([20], 10)], BadInput, "10 cannot be merged into itself"),
        ([([30], 10), ([10], 30)], BadInput, "30 cannot be merged into itself"),
        ([([30], 10), ([99], 30)], Missing, "no cluster 99"),
        ([([30], 99)], Missing, "no cluster 99"),
        ([([-1], 10)], BadInput, "not merged; move them"),
        ([([30], -1)], BadInput, "not merged; move them"),
    ],
)
def test_bad_merges_are_refused(
    state: PeopleState,
    merges: list[tuple[list[int], int]],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        modify_edit(state, merges)


def test_faces_move_to_a_cluster_to_nobody_or_to_somebody_new(state: PeopleState) -> None:
    edit = modify_edit(
        state,
        moves=[
            ([FACE[0], FACE[0]], 30),
            ([FACE[1]], NO_CLUSTER),
            ([FACE[2]], None),
            ([FACE[3]], None),
        ],
    )
    assert edit.moves[0].face_ids == (FACE[0],)
    assert [move.is_new for move in edit.moves] == [False, False, True, True]
    new = [move.target for move in edit.moves[2:]]
    assert len({*new, *state.known_ids}) == 6
    assert all(0 < id_ < 2**31 for id_ in new)
    after = state.with_edits(written(2, edit))
    assert dict(after.counts) == {10: 2, 30: 3, 40: 2, new[0]: 1, new[1]: 1}


def test_all_faces_of_clusters_move_as_they_are_after_the_merges(state: PeopleState) -> None:
    edit = modify_edit(state, [([40], 30)], [(WholeClusters((40,)), NO_CLUSTER)])
    assert edit.moves[0].face_ids == (*FACE[6:9], FACE[11])
    assert edit.moves[0].sources == (30, 30, 40, 40)
    assert dict(state.with_edits(written(2, edit)).counts) == {10: 6}
    (both,) = modify_edit(state, moves=[(WholeClusters((20, 30)), None)]).moves
    assert len(both.face_ids) == 8
    with pytest.raises(BadInput, match=f"{FACE[0]} is in two moves"):
        modify_edit(state, moves=[(WholeClusters((20,)), None), ([FACE[0]], 30)])
    with pytest.raises(BadInput, match="10 cannot be moved to itself"):
        modify_edit(state, moves=[(WholeClusters((20,)), 10)])
    gone = state.with_edits(written(2, edit))
    with pytest.raises(BadInput, match="No faces are in the cluster 30"):
        modify_edit(gone, moves=[(WholeClusters((30,)), None)])


def test_a_cluster_that_has_other_faces_than_were_seen_is_not_moved(state: PeopleState) -> None:
    assert modify_edit(state, moves=[(WholeClusters((10, 30), 8), NO_CLUSTER)]).moves
    told = "the cluster 10, 30 has 8 faces, not 7. Look again"
    with pytest.raises(EditedMeanwhile, match=told):
        modify_edit(state, moves=[(WholeClusters((10, 30), 7), NO_CLUSTER)])


def test_a_whole_cluster_names_its_source_once(state: PeopleState) -> None:
    whole = modify_edit(state, moves=[(WholeClusters((30,)), NO_CLUSTER)])
    assert whole.moves[0].sources == (30,)
    each = modify_edit(state, moves=[(whole.moves[0].face_ids, NO_CLUSTER)])
    assert each.moves[0].sources == (30, 30)
    taught, as_before = (taken_out(state.with_edits(written(2, edit))) for edit in (whole, each))
    assert [part.tolist() for part in taught] == [part.tolist() for part in as_before]
    assert taught[1].tolist() == [30, 30]
    left = without_mention(whole, {whole.moves[0].face_ids[0]}, [], [])
    assert isinstance(left, Modify)
    assert (len(left.moves[0].face_ids), left.moves[0].sources) == (1, (30,))


def test_100_000_faces_move_at_once_and_come_back() -> None:
    many = PeopleState.of(clustering(np.arange(100_000) % 1000 + 1, media=500), [])
    edit = modify_edit(many, moves=[(WholeClusters(tuple(range(1, 1001))), NO_CLUSTER)])
    gone = many.with_edits(written(1, edit))
    assert (len(edit.moves[0].face_ids), dict(gone.counts)) == (100_000, {})
    assert dict(gone.with_edits(written(2, Undo(""))).counts) == dict(many.counts)


def test_an_id_that_was_ever_used_is_not_made_again(state: PeopleState) -> None:
    first = modify_edit(state, moves=[([FACE[0]], None)])
    undone = state.with_edits(written(2, first), written(3, Undo("000000000001-00000000")))
    second = modify_edit(undone, moves=[([FACE[0]], None)])
    assert second.moves[0].target == first.moves[0].target + 1
    assert modify_edit(state, moves=[([FACE[0]], None)]) == first, "the same on every machine"


def test_new_ids_of_one_edit_are_different(
    state: PeopleState, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeded_id = editing.seeded_id
    monkeypatch.setattr(editing, "seeded_id", lambda seed, taken: seeded_id("a collision", taken))
    edit = modify_edit(state, moves=[([face], None) for face in FACE[:3]])
    assert len({move.target for move in edit.moves}) == 3


@pytest.mark.parametrize(
    ("moves", "error", "message"),
    [
        ([([FACE[0]], 10), ([FACE[1], FACE[0]], 30)], BadInput, f"{FACE[0]} is in two moves"),
        (
            [([FACE[0]], 10), ([FACE[0].replace("-0-", "-000-")], 30)],
            BadInput,
            f"{FACE[0]} is in two moves",
        ),
        ([([FACE[0]], 99)], Missing, "no cluster 99"),
        ([([FACE[0]], -2)], Missing, "no cluster -2"),
        ([([FACE[0], FACE[0][:-1] + "1"], 10)], Missing, "no face 0000000000000000-0-"),
        ([(["face"], 10)], BadInput, "'face' is no face_id"),
    ],
)
def test_bad_moves_are_refused(
    state: PeopleState,
    moves: list[tuple[list[str], int | None]],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        modify_edit(state, [([30], 40)], moves)


def test_undo_names_an_edit_of_the_log() -> None:
    edits = [written(1, ClearNames()), written(2, ClearNames())]
    assert undo_edit(edits, edits[0].id) == Undo(edits[0].id)
    assert undo_edit(edits, "") == Undo("")
    with pytest.raises(Missing, match="no edit 'x'"):
        undo_edit(edits, "x")
    with pytest.raises(BadInput, match="no edits"):
        undo_edit([], "")


def test_a_person_may_be_called_anything_short_enough() -> None:
    for name in ("CON", "../..", "👩‍👩‍👧", "a - b", "0"):
        assert checked_person(name) == name
