"""Made-up groupings of voices, for tests of everything that reads them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shared.people.clustering import VoiceGrouping

MODEL = "resemblyzer"
DIM = 8


def voice_grouping(
    labels: Sequence[int],
    *,
    media: Sequence[str] | None = None,
    number: int = 1,
    is_there: Sequence[bool] | None = None,
) -> VoiceGrouping:
    """A grouping with a voice for each of these labels, two a file; voice n has the id n + 1.

    `media`: hashes of the files, else 0, 1, 2 … as hashes. Voice n speaks for n + 1 seconds.
    """
    count = len(labels)
    hashes = tuple(media or (f"{n:016x}" for n in range((count + 1) // 2)))
    starts = np.arange(count, dtype=np.float32)
    return VoiceGrouping(
        number=number,
        model=MODEL,
        made_at=1_700_000_000.5,
        media=hashes,
        media_files=tuple(f"speakers.tones.{n:08x}.json" for n in range(len(hashes))),
        media_of=(np.arange(count) // 2).astype(np.int32),
        ids=np.arange(1, count + 1, dtype=np.uint32),
        numbers=(np.arange(count) % 2).astype(np.int32),
        rows=np.eye(DIM, dtype=np.float16)[np.arange(count) % DIM],
        seconds=starts + 1,
        excerpts=np.stack([starts, starts + 1], axis=1),
        labels=np.array(labels, np.int32).reshape(-1),
        is_there=np.array([True] * count if is_there is None else is_there, np.bool_),
    )
