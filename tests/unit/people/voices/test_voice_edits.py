"""Edits of voices: checked whole as those of faces are, and what others did is told."""

from __future__ import annotations

import pytest

from api.deleting.person_faces import without_mention
from api.people.editing import FacesAndVoices, WholeClusters, checked_since, modify_edit, names_edit
from shared.errors import BadInput, EditedMeanwhile, Missing
from shared.people.clustering import NO_CLUSTER
from shared.people.edits import Edit, FaceMove, Modify, NewEdit
from shared.people.state import PeopleState
from tests.support.people.clusterings import clustering, id_of
from tests.support.people.voice_groupings import voice_grouping

ADA, BO = 10, 20  # faces
TOM, UMA = 70, 80  # voices
FACES = clustering((ADA, ADA, BO, BO, NO_CLUSTER))
FACE = [id_of(FACES, face) for face in range(5)]
VOICES = voice_grouping((TOM, UMA, UMA, TOM), is_there=(True, True, True, False))
VOICE = [VOICES.voice_id(voice) for voice in range(4)]


def id_at(number: int) -> str:
    return f"{number:012d}-00000000" if number else ""


def after(*edits: NewEdit) -> PeopleState:
    log = [Edit(id_at(n), n, 0.0, what) for n, what in enumerate(edits, 1)]
    return PeopleState.of(FACES, log, voices=VOICES)


EMPTY = after()


def move(target: int | None, *voices: str) -> Modify:
    return modify_edit(EMPTY, moves=[(FacesAndVoices(voice_ids=voices), target)])


def test_a_move_says_whose_voices_they_were() -> None:
    (made,) = move(ADA, VOICE[1], VOICE[0], VOICE[1]).moves
    assert made == FaceMove((), ADA, False, (), (VOICE[1], VOICE[0]), (TOM, UMA))
    (new,) = move(None, VOICE[2]).moves
    assert new.is_new
    assert new.target not in EMPTY.known_ids
    assert move(None, VOICE[2]).moves == (new,), "the same on every machine"


def test_a_whole_cluster_moves_with_its_voices_that_are_there() -> None:
    united = after(modify_edit(EMPTY, [([TOM], ADA)]))
    (made,) = modify_edit(united, moves=[(WholeClusters((TOM,), 2, 1), NO_CLUSTER)]).moves
    assert (made.face_ids, made.voice_ids) == (tuple(FACE[:2]), (VOICE[0],))
    alone = modify_edit(EMPTY, moves=[(WholeClusters((UMA,)), BO)]).moves[0]
    assert (alone.face_ids, alone.voice_ids) == ((), tuple(VOICE[1:3]))
    with pytest.raises(EditedMeanwhile, match="has 1 voice, not 2"):
        modify_edit(united, moves=[(WholeClusters((TOM,), None, 2), NO_CLUSTER)])


@pytest.mark.parametrize(
    ("error", "message", "voices"),
    [
        (BadInput, "is no voice_id", [FACE[0]]),
        (Missing, "There is no voice", [VOICE[3]]),
        (Missing, "There is no voice", ["f" * 16 + "-voice-00000001"]),
    ],
)
def test_a_voice_that_is_not_there_is_not_moved(
    error: type[Exception], message: str, voices: list[str]
) -> None:
    with pytest.raises(error, match=message):
        move(ADA, *voices)


def test_one_voice_is_not_in_two_moves() -> None:
    twice = FacesAndVoices(voice_ids=VOICE[:1])
    with pytest.raises(BadInput, match=f"The voice {VOICE[0]} is in two moves"):
        modify_edit(EMPTY, moves=[(twice, ADA), (twice, BO)])


def test_only_two_can_be_apart() -> None:
    assert modify_edit(EMPTY, apart=[(ADA, TOM)]).apart == ((ADA, TOM),)
    with pytest.raises(BadInput, match="are one person"):
        modify_edit(EMPTY, [([TOM], ADA)], apart=[(ADA, TOM)])
    with pytest.raises(Missing):
        modify_edit(EMPTY, apart=[(ADA, 77)])


APART = modify_edit(EMPTY, apart=[(ADA, TOM)])
ACCEPT = modify_edit(EMPTY, [([TOM], ADA)])
NAME = names_edit(EMPTY, [(TOM, "Tom")])
WITH_A_FACE = modify_edit(EMPTY, moves=[(FacesAndVoices(FACE[4:], VOICE[:1]), BO)])


@pytest.mark.parametrize(
    ("theirs", "mine", "said"),
    [
        (move(UMA, VOICE[0]), NAME, "voices of this person were moved away"),
        (WITH_A_FACE, NAME, "faces and voices of this person were moved away"),
        (WITH_A_FACE, names_edit(EMPTY, [(BO, "Bo")]), "faces and voices were moved to this"),
        (move(NO_CLUSTER, VOICE[0]), move(NO_CLUSTER, VOICE[0]), "voices of this person were"),
        (move(NO_CLUSTER, VOICE[1]), move(NO_CLUSTER, VOICE[0]), ""),
        (NAME, move(NO_CLUSTER, VOICE[0]), "this person was named Tom"),
        (APART, ACCEPT, "one of these people was told apart from another one"),
        (ACCEPT, APART, "this person was merged with another one"),
        (APART, APART, "one of these people was told apart from another one"),
        (APART, NAME, ""),
        (NAME, APART, ""),
    ],
)
def test_only_who_touches_the_same_is_hindered(theirs: NewEdit, mine: NewEdit, said: str) -> None:
    state = after(theirs)
    assert checked_since(state, id_at(1), lambda _: mine) is mine
    if not said:
        assert checked_since(state, "", lambda _: mine) is mine
        return
    with pytest.raises(EditedMeanwhile, match=f"^Meanwhile .*{said}"):
        checked_since(state, "", lambda _: mine)


def test_a_deleted_persons_voices_go_from_moves_and_nothing_else_does() -> None:
    both = modify_edit(EMPTY, moves=[(FacesAndVoices(FACE[:1], VOICE[:2]), BO)], apart=[(ADA, UMA)])
    assert without_mention(both, frozenset(), (), (), frozenset(VOICE[2:])) is both
    left = without_mention(both, frozenset(), (), (), frozenset(VOICE[:1]))
    assert isinstance(left, Modify)
    assert (left.apart, left.moves[0].face_ids) == (both.apart, both.moves[0].face_ids)
    assert left.moves[0].voice_ids == (VOICE[1],)


def test_many_voices_are_found_by_one_search() -> None:
    many = voice_grouping([70] * 3000)
    state = PeopleState.of(FACES, [], voices=many)
    ids = [many.voice_id(voice) for voice in range(0, 3000, 2)]
    (move,) = modify_edit(state, moves=[(FacesAndVoices(voice_ids=[*ids, ids[0]]), None)]).moves
    assert (move.voice_ids, move.voice_sources) == (tuple(ids), (70,))
    unknown = [many.voice_id(1)[:16] + "-voice-7fffffff", "f" * 16 + "-voice-00000001"]
    with pytest.raises(Missing, match=f"There is no voice {', '.join(unknown)}"):
        modify_edit(state, moves=[(FacesAndVoices(voice_ids=[*ids, *unknown]), None)])
