"""Voices in the ledger of people: merged, moved, named, split and undone as faces are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from shared.errors import BadInput
from shared.people.addition_log import Addition
from shared.people.clustering import NO_CLUSTER, Clustering, VoiceGrouping
from shared.people.edits import (
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
from shared.people.state import PeopleState, as_of, report, taken_out
from tests.support.people.clusterings import clustering, id_of
from tests.support.people.voice_groupings import voice_grouping

FACES = clustering([10, 10, 10, 20, 20, NO_CLUSTER])
VOICES = voice_grouping([70, 80, 70, 90])
ADA, BO = 10, 20


class OldMove(msgspec.Struct):
    face_ids: tuple[str, ...]
    target: int


class OldModify(msgspec.Struct, tag_field="kind", tag="modify"):
    moves: tuple[OldMove, ...] = ()


def log(*edits: NewEdit) -> list[Edit]:
    return [Addition(f"{n:012d}-0000000a", n, 0.0, what) for n, what in enumerate(edits, 1)]


def state_of(*edits: NewEdit, voices: VoiceGrouping = VOICES) -> PeopleState:
    return PeopleState.of(FACES, log(*edits), NOBODY, voices)


def merged(*ids: int, into: int) -> Modify:
    return Modify(merges=(ClusterMerge(ids, into),))


def moved(voices: Sequence[int], to: int, *, is_new: bool = False) -> Modify:
    ids = tuple(VOICES.voice_id(voice) for voice in voices)
    return Modify(moves=(FaceMove((), to, is_new, voice_ids=ids),))


def test_voices_are_people_beside_those_with_faces() -> None:
    state = state_of()
    assert state.voices.tolist() == [70, 80, 70, 90]
    assert dict(state.voice_counts) == {70: 2, 80: 1, 90: 1}
    assert dict(state.counts) == {10: 3, 20: 2}, "lists of faces stay as they are"
    assert state.grouped_voices is VOICES
    assert [state.root(id_) for id_ in (70, 90, 99)] == [70, 90, None]
    assert {70, 80, 90} <= state.known_ids
    assert state.voices_of([70, 90]).tolist() == [0, 2, 3]


def test_a_face_and_a_voice_that_are_merged_are_one_person() -> None:
    state = state_of(merged(70, into=ADA), Names((ClusterNaming(70, "Ada"),)))
    assert state.voices.tolist() == [ADA, 80, ADA, 90]
    assert (state.names, state.voice_names) == ({ADA: "Ada"}, {ADA: "Ada"})
    assert state.voices_of([ADA]).tolist() == state.voices_of([70]).tolist() == [0, 2]
    assert state.faces_of([70]).tolist() == [0, 1, 2]
    into_voice = state_of(merged(ADA, into=70))
    assert into_voice.faces.tolist() == [70, 70, 70, 20, 20, NO_CLUSTER]
    assert into_voice.voices_of([ADA]).tolist() == [0, 2]


def test_both_stay_together_after_faces_were_grouped_anew() -> None:
    edits = (merged(70, into=ADA), Names((ClusterNaming(ADA, "Ada"),)))
    again = clustering([20, 10, 10, 10, NO_CLUSTER, 20], number=2)
    state = PeopleState.of(again, log(*edits), NOBODY, VOICES)
    assert (state.voices_of([ADA]).tolist(), state.names) == ([0, 2], {ADA: "Ada"})


def test_names_of_people_who_are_only_heard_are_told_apart_from_those_seen() -> None:
    state = state_of(Names((ClusterNaming(80, "Cy"), ClusterNaming(BO, "Bo"))))
    assert (state.names, state.voice_names) == ({BO: "Bo"}, {80: "Cy"})


def test_voices_are_moved_to_others_to_new_people_and_to_nobody() -> None:
    state = state_of(moved([2], ADA), moved([1], 500, is_new=True), moved([3], NO_CLUSTER))
    assert state.voices.tolist() == [70, 500, ADA, NO_CLUSTER]
    assert dict(state.voice_counts) == {70: 1, 500: 1, ADA: 1}
    assert (state.root(500), state.root(90)) == (500, 90)
    assert [applies for _, applies, _ in report(state)] == [True] * 3
    merged_away = state_of(moved([2], BO), merged(BO, into=ADA))
    assert merged_away.voices.tolist() == [70, 80, ADA, 90]


def test_faces_and_voices_go_in_one_move() -> None:
    both = FaceMove((id_of(FACES, 5),), BO, sources=(-1,), voice_ids=(VOICES.voice_id(3),))
    state = state_of(Modify(moves=(both,)))
    assert (state.faces[5], state.voices[3]) == (BO, BO)
    assert len(taken_out(state)[0]) == 0


def test_an_undo_takes_back_what_was_done_to_voices() -> None:
    merge, move = merged(70, into=ADA), moved([1], 90)
    state = state_of(merge, move, Undo("000000000001-0000000a"))
    assert state.voices.tolist() == [ADA, 80, ADA, 90]
    assert state_of(merge, move, Undo("")).voices.tolist() == [70, 80, 70, 90]
    step_by_step = state_of()
    for edit in log(merge, move):
        step_by_step = step_by_step.with_edits(edit)
    assert step_by_step.voices.tolist() == [ADA, 90, ADA, 90]
    assert as_of(step_by_step, "000000000001-0000000a").voices.tolist() == [ADA, 80, ADA, 90]


def test_what_became_of_moved_voices_is_reported() -> None:
    gone = FaceMove((), BO, voice_ids=("f" * 16 + "-voice-00000001", VOICES.voice_id(0)))
    state = state_of(Modify(moves=(gone,)), Modify(moves=(replace_ids(gone, "nonsense"),)))
    assert [told[1:] for told in report(state)] == [
        (True, "1 of 2 voices are gone"),
        (False, "1 of 1 voices are gone"),
    ]
    left = voice_grouping([70, 80, 70, 90], is_there=[False, True, True, False])
    state = state_of(moved([0, 1], BO), voices=left)
    assert [told[1:] for told in report(state)] == [(True, "1 of 2 voices are gone")]
    assert dict(state.voice_counts) == {BO: 1, 70: 1}
    assert (state.root(90), state.voices_of([BO]).tolist()) == (None, [1])
    assert 90 in state.known_ids, "it may come back"


def replace_ids(move: FaceMove, *voice_ids: str) -> FaceMove:
    return msgspec.structs.replace(move, voice_ids=voice_ids)


def test_clusters_that_are_said_to_be_two_people() -> None:
    state = state_of(Modify(apart=((90, ADA), (70, BO))), merged(BO, into=80))
    assert state.apart == {(ADA, 90), (70, 80)}
    assert state_of(Modify(apart=((90, ADA),)), merged(90, into=ADA)).apart == frozenset()
    assert state_of(Modify(apart=((90, ADA),)), Undo("")).apart == frozenset()
    told = report(state_of(merged(90, into=ADA), Modify(apart=((90, ADA), (70, 99)))))[1]
    assert told[1:] == (False, "cluster 90 and cluster 10 are one; cluster 99 is gone")


def test_voices_are_found_by_their_ids() -> None:
    state = state_of()
    assert [state.voice_index_of(VOICES.voice_id(voice)) for voice in range(4)] == [0, 1, 2, 3]
    assert VOICES.voice_id(3) == f"{1:016x}-voice-00000004"
    for unknown in (f"{1:016x}-voice-00000001", f"{7:016x}-voice-00000004"):
        assert state.voice_index_of(unknown) is None
    for wrong in ("", f"{1:016x}-1-000004", f"{1:016x}-voice-ffffffff", f"{1:016x}-voice-4"):
        with pytest.raises(BadInput, match="is no voice_id"):
            state.voice_index_of(wrong)


def test_the_same_state_goes_on_while_faces_and_voices_are_the_same() -> None:
    edits = log(merged(70, into=ADA))
    state = PeopleState.of(FACES, edits, NOBODY, VOICES)
    assert state.following(FACES, edits, NOBODY, VOICES) is state
    newer = replace(VOICES, number=2, labels=np.array([70, 80, 95, 90], np.int32))
    assert state.following(FACES, edits, NOBODY, newer).voices.tolist() == [ADA, 80, 95, 90]
    assert PeopleState.of(Clustering.empty(), []).grouped_voices is VoiceGrouping.empty()


def test_a_log_of_an_earlier_version_reads_and_an_earlier_version_reads_ours() -> None:
    old = b'{"kind":"modify","merges":[],"moves":[{"face_ids":["x"],"target":3,"is_new":false}]}'
    assert msgspec.json.decode(old, type=Modify) == Modify(moves=(FaceMove(("x",), 3),))
    ours = msgspec.json.encode(Modify(moves=(FaceMove(("x",), 3, voice_ids=("y",)),)))
    assert msgspec.json.decode(ours, type=OldModify).moves == (OldMove(("x",), 3),)
