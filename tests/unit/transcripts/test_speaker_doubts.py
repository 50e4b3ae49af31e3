"""A file whose speakers are in doubt as a whole says so, and one that is clear says nothing."""

from __future__ import annotations

import pytest

from shared.cache.speakers import SpeakerTurn
from workers.analysis.speakers.diarizing import warnings_of

TALK = (SpeakerTurn(0, 9, 0), SpeakerTurn(9, 12, 1, True), SpeakerTurn(12, 20, 0))


@pytest.mark.parametrize(
    ("turns", "noise", "begin"),
    [
        ((), 0.9, ""),
        (TALK, 0, ""),
        (TALK, 0.3, ""),
        (TALK, 0.4, "The sound hardly ever pauses"),
        ((SpeakerTurn(5, 5.4, 0, True),), 0.4, "Somebody speaks for 0.4 s in all"),
        (
            (SpeakerTurn(0, 5, 0), SpeakerTurn(5, 10, 1, True)),
            0,
            "Who speaks is doubtful in 50% of the speech",
        ),
        (
            tuple(SpeakerTurn(n * 5, n * 5 + 5, n) for n in range(20)),
            0,
            "No more than 20 speakers are told apart",
        ),
    ],
)
def test_what_is_said_of_the_whole_file(
    turns: tuple[SpeakerTurn, ...], noise: float, begin: str
) -> None:
    warnings = list(warnings_of(turns, noise))
    assert len(warnings) == bool(begin)
    assert all(warning.startswith(begin) for warning in warnings)
