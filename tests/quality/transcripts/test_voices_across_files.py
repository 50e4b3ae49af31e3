"""Voices of flite in several files: each joins its own person or nobody, and never another."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from tests.quality.transcripts.measure_voices import HeardFile, heard_in, joined
from tests.support.media.speech import RATE
from tests.support.media.voices import uttered
from tests.support.skip_or_fail import fetched_or_skipped

pytestmark = pytest.mark.quality
_SENTENCES = (
    "Good morning, and welcome to the second day of our little journey along the river. "
    "We looked at photographs, drank hot tea, and talked about the people who once lived here. "
    "My grandmother used to say that a garden tells you more about a man than his letters. "
    "After a long silence he stood up and walked slowly towards the water. ",
    "The train for the northern coast leaves from the other side of the station at noon. "
    "Nobody had told us that the bridge would be closed, so we waited for more than an hour. "
    "She opened the window, counted the boats in the harbour, and wrote the number down. "
    "In the end it was the smallest of the three who carried everything up the hill.",
)
_OVERS = ("clean", "noise 5 dB")


@functools.cache
def files() -> tuple[HeardFile, ...]:
    """Two of each of three voices, clean and in noise."""
    with fetched_or_skipped():
        said = [
            (name, uttered(text, name)) for name in ("slt", "rms", "awb") for text in _SENTENCES
        ]
    return tuple(
        file
        for seed, (name, pcm) in enumerate(said)
        for file in heard_in(name, np.asarray(pcm[: 16 * RATE]), _OVERS, seed)
    )


def test_nobody_joins_somebody_else() -> None:
    assert len(files()) == 12
    for order in range(10):
        assert joined(files(), order).wrong == 0


def test_most_of_those_who_sound_alike_are_one_person() -> None:
    for over in _OVERS:
        found = joined([file for file in files() if file.over == over], 0)
        assert (found.known, found.wrong) == (3, 0)
        assert found.right >= 2
