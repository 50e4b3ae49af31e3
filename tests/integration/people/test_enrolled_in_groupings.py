"""Enrolled people and lessons of moves over groupings on a disk: what stays, what is kept out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from api.people.editing import modify_edit, names_edit
from api.people.people import People
from shared.cache.cache_dir import CacheDir
from shared.cache.faces import FaceMark
from shared.people.clustering import NO_CLUSTER
from shared.people.enrolment import Enrolment, Reference, References
from shared.people.state import PeopleState, other_names, taken_out
from tests.support.people.grouping_desk import (
    ADA,
    BO,
    MODEL,
    NAME,
    SCALE,
    GroupingDesk,
    face,
    shots,
)


class EnrollingDesk(GroupingDesk):
    """A desk whose states know who is enrolled."""

    def state(self) -> PeopleState:
        known = References(self.cache.root).known(MODEL, SCALE)
        return PeopleState.of(self.now(), self.collection.edits(), known)

    def enroll(self, name: str, person: int) -> None:
        reference = Reference.of(MODEL, self.look(person))
        References(self.cache.root).add(Enrolment(name, (reference,)))


@pytest.fixture
def desk(tmp_path: Path) -> EnrollingDesk:
    return EnrollingDesk(CacheDir.open(tmp_path, create=True))


def test_an_enrolled_person_is_found_in_what_is_grouped_and_in_what_comes(
    desk: EnrollingDesk,
) -> None:
    one = desk.add(1, shots(ADA, BO))
    desk.group()
    desk.enroll("Ada", ADA)
    ada = desk.id_of(one, (0, ADA))
    assert desk.state().names == {ada: "Ada"}, "nothing had to be grouped for it"
    two = desk.add(2, shots(BO, ADA))
    desk.join(two)
    assert desk.id_of(two, (4, ADA)) == ada
    desk.group(eps=0.4)
    assert desk.state().names == {ada: "Ada"}
    assert desk.state().counts[ada] == 8


def test_a_person_with_too_few_faces_is_found_and_keeps_the_id_when_more_come(
    desk: EnrollingDesk,
) -> None:
    desk.enroll("Ada", ADA)
    one = desk.add(1, [(0, ADA), (1, ADA), *shots(BO, start=5)])
    desk.group(min_samples=3)
    ada = desk.id_of(one, (0, ADA))
    assert ada not in desk.now().cluster_ids
    assert desk.state().names == {ada: "Ada"}
    desk.join(desk.add(2, [(0, ADA)]))
    assert ada in desk.now().cluster_ids, "three faces make a person"
    assert desk.state().names == {ada: "Ada"}
    desk.add(3, [(0, ADA)])
    desk.group(min_samples=3)
    assert desk.state().counts[ada] == 4
    desk.group(min_samples=9)
    assert desk.id_of(one, (0, ADA)) == ada, "too few again"
    assert ada not in desk.now().cluster_ids
    desk.group(min_samples=3)
    assert ada in desk.now().cluster_ids
    assert ada not in desk.now().retired


def test_a_merge_with_few_faces_of_an_enrolled_person_stays_when_more_come(
    desk: EnrollingDesk,
) -> None:
    desk.enroll("Ada", ADA)
    one = desk.add(1, [(0, ADA), *shots(BO, start=5)])
    desk.group()
    ada, bo = desk.id_of(one, (0, ADA)), desk.id_of(one, (5, BO))
    desk.collection.append(modify_edit(desk.state(), merges=[([ada], bo)]))
    two = desk.add(2, shots(ADA))
    desk.join(two)
    assert desk.id_of(two, (0, ADA)) == bo


def test_every_process_sees_who_was_enrolled_and_forgotten_elsewhere(desk: EnrollingDesk) -> None:
    one = desk.add(1, shots(ADA))
    desk.group()
    ada = desk.id_of(one, (0, ADA))
    replica = People(scale_of=lambda _model: SCALE)
    before = replica.open(desk.cache, NAME)
    assert before.state.names == {}
    desk.enroll("Ada", ADA)
    seen = replica.open(desk.cache, NAME)
    assert seen.state.names == {ada: "Ada"}
    assert replica.open(desk.cache, NAME) is seen
    References(desk.cache.root).forget({"ada"})
    assert replica.open(desk.cache, NAME).state.names == {}


def test_another_face_model_knows_nobody(desk: EnrollingDesk) -> None:
    desk.add(1, shots(ADA))
    desk.group()
    reference = Reference.of("other", desk.look(ADA))
    References(desk.cache.root).add(Enrolment("Ada", (reference,)))
    assert desk.state().names == {}


class Doubles(EnrollingDesk):
    """A desk on which Bo is taken for Ada."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.people[BO] = 0.8 * self.people[ADA] + 0.6 * self.people[2]
        self.people[BO] /= np.linalg.norm(self.people[BO])


@pytest.mark.parametrize("target", [None, NO_CLUSTER], ids=["somebody new", "nobody"])
def test_new_faces_like_one_that_was_taken_out_stay_out(tmp_path: Path, target: int | None) -> None:
    desk = Doubles(CacheDir.open(tmp_path, create=True))
    one = desk.add(1, [*shots(ADA, each=8), (20, BO), (21, BO)])
    desk.group()
    ada = desk.id_of(one, (0, ADA))
    assert desk.id_of(one, (20, BO)) == ada, "they look alike"
    untaught = desk.add(2, shots(BO))
    desk.join(untaught)
    assert desk.id_of(untaught, (0, BO)) == ada
    wrong = [face(one, (20, BO)), face(one, (21, BO)), *(face(untaught, s) for s in shots(BO))]
    desk.collection.append(modify_edit(desk.state(), moves=[(wrong, target)]))
    three = desk.add(3, shots(BO, ADA))
    desk.join(three)
    bo = {desk.id_of(three, seen) for seen in shots(BO)}
    assert ada not in bo
    assert {desk.id_of(three, seen) for seen in shots(ADA, start=4)} == {ada}
    desk.group()
    assert {desk.id_of(three, seen) for seen in shots(BO)} == bo, "also in a grouping of all"
    assert {desk.id_of(three, seen) for seen in shots(ADA, start=4)} == {ada}
    four = desk.add(4, shots(BO))
    desk.group()
    assert ada not in {desk.id_of(four, seen) for seen in shots(BO)}


def test_faces_that_were_moved_back_teach_nothing(tmp_path: Path) -> None:
    desk = Doubles(CacheDir.open(tmp_path, create=True))
    one = desk.add(1, [*shots(ADA, each=8), (20, BO), (21, BO)])
    desk.group()
    ada = desk.id_of(one, (0, ADA))
    both = [face(one, (20, BO)), face(one, (21, BO))]
    desk.collection.append(modify_edit(desk.state(), moves=[(both, NO_CLUSTER)]))
    assert sorted(taken_out(desk.state())[1].tolist()) == [ada, ada]
    desk.collection.append(modify_edit(desk.state(), moves=[(both, ada)]))
    assert not len(taken_out(desk.state())[0])
    two = desk.add(2, shots(BO))
    desk.join(two)
    assert desk.id_of(two, (0, BO)) == ada


def test_people_named_by_hand_and_enrolled_ones_live_side_by_side(desk: EnrollingDesk) -> None:
    one = desk.add(1, shots(ADA, BO))
    desk.group()
    ada, bo = desk.id_of(one, (0, ADA)), desk.id_of(one, (4, BO))
    desk.collection.append(names_edit(desk.state(), [(ada, "Ada by hand"), (bo, "Bo")]))
    desk.enroll("Ada", ADA)
    desk.add(2, shots(ADA, BO))
    desk.group()
    assert desk.state().names == {ada: "Ada by hand", bo: "Bo"}
    assert other_names(desk.state(), "ada") == ["Ada by hand"]
    assert other_names(desk.state(), "Bo") == []


def test_a_man_who_is_seen_from_the_side_alone_is_a_person(desk: EnrollingDesk) -> None:
    desk.noise, desk.mark, desk.score = 0.01, FaceMark.TURNED, 0.99
    one = desk.add(1, shots(ADA), marked=range(4))
    desk.group(min_samples=4)
    ada = desk.id_of(one, (0, ADA))
    assert ada != NO_CLUSTER
    two = desk.add(2, shots(BO), marked=range(4))
    desk.join(two)
    assert desk.id_of(two, (0, BO)) not in (ada, NO_CLUSTER)
    desk.score = 0.9
    three = desk.add(3, shots(2), marked=range(4))
    desk.join(three)
    assert desk.id_of(three, (0, 2)) == NO_CLUSTER
