"""Transcripts that search tests publish, and what they find in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from api.search.frames.index import SearchIndex
from api.search.transcripts.query import FileChoice, SpokenQuery
from api.search.transcripts.text import fold
from shared.cache.cache_dir import CacheDir
from shared.cache.transcripts import Segment
from tests.support.search.search_data import view_of
from tests.support.search.transcribed import publish

SPEECH = "whisper-test"


def segments(*texts: str, **more: Any) -> tuple[Segment, ...]:
    """Five seconds each, end to end."""
    return tuple(
        Segment(start=5.0 * n, end=5.0 * n + 5, text=text, **more) for n, text in enumerate(texts)
    )


def publish_transcript(
    cache: CacheDir,
    hash_str: str,
    said: Sequence[Segment],
    *,
    model: str = SPEECH,
    path: Path | None = None,
    **more: Any,
) -> Path:
    """The transcript, then where its file was seen; returns the data file."""
    manifest = publish(cache, hash_str, tuple(said), model=model, **more)
    if path is not None:
        found = path.stat()
        cache.remember_path(hash_str, str(path), found.st_size, found.st_mtime_ns)
    return cache.data_path(hash_str, manifest).path


def told(
    index: SearchIndex,
    cache: CacheDir,
    words: str,
    hashes: Sequence[str] | None = None,
    *,
    model: str = SPEECH,
    **more: Any,
) -> list[tuple[int, float, float, str]]:
    """Matches as (number of the file, start, end, text)."""
    query = SpokenQuery(fold(words), model, **more)
    hits = index.transcripts.search(view_of(index, cache), query, FileChoice(hashes))
    return [(int(hit.hash_str, 16), hit.start, hit.end, hit.text) for hit in hits]
