"""What a death, a sick disk or a stop leaves behind while captions are read: the words, always."""

from __future__ import annotations

from pathlib import Path

from shared.cache.cache_dir import CacheDir
from shared.domain import Manifest, ProgressType, Stage, TaskState
from tests.support.analysis.desk import Desk
from tests.support.fake_models import said
from tests.support.media.by_path import hash_media
from tests.support.media.captions import subtitled, with_sound
from tests.support.waiting import wait_for


def film(desk: Desk, name: str) -> Path:
    text = subtitled(desk.folder / f"text of {name}", [(1, f"Words of {name}", 2)])
    return with_sound(text, desk.folder / name, said([(1, "Alpha")], 4))


def submit(desk: Desk, *paths: Path) -> str:
    return desk.submit(list(paths), wants=(ProgressType.AUDIO,), speech_model="tones")


def made(desk: Desk, path: Path, stage: Stage) -> Manifest | None:
    cache = CacheDir.open(desk.cache, create=False)
    return cache.manifest(hash_media(str(path)), stage, "tones" * (stage is Stage.TRANSCRIPT))


def test_a_file_whose_captions_end_the_worker_keeps_its_words_and_is_done_without_them(
    desk: Desk,
) -> None:
    poison, plain = film(desk, "poison.mkv"), film(desk, "plain.mkv")
    task_id = submit(desk, poison, plain)
    first = desk.worker_that_hears_tones(dies_at_captions="poison")
    wait_for(lambda: first.popen.poll() is not None, 40, lambda: f"its death; {desk.logs()}")
    words = made(desk, poison, Stage.TRANSCRIPT)
    assert words is not None
    desk.worker_that_hears_tones(1, dies_at_captions="poison")
    record = desk.wait_final(task_id)
    assert (record.status, record.failed_files) == (TaskState.COMPLETED, ())
    assert made(desk, poison, Stage.TRANSCRIPT) == words
    left_out, read = made(desk, poison, Stage.CAPTIONS), made(desk, plain, Stage.CAPTIONS)
    assert left_out is not None
    assert (left_out.rows, "force" in left_out.warnings[0]) == (0, True)
    assert read is not None
    assert (read.rows, read.warnings) == (1, ())


def test_a_stop_while_captions_are_read_keeps_the_words_and_the_next_analysis_reads_them(
    desk: Desk,
) -> None:
    path = film(desk, "film.mkv")
    desk.worker_that_hears_tones(hold_captions=1)
    task_id = submit(desk, path)
    desk.wait_marker()
    words = made(desk, path, Stage.TRANSCRIPT)
    assert words is not None, "they are there before captions are read"
    assert desk.ledger.stop().cancelled
    assert desk.wait_final(task_id).status is TaskState.CANCELLED
    assert len(desk.artefacts()) == 2, "nothing else is left"
    desk.release()
    assert desk.wait_final(submit(desk, path)).status is TaskState.COMPLETED
    assert made(desk, path, Stage.TRANSCRIPT) == words
    found = made(desk, path, Stage.CAPTIONS)
    assert found is not None
    assert found.rows == 1


def test_captions_on_a_disk_that_does_not_answer_are_read_when_it_is_back(desk: Desk) -> None:
    path = film(desk, "film.mkv")
    desk.worker_that_hears_tones(fails_at_captions="film")
    record = desk.wait_final(submit(desk, path))
    assert (desk.folder / "marker").exists()
    assert (record.status, record.failed_files) == (TaskState.COMPLETED, ())
    found = made(desk, path, Stage.CAPTIONS)
    assert found is not None, "it is not told that there are none"
    assert found.rows == 1
