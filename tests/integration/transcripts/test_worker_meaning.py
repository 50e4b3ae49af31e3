"""What an analysis worker makes of transcripts for search by meaning: at once, or later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.cache import cache_files, sentence_rows, transcripts
from shared.cache.cache_dir import CacheDir
from shared.domain import Manifest, ProgressType, Stage, TaskState
from shared.errors import CacheError
from shared.models.sentence_model import DIM, ROWS
from tests.support.analysis.desk import MODEL, Desk
from tests.support.analysis.desk_fixtures import worker_of_file
from tests.support.fake_models import said
from tests.support.lite_models import lite_model
from tests.support.media.by_path import hash_media
from tests.support.media.sounds import write_sounds


def start(desk: Desk) -> None:
    desk.worker_that_hears_tones(embeds_sentences=True)


first = worker_of_file(start)


def voice(desk: Desk, name: str, *heard: str) -> Path:
    pcm = said([(1 + n, word) for n, word in enumerate(heard)], 6)
    return write_sounds(desk.folder / name, [pcm], rate=16_000)


def analyze(desk: Desk, *paths: Path, **more: Any) -> None:
    fields = {"wants": (ProgressType.AUDIO,), "speech_model": "tones", **more}
    record = desk.wait_final(desk.submit(*([path] for path in paths), **fields))
    assert (record.status, record.failed_files) == (TaskState.COMPLETED, ())


def published(desk: Desk, path: Path) -> tuple[CacheDir, Manifest]:
    cache = CacheDir.open(desk.cache, create=False)
    found = cache.manifest(hash_media(str(path)), Stage.TRANSCRIPT, "tones")
    assert found is not None
    return cache, found


def rows_of(desk: Desk, path: Path) -> sentence_rows.Rows | None:
    cache, found = published(desk, path)
    return sentence_rows.read(cache, hash_media(str(path)), found)


def texts(desk: Desk, path: Path) -> list[str]:
    cache, found = published(desk, path)
    return [one.text for one in transcripts.read(cache, hash_media(str(path)), found).segments]


def test_an_english_transcript_has_a_row_for_each_segment_and_no_other_has_any(
    shared: Desk,
) -> None:
    english, german = voice(shared, "en.wav", "Alpha", "bravo"), voice(shared, "de.wav", "Eins")
    silent = voice(shared, "silent.wav")
    analyze(shared, english, german, silent)
    (text,) = texts(shared, english)
    rows, alone = rows_of(shared, english), lite_model().embed_sentences([text])
    assert rows is not None
    assert alone is not None
    np.testing.assert_allclose(rows.astype(np.float32), alone, atol=1e-3)
    _, found = published(shared, english)
    assert (found.sentence_model, found.rows, rows.shape) == (ROWS, 1, (1, DIM))
    assert rows_of(shared, german) is None
    assert rows_of(shared, silent) is None


def test_a_transcript_that_is_there_gets_only_what_it_means(desk: Desk) -> None:
    path = voice(desk, "voice.wav", "Alpha", "bravo")
    first = desk.worker_that_hears_tones()
    analyze(desk, path)
    _, before = published(desk, path)
    assert rows_of(desk, path) is None
    assert first.end() == 0
    desk.worker_that_hears_tones(1, embeds_sentences=True, invents="Not heard again.")
    analyze(desk, path)
    _, after = published(desk, path)
    assert texts(desk, path) == ["Alpha bravo"]
    assert (after.made_at, after.language, after.rows) == (before.made_at, "en", before.rows)
    assert rows_of(desk, path) is not None
    analyze(desk, path)
    assert published(desk, path)[1] == after, "nothing is missing any more"


def test_rows_that_are_damaged_are_made_anew_with_force_only(shared: Desk) -> None:
    path = voice(shared, "voice.wav", "Alpha")
    analyze(shared, path)
    cache, found = published(shared, path)
    assert found.pack is not None
    pack = cache_files.data_path(cache.root, hash_media(str(path)), found.pack).path
    pack.write_bytes(bytes(pack.stat().st_size))
    analyze(shared, path)
    with pytest.raises(CacheError, match="is damaged"):
        rows_of(shared, path)
    analyze(shared, path, force=True)
    assert rows_of(shared, path) is not None


def test_without_the_weights_there_is_a_transcript_all_the_same(desk: Desk) -> None:
    (desk.folder / "models" / MODEL).mkdir(parents=True)
    path = voice(desk, "voice.wav", "Alpha")
    process = desk.worker_that_hears_tones(embeds_sentences=True)
    analyze(desk, path, visual_model="")
    assert texts(desk, path) == ["Alpha"]
    assert rows_of(desk, path) is None
    assert "rushes models pull conse-lite0" in process.text()
