"""What a vocabulary does to word errors, and how well doubtful words are told.

    python -m tests.quality.transcripts.measure_names [EVERY]     default: 1, all; 5: every fifth

60 clips full of names and 48 of plain speech, by four voices of espeak-ng, the worker's way:
without a vocabulary, with the 16 names that are said, with 16 others. Of the words it counts which
are marked as doubtful, by the model's own probabilities and by a second model. Needs the network
once.
"""

from __future__ import annotations

import difflib
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.quality.transcripts.names_material import (
    CLIPS,
    NAMES,
    WRONG_NAMES,
    inserted,
    names_clip,
)
from tests.quality.transcripts.speech_material import PLAIN, VOICES, Outcome, hear_file
from tests.support.lite_models import speech_model
from tests.support.media.sounds import write_sounds
from tests.support.media.speech import RATE, Said, spoken, together
from tests.support.search.word_errors import WordErrors, normalised, word_errors

SECOND = "whisper-tiny.en"


@dataclass(slots=True)
class Marks:
    """Words of transcripts, and how many of them are marked as doubtful."""

    wrong: int = 0
    wrong_marked: int = 0
    right: int = 0
    right_marked: int = 0

    def add(self, said: str, outcome: Outcome) -> None:
        found = [
            (part, n in segment.doubtful)
            for segment in outcome.heard.segments
            for n, word in enumerate(segment.words)
            for part in normalised(word.text)
        ]
        texts = [part for part, _ in found]
        matcher = difflib.SequenceMatcher(None, normalised(said), texts, autojunk=False)
        right = {block.b + n for block in matcher.get_matching_blocks() for n in range(block.size)}
        for n, (_, is_marked) in enumerate(found):
            if n in right:
                self.right, self.right_marked = self.right + 1, self.right_marked + is_marked
            else:
                self.wrong, self.wrong_marked = self.wrong + 1, self.wrong_marked + is_marked

    def __str__(self) -> str:
        wrong, right = (self.wrong_marked, self.wrong), (self.right_marked, self.right)
        return "marked: " + ", ".join(
            f"{marked / max(count, 1):.0%} of {count} {kind}"
            for kind, (marked, count) in (("wrong words", wrong), ("right ones", right))
        )


def measure(
    name: str, sounds: Sequence[tuple[Said, Path]], told: Sequence[str], *, second: bool = False
) -> None:
    """Hear all these sounds and print a line."""
    model, other = speech_model(), speech_model(SECOND) if second else None
    total, marks, with_inserted = WordErrors(0, 0), Marks(), 0
    began = time.process_time()
    for said, path in sounds:
        outcome = hear_file(path, model, "en", told, other)
        total += word_errors(said.text, outcome.text)
        marks.add(said.text, outcome)
        with_inserted += bool(inserted(said.text, outcome.text, told))
    cost = (time.process_time() - began) / sum(said.seconds for said, _ in sounds) * 3600
    print(
        f"{name:44s} word errors {total.rate:.3f}, clips with a name that is not said "
        f"{with_inserted} of {len(sounds)}, {marks}, {cost:.0f} CPU s an hour",
        flush=True,
    )


def main() -> int:
    every = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    with tempfile.TemporaryDirectory(prefix="rushes-names-") as scratch:
        names = [names_clip(n) for n in range(0, CLIPS, every)]
        plain = [
            together([0.4, spoken(text, voice, 150), 0.6]) for voice in VOICES for text in PLAIN
        ][::every]
        sounds = [
            [
                (said, write_sounds(Path(scratch) / f"{kind} {n}.wav", [said.pcm], rate=RATE))
                for n, said in enumerate(material)
            ]
            for kind, material in (("names", names), ("plain", plain))
        ]
        for second in (False, True):
            how = f", second look by {SECOND}" if second else ""
            measure(f"names, untold{how}", sounds[0], (), second=second)
            measure(f"names, told{how}", sounds[0], NAMES, second=second)
            measure(f"names, others told{how}", sounds[0], WRONG_NAMES, second=second)
            measure(f"plain, untold{how}", sounds[1], (), second=second)
            measure(f"plain, names told{how}", sounds[1], NAMES, second=second)
    return 0


if __name__ == "__main__":
    sys.exit(main())
