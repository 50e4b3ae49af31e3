"""A picture that was taken out of a person by hand keeps out what is like it, on real photos."""

from __future__ import annotations

import numpy as np
import pytest

from shared.people.clustering import SAMPLES
from tests.quality.people.test_people_photos import seen
from workers.recluster.people import keep_out
from workers.recluster.types import Examples, Lesson, unit

pytestmark = [pytest.mark.quality, pytest.mark.timeout(600)]


def test_a_picture_of_the_person_that_was_taken_out_keeps_only_its_likes_out() -> None:
    """Each view of each face in turn; half of the person's others are new."""
    found, random = seen(), np.random.default_rng(0)
    lost, tried = 0, 0
    for who in sorted(set(found.who)):
        own = found.rows[found.who == who].astype(np.float32)
        for bad in range(len(own)):
            others = random.permutation(np.delete(own, bad, axis=0))
            old, new = others[::2], others[1::2]
            cosines = new @ unit(old.sum(axis=0, keepdims=True)).T
            examples = Examples(own[[bad]], old[:SAMPLES])
            keep_out(cosines, new, [Lesson(examples, np.array([0]))])
            lost, tried = lost + int((cosines < 0).sum()), tried + len(new)
    print(f"{lost} of {tried} of a person's own faces stay out: {lost / tried:.3f}")
    assert lost / tried <= 0.12
