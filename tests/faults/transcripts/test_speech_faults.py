"""What a stop, a death, a full disk or a hang in the middle of a transcription leave behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from shared.cache.cache_dir import CacheDir
from shared.cache.transcripts import read
from shared.domain import ModelKind, ProgressType, Stage, TaskState
from shared.redis import heartbeats
from tests.support.analysis.desk import SPEECH_MODEL, Desk
from tests.support.fake_models import said
from tests.support.media.by_path import hash_media
from tests.support.media.media import make_clip
from tests.support.media.sounds import SoundEncoding, write_sounds
from tests.support.media.speech import spoken, together
from tests.support.skip_or_fail import fetched_or_skipped
from tests.support.system.stopwatch import Stopwatch
from tests.support.system.tiny_disk import tiny_disk
from tests.support.waiting import wait_for

AUDIO = (ProgressType.AUDIO,)
WORDS = ("Alpha", "bravo", "charlie", "delta.")


def speech(desk: Desk, name: str, seconds: float = 8) -> Path:
    """Four words every five seconds."""
    words = [(at + n, word) for at in range(0, int(seconds) - 4, 5) for n, word in enumerate(WORDS)]
    return write_sounds(desk.folder / name, [said(words, seconds)], rate=16_000)


def submit(desk: Desk, *paths: Path) -> str:
    groups = [[path] for path in paths]
    return desk.submit(*groups, wants=AUDIO, speech_model="tones")


def transcripts(desk: Desk, path: Path, model: str = "tones") -> int:
    """Rows of the published transcript; -1 where there is none."""
    if not desk.cache.exists():
        return -1
    cache = CacheDir.open(desk.cache, create=False)
    found = cache.manifest(hash_media(str(path)), Stage.TRANSCRIPT, model)
    return found.rows if found else -1


def test_a_stop_during_a_call_of_the_model_is_heard_at_once_and_the_model_serves_the_next_task(
    desk: Desk,
) -> None:
    long, short = speech(desk, "long.wav", 60), speech(desk, "short.wav")
    worker = desk.worker_that_hears_tones(hold_at=2)
    task_id = submit(desk, long)
    desk.wait_marker()
    stopwatch = Stopwatch(desk.stack)
    assert desk.ledger.stop().cancelled
    record = desk.wait_final(task_id)
    assert stopwatch.seconds() < 1.5
    assert record.status is TaskState.CANCELLED
    assert desk.artefacts() == []
    following = submit(desk, short)
    desk.release()
    assert desk.wait_final(following).status is TaskState.COMPLETED
    assert transcripts(desk, short) == 1
    assert worker.text().count("loaded tones") == 1, "the same model went on"


def test_a_stop_while_whisper_hears_and_the_task_after_it(desk: Desk) -> None:
    with fetched_or_skipped():
        sentence = spoken("The committee will meet again on Thursday.")
    long = together([sentence] * 40).save(desk.folder / "long.wav")
    short = sentence.save(desk.folder / "short.wav")
    worker = desk.worker()
    task_id = desk.submit([long], wants=AUDIO)
    wait_for(lambda: desk.record(task_id).progress > 0, 40, "the first words")
    stopwatch = Stopwatch(desk.stack)
    desk.ledger.stop()
    assert desk.wait_final(task_id).status is TaskState.CANCELLED
    assert stopwatch.seconds() < 4
    assert desk.artefacts() == []
    assert desk.wait_final(desk.submit([short], wants=AUDIO), 60).status is TaskState.COMPLETED
    assert transcripts(desk, short, SPEECH_MODEL) == 1
    assert worker.end(timeout_s=6) == 0


def test_a_stop_while_the_model_is_loaded_leaves_it_to_the_next_task(desk: Desk) -> None:
    path = speech(desk, "voice.wav")
    worker = desk.worker_that_hears_tones(hold_at=0)
    task_id = submit(desk, path)
    desk.wait_marker()
    for _ in range(2):
        desk.ledger.stop()
    stopwatch = Stopwatch(desk.stack)
    assert desk.wait_final(task_id).status is TaskState.CANCELLED
    assert stopwatch.seconds() < 4
    next_id = submit(desk, path)
    desk.release()
    assert desk.wait_final(next_id).status is TaskState.COMPLETED
    assert transcripts(desk, path) == 1
    assert worker.text().count("loaded tones in") == 1


def test_sigterm_while_the_model_is_loaded_hands_the_file_back(desk: Desk) -> None:
    path = speech(desk, "voice.wav")
    worker = desk.worker_that_hears_tones(hold_at=0)
    task_id = submit(desk, path)
    [pid] = desk.wait_marker()
    os.kill(pid, signal.SIGTERM)
    assert worker.popen.wait(10) == 0
    assert "handed back" in worker.text()
    desk.release()
    desk.worker_that_hears_tones(1)
    assert desk.wait_final(task_id).status is TaskState.COMPLETED


def test_a_task_that_waits_for_the_model_of_an_abandoned_call_can_be_stopped(desk: Desk) -> None:
    desk.worker_that_hears_tones(hold_at=1)
    submit(desk, speech(desk, "first.wav"))
    desk.wait_marker()
    desk.ledger.stop()
    second = submit(desk, speech(desk, "second.wav"))
    wait_for(lambda: desk.record(second).status is not TaskState.QUEUED or _leased(desk), 5, "work")
    stopwatch = Stopwatch(desk.stack)
    desk.ledger.stop(second)
    assert desk.wait_final(second).status is TaskState.CANCELLED
    assert stopwatch.seconds() < 1.5
    desk.release()


def test_pictures_are_analysed_while_an_abandoned_call_runs_out(desk: Desk) -> None:
    desk.worker_that_hears_tones(hold_at=1)
    submit(desk, speech(desk, "first.wav"))
    desk.wait_marker()
    desk.ledger.stop()
    heartbeats.desire(desk.client, "default", ModelKind.SPEECH, "tones")
    clip = make_clip(desk.folder / "clip.mp4", 1)
    assert desk.wait_final(desk.submit([clip]), 10).status is TaskState.COMPLETED
    desk.release()


def test_a_killed_worker_loses_its_transcription_to_another_and_one_artefact_is_left(
    desk: Desk,
) -> None:
    file = speech(desk, "speech.wav")
    desk.worker_that_hears_tones(0, hold_at=1)
    task_id = submit(desk, file)
    (first,) = desk.wait_marker()
    os.kill(first, signal.SIGKILL)
    desk.worker_that_hears_tones(1)
    assert desk.wait_final(task_id).status is TaskState.COMPLETED
    assert transcripts(desk, file) == 1
    names = desk.artefacts()
    assert len(names) == 4, "a transcript, captions, and their manifests"
    assert not [name for name in names if "tmp" in name]


def test_sigterm_during_a_call_hands_the_file_back_and_ends_the_process(desk: Desk) -> None:
    file = speech(desk, "speech.wav")
    first = desk.worker_that_hears_tones(0, hold_at=1)
    task_id = submit(desk, file)
    desk.wait_marker()
    assert first.end(timeout_s=6) == 0
    assert desk.artefacts() == []
    assert desk.client.hmget(f"rushes:default:item:{task_id}:0", "lost", "errors") == ["0", "0"]
    desk.worker_that_hears_tones(1)
    assert desk.wait_final(task_id).status is TaskState.COMPLETED


def test_a_full_disk_fails_the_transcription_with_a_clear_reason_and_leaves_nothing(
    desk: Desk,
) -> None:
    file = speech(desk, "speech.wav", 240)
    with tiny_disk(desk.cache, kib=16):
        try:
            desk.worker_that_hears_tones()
            record = desk.wait_final(submit(desk, file))
            assert record.status is TaskState.FAILED
            assert "is full" in (record.error or "")
            assert desk.artefacts() == []
        finally:
            desk.stack.stop()  # nobody may hold the disk


def test_a_call_that_takes_longer_than_the_stall_timer_allows_for_pictures_is_no_hang(
    desk: Desk,
) -> None:
    file = speech(desk, "speech.wav")
    worker = desk.worker_that_hears_tones(seconds=2.5, stall_s=1)
    assert desk.wait_final(submit(desk, file)).status is TaskState.COMPLETED
    assert worker.popen.poll() is None


def test_a_call_that_never_ends_ends_the_process_with_a_traceback(desk: Desk) -> None:
    file = speech(desk, "speech.wav")
    hung = desk.worker_that_hears_tones(hold_at=1, stall_s=1, wide_s=3)
    task_id = submit(desk, file)
    desk.wait_marker()
    assert hung.popen.wait(15) != 0
    assert "Timeout (0:00:0" in hung.text()
    assert "analysis_that_hears_tones.py" in hung.text()
    desk.worker_that_hears_tones(1)
    assert desk.wait_final(task_id).status is TaskState.COMPLETED


def test_what_is_to_be_made_anew_is_made_once_however_often_its_item_is_tried(desk: Desk) -> None:
    path = write_sounds(
        desk.folder / "film.mkv",
        [said([(1, "Alpha")], 3)],
        rate=16_000,
        encoding=SoundEncoding(codec="flac", pictures_at=range(3)),
    )
    desk.worker_that_hears_tones()
    desk.wait_final(submit(desk, path))
    asked = {"speech_model": "tones", "visual_model": "no-such-model", "force": True}
    record = desk.wait_final(desk.submit([path], wants=(ProgressType.VIDEO, *AUDIO), **asked))
    assert record.status is TaskState.FAILED, "after three tries"
    made = [name for name in desk.artefacts() if name.startswith("transcript.")]
    assert len(made) == 2, "the first one is kept for those who read it"


def test_an_edit_while_a_file_is_heard_fails_it_and_the_next_task_hears_what_is_there(
    desk: Desk,
) -> None:
    """One that the hash does not see: what was heard must not pass for what is there now."""
    path = speech(desk, "long.wav", 150)
    desk.worker_that_hears_tones(hold_at=1)
    task_id = submit(desk, path)
    desk.wait_marker()
    before, hash_before = path.stat(), hash_media(str(path))
    data = bytearray(path.read_bytes())
    at = 1_640_000  # s 51 to 57, in no sample of the hash
    data[at : at + 190_000] = bytes(190_000)
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 10**10))
    assert hash_media(str(path)) == hash_before
    desk.release()
    [failed] = desk.wait_final(task_id).failed_files
    assert "changed while it was read" in failed.error
    assert transcripts(desk, path) == -1
    assert desk.wait_final(submit(desk, path)).status is TaskState.COMPLETED
    cache = CacheDir.open(desk.cache, create=False)
    found = cache.manifest(hash_before, Stage.TRANSCRIPT, "tones")
    assert found is not None
    heard = read(cache, hash_before, found).segments
    assert not [segment for segment in heard if 52 < segment.start < 56.9], "it is silent there now"


def _leased(desk: Desk) -> bool:
    return any(heart.state in ("working", "loading") for heart in desk.hearts())
