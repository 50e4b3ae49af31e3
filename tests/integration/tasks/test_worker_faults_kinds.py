"""The real worker: what it says a failed file is a fault of."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from shared.domain import Fault, ProgressType, TaskKind, TaskState
from shared.ledger.records import FileRecord
from tests.support.analysis.desk import Desk
from tests.support.analysis.desk_fixtures import worker_of_file
from tests.support.media.media import Encoding, make_clip, make_still, truncate
from tests.support.media.sounds import SoundEncoding, tone, write_sounds
from tests.support.system.tiny_disk import tiny_disk
from tests.support.waiting import wait_for

AUDIO = (ProgressType.AUDIO,)
BOTH = (ProgressType.VIDEO, ProgressType.AUDIO)
first = worker_of_file(Desk.worker_that_hears_tones)


def ended(desk: Desk, task_id: str) -> dict[str, FileRecord]:
    """What became of each file, by its name."""
    desk.wait_final(task_id)
    return {Path(file.media_path).name: file for file in desk.ledger.files(task_id)}


def test_each_bad_file_is_told_apart_by_what_it_is_a_fault_of(shared: Desk) -> None:
    good = make_clip(shared.folder / "good.mp4", 2)
    cut = truncate(make_clip(shared.folder / "cut.mp4", 2), 0.3)
    bad_still = shared.folder / "bad.jpg"
    bad_still.write_bytes(b"\xff\xd8\xff not a picture")
    raw = shared.folder / "raw.braw"
    raw.write_bytes(os.urandom(5000))
    missing = shared.folder / "missing.mp4"
    files = ended(
        shared,
        shared.submit(*([p] for p in (good, cut, bad_still, raw, missing)), kind=TaskKind.INGEST),
    )
    assert {name: file.fault for name, file in files.items()} == {
        "good.mp4": None,
        "cut.mp4": Fault.FILE,
        "bad.jpg": Fault.FILE,
        "raw.braw": Fault.UNSUPPORTED,
        "missing.mp4": Fault.MISSING,
    }
    assert "Blackmagic RAW" in (files["raw.braw"].error or "")


def test_a_foreground_analysis_of_raw_video_says_so_too(shared: Desk) -> None:
    raw = shared.folder / "A001.R3D"
    raw.write_bytes(os.urandom(5000))
    (file,) = ended(shared, shared.submit([raw], wants=BOTH, speech_model="tones")).values()
    assert (file.fault, file.error) == (
        Fault.UNSUPPORTED,
        "R3D cannot be decoded here; analyze a proxy or a transcoded copy.",
    )


def test_the_sound_of_a_file_has_faults_of_its_own(shared: Desk) -> None:
    still = make_still(shared.folder / "still.png")
    (file,) = ended(
        shared, shared.submit([still], wants=BOTH, speech_model="tones", kind=TaskKind.INGEST)
    ).values()
    assert file.fault is Fault.FILE
    assert "still picture" in (file.error or "")


def test_a_file_that_changes_while_it_is_read_is_changing(desk: Desk) -> None:
    clip = make_clip(desk.folder / "clip.mp4", 4)
    desk.worker_with(0, do="hold")
    task_id = desk.submit([clip], kind=TaskKind.INGEST)
    desk.wait_marker()
    with clip.open("ab") as file:
        file.write(b"more")
    desk.release()
    assert ended(desk, task_id)["clip.mp4"].fault is Fault.CHANGING


def test_a_cache_folder_that_cannot_be_used_is_no_files_fault(shared: Desk) -> None:
    clip = make_clip(shared.folder / "clip.mp4", 1)
    shared.cache.write_text("a file in its place")
    task_id = shared.submit([clip], kind=TaskKind.INGEST)
    assert ended(shared, task_id)["clip.mp4"].fault is Fault.CACHE


def test_a_disk_of_the_cache_that_is_full_is_no_files_fault(desk: Desk) -> None:
    clip = make_clip(desk.folder / "clip.mp4", 24, encoding=Encoding(fps=2))
    with tiny_disk(desk.folder / "tiny", 32) as folder:
        desk.worker()
        task_id = desk.submit([clip], kind=TaskKind.INGEST, cache_dir=str(folder / "cache"))
        file = ended(desk, task_id)["clip.mp4"]
        assert file.fault is Fault.CACHE
        assert "The disk that holds the cache folder" in (file.error or "")
        assert not list(folder.glob("cache/media/*/*/*"))
        desk.close()


def test_an_error_of_ours_is_not_said_of_the_cache(desk: Desk) -> None:
    clip = make_clip(desk.folder / "clip.mp4", 4)
    desk.worker_with(do="break")
    file = ended(desk, desk.submit([clip], kind=TaskKind.INGEST))["clip.mp4"]
    assert file.fault is Fault.INTERNAL
    assert "Input/output error: 'table.bin'" in (file.error or "")
    assert "cache" not in (file.error or "")


def test_a_model_that_nobody_knows_is_no_files_fault(shared: Desk) -> None:
    clip = make_clip(shared.folder / "clip.mp4", 1)
    task_id = shared.submit([clip], kind=TaskKind.INGEST, visual_model="no-such-model")
    assert ended(shared, task_id)["clip.mp4"].fault is Fault.MODEL


def test_a_part_whose_model_is_broken_is_the_models_fault_and_the_other_part_is_done(
    shared: Desk,
) -> None:
    how = SoundEncoding(codec="flac", pictures_at=range(3))
    film = write_sounds(shared.folder / "film.mkv", [tone(3, 440)], encoding=how)
    task_id = shared.submit(
        [film], wants=BOTH, visual_model="no-such-model", speech_model="tones", kind=TaskKind.INGEST
    )
    assert ended(shared, task_id)["film.mkv"].fault is Fault.MODEL
    assert any(name.startswith("manifest.transcript.tones") for name in shared.artefacts())


def test_a_file_that_kills_its_worker_three_times_is_set_aside_and_the_others_go_on(
    desk: Desk,
) -> None:
    poison = make_clip(desk.folder / "poison.mp4", 4)  # only it reaches second 2
    others = [make_clip(desk.folder / f"{n}.mp4", 1) for n in range(3)]
    task_id = desk.submit([poison], *([other] for other in others), kind=TaskKind.INGEST)
    for number in range(3):
        desk.worker_with(number, do="hold")

        def reached(count: int = number + 1) -> bool:
            return len(desk.wait_marker()) >= count

        wait_for(reached, 40, "the next worker on the same file")
        os.kill(desk.wait_marker()[-1], signal.SIGKILL)
    desk.worker_with_fake_embedder(3)
    files = ended(desk, task_id)
    assert files["poison.mp4"].fault is Fault.WORKER
    assert [files[other.name].fault for other in others] == [None] * 3
    assert desk.record(task_id).status is TaskState.COMPLETED
