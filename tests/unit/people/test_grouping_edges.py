"""Grouping of faces at the edges: none, one, all alike, all marked, odd sizes and parameters."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.cache.faces import FaceMark
from shared.models.specs import FaceScale
from tests.support.people.face_data import make_faces, unit
from workers.recluster.people import assign_faces, group_faces
from workers.recluster.types import FaceSet, Groups, Known, Rule

SCALE = FaceScale(person=0.35, track=0.8)


def step(fraction: float, message: str) -> None:
    assert 0 <= fraction <= 1
    assert message


def faces_of(rows: NDArray[np.floating], marks: int = 0) -> FaceSet:
    count = len(rows)
    return FaceSet(
        embeddings=rows.astype(np.float16),
        media_of=np.zeros(count, np.int32),
        seconds=np.arange(count, dtype=np.uint32),
        marks=np.full(count, marks, np.uint8),
        quality=np.ones(count, np.float32),
        scores=np.ones(count, np.float32),
    )


def random_rows(count: int, dim: int = 32) -> NDArray[np.float32]:
    return unit(np.random.default_rng(1).standard_normal((count, dim), dtype=np.float32))


def group(faces: FaceSet, *, eps: float = 0.48, min_samples: int = 2) -> Groups:
    found = group_faces(faces, Rule(SCALE, eps, min_samples), step)
    count = len(found.means)
    assert found.labels.dtype == found.sizes.dtype == found.samples.dtype == np.int32
    assert found.means.dtype == np.float32
    assert len(found.sizes) == len(found.samples) == count
    assert found.labels.max(initial=-1) == count - 1
    assert np.isfinite(found.means).all()
    np.testing.assert_allclose(np.linalg.norm(found.means, axis=1), 1, atol=1e-5)
    for cluster in range(count):
        shown = found.samples[cluster][found.samples[cluster] >= 0]
        assert len(set(shown)) == len(shown) > 0
        assert (found.labels[shown] == cluster).all()
    return found


def test_no_faces_make_no_clusters() -> None:
    found = group(faces_of(np.empty((0, 32))))
    assert len(found.labels) == len(found.means) == 0


def test_one_face_is_a_person_only_where_one_is_enough() -> None:
    assert group(faces_of(random_rows(1)), min_samples=1).labels.tolist() == [0]
    assert group(faces_of(random_rows(1)), min_samples=2).labels.tolist() == [-1]


@pytest.mark.parametrize("count", [2, 700, 3000])
def test_identical_faces_are_one_person(count: int) -> None:
    found = group(faces_of(np.repeat(random_rows(1), count, axis=0)))
    assert found.sizes.tolist() == [count]


def test_marked_faces_alone_make_no_cluster() -> None:
    rows = np.repeat(random_rows(1), 9, axis=0)
    found = group(faces_of(rows, marks=FaceMark.SMALL))
    assert found.labels.tolist() == [-1] * 9


def test_a_marked_face_joins_a_cluster_that_it_is_very_near_to_and_changes_nothing_of_it() -> None:
    one, other = random_rows(2)
    faces = faces_of(np.array([one, one, one, one, other]))
    marked = np.array([0, 0, 0, FaceMark.TURNED, FaceMark.TURNED], np.uint8)
    found = group(
        FaceSet(
            embeddings=faces.embeddings,
            media_of=faces.media_of,
            seconds=faces.seconds,
            marks=marked,
            quality=faces.quality,
            scores=faces.scores,
        )
    )
    assert found.labels.tolist() == [0, 0, 0, 0, -1]
    assert found.sizes.tolist() == [3]


@pytest.mark.parametrize("dim", [4, 31, 128, 512])
@pytest.mark.parametrize("eps", [1e-6, 0.48, 1.0, 50.0])
def test_any_eps_and_any_width_give_whole_results(dim: int, eps: float) -> None:
    made = make_faces(300, 12, dim=dim)
    found = group(made.faces, eps=eps, min_samples=1)
    assert (found.labels >= 0).all()
    assert found.sizes.sum() == 300


def test_a_tiny_eps_joins_only_what_is_equal_and_a_huge_one_joins_people() -> None:
    rows = np.repeat(random_rows(10), 3, axis=0)
    assert group(faces_of(rows), eps=1e-6).sizes.tolist() == [3] * 10
    assert group(faces_of(rows), eps=50).sizes[0] > 20


@pytest.mark.parametrize("broken", [np.nan, np.inf, 0.0])
@pytest.mark.parametrize("min_samples", [1, 3])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_broken_row_harms_no_other(broken: float, min_samples: int) -> None:
    rows = np.repeat(random_rows(3, dim=512), 3, axis=0)
    rows[4] = broken
    found = group_faces(faces_of(rows), Rule(SCALE, 0.48, min_samples), step)
    assert np.isfinite(found.means).all()
    assert found.labels[[0, 6]].tolist() == found.labels[[2, 8]].tolist() == [0, 1]


def test_new_faces_can_come_to_an_empty_collection() -> None:
    known = Known(
        means=np.empty((0, 32), np.float32),
        sizes=np.empty(0, np.int32),
        loose=np.empty((0, 32), np.float16),
    )
    rows = np.repeat(random_rows(2), [5, 1], axis=0)
    found = assign_faces(faces_of(rows), known, Rule(SCALE, 0.48, 5), step)
    assert found.labels.tolist() == [0] * 5 + [-1]
    assert found.sizes.tolist() == [5]
    none = assign_faces(faces_of(rows[:0]), known, Rule(SCALE, 0.48, 5), step)
    assert len(none.labels) == len(none.means) == len(none.samples) == 0
