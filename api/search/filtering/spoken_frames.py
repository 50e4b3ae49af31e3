"""While which words are said: the frames that a search with `spoken` may show."""

from __future__ import annotations

import math

from api.models.model_keys import active_key
from api.people.frame_filter import FrameFilter
from api.search.services import SearchScope
from api.search.transcripts.folding import asked_text
from api.search.transcripts.query import FileChoice, SpeakerChoice, SpokenHit, SpokenQuery
from shared.domain import ModelKind

NEAR_S = 2.0  # before and after the segments in which the words are
_MOST_PLACES = 100_000  # reading them takes a second


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
    paths = scope.client_paths()
    hits = scope.services.index.transcripts.search(
        scope.view(), query, None if paths is None else list(paths), FileChoice(files),
        is_located=False,
    )  # fmt: skip
    if len(hits) == _MOST_PLACES:
        warnings.append(
            f"spoken: this is said in {_MOST_PLACES:,} places or more; only that many were looked "
            "at. Give more of what is said, or fewer files."
        )
    seconds: dict[str, set[int]] = {}
    for hit in hits:
        seconds.setdefault(hit.hash_str, set()).update(_near(hit))
    return FrameFilter.of(seconds)


def _near(hit: SpokenHit) -> range:
    return range(max(0, math.ceil(hit.start - NEAR_S)), math.floor(hit.end + NEAR_S) + 1)
