"""What is to be said of a file whose speakers are in doubt as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.cache.speakers import SpeakerTurn
from workers.analysis.speakers.voices import MOST_VOICES

_LITTLE_S = 2.0  # of speech in all: too little to tell one voice from two
_MUCH = 0.4  # of the speech may be somebody else's


def warnings_of(turns: Sequence[SpeakerTurn]) -> Iterator[str]:
    """Sentences for people; none where there is no reason to doubt."""
    spoken = sum(turn.end - turn.start for turn in turns)
    doubtful = sum(turn.end - turn.start for turn in turns if turn.doubtful)
    if not turns:
        return
    if spoken < _LITTLE_S:
        yield (f"Somebody speaks for {spoken:.1f} s in all: too little to tell how many there are.")
    elif doubtful > _MUCH * spoken:
        yield (
            f"Who speaks is doubtful in {doubtful / spoken:.0%} of the speech: several speak at "
            "once, or noise drowns them."
        )
    if len({turn.speaker for turn in turns}) >= MOST_VOICES:
        yield (
            f"No more than {MOST_VOICES} speakers are told apart in a file: more may speak here, "
            "and stand among these."
        )
