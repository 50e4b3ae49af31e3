"""What is to be said of a file whose speakers are in doubt as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.cache.speakers import SpeakerTurn
from workers.analysis.speakers.voices import MOST_VOICES

_LITTLE_S = 2.0  # of speech in all: too little to tell one voice from two
_MUCH = 0.4  # of the speech may be somebody else's
# Part of the power that hardly pauses, weighted as in `pieces.py`: 0.40 to 0.47 of ten voices at
# once, at most 0.33 of voices 3 dB over noise, 0.04 over music.
_MOST_NOISE = 0.37


def warnings_of(turns: Sequence[SpeakerTurn], noise: float) -> Iterator[str]:
    """Sentences for people; none where there is no reason to doubt. `noise`: of the `Diarizer`."""
    spoken = sum(turn.end - turn.start for turn in turns)
    doubtful = sum(turn.end - turn.start for turn in turns if turn.doubtful)
    if not turns:
        return
    if spoken < _LITTLE_S:
        yield (f"Somebody speaks for {spoken:.1f} s in all: too little to tell how many there are.")
    elif noise > _MOST_NOISE:
        yield (
            "The sound hardly ever pauses: many speak at once, or noise is as loud as what is "
            "said. More people may speak than are told apart here."
        )
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
