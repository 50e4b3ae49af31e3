"""Moves teach: what is like a face that was taken out of a person by hand stays out of it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.models.specs import FaceScale
from shared.people.clustering import NO_CLUSTER
from tests.support.people.face_data import PERSON, TRACK, unit
from workers.recluster.people import assign_faces, group_faces
from workers.recluster.types import Examples, FaceSet, Known, Lesson, Rule, Taught

RULE = Rule(FaceScale(person=PERSON["mid"], track=TRACK), 0.48, 3)
DIM = 256
ADA = 7  # the person that a double was taken for


def step(fraction: float, message: str) -> None:
    assert 0 <= fraction <= 1
    assert message


class Doubles:
    """A person and a double: identities of cosine `alike`, faces of one person of about 0.55."""

    def __init__(self, alike: float, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.ada, other = np.eye(DIM)[:2]
        self.double = alike * self.ada + np.sqrt(1 - alike**2) * other

    def faces(self, who: NDArray[np.float64], count: int) -> NDArray[np.float16]:
        noise = self.random.standard_normal((count, DIM)) * 0.9 / np.sqrt(DIM)
        return unit((who + noise).astype(np.float32)).astype(np.float16)


def faces_of(rows: NDArray[np.float16]) -> FaceSet:
    count = len(rows)
    return FaceSet(
        embeddings=rows,
        media_of=np.zeros(count, np.int32),
        seconds=np.arange(count, dtype=np.uint32),
        marks=np.zeros(count, np.uint8),
        quality=np.ones(count, np.float32),
        scores=np.ones(count, np.float32),
    )


def mean(rows: NDArray[np.float16]) -> NDArray[np.float32]:
    return unit(rows.astype(np.float32).sum(axis=0, keepdims=True))


@pytest.mark.parametrize("moved", [1, 3])
@pytest.mark.parametrize("grouping", ["newcomers", "everything"])
def test_new_faces_of_a_double_stay_out_and_the_persons_own_come_in(
    grouping: str, moved: int
) -> None:
    """Over 10 pairs of doubles, of whom 10 new faces each come after `moved` were taken out."""
    out = kept = confused = 0
    for seed in range(10):
        pair = Doubles(0.75, seed)
        old, bad = pair.faces(pair.ada, 20), pair.faces(pair.double, moved)
        new = np.concatenate([pair.faces(pair.ada, 10), pair.faces(pair.double, 10)])
        was_taught, untaught = (
            joined(grouping, old, bad, new, teach=teach) for teach in (True, False)
        )
        confused += int(untaught[10:].sum())
        out += int((~was_taught[10:]).sum())
        kept += int(was_taught[:10].sum())
    print(f"{grouping}, {moved} moved: {out} of 100 stay out ({100 - confused} untaught), "
          f"{kept} of 100 own come in")  # fmt: skip
    assert confused >= 75
    assert out >= 85
    assert kept >= 95


def joined(
    grouping: str,
    old: NDArray[np.float16],
    bad: NDArray[np.float16],
    new: NDArray[np.float16],
    *,
    teach: bool,
) -> NDArray[np.bool_]:
    """[new] which of the new faces are in the person's cluster."""
    examples = Examples(bad.astype(np.float32), old[:16].astype(np.float32))
    if grouping == "newcomers":
        lessons = [Lesson(examples, np.array([0]))] if teach else []
        known = Known(
            means=mean(old),
            sizes=np.array([len(old)], np.int32),
            loose=np.zeros((0, DIM), np.float16),
            lessons=lessons,
        )
        return assign_faces(faces_of(new), known, RULE, step).labels == 0
    was = np.full(len(old) + len(bad) + len(new), NO_CLUSTER, np.int32)
    was[: len(old)] = ADA
    placed = np.isin(np.arange(len(was)), np.arange(len(bad)) + len(old))
    taught = Taught(was, placed, {ADA: examples}) if teach else None
    labels = group_faces(faces_of(np.concatenate([old, bad, new])), RULE, step, taught).labels
    (own,) = np.unique(labels[: len(old)])
    return labels[-len(new) :] == own


def test_a_bad_picture_of_the_person_that_was_taken_out_keeps_none_of_their_own_out() -> None:
    pair = Doubles(0.0, 1)
    old, bad, new = (pair.faces(pair.ada, count) for count in (20, 2, 30))
    for grouping in ("newcomers", "everything"):
        assert joined(grouping, old, bad, new, teach=True).sum() >= 29


def test_who_was_there_before_stays_and_another_persons_cluster_is_not_touched() -> None:
    pair = Doubles(0.0, 2)
    ada, bo = pair.faces(pair.ada, 10), pair.faces(pair.double, 10)
    was = np.repeat(np.array([ADA, NO_CLUSTER], np.int32), 10)
    before = group_faces(faces_of(np.concatenate([ada, bo])), RULE, step).labels
    examples = Examples(bo[:1].astype(np.float32), ada.astype(np.float32))
    nobody = np.zeros(20, bool)
    taught = Taught(was, nobody, {ADA: examples})
    after = group_faces(faces_of(np.concatenate([ada, bo])), RULE, step, taught).labels
    np.testing.assert_array_equal(before, after)
    one_less = Examples(ada[:1].astype(np.float32), ada[1:].astype(np.float32))
    everybody_was = Taught(np.full(20, ADA, np.int32), nobody, {ADA: one_less})
    again = group_faces(faces_of(np.concatenate([ada, bo])), RULE, step, everybody_was).labels
    np.testing.assert_array_equal(before, again)


def test_those_who_are_kept_out_are_a_person_of_their_own_when_they_are_enough() -> None:
    pair = Doubles(0.6, 3)
    old, bad = pair.faces(pair.ada, 20), pair.faces(pair.double, 8)
    was = np.full(28, NO_CLUSTER, np.int32)
    was[:20] = ADA
    examples = Examples(bad[:4].astype(np.float32), old[:16].astype(np.float32))
    taught = Taught(was, np.zeros(28, bool), {ADA: examples})
    found = group_faces(faces_of(np.concatenate([old, bad])), RULE, step, taught)
    assert len(found.means) == 2
    assert found.sizes.sum() == (found.labels >= 0).sum()
    np.testing.assert_allclose(found.means[found.labels[0]], mean(old)[0], atol=0.02)
