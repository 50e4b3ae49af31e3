"""Enrolled people are found in what was grouped: measured on made-up casts of 450 people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from api.people.editing import modify_edit
from shared.models.specs import FaceScale
from shared.opening import RootedPath
from shared.people.addition_log import Addition
from shared.people.clustering import NO_CLUSTER, Clustering
from shared.people.edits import (
    ClearNames,
    ClusterMerge,
    ClusterNaming,
    Edit,
    Modify,
    Names,
    NewEdit,
)
from shared.people.enrolment import Enrolment, KnownPeople, Reference, References, recognise
from shared.people.state import PeopleState
from tests.support.people.clusterings import clustering, id_of
from tests.support.people.face_data import PERSON, TRACK, MadeFaces, make_faces
from workers.recluster.people import group_faces
from workers.recluster.types import Rule

MODEL = "dlib"  # as in tests/support/people/clusterings.py
ADA, BO = 0, 1


@pytest.fixture
def references(tmp_path) -> References:
    return References(RootedPath.alone(tmp_path))


@pytest.mark.parametrize(
    ("kind", "photos", "part"), [("mid", 1, 2), ("hard", 1, 1), ("hard", 3, 2)]
)
def test_450_made_up_people_are_found_by_their_photos(
    references: References, kind: str, photos: int, part: int
) -> None:
    """`part`: one in so many is enrolled. Photos are of shots that are not in the footage."""
    made = make_faces(6000, 450, kind=kind, files=60)
    held, rest = split(made, photos, part)
    for person, rows in held.items():
        references.add(Enrolment(str(person), tuple(Reference.of(MODEL, row) for row in rows)))
    known = references.known(MODEL, FaceScale(person=PERSON[kind], track=TRACK))
    state = PeopleState.of(grouped(rest, kind), (), known)
    named = {root: int(name) for root, name in state.names.items()}
    found = np.array([named.get(root, -1) for root in state.faces.tolist()])
    enrolled = np.isin(rest.people, list(held))
    right = (found == rest.people) & enrolled
    precision, recall = right.sum() / (found >= 0).sum(), right.sum() / enrolled.sum()
    of_each = np.mean([right[rest.people == person].mean() for person in held])
    print(
        f"{kind}, {photos} photos of each of {len(held)}: precision {precision:.4f}, recall "
        f"{recall:.4f} of {enrolled.sum()} faces, {of_each:.4f} of a person's"
    )
    assert precision >= 0.98
    assert recall >= 0.9


def split(
    made: MadeFaces, photos: int, part: int
) -> tuple[dict[int, NDArray[np.float32]], MadeFaces]:
    """A face each of some shots of the people who have more, and the cast without these shots."""
    random = np.random.default_rng(3)
    shot_of = made.faces.media_of.astype(np.int64) * 4000 + made.faces.seconds
    stays = np.ones(len(made), bool)
    held = {}
    for person in range(0, int(made.people.max()) + 1, part):
        own = np.flatnonzero(made.people == person)
        shots = np.unique(shot_of[own])
        if len(shots) <= photos:
            continue
        chosen = random.choice(shots, photos, replace=False)
        firsts = [own[shot_of[own] == shot][0] for shot in chosen]
        held[person] = made.faces.embeddings[firsts].astype(np.float32)
        stays[own[np.isin(shot_of[own], chosen)]] = False
    return held, made.take(np.flatnonzero(stays))


def grouped(made: MadeFaces, kind: str) -> Clustering:
    rule = Rule(FaceScale(person=PERSON[kind], track=TRACK), 0.48, 5)
    groups = group_faces(made.faces, rule, lambda _share, _message: None)
    labels = np.where(groups.labels == NO_CLUSTER, NO_CLUSTER, groups.labels + 1)
    loose = np.flatnonzero(labels == NO_CLUSTER).astype(np.int32)
    return replace(
        clustering(labels.tolist(), media=60),
        means=groups.means,
        sizes=groups.sizes,
        loose_embeddings=made.faces.embeddings[loose].astype(np.float16),
    )


def axis(*numbers: int) -> NDArray[np.float32]:
    row = np.zeros(8, np.float32)
    row[list(numbers)] = 1 / np.sqrt(len(numbers))
    return row


def cast() -> Clustering:
    """Ada is 10, Bo 20; 30 is a stranger. Of the faces in no cluster one is Ada, two are Cy."""
    found = clustering([10] * 3 + [20] * 3 + [30] * 3 + [-1] * 3)
    loose = np.stack([axis(ADA), axis(3), axis(3)]).astype(np.float16)
    return replace(found, means=np.stack([axis(ADA), axis(BO), axis(2)]), loose_embeddings=loose)


def known(references: References, **photos: NDArray[np.float32]) -> KnownPeople:
    for name, row in photos.items():
        references.add(Enrolment(name, (Reference.of(MODEL, row),)))
    return references.known(MODEL, FaceScale(person=0.6, track=0.95))


def edits(*whats: NewEdit) -> list[Edit]:
    return [Addition(f"{n:012d}-00000000", n, 0.0, what) for n, what in enumerate(whats, start=1)]


def test_faces_in_no_cluster_join_the_persons_own_or_make_one(references: References) -> None:
    state = PeopleState.of(cast(), (), known(references, Ada=axis(ADA), Cy=axis(3)))
    (cy,) = state.ids_named("cy")
    assert state.names == {10: "Ada", cy: "Cy"}
    assert state.counts == {10: 4, 20: 3, 30: 3, cy: 2}
    assert cy in state.known_ids
    assert state.root(cy) == cy
    again = PeopleState.of(cast(), (), references.known(MODEL, FaceScale(person=0.6, track=0.95)))
    assert again.ids_named("Cy") == [cy], "the id is the same everywhere"
    assert state.overlap_labels.tolist() == cast().labels.tolist(), "nobody has moved a face"


def test_what_users_say_comes_first_before_and_after_enrolling(references: References) -> None:
    ada = known(references, Ada=axis(ADA))
    named = edits(Names((ClusterNaming(10, "Eve"),)))
    state = PeopleState.of(cast(), named, ada)
    (own,) = state.ids_named("Ada")
    assert state.names == {10: "Eve", own: "Ada"}, "a face of Ada's joins nobody called otherwise"
    cleared = PeopleState.of(cast(), edits(Names((ClusterNaming(10, ""),))), ada)
    assert 10 not in cleared.names
    merged = edits(Names((ClusterNaming(20, "Bo"),)), Modify((ClusterMerge((20,), 10),)))
    assert PeopleState.of(cast(), merged, ada).names[10] == "Bo"
    into = PeopleState.of(cast(), edits(Modify((ClusterMerge((10,), 30),))), ada)
    assert into.names == {30: "Ada"}
    assert PeopleState.of(cast(), edits(*[e.what for e in named], ClearNames()), ada).names == {
        10: "Ada"
    }, "names given by hand go, the person is known as before"


def test_who_is_forgotten_is_nobody_and_no_vector_is_left(references: References, tmp_path) -> None:
    known(references, Ada=axis(ADA), Bo=axis(BO))
    references.forget({"ada"})
    left = references.known(MODEL, FaceScale(person=0.6, track=0.95))
    assert left.names == ("Bo",)
    assert PeopleState.of(cast(), (), left).names == {20: "Bo"}
    assert not References(RootedPath.alone(tmp_path)).of("Ada")
    raw = b"".join(path.read_bytes() for path in (tmp_path / "people").iterdir())
    assert b"Ada" not in raw


def test_more_photos_of_a_name_are_one_person_whatever_its_letters(references: References) -> None:
    known(references, Ada=axis(ADA), ADA=axis(5))
    both = references.known(MODEL, FaceScale(person=0.6, track=0.95))
    assert both.names == ("ADA",)
    assert len(both.rows) == 3, "two photos and their mean"
    assert len(references.of("ada")) == 2


def test_vectors_of_other_models_and_broken_ones_are_nobody(references: References) -> None:
    references.add(Enrolment("Ada", (Reference("other", axis(ADA).astype("<f2").tobytes()),)))
    for vector in (b"", b"\0" * 16, b"\xff" * 15, b"\xff\x7f" * 8):
        references.add(Enrolment("Bo", (Reference(MODEL, vector),)))
    references.add(Enrolment("Cy", (Reference(MODEL, axis(3).astype("<f2").tobytes()[:8]),)))
    found = references.known(MODEL, FaceScale(person=0.6, track=0.95))
    assert recognise(cast(), found).clusters == {}
    assert PeopleState.of(cast(), (), found).names == {}


def test_a_double_is_not_taken_for_the_person_where_that_one_is_there(
    references: References,
) -> None:
    double = replace(cast(), means=np.stack([axis(ADA), axis(ADA, 4), axis(2)]))
    ada = known(references, Ada=axis(ADA))
    assert ada.least < axis(ADA) @ axis(ADA, 4), "near enough"
    assert PeopleState.of(double, (), ada).names == {10: "Ada"}


def test_a_face_that_was_taken_out_keeps_faces_like_it_from_being_recognised(
    references: References,
) -> None:
    """Of the three faces in no cluster the last two are a double's; one of them is taken out."""
    double = np.stack([axis(ADA), axis(ADA, 4), axis(ADA, 4)]).astype(np.float16)
    found = replace(cast(), loose_embeddings=double)
    ada = known(references, Ada=axis(ADA))
    state = PeopleState.of(found, (), ada)
    assert state.counts[10] == 6
    moved = edits(modify_edit(state, moves=[([id_of(found, 11)], NO_CLUSTER)]))
    taught = PeopleState.of(found, moved, ada)
    assert taught.faces[[9, 10, 11]].tolist() == [10, NO_CLUSTER, NO_CLUSTER]
    back = edits(moved[0].what, modify_edit(taught, moves=[([id_of(found, 11)], 10)]))
    assert PeopleState.of(found, back, ada).counts[10] == 6
