"""Logs of search indexes: following one while it is replaced, and what is kept of a load."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.cache.caches import Caches
from api.search.frames import log as vector_log
from api.search.frames.index import VectorLoader
from api.search.frames.log import ROW, VectorLog, VisualData
from api.search.transcripts.loader import TranscriptLoader
from api.search.transcripts.log import TranscriptLog
from tests.support.search.search_data import DIM, MODEL, fill, media_hash, random_units
from tests.support.search.transcript_data import publish_transcript, segments

ONE, TWO, THREE, FOUR = (media_hash(number) for number in range(1, 5))


def visual(seed: int, rows: int, file: str = "visual.m.00000001.npy") -> VisualData:
    vectors = random_units(rows, DIM, seed).astype(np.float16)
    return VisualData(file, "frames.00000001.pack", vectors, np.zeros(rows, ROW))


@pytest.mark.parametrize("has_read", [True, False], ids=["that knew the old", "that is new"])
def test_a_reader_finds_everything_while_the_generation_is_replaced(
    tmp_path, monkeypatch, has_read
) -> None:
    monkeypatch.setattr(vector_log, "_DEAD_ROWS_WORTH_COMPACTING", 0)
    reader, writer = VectorLog(tmp_path), VectorLog(tmp_path)
    with writer.writing(1) as adding:
        adding.add(ONE, visual(1, 3))
    before = (tmp_path / "current").read_text()
    if has_read:
        assert list(reader.snapshot().files) == [ONE]
    stat, is_first = os.stat, iter([True])

    def stat_after_replacing(path: Any, *args: Any, **more: Any) -> os.stat_result:
        if Path(path).name == "journal.jsonl" and next(is_first, False):
            with writer.writing(1) as adding:
                adding.add(ONE, visual(2, 3))
        return stat(path, *args, **more)

    monkeypatch.setattr(os, "stat", stat_after_replacing)
    found = reader.snapshot()
    assert next(is_first, False) is False
    assert (tmp_path / "current").read_text() != before
    assert list(found.files) == [ONE]
    assert found.vectors.tolist() == visual(2, 3).vectors.tolist()
    assert list(reader.snapshot().files) == [ONE]


def test_lines_that_were_read_and_then_cut_off_are_forgotten(tmp_path) -> None:
    reader = VectorLog(tmp_path)
    with VectorLog(tmp_path).writing(1) as writer:
        writer.add(ONE, visual(1, 2))
    (journal,) = tmp_path.glob("*/journal.jsonl")
    whole = journal.stat().st_size
    with VectorLog(tmp_path).writing(1) as writer:
        writer.add(TWO, visual(2, 2))
    assert set(reader.snapshot().files) == {ONE, TWO}
    os.truncate(journal, whole)  # as a full disk gets back what was written
    with VectorLog(tmp_path).writing(1) as writer:
        writer.add(THREE, visual(3, 30, "visual.longer.00000003.npy"))
    assert set(reader.snapshot().files) == {ONE, THREE}
    with reader.writing(1) as writer:
        writer.add(FOUR, visual(4, 2))
    found = VectorLog(tmp_path).snapshot()
    assert {h: (file.start, file.rows) for h, file in found.files.items()} == {
        ONE: (0, 2),
        THREE: (2, 30),
        FOUR: (32, 2),
    }
    for number, (start, rows) in {1: (0, 2), 3: (2, 30), 4: (32, 2)}.items():
        stored = found.vectors[start : start + rows]
        assert stored.tolist() == visual(number, rows).vectors.tolist()


class BreakingShare(ThreadPoolExecutor):
    """Reads side by side until the share breaks; `watch` is called before each batch."""

    def __init__(self, breaks_after: int, watch: Callable[[], None]) -> None:
        super().__init__(2)
        self._left = breaks_after
        self._watch = watch

    def map(self, fn: Any, *of: Iterable[Any], **more: Any) -> Iterator[Any]:
        self._watch()
        for content in super().map(fn, *of, **more):
            if self._left == 0:
                raise RuntimeError("the share is broken")
            self._left -= 1
            yield content


def test_what_was_read_before_an_error_is_kept_and_each_batch_at_once(
    cache, settings, tmp_path
) -> None:
    for number in range(100):
        publish_transcript(cache, media_hash(number), segments("hello"))
    caches = Caches(settings)
    view = caches.open(str(cache.root), thorough=True)
    seen: list[int] = []

    def held() -> int:
        return len(TranscriptLog(tmp_path / "log").snapshot().transcripts)

    with BreakingShare(70, lambda: seen.append(held())) as share:
        loader = TranscriptLoader(view, TranscriptLog(tmp_path / "log"), share)
        with pytest.raises(RuntimeError, match="broken"):
            loader.bring_up(1, retry=False)
    assert seen == [0, 64], "for others too, and for whoever comes after a kill"
    assert held() == 70
    loader = TranscriptLoader(view, TranscriptLog(tmp_path / "log"), caches.reader(cache))
    loader.bring_up(1, retry=False)
    assert held() == 100
    caches.close()


def test_embeddings_are_read_in_the_thread_that_asks(cache, settings, tmp_path) -> None:
    fill(cache, 3)
    caches = Caches(settings)
    view = caches.open(str(cache.root), thorough=True)
    used: list[bool] = []
    with BreakingShare(0, lambda: used.append(True)) as share:
        loader = VectorLoader(view, MODEL, VectorLog(tmp_path / "log"), share)
        loader.bring_up(1, retry=False)
    assert len(loader.snapshot().files) == 3
    assert used == [], "the pool is for small reads"
    caches.close()
