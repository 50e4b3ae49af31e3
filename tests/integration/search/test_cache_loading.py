"""Loading for search: replicas, restarts, kills, damage, and what was deleted."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from api.search.frames import log as vector_log
from api.search.frames.previews import read_previews
from shared.cache.cache_dir import CacheDir
from shared.domain import Stage
from shared.errors import BadInput, CacheError
from shared.opening import RootedPath
from shared.settings import Settings
from tests.support.search.search_data import (
    DIM,
    MODEL,
    asking,
    fill,
    found,
    load,
    media_hash,
    publish,
    random_units,
    search_index,
    view_of,
)
from tests.support.system.tiny_disk import tiny_disk
from tests.support.waiting import wait_for

SPAWN = multiprocessing.get_context("spawn")


def test_replaced_data_is_found_and_the_old_is_not(cache, index, replica) -> None:
    old, new = random_units(2, DIM, 1)
    publish(cache, media_hash(1), np.tile(old, (5, 1)))
    assert index.search(view_of(index, cache), MODEL, asking(old), None, 9)[0].score > 0.99
    publish(cache, media_hash(1), np.tile(new, (5, 1)))
    for one in (index, replica):
        hits = one.search(view_of(one, cache), MODEL, asking(old), None, 9)
        assert len(hits) == 1
        assert hits[0].score < 0.9
        assert one.search(view_of(one, cache), MODEL, asking(new), None, 9)[0].score > 0.99


def test_much_replaced_data_is_compacted_away_while_replicas_go_on(
    cache, index, replica, settings
) -> None:
    rows = random_units(6000, DIM, 1)
    publish(cache, media_hash(2), rows[:50])
    for turn in range(6):
        publish(cache, media_hash(1), np.roll(rows, turn, axis=0))
        for one in (index, replica):
            assert found(one, cache, rows[10], max_results=1) in ([(1, 10 + turn)], [(2, 10)])
            assert found(one, cache, rows[3000], max_results=1) == [(1, 3000 + turn)]
    generations = list(settings.state_dir.glob("search/*/*/generation-*"))
    assert len(generations) == 1
    assert os.stat(generations[0] / "vectors.f16").st_size < 5 * 6000 * DIM * 2
    assert found(replica, cache, rows[10], [media_hash(2)], max_results=1) == [(2, 10)]


def test_a_generation_in_which_something_is_being_saved_is_removed_when_it_is_replaced(
    cache, index, settings
) -> None:
    rows = random_units(6000, DIM, 1)
    is_over = threading.Event()

    def save() -> None:
        while not is_over.is_set():
            for generation in settings.state_dir.glob("search/*/*/generation-*"):
                with contextlib.suppress(OSError):
                    (generation / f"scenes-{secrets.token_hex(8)}").touch()

    saving = threading.Thread(target=save)
    saving.start()
    try:
        for turn in range(10):
            publish(cache, media_hash(1), np.roll(rows, turn, axis=0))
            assert found(index, cache, rows[10], max_results=1) == [(1, 10 + turn)]
    finally:
        is_over.set()
        saving.join()
    (models,) = settings.state_dir.glob("search/*/*")
    assert len([one for one in models.iterdir() if one.is_dir()]) == 1


def test_load_reports_what_there_is_and_what_is_unusable(cache, index) -> None:
    vectors = fill(cache, 6)

    def data(number: int) -> Path:
        manifest = cache.manifest(media_hash(number), Stage.VISUAL, MODEL)
        return cache.data_path(media_hash(number), manifest).path

    whole = data(1).read_bytes()
    data(1).write_bytes(whole[:-10])
    data(2).unlink()
    data(3).write_bytes(b"nonsense")
    bad = vectors[4].astype(np.float16)
    bad[3, 3] = np.nan
    with open(data(4), "wb") as file:
        np.save(file, bad)
    next(cache.media_dir(media_hash(5)).path.glob("manifest.visual*")).write_bytes(b"{")
    report = load(index, cache)
    assert (report.visual_files, report.frames, report.transcription_files) == (1, 30, 0)
    reasons = {int(skipped.hash_str, 16): skipped.reason for skipped in report.skipped}
    assert "is cut off" in reasons[1]
    assert "is missing" in reasons[2]
    assert "is no npy file" in reasons[3]
    assert "no numbers" in reasons[4]
    assert "is broken" in reasons[5]
    assert {n for n, _ in found(index, cache, vectors[1][0])} == {0}
    data(1).write_bytes(whole)  # mended
    assert load(index, cache).visual_files == 2


def test_load_for_media_names_what_is_missing(cache, index) -> None:
    fill(cache, 3)
    shutil.rmtree(cache.root.path / "catalog")
    report = index.load_for_media(view_of(index, cache), [media_hash(1), media_hash(9)])
    assert (report.visual_files, report.frames, report.missing) == (1, 30, {media_hash(9)})
    empty = index.load_for_media(view_of(index, cache), [])
    assert (empty.visual_files, empty.frames, empty.missing) == (0, 0, set())


@pytest.mark.parametrize("part", ["catalog", "rushes.json", "catalog/*.jsonl"])
def test_what_was_deleted_is_found_again_by_looking(cache, index, replica, part) -> None:
    vectors = fill(cache, 5)
    assert found(index, cache, vectors[3][7], max_results=1) == [(3, 7)]
    for path in cache.root.path.glob(part):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    publish(cache, media_hash(50), random_units(5, DIM, 50))
    for one in (index, replica):
        assert found(one, cache, vectors[3][7], max_results=1) == [(3, 7)]
        assert load(one, cache).visual_files == 6


def test_deleted_results_are_no_longer_found(cache, index, replica) -> None:
    vectors = fill(cache, 4)
    assert found(index, cache, vectors[2][7])[0] == (2, 7)
    shutil.rmtree(cache.media_dir(media_hash(2)).path)
    for one in (index, replica):
        assert {n for n, _ in found(one, cache, vectors[2][7])} == {0, 1, 3}
        assert load(one, cache).visual_files == 3
        assert read_previews(
            view_of(one, cache), [(media_hash(2), 7)], one.caches.reader(cache)
        ) == [None]
    shutil.rmtree(cache.root.path)
    with pytest.raises(BadInput, match="There is no cache folder"):
        found(index, cache, vectors[1][0])
    cache.root.path.mkdir()
    assert found(index, cache, vectors[1][0]) == []


def test_the_server_may_lose_its_own_files_between_two_searches(cache, index, settings) -> None:
    vectors = fill(cache, 3)
    files = ["search", "search/*/*/current", "search/*/*/*/journal.jsonl", "search/*/*/*/rows.bin"]
    for pattern in [*files, "search/*/*/*/vectors.f16"]:
        assert found(index, cache, vectors[1][5], max_results=1) == [(1, 5)]
        (path,) = settings.state_dir.glob(pattern)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert found(index, cache, vectors[1][5], max_results=1) == [(1, 5)]
    for damage in ("none", "cut"):
        with search_index(settings) as fresh:  # the running one still maps what it knew
            assert found(fresh, cache, vectors[1][5], max_results=1) == [(1, 5)]
        if damage == "none":
            (path,) = settings.state_dir.glob(pattern)
            os.truncate(path, 100)


def test_a_torn_journal_line_and_half_written_rows_do_no_harm(
    cache, index, replica, settings
) -> None:
    vectors = fill(cache, 2)
    assert len(found(index, cache, vectors[1][5])) == 6
    (journal,) = settings.state_dir.glob("search/*/*/*/journal.jsonl")
    with open(journal, "ab") as file:
        file.write(b'{"type":"file","hash_st')
    with open(journal.with_name("vectors.f16"), "ab") as file:
        file.write(b"half of a row")
    publish(cache, media_hash(9), vectors[1][::-1])
    for one in (index, replica):
        assert found(one, cache, vectors[1][5], [media_hash(9)], 1) == [(9, 24)]
        assert found(one, cache, vectors[1][5], [media_hash(1)], 1) == [(1, 5)]


def _load(state: Path, root: Path, gate: object, out: object) -> None:
    cache = CacheDir.open(root, create=False)
    with search_index(Settings(state_dir=state)) as index:
        gate.wait()  # type: ignore[attr-defined]
        report = load(index, cache)
        hits = index.search(view_of(index, cache), MODEL, asking(np.ones(DIM)), None, 500)
        out.put((report.visual_files, report.frames, [(h.hash_str, h.second) for h in hits]))  # type: ignore[attr-defined]


def test_processes_that_load_at_once_agree_and_store_each_row_once(cache, settings) -> None:
    fill(cache, 60)
    gate, out = SPAWN.Barrier(3), SPAWN.Queue()
    workers = [
        SPAWN.Process(target=_load, args=(settings.state_dir, cache.root.path, gate, out))
        for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    answers = [out.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert answers[0][:2] == (60, 1800)
    assert answers[0] == answers[1] == answers[2]
    (vectors,) = settings.state_dir.glob("search/*/*/*/vectors.f16")
    assert vectors.stat().st_size == 1800 * DIM * 2


KILLED = """
import sys
from pathlib import Path
from api.search import index_log
from shared.cache.cache_dir import CacheDir
from shared.settings import Settings
from tests.support.search.search_data import load, search_index
index_log.FLUSH_BYTES = 1
print("ready", flush=True)
with search_index(Settings(state_dir=Path(sys.argv[1]))) as index:
    load(index, CacheDir.open(sys.argv[2], create=False))
"""


def test_kill_9_while_loading_loses_nothing(cache, index, settings) -> None:
    vectors = fill(cache, 150)
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(settings.state_dir), str(cache.root)],
        stdout=subprocess.PIPE,
    )
    wait_for(
        lambda: any(
            path.stat().st_size > 2000
            for path in settings.state_dir.glob("search/*/*/*/journal.jsonl")
        ),
        30,
        "the first merged files",
    )
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert child.stdout is not None
    child.stdout.close()
    report = load(index, cache)
    assert (report.visual_files, report.frames, report.skipped) == (150, 4500, [])
    for number in (0, 77, 149):
        assert found(index, cache, vectors[number][11], max_results=1) == [(number, 11)]


def test_threads_search_while_data_arrives(cache, index) -> None:
    vectors = fill(cache, 3)
    with ThreadPoolExecutor(4) as pool:
        searches = [
            pool.submit(found, index, cache, vectors[turn % 3][4], None, 1) for turn in range(60)
        ]
        for number in range(10, 20):
            publish(cache, media_hash(number), random_units(30, DIM, number))
        assert [s.result() for s in searches] == [[(turn % 3, 4)] for turn in range(60)]
    assert load(index, cache).visual_files == 13


def test_a_search_with_nothing_new_reads_no_artefact(cache, index) -> None:
    vectors = fill(cache, 3)
    found(index, cache, vectors[0][0])
    manifests = list(cache.root.path.glob("media/*/*/manifest.*"))
    for path in manifests:
        os.utime(path, ns=(0, path.stat().st_mtime_ns))
    found(index, cache, vectors[0][0])
    assert all(path.stat().st_atime_ns == 0 for path in manifests)


def test_a_copied_cache_folder_has_its_own_array(cache, index) -> None:
    vectors = fill(cache, 2)
    assert found(index, cache, vectors[1][5], max_results=1) == [(1, 5)]
    copy = CacheDir(RootedPath.alone(cache.root.path.with_name("copy")), cache.id)
    shutil.copytree(cache.root.path, copy.root.path)
    publish(cache, media_hash(8), random_units(5, DIM, 8))
    load(index, cache)
    assert {number for number, _ in found(index, copy, vectors[0][0], max_results=99)} == {0, 1}


def test_a_full_state_dir_is_a_clear_error_and_no_end(cache, settings, tmp_path) -> None:
    vectors = fill(cache, 3)
    with (
        tiny_disk(tmp_path / "tiny") as disk,
        search_index(replace(settings, state_dir=disk)) as index,
    ):
        assert found(index, cache, vectors[1][5], max_results=1) == [(1, 5)]
        publish(cache, media_hash(9), random_units(40_000, DIM, 9))
        with pytest.raises(CacheError, match="RUSHES_STATE_DIR needs room"):
            found(index, cache, vectors[1][5])
        publish(cache, media_hash(9), random_units(40, DIM, 9))
        assert found(index, cache, vectors[1][5], max_results=1) == [(1, 5)]
        assert load(index, cache).frames == 130


def test_compacting_on_a_full_disk_takes_no_room_and_stops_no_search(
    cache, settings, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(vector_log, "_DEAD_ROWS_WORTH_COMPACTING", 10)
    rows = random_units(5500, DIM, 1)
    publish(cache, media_hash(1), rows)
    publish(cache, media_hash(2), rows[:3000])
    with (
        tiny_disk(tmp_path / "tiny") as disk,
        search_index(replace(settings, state_dir=disk)) as index,
    ):
        assert found(index, cache, rows[4000], max_results=1) == [(1, 4000)]
        before = stored_bytes(disk)
        for turn in range(3):
            publish(cache, media_hash(2), rows[turn : turn + 1])
            assert found(index, cache, rows[turn], [media_hash(2)], max_results=1) == [(2, 0)]
        assert len(list(disk.glob("search/*/*/generation-*"))) == 1
        assert stored_bytes(disk) - before < 1000


def stored_bytes(disk: Path) -> int:
    """What is stored of frames; codes and scenes are written beside it, at any time."""
    files = disk.glob("search/*/*/generation-*/*")
    return sum(
        path.stat().st_size for path in files if not path.name.startswith(("codes", "scenes"))
    )
