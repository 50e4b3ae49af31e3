"""eps and min_samples are found in the faces themselves when the model's scale does not fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shared.models.specs import DEFAULT_EPS, FaceScale
from tests.support.people.face_data import TRACK, MadeFaces, agreement, make_faces, unit
from workers.recluster.detect_params import detect_params
from workers.recluster.people import group_faces
from workers.recluster.types import Rule


def step(fraction: float, message: str) -> None:
    assert 0 <= fraction <= 1
    assert message


def score(made: MadeFaces, scale: FaceScale, eps: float) -> float:
    return agreement(made.people, group_faces(made.faces, Rule(scale, eps, 1), step).labels).f1


def moved(made: MadeFaces, offset: float) -> MadeFaces:
    """As by a model whose rows all have something in common, so that cosines are higher."""
    rows = made.faces.embeddings.astype(np.float32)
    rows = unit(rows + np.float32(offset / np.sqrt(rows.shape[1])))
    return replace(made, faces=replace(made.faces, embeddings=rows.astype(np.float16)))


@pytest.mark.parametrize(
    ("kind", "offset", "scale"),
    [
        ("mid", 0.0, FaceScale(person=0.35, track=TRACK)),
        ("hard", 0.0, FaceScale(person=0.55, track=TRACK)),
        ("mid", 0.0, FaceScale(person=0.1, track=TRACK)),
        ("hard", 1.0, FaceScale(person=0.5, track=0.9)),
        ("mid", 3.0, FaceScale(person=0.97, track=0.98)),
    ],
)
def test_the_eps_that_is_found_groups_nearly_as_well_as_the_best(
    kind: str, offset: float, scale: FaceScale
) -> None:
    made = moved(make_faces(1500, 80, kind=kind), offset)
    best = max(score(made, scale, eps) for eps in np.arange(0.24, 0.96, 0.08))
    eps, min_samples = detect_params(made.faces, scale, step)
    assert score(made, scale, eps) >= best - 0.02
    assert 2 <= min_samples <= 5


def test_a_wrong_scale_is_worse_than_what_is_found() -> None:
    made = make_faces(1500, 80, kind="hard")
    wrong = FaceScale(person=0.55, track=TRACK)
    eps, _ = detect_params(made.faces, wrong, step)
    assert eps > DEFAULT_EPS + 0.1
    assert score(made, wrong, eps) > score(made, wrong, DEFAULT_EPS) + 0.1


@pytest.mark.parametrize("count", [0, 1, 150, 500])
def test_too_few_or_equal_faces_give_the_default(count: int) -> None:
    faces = make_faces(200, 1).take(np.zeros(count, np.intp)).faces
    assert detect_params(faces, FaceScale(person=0.35, track=TRACK), step) == (DEFAULT_EPS, 2)


def test_marked_faces_tell_nothing() -> None:
    made = make_faces(1500, 80)
    marked = replace(made.faces, marks=np.ones(1500, np.uint8))
    found = detect_params(marked, FaceScale(person=0.35, track=TRACK), step)
    assert found == (DEFAULT_EPS, 2)


def test_few_faces_a_person_ask_for_few_samples() -> None:
    made = make_faces(6000, 400, kind="easy")
    few = [np.flatnonzero(made.people == person)[:3] for person in range(400)]
    counts = np.bincount(made.people[made.people >= 0], minlength=400)
    many = np.flatnonzero((counts[made.people] > 20) & (made.people >= 0))
    scale = FaceScale(person=0.4, track=TRACK)
    assert detect_params(made.take(np.concatenate(few)).faces, scale, step)[1] < 4
    assert detect_params(made.take(many).faces, scale, step)[1] == 5
