"""A file under analysis goes its way step by step, and leaves no trace where it goes back."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shared.cache.cache_dir import CacheDir
from shared.domain import AnalyzeSpec, FileSpec, ProgressType, Stage
from shared.errors import MediaChanging, MediaMissing
from shared.media import MediaType
from tests.support.analysis.bare_context import EndedParts, bare_context
from workers.analysis.analyzed_file import AnalysisStep, AnalyzedFile, publish_together

VIDEO, FACES = ProgressType.VIDEO, ProgressType.FACES


@pytest.fixture
def ended() -> EndedParts:
    return EndedParts()


@pytest.fixture
def file(tmp_path: Path, ended: EndedParts) -> AnalyzedFile:
    """`clip.mp4`, which is not there yet, for a CacheDir that holds nothing."""
    path = str(tmp_path / "clip.mp4")
    spec = AnalyzeSpec(
        cache_dir=str(tmp_path / "cache"),
        files=(FileSpec(path, path, MediaType.VIDEO, (VIDEO, FACES)),),
    )
    context = bare_context(tmp_path, ended)
    return AnalyzedFile(context, CacheDir.open(tmp_path / "cache", create=True), spec, 0)


def draft(file: AnalyzedFile, drafts: ExitStack) -> Any:
    made = drafts.enter_context(file.draft(Stage.FRAMES, "", ".pack"))
    made.file.write(b"frames")
    return made


def files_in(file: AnalyzedFile) -> list[str]:
    root = Path(file.entry.path).parent / "cache" / "media"
    return sorted(path.name for path in root.glob("*/*/*") if path.is_file())


def test_a_file_that_was_not_there_is_looked_for_again(file: AnalyzedFile) -> None:
    with pytest.raises(MediaMissing):
        file.find()
    assert file.step is AnalysisStep.LISTED
    Path(file.entry.path).write_bytes(b"film")
    file.find()
    assert file.step is AnalysisStep.FOUND
    assert file.published(Stage.FRAMES) is None


def test_what_was_made_is_published_and_what_was_there_before_counts_as_skipped(
    file: AnalyzedFile, ended: EndedParts
) -> None:
    Path(file.entry.path).write_bytes(b"film")
    file.find()
    with ExitStack() as drafts:
        made = draft(file, drafts)
        file.decoded([lambda: made.publish(rows=1)], drafts.pop_all(), [VIDEO])
    assert file.published(Stage.FRAMES) is None, "nobody sees it yet"
    publish_together([file])
    assert file.step is AnalysisStep.PUBLISHED
    assert file.published(Stage.FRAMES)
    file.end(VIDEO)
    file.end(FACES)
    assert ended.told == [(0, VIDEO, None, False), (0, FACES, None, True)]


def test_a_file_that_changed_meanwhile_publishes_nothing_and_leaves_no_trace(
    file: AnalyzedFile, ended: EndedParts
) -> None:
    Path(file.entry.path).write_bytes(b"film")
    file.find()
    with ExitStack() as drafts:
        made = draft(file, drafts)
        file.decoded([lambda: made.publish(rows=1)], drafts.pop_all(), [VIDEO])
    assert files_in(file), "a draft"
    Path(file.entry.path).write_bytes(b"another film")
    [(_, error)] = publish_together([file])
    assert isinstance(error, MediaChanging)
    file.drop()
    assert (file.step, files_in(file)) == (AnalysisStep.FOUND, [])
    file.end(VIDEO, error)
    assert ended.told == [(0, VIDEO, error.message, False)]


def test_steps_that_make_no_sense_are_refused(file: AnalyzedFile) -> None:
    with pytest.raises(AssertionError, match="was not looked for"):
        file.published(Stage.FRAMES)
    with pytest.raises(AssertionError):
        file.decoded([], ExitStack(), [VIDEO])
    Path(file.entry.path).write_bytes(b"film")
    file.find()
    with pytest.raises(AssertionError):
        publish_together([file])
    file.drop()
    assert file.step is AnalysisStep.FOUND


def test_sound_goes_its_way_after_the_pictures_did(file: AnalyzedFile) -> None:
    Path(file.entry.path).write_bytes(b"film")
    file.find()
    file.keep()
    file.decoded([], ExitStack(), [ProgressType.AUDIO])
    publish_together([file])
    file.keep()
    assert file.step is AnalysisStep.PUBLISHED


def test_a_later_try_removes_what_the_dead_one_before_it_left(file: AnalyzedFile) -> None:
    Path(file.entry.path).write_bytes(b"film")
    file.find()
    folder = Path(file.entry.path).parent / "cache/media" / file.hash_str[:2] / file.hash_str
    (folder / "paths").mkdir(parents=True)
    dead = ".frames.0a1b2c3d4e5f-0-1.0a0b0c0d.tmp"
    held = ".frames.0a1b2c3d4e5f-0-2.0a0b0c0d.tmp"
    for name in (dead, held, f"paths/{dead}"):
        (folder / name).touch()
    context: Any = file._context
    context.lease.token = 2
    context.bench.ledger = SimpleNamespace(is_over=lambda writer: writer.endswith("-1"))
    again = AnalyzedFile(context, file._cache, AnalyzeSpec(cache_dir="", files=(file.entry,)), 0)
    again.find()
    assert sorted(os.listdir(folder)) == [held, "paths"]
    assert os.listdir(folder / "paths") == []
