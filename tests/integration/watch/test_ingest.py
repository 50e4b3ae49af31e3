"""What lies in a watch folder, and what comes into it, is analysed once."""

from __future__ import annotations

import json
import os
import shutil
import threading
import unicodedata
from collections import Counter

import pytest

from shared.cache import catalogue
from shared.cache.cache_dir import CacheDir
from shared.watch.choices import FileGroup
from tests.support.media.media import make_clip
from tests.support.waiting import wait_for
from tests.support.watch.ingest_stack import Farm, still


def test_what_is_there_and_what_comes_is_analysed_once(farm: Farm) -> None:
    still(farm.media / "a.jpg", 1)
    make_clip(farm.media / "day1" / "b.mp4", 1)
    (farm.media / "notes.txt").write_text("no media")
    (farm.media / ".hidden.jpg").write_bytes(b"x")
    farm.worker()
    farm.watcher()
    folder = farm.watch()
    farm.start_watching()
    farm.wait_processed(folder, "a.jpg", "day1/b.mp4")
    still(farm.media / "day2" / "late" / "c.jpg", 3)
    still(farm.media / "d.jpg", 4)
    farm.wait_processed(folder, "a.jpg", "day1/b.mp4", "day2/late/c.jpg", "d.jpg")
    assert farm.ingested() == 4
    assert set(farm.published().values()) == {1}

    def is_told() -> bool:  # twice a second
        live = farm.live()
        return live is not None and (live.state, live.files_processed) == ("waiting", 4)

    wait_for(is_told, 10, lambda: f"four files to be told of; {farm.live()}")


def test_a_watcher_that_starts_again_repeats_nothing_and_finds_what_came(farm: Farm) -> None:
    still(farm.media / "a.jpg", 1)
    farm.worker()
    folder = farm.watch()
    farm.start_watching()
    watcher = farm.watcher(0)
    farm.wait_processed(folder, "a.jpg")
    assert watcher.end() == 0
    still(farm.media / "b.jpg", 2)
    farm.watcher(1)
    farm.wait_processed(folder, "a.jpg", "b.jpg")
    assert farm.ingested() == 2


def test_a_redis_that_came_up_empty_costs_no_new_analysis(farm: Farm) -> None:
    stills = [still(farm.media / f"{n}.jpg", n) for n in range(3)]
    farm.worker()
    folder = farm.watch()
    farm.start_watching()
    farm.watcher()
    farm.wait_processed(folder, "0.jpg", "1.jpg", "2.jpg")
    before = farm.published()
    farm.client.flushall()
    farm.wait_processed(folder, *(path.name for path in stills))
    assert farm.published() == before
    assert farm.ingested() == 0, "no Task was needed"


def test_moved_copied_and_linked_files_cost_no_analysis(farm: Farm) -> None:
    first = still(farm.media / "a.jpg", 1)
    farm.worker()
    folder = farm.watch()
    farm.start_watching()
    farm.watcher()
    farm.wait_processed(folder, "a.jpg")
    shutil.copy(first, farm.media / "copy.jpg")
    os.link(first, farm.media / "link.jpg")
    first.rename(farm.media / "A.jpg")
    farm.wait_processed(folder, "copy.jpg", "link.jpg", "A.jpg")
    assert farm.ingested() == 1
    (hash_str,) = {file.hash_str for file in farm.processed(folder).values()}
    seen = {
        s.path
        for s in catalogue.read_paths(CacheDir.open(farm.cache, create=False).media_dir(hash_str))
    }
    assert seen >= {str(farm.media / name) for name in ("copy.jpg", "link.jpg", "A.jpg")}


def test_copies_that_come_together_are_analysed_once(farm: Farm) -> None:
    for n in range(6):
        still(farm.media / f"{n}.jpg", 7)
    other = farm.folder / "other"
    for n in range(3):
        still(other / f"{n}.jpg", 7)
    farm.worker(0)
    farm.worker(1)
    folders = farm.watch(), farm.watch(other)
    farm.start_watching()
    farm.watcher()
    farm.wait_processed(folders[0], *(f"{n}.jpg" for n in range(6)))
    farm.wait_processed(folders[1], *(f"{n}.jpg" for n in range(3)))
    assert farm.ingested() == 1
    assert set(farm.published().values()) == {1}


def test_names_in_both_unicode_forms_are_found_again(farm: Farm) -> None:
    names = [unicodedata.normalize(form, "Übung é.jpg") for form in ("NFC", "NFD")]
    for n, name in enumerate(names):
        still(farm.media / name, n)
    farm.worker()
    folder = farm.watch(excluded_filename_globs=(unicodedata.normalize("NFD", "ÜBUNG*"),))
    farm.start_watching()
    farm.watcher()
    still(farm.media / "x.jpg", 9)
    farm.wait_processed(folder, "x.jpg")
    farm.change(folder, excluded_filename_globs=())
    farm.wait_processed(folder, "x.jpg", *names)


def test_a_file_that_grows_after_it_was_analysed_is_analysed_again(farm: Farm) -> None:
    path = still(farm.media / "a.jpg", 1)
    farm.worker()
    folder = farm.watch()
    farm.start_watching()
    farm.watcher()
    farm.wait_processed(folder, "a.jpg")
    first = farm.processed(folder)["a.jpg"]
    still(path, 2, side=64)

    def is_other() -> bool:
        now = farm.processed(folder).get("a.jpg")
        return now is not None and now.hash_str != first.hash_str

    wait_for(is_other, 20, "the new content")
    assert farm.ingested() == 2


def test_a_slow_copy_with_a_pause_and_a_rename_is_analysed_once(farm: Farm) -> None:
    content = make_clip(farm.folder / "source.mp4", 2).read_bytes()
    farm.worker()
    folder = farm.watch(settle_seconds=0.5)
    farm.start_watching()
    farm.watcher()
    pause = threading.Event()
    step = len(content) // 10 + 1
    temporary = farm.media / "clip.mp4.part"
    with temporary.open("wb") as renamed, (farm.media / "open.mp4").open("wb") as kept_open:
        for at in range(0, len(content), step):
            for file in (renamed, kept_open):
                file.write(content[at : at + step] + b"")
                file.flush()
            pause.wait(0.2)
        pause.wait(2)  # longer than it takes to settle, but the writer has it open
        kept_open.write(b"\0" * 8)
    temporary.rename(farm.media / "clip.mp4")
    farm.wait_processed(folder, "clip.mp4", "open.mp4")
    assert Counter(len(farm.attempts(farm.media / name)) for name in ("clip.mp4", "open.mp4")) == {
        1: 2
    }


def test_a_sequence_is_one_skipped_item_and_raw_formats_are_unsupported(farm: Farm) -> None:
    for n in range(30):
        still(farm.media / "render" / f"shot.{n:04d}.png", n, side=8)
    (farm.media / "A001.braw").write_bytes(b"braw")
    (farm.media / "A001.R3D").write_bytes(b"r3d")
    still(farm.media / "a.jpg", 100)
    (farm.media / "sound.wav").write_bytes(b"RIFF")
    farm.worker()
    folder = farm.watch()
    farm.start_watching()
    farm.watcher()
    farm.wait_processed(folder, "a.jpg")
    skipped = farm.group(folder, FileGroup.SKIPPED)
    assert set(skipped) == {"render/shot.[0000-0029].png", "sound.wav"}
    assert skipped["render/shot.[0000-0029].png"].reason.startswith("image_sequence")
    unsupported = farm.group(folder, FileGroup.UNSUPPORTED)
    assert set(unsupported) == {"A001.braw", "A001.R3D"}
    farm.change(folder, image_sequences="stills")
    farm.wait_processed(folder, "a.jpg", *(f"render/shot.{n:04d}.png" for n in range(30)))


def test_frames_that_arrive_one_by_one_are_not_taken_for_stills(farm: Farm) -> None:
    farm.worker()
    folder = farm.watch(settle_seconds=0.5)
    farm.start_watching()
    farm.watcher()
    farm.wait_state("waiting")
    pause = threading.Event()
    for n in range(26):
        still(farm.media / f"shot.{n:04d}.png", n, side=8)
        pause.wait(0.25)
    still(farm.media / "IMG_1.png", 100)
    still(farm.media / "IMG_2.png", 101)
    farm.wait_processed(folder, "IMG_1.png", "IMG_2.png")
    assert set(farm.group(folder, FileGroup.SKIPPED)) == {"shot.[0000-0025].png"}
    assert farm.ingested() == 2


def test_many_files_travel_in_few_tasks_that_workers_share(farm: Farm) -> None:
    names = [f"{n}.mp4" for n in range(12)]
    for name in names:
        make_clip(farm.media / name, 4, size=(640, 360))
    farm.worker(0)
    farm.worker(1)
    wait_for(lambda: len(farm.hearts()) == 2, 30, "both workers")
    folder = farm.watch()
    farm.start_watching()
    farm.watcher()
    farm.wait_processed(folder, *names)
    tasks = {file.task_id for file in farm.processed(folder).values()}
    assert len(tasks) == 1
    workers = {record.worker for record in farm.ledger.files(tasks.pop())}
    assert len(workers) == 2


@pytest.mark.studio
def test_a_watcher_that_has_seen_all_kinds_of_work_has_loaded_no_decoder_and_no_model(
    farm: Farm,
) -> None:
    modules = farm.folder / "modules.json"
    still(farm.media / "a.jpg", 1)
    farm.worker()
    folder = farm.watch()
    farm.start_watching()
    farm.stack.start(
        "watcher-0",
        *("-m", "tests.support.programs.names_its_modules"),
        KIND="watcher",
        MODULES=str(modules),
    )
    farm.wait_processed(folder, "a.jpg")
    assert farm.stack.processes["watcher-0"].end() == 0
    loaded = set(json.loads(modules.read_text()))
    assert "watchdog" in loaded
    assert not loaded & {"av", "torch", "onnxruntime", "ctranslate2", "hdbscan", "PIL", "starlette"}
