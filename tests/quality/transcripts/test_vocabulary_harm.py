"""Lists of words that a speech model is given cost plain speech no sentence and no full stop."""

from __future__ import annotations

import difflib
import functools
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.quality.transcripts.speech_material import hear_file
from tests.quality.transcripts.vocabulary_material import Combination, measured
from tests.support.lite_models import speech_model
from tests.support.media.sounds import write_sounds
from tests.support.media.speech import RATE
from tests.support.running.long_form import by_form
from tests.support.search.word_errors import normalised
from tests.support.skip_or_fail import fetched_or_skipped

pytestmark = [pytest.mark.quality, pytest.mark.timeout(3600)]

_MOST_CHANGED = 0.01  # of the texts


@functools.lru_cache(maxsize=2)
def texts_of(combination: Combination) -> tuple[str, ...]:
    """The segments of its clip, heard with its list."""
    with fetched_or_skipped():
        said = combination.speak()
    with tempfile.TemporaryDirectory(prefix="rushes-harm-") as folder:
        path = write_sounds(Path(folder) / "clip.wav", [said.pcm], rate=RATE)
        heard = hear_file(path, speech_model(), "en", combination.words).heard
    return tuple(segment.text for segment in heard.segments)


def losses(plain: Sequence[str], listed: Sequence[str]) -> list[str]:
    """What of the segments, heard without a list, is lost with it."""
    lost = [f"ends: {plain} {listed}"] if len(listed) < len(plain) else []
    for text in plain:
        like = max((likeness(text, other), other) for other in ("", *listed))
        if like[0] < 0.5:
            lost.append(f"sentence: {text}")
        elif text[-1:] in ".?!" and like[1][-1:] not in ".?!":
            lost.append(f"end: {text}")
    return lost


def likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, normalised(one), normalised(other), autojunk=False).ratio()


def test_lists_cost_no_sentence_and_no_full_stop() -> None:
    # That of the short form loses a full stop where the text is taken that is heard with the list.
    every = measured()
    combinations = by_form(short=every[60:61], long=every)
    lost, changed = list[str](), 0
    plain: dict[Combination, tuple[str, ...]] = {}
    for combination in combinations:
        untold = combination._replace(words=())
        if untold not in plain:
            plain[untold] = texts_of(untold)
        listed = texts_of(combination)
        lost += losses(plain[untold], listed)
        if listed != plain[untold]:
            changed += 1
            print(combination.words, plain[untold], listed, sep="\n  ")
    print(f"{len(combinations)} combinations: {len(lost)} losses, {changed} texts changed")
    assert not lost
    assert changed <= _MOST_CHANGED * len(combinations)
