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
from tests.support.watch.ingest_stack import IngestStack, still


def test_what_is_there_and_what_comes_is_analysed_once(ingest: IngestStack) -> None:
    still(ingest.media / "a.jpg", 1)
    make_clip(ingest.media / "day1" / "b.mp4", 1)
    (ingest.media / "notes.txt").write_text("no media")
    (ingest.media / ".hidden.jpg").write_bytes(b"x")
    ingest.worker()
    ingest.watcher()
    folder = ingest.watch()
    ingest.start_watching()
    ingest.wait_processed(folder, "a.jpg", "day1/b.mp4")
    still(ingest.media / "day2" / "late" / "c.jpg", 3)
    still(ingest.media / "d.jpg", 4)
    ingest.wait_processed(folder, "a.jpg", "day1/b.mp4", "day2/late/c.jpg", "d.jpg")
    assert ingest.ingested() == 4
    assert set(ingest.published().values()) == {1}

    def is_told() -> bool:  # twice a second
        live = ingest.live()
        return live is not None and (live.state, live.files_processed) == ("waiting", 4)

    wait_for(is_told, 10, lambda: f"four files to be told of; {ingest.live()}")


def test_a_watcher_that_starts_again_repeats_nothing_and_finds_what_came(
    ingest: IngestStack,
) -> None:
    still(ingest.media / "a.jpg", 1)
    ingest.worker()
    folder = ingest.watch()
    ingest.start_watching()
    watcher = ingest.watcher(0)
    ingest.wait_processed(folder, "a.jpg")
    assert watcher.end() == 0
    still(ingest.media / "b.jpg", 2)
    ingest.watcher(1)
    ingest.wait_processed(folder, "a.jpg", "b.jpg")
    assert ingest.ingested() == 2


def test_a_redis_that_came_up_empty_costs_no_new_analysis(ingest: IngestStack) -> None:
    stills = [still(ingest.media / f"{n}.jpg", n) for n in range(3)]
    ingest.worker()
    folder = ingest.watch()
    ingest.start_watching()
    ingest.watcher()
    ingest.wait_processed(folder, "0.jpg", "1.jpg", "2.jpg")
    before = ingest.published()
    ingest.client.flushall()
    ingest.wait_processed(folder, *(path.name for path in stills))
    assert ingest.published() == before
    assert ingest.ingested() == 0, "no Task was needed"


def test_moved_copied_and_linked_files_cost_no_analysis(ingest: IngestStack) -> None:
    first = still(ingest.media / "a.jpg", 1)
    ingest.worker()
    folder = ingest.watch()
    ingest.start_watching()
    ingest.watcher()
    ingest.wait_processed(folder, "a.jpg")
    shutil.copy(first, ingest.media / "copy.jpg")
    os.link(first, ingest.media / "link.jpg")
    first.rename(ingest.media / "A.jpg")
    ingest.wait_processed(folder, "copy.jpg", "link.jpg", "A.jpg")
    assert ingest.ingested() == 1
    (hash_str,) = {file.hash_str for file in ingest.processed(folder).values()}
    seen = {
        s.path
        for s in catalogue.read_paths(CacheDir.open(ingest.cache, create=False).media_dir(hash_str))
    }
    assert seen >= {str(ingest.media / name) for name in ("copy.jpg", "link.jpg", "A.jpg")}


def test_copies_that_come_together_are_analysed_once(ingest: IngestStack) -> None:
    for n in range(6):
        still(ingest.media / f"{n}.jpg", 7)
    other = ingest.folder / "other"
    for n in range(3):
        still(other / f"{n}.jpg", 7)
    ingest.worker(0)
    ingest.worker(1)
    folders = ingest.watch(), ingest.watch(other)
    ingest.start_watching()
    ingest.watcher()
    ingest.wait_processed(folders[0], *(f"{n}.jpg" for n in range(6)))
    ingest.wait_processed(folders[1], *(f"{n}.jpg" for n in range(3)))
    assert ingest.ingested() == 1
    assert set(ingest.published().values()) == {1}


def test_names_in_both_unicode_forms_are_found_again(ingest: IngestStack) -> None:
    names = [unicodedata.normalize(form, "Übung é.jpg") for form in ("NFC", "NFD")]
    for n, name in enumerate(names):
        still(ingest.media / name, n)
    ingest.worker()
    folder = ingest.watch(excluded_filename_globs=(unicodedata.normalize("NFD", "ÜBUNG*"),))
    ingest.start_watching()
    ingest.watcher()
    still(ingest.media / "x.jpg", 9)
    ingest.wait_processed(folder, "x.jpg")
    ingest.change(folder, excluded_filename_globs=())
    ingest.wait_processed(folder, "x.jpg", *names)


def test_a_file_that_grows_after_it_was_analysed_is_analysed_again(ingest: IngestStack) -> None:
    path = still(ingest.media / "a.jpg", 1)
    ingest.worker()
    folder = ingest.watch()
    ingest.start_watching()
    ingest.watcher()
    ingest.wait_processed(folder, "a.jpg")
    first = ingest.processed(folder)["a.jpg"]
    still(path, 2, side=64)

    def is_other() -> bool:
        now = ingest.processed(folder).get("a.jpg")
        return now is not None and now.hash_str != first.hash_str

    wait_for(is_other, 20, "the new content")
    assert ingest.ingested() == 2


def test_a_slow_copy_with_a_pause_and_a_rename_is_analysed_once(ingest: IngestStack) -> None:
    content = make_clip(ingest.folder / "source.mp4", 2).read_bytes()
    ingest.worker()
    folder = ingest.watch(settle_seconds=0.5)
    ingest.start_watching()
    ingest.watcher()
    pause = threading.Event()
    step = len(content) // 10 + 1
    temporary = ingest.media / "clip.mp4.part"
    with temporary.open("wb") as renamed, (ingest.media / "open.mp4").open("wb") as kept_open:
        for at in range(0, len(content), step):
            for file in (renamed, kept_open):
                file.write(content[at : at + step] + b"")
                file.flush()
            pause.wait(0.2)
        pause.wait(2)  # longer than it takes to settle, but the writer has it open
        kept_open.write(b"\0" * 8)
    temporary.rename(ingest.media / "clip.mp4")
    ingest.wait_processed(folder, "clip.mp4", "open.mp4")
    assert Counter(
        len(ingest.attempts(ingest.media / name)) for name in ("clip.mp4", "open.mp4")
    ) == {1: 2}


def test_a_sequence_is_one_skipped_item_and_raw_formats_are_unsupported(
    ingest: IngestStack,
) -> None:
    for n in range(30):
        still(ingest.media / "render" / f"shot.{n:04d}.png", n, side=8)
    (ingest.media / "A001.braw").write_bytes(b"braw")
    (ingest.media / "A001.R3D").write_bytes(b"r3d")
    still(ingest.media / "a.jpg", 100)
    (ingest.media / "sound.wav").write_bytes(b"RIFF")
    ingest.worker()
    folder = ingest.watch()
    ingest.start_watching()
    ingest.watcher()
    ingest.wait_processed(folder, "a.jpg")
    skipped = ingest.group(folder, FileGroup.SKIPPED)
    assert set(skipped) == {"render/shot.[0000-0029].png", "sound.wav"}
    assert skipped["render/shot.[0000-0029].png"].reason.startswith("image_sequence")
    unsupported = ingest.group(folder, FileGroup.UNSUPPORTED)
    assert set(unsupported) == {"A001.braw", "A001.R3D"}
    ingest.change(folder, image_sequences="stills")
    ingest.wait_processed(folder, "a.jpg", *(f"render/shot.{n:04d}.png" for n in range(30)))


def test_frames_that_arrive_one_by_one_are_not_taken_for_stills(ingest: IngestStack) -> None:
    ingest.worker()
    folder = ingest.watch(settle_seconds=0.5)
    ingest.start_watching()
    ingest.watcher()
    ingest.wait_state("waiting")
    pause = threading.Event()
    for n in range(26):
        still(ingest.media / f"shot.{n:04d}.png", n, side=8)
        pause.wait(0.25)
    still(ingest.media / "IMG_1.png", 100)
    still(ingest.media / "IMG_2.png", 101)
    ingest.wait_processed(folder, "IMG_1.png", "IMG_2.png")
    assert set(ingest.group(folder, FileGroup.SKIPPED)) == {"shot.[0000-0025].png"}
    assert ingest.ingested() == 2


def test_many_files_travel_in_few_tasks_that_workers_share(ingest: IngestStack) -> None:
    names = [f"{n}.mp4" for n in range(12)]
    for name in names:
        make_clip(ingest.media / name, 4, size=(640, 360))
    ingest.worker(0)
    ingest.worker(1)
    wait_for(lambda: len(ingest.hearts()) == 2, 30, "both workers")
    folder = ingest.watch()
    ingest.start_watching()
    ingest.watcher()
    ingest.wait_processed(folder, *names)
    tasks = {file.task_id for file in ingest.processed(folder).values()}
    assert len(tasks) == 1
    workers = {record.worker for record in ingest.ledger.files(tasks.pop())}
    assert len(workers) == 2


@pytest.mark.studio
def test_a_watcher_that_has_seen_all_kinds_of_work_has_loaded_no_decoder_and_no_model(
    ingest: IngestStack,
) -> None:
    modules = ingest.folder / "modules.json"
    still(ingest.media / "a.jpg", 1)
    ingest.worker()
    folder = ingest.watch()
    ingest.start_watching()
    ingest.stack.start(
        "watcher-0",
        *("-m", "tests.support.programs.names_its_modules"),
        KIND="watcher",
        MODULES=str(modules),
    )
    ingest.wait_processed(folder, "a.jpg")
    assert ingest.stack.processes["watcher-0"].end() == 0
    loaded = set(json.loads(modules.read_text()))
    assert "watchdog" in loaded
    assert not loaded & {"av", "torch", "onnxruntime", "ctranslate2", "hdbscan", "PIL", "starlette"}
