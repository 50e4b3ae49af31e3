"""An Item that this machine cannot do is left to others, and holds nothing else up."""

from __future__ import annotations

from shared.domain import ProgressType, TaskState
from shared.ledger.records import FileState
from tests.support.analysis.desk import Desk
from tests.support.media.media import make_clip, write_sound
from tests.support.system.stopwatch import Stopwatch
from tests.support.waiting import wait_for


def _blind_worker(desk: Desk) -> None:
    """A worker on a machine where one of two media roots is not mounted."""
    here = desk.folder / "here"
    desk.worker_with_fake_embedder(
        RUSHES_MEDIA_ROOTS=f"{desk.folder / 'mount'}:{here}", RUSHES_CACHE_ROOTS=str(desk.folder)
    )
    wait_for(desk.hearts, 20, "the worker")


def _is_waiting(desk: Desk) -> bool:
    return any(
        heart.state == "waiting" and "not visible on this machine" in heart.message
        for heart in desk.hearts()
    )


def test_files_that_are_here_do_not_wait_for_those_that_are_not(desk: Desk) -> None:
    clips = [make_clip(desk.folder / "here" / f"{n}.mp4", 1) for n in range(2)]
    _blind_worker(desk)
    absent = [desk.folder / "mount" / f"{n}.mp4" for n in range(2)]
    task_id = desk.submit([absent[0]], [clips[0]], [absent[1]], [clips[1]])

    def states() -> list[FileState]:
        return [file.state for file in desk.ledger.files(task_id)]

    queued, done = FileState.QUEUED, FileState.DONE
    wait_for(lambda: states() == [queued, done, queued, done], 15, f"both here; {desk.logs()}")
    wait_for(lambda: _is_waiting(desk), 10, "a heartbeat that says why")


def test_a_task_that_replaces_one_that_waits_starts_at_once(desk: Desk) -> None:
    clip = make_clip(desk.folder / "here" / "clip.mp4", 1)
    _blind_worker(desk)
    desk.submit([desk.folder / "mount" / "clip.mp4"])
    wait_for(lambda: _is_waiting(desk), 20, "a heartbeat that says why")
    stopwatch = Stopwatch(desk.stack)
    assert desk.wait_final(desk.submit([clip])).status is TaskState.COMPLETED
    assert stopwatch.seconds() < 8


def test_what_is_mounted_later_is_taken_up(desk: Desk) -> None:
    _blind_worker(desk)
    task_id = desk.submit([desk.folder / "mount" / "clip.mp4"])
    wait_for(lambda: _is_waiting(desk), 20, "a heartbeat that says why")
    make_clip(desk.folder / "disk" / "clip.mp4", 1)
    (desk.folder / "disk").rename(desk.folder / "mount")  # all at once, as a disk comes
    assert desk.wait_final(task_id, 20).status is TaskState.COMPLETED


def test_a_language_that_its_model_does_not_know_waits_for_no_machine(desk: Desk) -> None:
    """The weights of the model are nowhere; no machine that has them could do it either."""
    sound = write_sound(desk.folder / "voice.wav", 1)
    desk.worker_that_hears_tones()
    asked = {"wants": (ProgressType.AUDIO,), "speech_model": "whisper-small.en"}
    record = desk.wait_final(desk.submit([sound], language="de", **asked), 20)
    assert [file.error for file in record.failed_files] == [
        "The speech model whisper-small.en does not understand german. "
        "Choose a multilingual model for this file."
    ]
    base = {**asked, "speech_model": "whisper-medium"}  # large-v3 was the first to know it
    [failed] = desk.wait_final(desk.submit([sound], language="yue", **base), 20).failed_files
    assert "whisper-medium does not understand cantonese. Choose another model" in failed.error
    desk.submit([sound], language="en", **asked)
    message = "rushes models pull whisper-small.en"
    wait_for(lambda: any(message in h.message for h in desk.hearts()), 20, "a heart that says why")
