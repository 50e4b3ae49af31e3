"""Which edits of others hinder an edit, and what is said of them."""

from __future__ import annotations

import pytest

from api.people.editing import checked_since, modify_edit, names_edit, undo_edit
from shared.errors import BadInput, EditedMeanwhile, Missing
from shared.people.clustering import NO_CLUSTER
from shared.people.edits import ClearNames, Edit, NewEdit, Undo
from shared.people.state import PeopleState
from tests.support.people.clusterings import clustering, id_of

GROUPING = clustering((10, 10, 10, 20, 20, 20, 30, 30, NO_CLUSTER, NO_CLUSTER))
FACE = [id_of(GROUPING, face) for face in range(10)]
EMPTY = PeopleState.of(GROUPING, [])


def id_at(number: int) -> str:
    return f"{number:012d}-00000000" if number else ""


def after(*edits: NewEdit) -> PeopleState:
    return PeopleState.of(GROUPING, [Edit(id_at(n), n, 0.0, e) for n, e in enumerate(edits, 1)])


def hindrance(state: PeopleState, known: int, new: NewEdit) -> str:
    """What is said to who wants that and knows the log up to an entry; "": nothing."""
    try:
        assert checked_since(state, id_at(known), lambda _: new) is new
    except EditedMeanwhile as error:
        return error.message.removeprefix("Meanwhile ").removesuffix(". Look again, then decide.")
    return ""


NAME_10 = names_edit(EMPTY, [(10, "Ada")])
NAME_20 = names_edit(EMPTY, [(20, "Bo")])
MERGE = modify_edit(EMPTY, [([30], 20)])
MOVE = modify_edit(EMPTY, moves=[(FACE[:1], NO_CLUSTER)])
LOOSE = modify_edit(EMPTY, moves=[(FACE[8:9], None)])
OTHER_LOOSE = modify_edit(EMPTY, moves=[(FACE[9:], None)])


@pytest.mark.parametrize(
    ("theirs", "mine", "said"),
    [
        (NAME_10, NAME_10, "this person was named Ada"),
        (NAME_10, NAME_20, ""),
        (names_edit(EMPTY, [(10, "")]), NAME_10, "the name of this person was taken away"),
        (NAME_20, MERGE, "one of these people was named Bo"),
        (MERGE, names_edit(EMPTY, [(30, "Cy")]), "this person was merged with another one"),
        (MOVE, NAME_10, "faces of this person were moved away"),
        (MOVE, NAME_20, ""),
        (NAME_10, MOVE, "this person was named Ada"),
        (LOOSE, OTHER_LOOSE, ""),
        (LOOSE, LOOSE, "faces were moved to this person"),
        (ClearNames(), NAME_10, "all names were taken away"),
        (NAME_10, Undo(""), "a person was named Ada"),
    ],
)
def test_only_who_touches_the_same_is_hindered(theirs: NewEdit, mine: NewEdit, said: str) -> None:
    state = after(theirs)
    assert hindrance(state, 0, mine) == said
    assert hindrance(state, 1, mine) == "", "known"
    assert checked_since(state, None, lambda _: mine) is mine, "who does not ask"


def test_an_undo_touches_what_it_took_back_or_brought_back() -> None:
    taken_back = after(NAME_10, NAME_20, Undo(id_at(1)))
    assert hindrance(taken_back, 2, NAME_20) == "an edit was undone"
    assert hindrance(taken_back, 2, NAME_10) == ""
    brought_back = after(NAME_10, NAME_20, Undo(id_at(1)), MOVE, Undo(id_at(2)))
    assert hindrance(brought_back, 4, NAME_20) == "an edit was undone"
    assert hindrance(brought_back, 4, NAME_10) == "an edit was undone", "its move went"
    assert hindrance(brought_back, 4, modify_edit(EMPTY, [([30], 20)])) == "an edit was undone"
    assert hindrance(after(NAME_10, Undo("gone")), 1, NAME_10) == ""


def test_the_last_things_that_others_did_are_told_in_order() -> None:
    names = [names_edit(EMPTY, [(10, f"Ada {n}")]) for n in range(5)]
    told = ", then ".join(f"this person was named Ada {n}" for n in (2, 3, 4))
    assert hindrance(after(*names), 0, NAME_10) == told


def test_what_others_took_away_is_told_rather_than_missing() -> None:
    made = modify_edit(EMPTY, moves=[(FACE[8:9], None)])
    new = made.moves[0].target

    def name_it(state: PeopleState) -> NewEdit:
        return names_edit(state, [(new, "Di")])

    with pytest.raises(Missing):
        checked_since(EMPTY, "", name_it)
    with pytest.raises(EditedMeanwhile, match="an edit was undone"):
        checked_since(after(made, Undo("")), id_at(1), name_it)
    with pytest.raises(Missing):
        checked_since(after(made, Undo("")), "", name_it)


def test_what_was_wrong_before_others_edited_is_told_as_it_is() -> None:
    for wrong, error in (([(77, "Di")], Missing), ([(20, "x" * 201)], BadInput)):
        with pytest.raises(error):
            checked_since(after(NAME_10), "", lambda state, wrong=wrong: names_edit(state, wrong))


def test_an_edit_that_was_never_made_is_missing() -> None:
    state = after(NAME_10)
    with pytest.raises(Missing, match="known_edit_id: there is no edit"):
        checked_since(state, "x", lambda _: NAME_10)
    assert undo_edit(state.edits, "") == Undo("")
