"""What a stop, a death or a full disk leave behind while speakers are told: the words, always."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from shared.cache.cache_dir import CacheDir
from shared.domain import Manifest, ProgressType, Stage, TaskState
from shared.ledger.records import FileState
from tests.support.analysis.desk import Desk
from tests.support.fake_models import said
from tests.support.media.by_path import hash_media
from tests.support.media.sounds import write_sounds
from tests.support.system.tiny_disk import tiny_disk
from tests.support.waiting import wait_for


def talk(desk: Desk, name: str = "talk.wav", seconds: int = 60) -> Path:
    """With a short pause every ten seconds. The voice is heard every 30 s, and at the end."""
    words = [(1 + n * 0.4, "Alpha") for n in range(int((seconds - 2) / 0.4)) if n % 25]
    return write_sounds(desk.folder / name, [said(words, seconds)], rate=16_000)


def submit(desk: Desk, *paths: Path) -> str:
    groups = [[path] for path in paths]
    return desk.submit(*groups, wants=(ProgressType.AUDIO,), speech_model="tones", speakers=True)


def made(desk: Desk, path: Path, stage: Stage) -> Manifest | None:
    cache = CacheDir.open(desk.cache, create=False)
    return cache.manifest(hash_media(str(path)), stage, "tones")


def test_a_worker_that_is_killed_while_speakers_are_told_leaves_the_words_to_the_next(
    desk: Desk,
) -> None:
    path = talk(desk)
    desk.worker_that_hears_tones(hold_voices=2, seconds=0.4)
    task_id = submit(desk, path)
    [pid] = desk.wait_marker()
    record = desk.record(task_id)
    assert record.message == "Telling speakers apart."
    assert 88 < record.progress < 99
    words = made(desk, path, Stage.TRANSCRIPT)
    assert words is not None, "they are there before who says them is known"
    os.kill(pid, signal.SIGKILL)
    desk.release()
    desk.worker_that_hears_tones(1, hold_voices=2, invents="Not heard again.")
    assert desk.wait_final(task_id).status is TaskState.COMPLETED
    assert made(desk, path, Stage.TRANSCRIPT) == words
    assert made(desk, path, Stage.SPEAKERS) is not None
    assert len(desk.artefacts()) == 6, "words, captions, speakers, each with a manifest"


def test_a_stop_while_speakers_are_told_keeps_the_words(desk: Desk) -> None:
    path = talk(desk)
    desk.worker_that_hears_tones(hold_voices=1, seconds=0.6)
    task_id = submit(desk, path)
    desk.wait_marker()
    assert desk.ledger.stop().cancelled
    desk.release()
    assert desk.wait_final(task_id).status is TaskState.CANCELLED
    words = made(desk, path, Stage.TRANSCRIPT)
    assert words is not None
    assert made(desk, path, Stage.SPEAKERS) is None
    assert desk.wait_final(submit(desk, path)).status is TaskState.COMPLETED
    assert made(desk, path, Stage.TRANSCRIPT) == words
    assert made(desk, path, Stage.SPEAKERS) is not None


def test_a_file_whose_sound_kills_the_telling_is_given_up_alone_and_its_words_stay(
    desk: Desk,
) -> None:
    poison, plain = talk(desk, "poison.wav"), talk(desk, "plain.wav", 20)
    task_id = submit(desk, poison, plain)
    workers = [desk.worker_that_hears_tones(dies_at_voices=2)]

    def ended() -> bool:
        if workers[-1].popen.poll() is not None:
            workers.append(desk.worker_that_hears_tones(len(workers), dies_at_voices=2))
        return desk.record(task_id).status.is_final

    wait_for(ended, 60, lambda: f"the end; {desk.logs()}")
    assert [file.state for file in desk.ledger.files(task_id)] == [
        FileState.FAILED, FileState.DONE
    ]  # fmt: skip
    [failed] = desk.record(task_id).failed_files
    assert "died 3 times" in failed.error
    assert made(desk, poison, Stage.TRANSCRIPT) is not None
    assert made(desk, poison, Stage.SPEAKERS) is None
    assert made(desk, plain, Stage.SPEAKERS) is not None


def test_a_disk_that_is_full_when_speakers_are_told_keeps_the_words_and_no_half_speakers(
    desk: Desk,
) -> None:
    path = talk(desk)
    with tiny_disk(desk.cache, kib=256):
        try:
            desk.worker_that_hears_tones(hold_voices=1)
            task_id = submit(desk, path)
            desk.wait_marker()
            filler = desk.cache / "filler"
            with suppress(OSError), filler.open("wb", buffering=0) as file:
                while file.write(bytes(1024)):
                    continue
            desk.release()
            record = desk.wait_final(task_id)
            assert record.status is TaskState.FAILED
            assert "is full" in (record.error or "")
            assert len(desk.artefacts()) == 2, "the words and their manifest"
            filler.unlink()
            assert desk.wait_final(submit(desk, path)).status is TaskState.COMPLETED
            assert made(desk, path, Stage.SPEAKERS) is not None
        finally:
            desk.stack.stop()  # nobody may hold the disk
