"""New faces join the people there are or begin new ones, and nobody else is touched."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.cache.faces import FaceMark
from shared.models.specs import FaceScale
from tests.support.people.face_data import PERSON, TRACK, MadeFaces, agreement, make_faces, unit
from workers.recluster.people import assign_faces, group_faces
from workers.recluster.types import Assigned, FaceSet, Known, Rule

RULE = Rule(FaceScale(person=PERSON["mid"], track=TRACK), 0.48, 3)
DIM = 64


def step(fraction: float, message: str) -> None:
    assert 0 <= fraction <= 1
    assert message


def axis(number: int) -> NDArray[np.float32]:
    return np.eye(DIM, dtype=np.float32)[number]


def shots(person: NDArray[np.float32], count: int, seed: int = 0) -> NDArray[np.float16]:
    """Alike (cosine about 0.55), but not of one moment."""
    noise = np.random.default_rng(seed).standard_normal((count, DIM)) / np.sqrt(DIM)
    return unit((person + 0.9 * noise).astype(np.float32)).astype(np.float16)


def faces_of(rows: NDArray[np.float16], marks: int = 0) -> FaceSet:
    return FaceSet(
        embeddings=rows,
        media_of=np.zeros(len(rows), np.int32),
        seconds=np.arange(len(rows), dtype=np.uint32),
        marks=np.full(len(rows), marks, np.uint8),
        quality=np.ones(len(rows), np.float32),
        scores=np.ones(len(rows), np.float32),
    )


def known(*people: NDArray[np.float32], loose: NDArray[np.float16] | None = None) -> Known:
    return Known(
        means=np.stack(people) if people else np.empty((0, DIM), np.float32),
        sizes=np.full(len(people), 10, np.int32),
        loose=np.empty((0, DIM), np.float16) if loose is None else loose,
    )


def test_a_new_face_joins_the_nearest_person_and_moves_the_mean_a_little() -> None:
    found = assign_faces(faces_of(shots(axis(1), 2)), known(axis(0), axis(1)), RULE, step)
    assert found.labels.tolist() == [1, 1]
    assert found.sizes.tolist() == [10, 12]
    np.testing.assert_array_equal(found.means[0], axis(0))
    assert 0.9 < found.means[1] @ axis(1) < 1
    assert len(found.samples) == 0


def test_enough_new_faces_of_a_stranger_are_a_new_person_and_too_few_are_nobody() -> None:
    before = known(axis(0))
    assert assign_faces(faces_of(shots(axis(2), 2)), before, RULE, step).labels.tolist() == [-1, -1]
    found = assign_faces(faces_of(shots(axis(2), 3)), before, RULE, step)
    assert found.labels.tolist() == [1, 1, 1]
    assert found.sizes.tolist() == [10, 3]
    assert sorted(found.samples[0][:3].tolist()) == [0, 1, 2]


def test_loose_faces_and_a_new_one_make_a_person_together() -> None:
    loose = np.concatenate([shots(axis(3), 2, seed=1), shots(axis(4), 1, seed=2)])
    found = assign_faces(faces_of(shots(axis(3), 1)), known(axis(0), loose=loose), RULE, step)
    assert found.labels.tolist() == [1]
    assert found.loose_labels.tolist() == [1, 1, -1]
    assert found.sizes.tolist() == [10, 3]
    assert sorted(found.samples[0][:3].tolist()) == [0, 1, 2]  # 0 is new, 1 and 2 were loose


def test_a_face_between_two_people_joins_one_and_leaves_them_two() -> None:
    between = unit(axis(0) + 1.02 * axis(1))[None].astype(np.float16)
    found = assign_faces(faces_of(between), known(axis(0), axis(1)), RULE, step)
    assert found.labels.tolist() == [1]
    assert len(found.means) == 2


def test_marked_faces_join_later_begin_nothing_and_move_no_mean() -> None:
    near = unit(axis(0) + 0.5 * axis(9))[None].astype(np.float16)
    far = np.repeat(axis(5)[None], 8, axis=0).astype(np.float16)
    marked = faces_of(np.concatenate([near, far]), marks=FaceMark.BLURRED)
    found = assign_faces(marked, known(axis(0)), RULE, step)
    assert found.labels.tolist() == [0] + [-1] * 8
    assert found.sizes.tolist() == [10]
    np.testing.assert_array_equal(found.means[0], axis(0))


@pytest.mark.parametrize("kind", ["mid", "hard"])
@pytest.mark.parametrize("files", [1, 100])
def test_twenty_portions_of_newcomers_end_as_a_grouping_of_everything_does(
    kind: str, files: int
) -> None:
    made = make_faces(5000, 300, kind=kind, files=files)
    rule = Rule(FaceScale(person=PERSON[kind], track=TRACK), 0.48, 5)
    whole = group_faces(made.faces, rule, step).labels
    late = np.arange(len(made) * 9 // 10, len(made))
    found = with_newcomers(made, late, rule)
    assert agreement(whole, found).f1 >= 0.97
    assert agreement(whole[late], found[late]).f1 >= 0.95


def with_newcomers(made: MadeFaces, late: NDArray[np.intp], rule: Rule) -> NDArray[np.int32]:
    labels = np.full(len(made), -1, np.int32)
    there = np.arange(late[0])
    groups = group_faces(made.take(there).faces, rule, step)
    labels[there] = groups.labels
    now: Assigned | None = None
    for portion in np.array_split(late, 20):
        loose = there[labels[there] == -1]
        means, sizes = (groups.means, groups.sizes) if now is None else (now.means, now.sizes)
        clusters = Known(means=means, sizes=sizes, loose=made.faces.embeddings[loose])
        now = assign_faces(made.take(portion).faces, clusters, rule, step)
        labels[portion], labels[loose] = now.labels, now.loose_labels
        there = np.concatenate([there, portion])
    return labels
