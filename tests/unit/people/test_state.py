"""What users say about people, replayed over groupings: what holds, what no longer applies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

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
from shared.people.enrolment import NOBODY
from shared.people.state import PeopleState, report
from tests.support.people.clusterings import clustering, id_of, keys_at

TWELVE = (10, 10, 10, 20, 20, 20, 30, 30, 40, -1, -1, 40)  # clusters of faces 0 to 11


def log(*edits: NewEdit, first: int = 1) -> list[Edit]:
    return [
        Edit(f"{n:012d}-00000000", n, 1_700_000_000.0 + n, what)
        for n, what in enumerate(edits, start=first)
    ]


def names(**named: str) -> Names:
    """names(c10="Anna")"""
    return Names(tuple(ClusterNaming(int(id_[1:]), name) for id_, name in named.items()))


def merge(*cluster_ids: int, into: int) -> Modify:
    return Modify(merges=(ClusterMerge(cluster_ids, into),))


def move(grouping: Clustering, faces: Sequence[int], to: int, *, is_new: bool = False) -> Modify:
    return Modify(moves=(FaceMove(tuple(id_of(grouping, face) for face in faces), to, is_new),))


def reasons(state: PeopleState) -> list[tuple[bool, str]]:
    return [(applies, reason) for _, applies, reason in report(state)]


def test_without_edits_the_grouping_counts() -> None:
    state = PeopleState.of(clustering(TWELVE), [])
    assert state.faces.tolist() == list(TWELVE)
    assert state.overlap_labels.tolist() == list(TWELVE)
    assert (state.counts, state.names) == ({10: 3, 20: 3, 30: 2, 40: 2}, {})
    assert state.faces_of([20, 40]).tolist() == [3, 4, 5, 8, 11]
    assert state.faces_of([NO_CLUSTER]).tolist() == [9, 10]
    assert [state.root(id_) for id_ in (10, 11, -1)] == [10, None, None]
    assert report(state) == []


def test_a_grouping_without_faces_has_nobody() -> None:
    state = PeopleState.of(Clustering.empty(), log(names(c1="Anna"), merge(1, into=2)))
    assert (len(state.faces), state.counts, state.names) == (0, {}, {})
    assert state.samples_of(1, 5) == []
    assert state.index_of("0" * 16 + "-1-000000") is None
    assert [applies for applies, _ in reasons(state)] == [False, False]


def test_names_are_given_replaced_and_cleared() -> None:
    state = PeopleState.of(
        clustering(TWELVE),
        log(names(c10="Anna", c20="anna ", c30="Bo"), names(c30=""), names(c40="Cy")),
    )
    assert state.names == {10: "Anna", 20: "anna ", 40: "Cy"}
    assert state.ids_named(" ANNA") == [10, 20]
    assert state.ids_named("Bo") == []
    assert state.with_edits(*log(ClearNames(), first=9)).names == {}


def test_names_are_found_in_any_case_and_form() -> None:
    state = PeopleState.of(clustering(TWELVE), log(names(c10="Zo\u00eb", c20="STRASSE")))
    assert state.ids_named("ZOE\u0308") == [10]
    assert state.ids_named("straße") == [20]


def test_merged_clusters_are_the_target_under_all_their_ids() -> None:
    state = PeopleState.of(clustering(TWELVE), log(merge(20, 30, into=10)))
    assert state.counts == {10: 8, 40: 2}
    assert [state.root(id_) for id_ in (10, 20, 30)] == [10, 10, 10]
    assert state.faces_of([30]).tolist() == state.faces_of([10]).tolist() == list(range(8))
    assert state.overlap_labels.tolist() == list(TWELVE), "a new grouping keeps them apart"


def test_a_merge_into_what_was_merged_goes_to_where_that_went() -> None:
    state = PeopleState.of(clustering(TWELVE), log(merge(20, into=10), merge(30, into=20)))
    assert state.counts == {10: 8, 40: 2}
    state = PeopleState.of(clustering(TWELVE), log(merge(20, into=10), merge(10, into=30)))
    assert state.counts == {30: 8, 40: 2}
    assert state.root(20) == 30


def test_a_target_without_a_name_inherits_one() -> None:
    named = names(c20="Bo", c30="Cy")
    state = PeopleState.of(clustering(TWELVE), log(named, merge(20, 30, into=10)))
    assert state.names == {10: "Bo"}
    state = PeopleState.of(clustering(TWELVE), log(named, merge(20, into=30)))
    assert state.names == {30: "Cy"}


def test_a_merge_holds_after_a_new_grouping_even_if_its_target_is_gone() -> None:
    edits = log(names(c10="Anna"), merge(20, into=10))
    again = clustering([20, 20, 20, 20, 20, 20, 30, 30, 40, -1, -1, 40], number=2)
    state = PeopleState.of(again, edits)
    assert state.counts == {10: 6, 30: 2, 40: 2}
    assert state.names == {10: "Anna"}
    assert state.root(20) == state.root(10) == 10
    assert reasons(state) == [(False, "cluster 10 is gone"), (True, "")]


def test_a_moved_face_stays_where_it_was_put() -> None:
    grouping = clustering(TWELVE)
    edits = log(move(grouping, [0, 9], 40))
    state = PeopleState.of(grouping, edits)
    assert state.counts == {10: 2, 20: 3, 30: 2, 40: 4}
    again = replace(grouping, labels=np.where(grouping.labels == 40, 30, grouping.labels), number=2)
    again = replace(clustering(again.labels.tolist()), number=2)
    state = PeopleState.of(again, edits)
    assert state.faces.tolist() == [40, 10, 10, 20, 20, 20, 30, 30, 30, 40, -1, 30]
    assert state.overlap_labels.tolist() == state.faces.tolist()
    assert state.counts[40] == 2, "the cluster lives on in what was moved to it"
    assert state.root(40) == 40


def test_a_face_can_be_nobody() -> None:
    grouping = clustering(TWELVE)
    state = PeopleState.of(grouping, log(move(grouping, [8, 11], NO_CLUSTER)))
    assert state.counts == {10: 3, 20: 3, 30: 2}
    assert state.root(40) == 40, "an empty cluster can still be named or filled again"
    assert state.faces_of([NO_CLUSTER]).tolist() == [8, 9, 10, 11]


def test_a_name_waits_for_a_cluster_that_lost_all_its_faces() -> None:
    grouping = clustering(TWELVE)
    edits = log(names(c40="Di"), move(grouping, [8, 11], 10), move(grouping, [8], 40))
    assert PeopleState.of(grouping, edits[:2]).names == {}
    assert PeopleState.of(grouping, edits).names == {40: "Di"}


def test_the_last_move_of_a_face_counts_and_merges_come_before_moves() -> None:
    grouping = clustering(TWELVE)
    both = Modify(
        merges=(ClusterMerge((20,), 10),), moves=(FaceMove((id_of(grouping, 3),), 77, is_new=True),)
    )
    state = PeopleState.of(grouping, log(move(grouping, [3], 30), both))
    assert state.counts == {10: 5, 77: 1, 30: 2, 40: 2}
    assert state.overlap_labels[3] == 77
    assert 77 in state.known_ids


def test_moves_to_a_cluster_follow_it_when_it_is_merged() -> None:
    grouping = clustering(TWELVE)
    edits = log(move(grouping, [0], 77, is_new=True), names(c77="Eve"), merge(77, into=30))
    state = PeopleState.of(grouping, edits)
    assert state.faces[0] == 30
    assert state.overlap_labels[0] == 77
    assert state.names == {30: "Eve"}


def test_a_face_that_was_detected_anew_is_found_nearby_in_its_second() -> None:
    grouping = clustering(TWELVE)
    edits = log(move(grouping, [0, 1, 2], 40))
    keys = grouping.keys.copy()
    keys[0] = keys_at(np.array([0]), 0.56, 0.45)[0]  # near
    keys[1] = keys_at(np.array([1]), 0.8, 0.5)[0]  # too far
    state = PeopleState.of(replace(grouping, keys=keys), edits)
    assert state.faces.tolist()[:3] == [40, 10, 40]
    assert reasons(state) == [(True, "1 of 3 faces are gone")]


def test_two_lost_faces_are_not_found_in_one_another() -> None:
    grouping = replace(clustering([10, 20, 20], media=1))
    keys = keys_at(np.array([4, 4, 4]))
    keys[1:] = [keys_at(np.array([4]), 0.55)[0], keys_at(np.array([4]), 0.6)[0]]
    before = replace(grouping, keys=keys)
    edits = log(move(before, [0, 1], 20))
    after = clustering([10, 10], media=1)
    after = replace(after, keys=keys[1:])  # the first face is not detected any more
    state = PeopleState.of(after, edits)
    assert state.faces.tolist() == [20, 20], "0.6 is as near to 0.5 as it gets"
    far = replace(after, keys=np.array([keys[1], keys_at(np.array([4]), 0.7)[0]]))
    assert PeopleState.of(far, edits).faces.tolist() == [20, 10]


def test_undo_goes_back_to_any_point_and_can_be_undone() -> None:
    grouping = clustering(TWELVE)
    edits = log(
        names(c10="Anna"),
        merge(20, into=10),
        move(grouping, [0], 40),
        Undo("000000000001-00000000"),
        names(c20="Bo"),
        Undo("000000000003-00000000"),
        Undo("000000000005-00000000"),
        Undo(""),
    )
    states = [PeopleState.of(grouping, edits[:n]) for n in range(len(edits) + 1)]
    shown = [(state.names, state.counts) for state in states]
    assert shown[4] == shown[1]
    assert shown[5] == ({10: "Anna", 20: "Bo"}, shown[0][1])
    assert shown[6] == shown[3]
    assert shown[7] == shown[5], "undone: the undo"
    assert shown[8] == shown[0]
    state = states[0]
    for edit, expected in zip(edits, shown[1:], strict=True):
        state = state.with_edits(edit)
        assert (state.names, state.counts) == expected, "the same, one after another"
    assert reasons(states[5]) == [
        (True, ""), (False, "undone"), (False, "undone"), (True, ""), (True, "")
    ]  # fmt: skip
    assert all(applies for applies, _ in reasons(states[3]))


def test_undo_to_an_edit_that_is_gone_changes_nothing_and_says_so() -> None:
    edits = log(names(c10="Anna"), Undo("000000000007-00000000"), names(c20="Bo"))
    state = PeopleState.of(clustering(TWELVE), edits)
    assert state.names == {10: "Anna", 20: "Bo"}
    assert reasons(state)[1] == (False, "edit 000000000007-00000000 is gone")


def test_what_no_longer_applies_is_reported_and_harms_nothing_else() -> None:
    grouping = clustering(TWELVE)
    gone = id_of(grouping, 0).replace("0000", "ffff", 1)
    edits = log(
        names(c99="Zed", c10="Anna"),
        names(c99="Zed"),
        merge(98, 20, into=10),
        merge(98, 97, into=10),
        merge(20, into=10),
        Modify(moves=(FaceMove((gone,), 30), FaceMove((id_of(grouping, 3),), 40))),
        Modify(moves=(FaceMove((gone, "nonsense"), 30),)),
        merge(1, 2, 3, 4, into=10),
    )
    state = PeopleState.of(grouping, edits)
    assert state.counts == {10: 5, 30: 2, 40: 3}
    assert state.names == {10: "Anna"}
    assert reasons(state) == [
        (True, "cluster 99 is gone"),
        (False, "cluster 99 is gone"),
        (True, "cluster 98 is gone"),
        (False, "cluster 97 is gone"),
        (False, "cluster 10 held the others already"),
        (True, "1 of 1 faces are gone"),
        (False, "2 of 2 faces are gone"),
        (False, "4 clusters are gone"),
    ]


def test_the_order_of_the_log_decides_not_the_order_of_arrival() -> None:
    grouping = clustering(TWELVE)
    edits = log(names(c10="Anna"), names(c10="Bo"), merge(20, into=10))
    late = PeopleState.of(grouping, [edits[0], edits[2]]).with_edits(edits[1])
    assert late.names == PeopleState.of(grouping, edits[::-1]).names == {10: "Bo"}
    assert late.edits == tuple(edits)
    assert late.with_edits(*edits) is late


def test_a_state_follows_its_collection() -> None:
    grouping = clustering(TWELVE)
    edits = log(names(c10="Anna"), names(c10="Bo"), merge(20, into=10))
    state = PeopleState.of(grouping, edits[:1])
    assert state.following(grouping, edits, NOBODY).names == {10: "Bo"}
    assert state.following(grouping, edits[:1], NOBODY) is state
    assert state.following(grouping, edits[1:2], NOBODY).names == {10: "Bo"}, (
        "the first file was deleted"
    )
    again = clustering(TWELVE, number=2)
    assert state.following(again, edits, NOBODY).clustering is again


def test_states_do_not_change_when_others_are_made_from_them() -> None:
    grouping = clustering(TWELVE)
    edits = log(names(c10="Anna"), merge(20, into=10), move(grouping, [0], 30), Undo(""))
    states = [PeopleState.of(grouping, [])]
    for edit in edits:
        states.append(states[-1].with_edits(edit))
    for n, state in enumerate(states):
        fresh = PeopleState.of(grouping, edits[:n])
        assert (state.names, state.counts) == (fresh.names, fresh.counts)
        assert reasons(state) == reasons(fresh)
    other = states[2].with_edits(*log(names(c40="Di"), first=9))
    assert (other.counts, other.names) == (states[2].counts, {10: "Anna", 40: "Di"})
    with pytest.raises(ValueError, match="read-only"):
        states[0].faces[0] = 1


def test_samples_come_from_all_that_was_merged_without_what_was_moved_away() -> None:
    grouping = clustering(TWELVE)
    edits = log(merge(20, into=10), move(grouping, [3], 30), move(grouping, [9], 10))
    state = PeopleState.of(grouping, edits)
    assert state.samples_of(10, 3) == [0, 1, 4]
    assert state.samples_of(20, 100) == [0, 1, 4, 2, 5, 9]
    assert state.samples_of(NO_CLUSTER, 5) == [10]
    assert state.samples_of(99, 5) == []


def test_samples_beyond_the_chosen_ones_come_from_all_over() -> None:
    state = PeopleState.of(clustering([7] * 116), [])
    found = state.samples_of(7, 18)
    assert found == [*range(16), 16, 115]
    assert len(set(state.samples_of(7, 500))) == 116


def test_faces_are_found_by_their_ids() -> None:
    grouping = clustering(TWELVE)
    state = PeopleState.of(grouping, [])
    assert [state.index_of(id_of(grouping, face)) for face in range(12)] == list(range(12))
    assert state.index_of("f" * 16 + "-0-7ff7ff") is None
    assert state.index_of("0" * 16 + "-0-7ff7f0") is None
