"""Frames while somebody speaks or something is said, and why there are none."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from api.models.model_keys import active_key
from api.people.frame_filter import FrameFilter
from api.search.services import SearchScope
from api.search.transcripts.log import IndexedTranscript
from api.search.transcripts.passages import Stretches
from api.search.transcripts.query import FileChoice, SpeakerChoice, SpokenQuery
from api.search.transcripts.text import asked_text
from shared.cache import limits
from shared.cache.spoken_by import speaker_label
from shared.domain import ModelKind

_MOST_NAMED = 10
_FILES_LOOKED_AT = 1_000  # for names to tell
NEAR_S = 2.0  # before and after the segments in which the words are
_MOST_PLACES = 100_000  # reading them takes a second


def speaker_choice(scope: SearchScope, asked: str) -> SpeakerChoice:
    """Who has this label in a file, or bears this name in a collection. Blocks.

    Raises BadInput for what can be neither.
    """
    label = asked_text(asked, "speaker")
    voices = scope.services.people.voices(scope.view().cache)
    return SpeakerChoice(label, voices.called(asked))


def frames_with_voice(
    scope: SearchScope, speaker: SpeakerChoice, files: set[str] | None
) -> FrameFilter:
    """The frame of each second in which they speak, in doubtful turns too. Blocks.

    `files`: hashes of those that are looked at, None: all.
    """
    found = scope.services.index.transcripts.said_by(
        scope.view(), speaker, *_looked_at(scope, files)
    )
    columns = [seconds_touched(stretches) for stretches in found.values()]
    numbers = np.repeat(np.arange(len(columns), dtype=np.int32), [len(one) for one in columns])
    seconds = np.concatenate(columns) if columns else np.empty(0, np.uint64)
    return FrameFilter.from_columns(tuple(found), numbers, seconds)


def unheard(
    scope: SearchScope, asked: str, speaker: SpeakerChoice, files: set[str] | None
) -> list[str]:
    """Why a speaker may not be found, of transcripts that were just searched."""
    index = scope.services.index.transcripts
    transcripts = index.at_hand(scope.view(), *_looked_at(scope, files))
    told = [one for one in transcripts if one.speakers]
    untold = sum(bool(one.starts) for one in transcripts) - len(told)
    sentences = list(scope.services.people.voices(scope.view().cache).warnings)
    if told and not any(speaker.labels(one) for one in told):
        sentences.append(
            f"speaker: nobody called {asked!r} speaks in these files. Known: {_known(scope, told)}."
        )
    if untold:
        those = "1 transcript" if untold == 1 else f"{untold:,} transcripts"
        sentences.append(
            f"speaker: in {those} nobody told the speakers apart, so that they match nothing. "
            "Analyze the speech of these files again, with `speakers`."
        )
    return sentences


def _looked_at(scope: SearchScope, files: set[str] | None) -> tuple[str, FileChoice]:
    return active_key(scope.services, ModelKind.SPEECH), FileChoice(scope.hashes(), files)


def _known(scope: SearchScope, told: list[IndexedTranscript]) -> str:
    """Whom one can ask for: some names, and labels."""
    voices = scope.services.people.voices(scope.view().cache)
    names: dict[str, None] = {}
    for one in told[:_FILES_LOOKED_AT]:
        people = voices.of(one.hash_str)
        names |= {person.name: None for person in people.values() if person.name}
    most = max(len(one.voices) for one in told)
    labels = speaker_label(0) if most < 2 else f"{speaker_label(0)} to {speaker_label(most - 1)}"
    some = [repr(name) for name in sorted(names)[:_MOST_NAMED]]
    more = ["…"] if len(names) > len(some) else []
    return ", ".join([*some, *more, labels])


def seconds_touched(stretches: Stretches) -> NDArray[np.uint64]:
    """Seconds of the grid in which they speak, ascending, each once; one that is touched counts."""
    times = np.array(stretches, np.float64).reshape(-1, 2)
    firsts = np.floor(times[:, 0]).astype(np.int64)
    ends = np.maximum(firsts + 1, np.ceil(times[:, 1]).astype(np.int64))
    order = np.argsort(firsts, kind="stable")
    # No file has more frames.
    firsts, ends = firsts[order], np.minimum(ends[order], limits.PACK_FRAMES)
    # Each begins where those before it have ended, so that nothing is laid out twice.
    firsts[1:] = np.maximum(firsts[1:], np.maximum.accumulate(ends)[:-1])
    counts = np.maximum(0, ends - firsts)
    before = np.cumsum(counts) - counts
    found: NDArray[np.int64] = np.arange(counts.sum()) + np.repeat(firsts - before, counts)
    return found.astype(np.uint64)


def frames_while(
    scope: SearchScope,
    words: str,
    speaker: SpeakerChoice | None,
    files: set[str] | None,
    warnings: list[str],
) -> FrameFilter:
    """Frames within NEAR_S of a segment in which the words are said, literally. Blocks.

    `speaker`: who says them, None: whoever does. `files`: hashes of those that are looked at,
    None: all. `warnings` takes what was left out.
    """
    query = SpokenQuery(
        asked_text(words, "spoken"),
        active_key(scope.services, ModelKind.SPEECH),
        speaker=speaker,
        max_results=_MOST_PLACES,
    )
    choice = FileChoice(scope.hashes(), files)
    hits = scope.services.index.transcripts.search(scope.view(), query, choice, is_located=False)
    if len(hits) == _MOST_PLACES:
        warnings.append(
            f"spoken: this is said in {_MOST_PLACES:,} places or more; only that many were looked "
            "at. Give more of what is said, or fewer files."
        )
    seconds: dict[str, set[int]] = {}
    for hit in hits:
        near = range(max(0, math.ceil(hit.start - NEAR_S)), math.floor(hit.end + NEAR_S) + 1)
        seconds.setdefault(hit.hash_str, set()).update(near)
    return FrameFilter.of(seconds)
