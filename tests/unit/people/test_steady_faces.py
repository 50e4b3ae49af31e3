"""Faces that are only turned away make a person where they are steady and sure, else never."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shared.cache.faces import FaceMark
from shared.models.specs import FaceScale
from tests.support.people.face_data import unit
from workers.recluster.people import group_faces
from workers.recluster.tracks import with_steady_unmarked
from workers.recluster.types import FaceSet, Rule

RULE = Rule(FaceScale(person=0.6, track=0.95), 0.48, 5)


def step(fraction: float, message: str) -> None:
    assert 0 <= fraction <= 1
    assert message


def turned(count: int = 6, spread: float = 0.03) -> FaceSet:
    """One man in profile, in every second of one file."""
    random = np.random.default_rng(4)
    rows = np.eye(32)[0] + random.standard_normal((count, 32)) * spread
    return FaceSet(
        embeddings=unit(rows.astype(np.float32)).astype(np.float16),
        media_of=np.zeros(count, np.int32),
        seconds=np.arange(count, dtype=np.uint32),
        marks=np.full(count, FaceMark.TURNED, np.uint8),
        quality=np.ones(count, np.float32),
        scores=np.full(count, 0.99, np.float32),
    )


def people_in(faces: FaceSet, rule: Rule = RULE) -> int:
    return len(group_faces(with_steady_unmarked(faces, rule, step), rule, step).means)


def test_who_is_seen_from_the_side_for_five_seconds_is_a_person() -> None:
    faces = turned()
    found = with_steady_unmarked(faces, RULE, step)
    assert not found.marks.any()
    assert group_faces(found, RULE, step).labels.tolist() == [0] * 6


@pytest.mark.parametrize(
    "doubtful",
    [
        {"scores": np.full(6, 0.96, np.float32)},
        {"seconds": np.array([0, 0, 0, 1, 2, 3], np.uint32)},
        {"media_of": np.array([0, 0, 0, 1, 1, 1], np.int32)},
        {"marks": np.full(6, FaceMark.TURNED | FaceMark.SMALL, np.uint8)},
        {"marks": np.full(6, FaceMark.TURNED | FaceMark.BLURRED, np.uint8)},
        {"embeddings": turned(spread=0.3).embeddings},
        {"embeddings": np.zeros((6, 32), np.float16)},
    ],
    ids=["unsure", "one second", "two files", "small", "blurred", "unlike", "nothing"],
)
def test_turned_faces_that_are_not_steady_make_nobody(doubtful: dict[str, np.ndarray]) -> None:
    faces = replace(turned(), **doubtful)
    np.testing.assert_array_equal(with_steady_unmarked(faces, RULE, step).marks, faces.marks)
    assert people_in(faces) == 0


def test_the_median_counts_so_that_one_unsure_picture_harms_nothing() -> None:
    faces = turned()
    faces.scores[0] = 0.5
    assert people_in(faces) == 1


def test_as_many_seconds_are_needed_as_faces_make_a_person_and_never_one_alone() -> None:
    assert people_in(turned(4)) == 0
    assert people_in(turned(4), replace(RULE, min_samples=4)) == 1
    assert people_in(turned(1), replace(RULE, min_samples=1)) == 0
