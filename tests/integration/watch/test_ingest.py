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
from shared.watch.options import FileGroup
from tests.support.media.media import Encoding, make_clip
from tests.support.waiting import wait_for
from tests.support.watch.ingest_stack import IngestStack, still


def test_what_is_there_and_what_comes_is_analysed_once(served: IngestStack) -> None:
    still(served.media / "a.jpg", 1)
    make_clip(served.media / "day1" / "b.mp4", 1)
    (served.media / "notes.txt").write_text("no media")
    (served.media / ".hidden.jpg").write_bytes(b"x")
    served.watcher()
    folder = served.watch()
    served.start_watching()
    served.wait_processed(folder, "a.jpg", "day1/b.mp4")
    still(served.media / "day2" / "late" / "c.jpg", 3)
    still(served.media / "d.jpg", 4)
    served.wait_processed(folder, "a.jpg", "day1/b.mp4", "day2/late/c.jpg", "d.jpg")
    assert served.ingested() == 4
    assert set(served.published().values()) == {1}

    def is_told() -> bool:  # twice a second
        live = served.live()
        return live is not None and (live.state, live.files_processed) == ("waiting", 4)

    wait_for(is_told, 10, lambda: f"four files to be told of; {served.live()}")


def test_a_watcher_that_starts_again_repeats_nothing_and_finds_what_came(
    served: IngestStack,
) -> None:
    still(served.media / "a.jpg", 1)
    folder = served.watch()
    served.start_watching()
    watcher = served.watcher(0)
    served.wait_processed(folder, "a.jpg")
    assert watcher.end() == 0
    still(served.media / "b.jpg", 2)
    served.watcher(1)
    served.wait_processed(folder, "a.jpg", "b.jpg")
    assert served.ingested() == 2


def test_a_redis_that_came_up_empty_costs_no_new_analysis(served: IngestStack) -> None:
    stills = [still(served.media / f"{n}.jpg", n) for n in range(3)]
    folder = served.watch()
    served.start_watching()
    served.watcher()
    served.wait_processed(folder, "0.jpg", "1.jpg", "2.jpg")
    before = served.published()
    served.client.flushall()
    served.wait_processed(folder, *(path.name for path in stills))
    assert served.published() == before
    assert served.ingested() == 0, "no Task was needed"


def test_moved_copied_and_linked_files_cost_no_analysis(served: IngestStack) -> None:
    first = still(served.media / "a.jpg", 1)
    folder = served.watch()
    served.start_watching()
    served.watcher()
    served.wait_processed(folder, "a.jpg")
    shutil.copy(first, served.media / "copy.jpg")
    os.link(first, served.media / "link.jpg")
    first.rename(served.media / "A.jpg")
    served.wait_processed(folder, "copy.jpg", "link.jpg", "A.jpg")
    assert served.ingested() == 1
    (hash_str,) = {file.hash_str for file in served.processed(folder).values()}
    seen = {
        s.path
        for s in catalogue.read_paths(CacheDir.open(served.cache, create=False).media_dir(hash_str))
    }
    assert seen >= {str(served.media / name) for name in ("copy.jpg", "link.jpg", "A.jpg")}


def test_copies_that_come_together_are_analysed_once(served: IngestStack) -> None:
    for n in range(6):
        still(served.media / f"{n}.jpg", 7)
    other = served.folder / "other"
    for n in range(3):
        still(other / f"{n}.jpg", 7)
    start_second_worker(served)
    folders = served.watch(), served.watch(other)
    served.start_watching()
    served.watcher()
    served.wait_processed(folders[0], *(f"{n}.jpg" for n in range(6)))
    served.wait_processed(folders[1], *(f"{n}.jpg" for n in range(3)))
    assert served.ingested() == 1
    assert set(served.published().values()) == {1}


def start_second_worker(served: IngestStack) -> None:
    served.worker_with_fake_embedder(1)
    wait_for(lambda: len(served.hearts()) == 2, 30, "both workers")


def test_names_in_both_unicode_forms_are_found_again(served: IngestStack) -> None:
    names = [unicodedata.normalize(form, "Übung é.jpg") for form in ("NFC", "NFD")]
    for n, name in enumerate(names):
        still(served.media / name, n)
    folder = served.watch(excluded_filename_globs=(unicodedata.normalize("NFD", "ÜBUNG*"),))
    served.start_watching()
    served.watcher()
    still(served.media / "x.jpg", 9)
    served.wait_processed(folder, "x.jpg")
    served.change(folder, excluded_filename_globs=())
    served.wait_processed(folder, "x.jpg", *names)


def test_a_file_that_grows_after_it_was_analysed_is_analysed_again(served: IngestStack) -> None:
    path = still(served.media / "a.jpg", 1)
    folder = served.watch()
    served.start_watching()
    served.watcher()
    served.wait_processed(folder, "a.jpg")
    first = served.processed(folder)["a.jpg"]
    still(path, 2, side=64)

    def is_other() -> bool:
        now = served.processed(folder).get("a.jpg")
        return now is not None and now.hash_str != first.hash_str

    wait_for(is_other, 20, "the new content")
    assert served.ingested() == 2


def test_a_slow_copy_with_a_pause_and_a_rename_is_analysed_once(served: IngestStack) -> None:
    content = make_clip(served.folder / "source.mp4", 2).read_bytes()
    folder = served.watch(settle_seconds=0.5)
    served.start_watching()
    served.watcher()
    pause = threading.Event()
    step = len(content) // 10 + 1
    temporary = served.media / "clip.mp4.part"
    with temporary.open("wb") as renamed, (served.media / "open.mp4").open("wb") as kept_open:
        for at in range(0, len(content), step):
            for file in (renamed, kept_open):
                file.write(content[at : at + step] + b"")
                file.flush()
            pause.wait(0.2)
        pause.wait(2)  # longer than it takes to settle, but the writer has it open
        kept_open.write(b"\0" * 8)
    temporary.rename(served.media / "clip.mp4")
    served.wait_processed(folder, "clip.mp4", "open.mp4")
    assert Counter(
        len(served.attempts(served.media / name)) for name in ("clip.mp4", "open.mp4")
    ) == {1: 2}


def test_a_sequence_is_one_skipped_item_and_raw_formats_are_unsupported(
    served: IngestStack,
) -> None:
    for n in range(30):
        still(served.media / "render" / f"shot.{n:04d}.png", n, side=8)
    (served.media / "A001.braw").write_bytes(b"braw")
    (served.media / "A001.R3D").write_bytes(b"r3d")
    still(served.media / "a.jpg", 100)
    (served.media / "sound.wav").write_bytes(b"RIFF")
    folder = served.watch()
    served.start_watching()
    served.watcher()
    served.wait_processed(folder, "a.jpg")
    skipped = served.group(folder, FileGroup.SKIPPED)
    assert set(skipped) == {"render/shot.[0000-0029].png", "sound.wav"}
    assert skipped["render/shot.[0000-0029].png"].reason.startswith("image_sequence")
    unsupported = served.group(folder, FileGroup.UNSUPPORTED)
    assert set(unsupported) == {"A001.braw", "A001.R3D"}
    served.change(folder, image_sequences="stills")
    served.wait_processed(folder, "a.jpg", *(f"render/shot.{n:04d}.png" for n in range(30)))


def test_frames_that_arrive_one_by_one_are_not_taken_for_stills(served: IngestStack) -> None:
    folder = served.watch(settle_seconds=0.5)
    served.start_watching()
    served.watcher()
    served.wait_state("waiting")
    pause = threading.Event()
    for n in range(26):
        still(served.media / f"shot.{n:04d}.png", n, side=8)
        pause.wait(0.25)
    still(served.media / "IMG_1.png", 100)
    still(served.media / "IMG_2.png", 101)
    served.wait_processed(folder, "IMG_1.png", "IMG_2.png")
    assert set(served.group(folder, FileGroup.SKIPPED)) == {"shot.[0000-0025].png"}
    assert served.ingested() == 2


def test_many_files_travel_in_few_tasks_that_workers_share(served: IngestStack) -> None:
    names = [f"{n}.mp4" for n in range(12)]
    for name in names:
        make_clip(served.media / name, 4, size=(640, 360), encoding=Encoding(fps=5))
    start_second_worker(served)
    folder = served.watch()
    served.start_watching()
    served.watcher()
    served.wait_processed(folder, *names)
    tasks = {file.task_id for file in served.processed(folder).values()}
    assert len(tasks) == 1
    workers = {record.worker for record in served.ledger.files(tasks.pop())}
    assert len(workers) == 2


@pytest.mark.studio
@pytest.mark.short
def test_a_watcher_that_has_seen_all_kinds_of_work_has_loaded_no_decoder_and_no_model(
    served: IngestStack,
) -> None:
    modules = served.folder / "modules.json"
    still(served.media / "a.jpg", 1)
    folder = served.watch()
    served.start_watching()
    served.stack.start(
        "watcher-0",
        *("-m", "tests.support.programs.names_its_modules"),
        interpreter=True,
        KIND="watcher",
        MODULES=str(modules),
    )
    served.wait_processed(folder, "a.jpg")
    assert served.stack.processes["watcher-0"].end() == 0
    loaded = set(json.loads(modules.read_text()))
    assert "watchdog" in loaded
    assert not loaded & {"av", "torch", "onnxruntime", "ctranslate2", "hdbscan", "PIL", "starlette"}
