"""What hinders ingestion is waited for with a reason; it is never held against the files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from shared.domain import TaskKind
from shared.redis.clients import connect
from shared.watch.choices import FileGroup
from tests.support.media.media import make_clip
from tests.support.private_redis import PrivateRedis
from tests.support.system.tiny_disk import tiny_disk
from tests.support.waiting import wait_for
from tests.support.watch.ingest_stack import Farm, still


def test_a_full_cache_disk_fails_no_file_and_all_are_done_once_it_is_enlarged(farm: Farm) -> None:
    names = [f"{n:03d}.png" for n in range(200)]
    for n, name in enumerate(names):
        still(farm.media / name, n, side=96)
    with tiny_disk(farm.folder / "disk", kib=2048) as disk:
        folder = farm.watch(cache_dir=disk / "cache", image_sequences="stills")
        farm.worker()
        farm.start_watching()
        farm.watcher()
        farm.wait_reason(folder, "is full", 60)
        files = farm.files.all(folder.id)
        assert {file.group for file in files.values()} <= {FileGroup.PENDING, FileGroup.PROCESSED}
        assert {file.tries for file in files.values()} == {0}
        assert farm.group(folder, FileGroup.PENDING)
        command = ["mount", "-o", "remount,size=65536k", str(disk)]
        subprocess.run(command, check=True)
        farm.wait_processed(folder, *names, timeout_s=90)
        assert set(farm.published(disk / "cache").values()) == {1}


def test_a_read_only_cache_is_waited_for(farm: Farm) -> None:
    with tiny_disk(farm.folder / "disk", kib=8192) as disk:
        folder = farm.watch(cache_dir=disk / "cache")
        farm.worker()
        farm.start_watching()
        farm.watcher()
        still(farm.media / "a.png", 1)
        farm.wait_processed(folder, "a.png")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        still(farm.media / "b.png", 2)
        farm.wait_reason(folder, "read-only", 40)
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        farm.wait_processed(folder, "a.png", "b.png", timeout_s=60)
        assert farm.processed(folder)["b.png"].tries == 0


def test_a_cache_that_is_gone_is_waited_for_and_made_anew_only_when_asked(farm: Farm) -> None:
    still(farm.media / "a.png", 1)
    farm.worker()
    folder = farm.watch()
    farm.start_watching()
    farm.watcher()
    farm.wait_processed(folder, "a.png")
    farm.cache.rename(farm.folder / "elsewhere")
    still(farm.media / "b.png", 2)
    farm.wait_reason(folder, "is gone or empty")
    assert not farm.cache.exists(), "nothing is begun in its place"
    (farm.folder / "elsewhere").rename(farm.cache)
    farm.wait_processed(folder, "a.png", "b.png")
    assert farm.ingested() == 2
    shutil.rmtree(farm.cache)
    still(farm.media / "c.png", 3)
    farm.wait_reason(folder, "is gone or empty")
    farm.ask_retry(folder)
    farm.wait_processed(folder, "a.png", "b.png", "c.png")
    assert len(farm.published()) == 6, "all three are analysed into the new one"


def test_without_a_worker_files_wait_and_say_why(farm: Farm) -> None:
    still(farm.media / "a.png", 1)
    folder = farm.watch()
    farm.start_watching()
    farm.watcher()

    def said() -> bool:
        live = farm.live()
        return bool(live and live.last_error and "No analysis worker" in live.last_error)

    wait_for(said, 20, f"the hint; {farm.live()}")
    farm.worker()
    farm.wait_processed(folder, "a.png")
    assert farm.processed(folder)["a.png"].tries == 0


def test_a_model_that_is_on_no_machine_is_waited_for(farm: Farm) -> None:
    still(farm.media / "a.png", 1)
    folder = farm.watch()
    farm.start_watching()
    empty = farm.folder / "no-models"
    empty.mkdir()
    farm.watcher()
    without = farm.worker(0, RUSHES_MODELS_DIR=str(empty))

    def said() -> bool:
        live = farm.live()
        return bool(live and live.last_error and "is not on this machine" in live.last_error)

    wait_for(said, 30, f"the hint; {farm.live()}")
    without.end()
    farm.worker(1)
    farm.wait_processed(folder, "a.png")
    assert farm.processed(folder)["a.png"].tries == 0


def test_a_redis_that_goes_away_holds_nothing_against_files(
    tmp_path: Path, own_redis: PrivateRedis
) -> None:
    farm = Farm(tmp_path, own_redis.url)
    try:
        for n in range(4):
            still(farm.media / f"{n}.png", n)
        farm.worker()
        folder = farm.watch()
        farm.start_watching()
        farm.watcher()
        farm.wait_processed(folder, *(f"{n}.png" for n in range(4)))
        own_redis.stop()
        for n in range(4, 8):
            still(farm.media / f"{n}.png", n)
        own_redis.start()
        farm.client = connect(own_redis.url)
        farm.wait_processed(folder, *(f"{n}.png" for n in range(8)), timeout_s=60)
        assert {file.tries for file in farm.processed(folder).values()} == {0}
        assert set(farm.published().values()) == {1}
    finally:
        farm.close()


def test_a_bad_file_is_tried_again_with_pauses_and_a_mended_one_has_new_tries(farm: Farm) -> None:
    bad = farm.media / "bad.mp4"
    bad.write_bytes(b"this is no video at all" * 100)
    still(farm.media / "good.png", 1)
    farm.worker()
    folder = farm.watch()
    farm.start_watching()
    farm.watcher()

    def tried() -> bool:
        file = farm.group(folder, FileGroup.PENDING).get("bad.mp4")
        return file is not None and file.tries == 1 and file.next_try_at > 0

    wait_for(tried, 20, f"one try; {farm.account(folder)}")
    farm.ask_retry(folder, str(bad))
    wait_for(lambda: len(farm.attempts(bad)) == 2, 20, "a second attempt")
    make_clip(bad, 1)
    farm.wait_processed(folder, "bad.mp4", "good.png")
    assert farm.processed(folder)["bad.mp4"].tries == 0


def test_silent_clips_are_no_failures_where_speech_is_wanted(farm: Farm) -> None:
    make_clip(farm.media / "silent.mp4", 1)
    farm.worker()
    folder = farm.watch(analyze_speech=True)
    farm.start_watching()
    farm.watcher()
    farm.wait_processed(folder, "silent.mp4")


def test_a_foreground_analysis_comes_first_and_ingestion_goes_on_by_itself(farm: Farm) -> None:
    for n in range(3):
        make_clip(farm.media / f"{n}.mp4", 4)
        make_clip(farm.folder / "desk" / f"{n}.mp4", 3)
    farm.worker_with()  # holds in the middle of a file until it is released
    folder = farm.watch()
    farm.start_watching()
    farm.watcher()
    farm.wait_marker()
    task = farm.submit([farm.folder / "desk" / "0.mp4"])
    farm.wait_state("paused")
    farm.release()
    assert farm.wait_final(task).status == "completed"
    farm.wait_processed(folder, "0.mp4", "1.mp4", "2.mp4")
    assert {file.tries for file in farm.processed(folder).values()} == {0}
    assert all(t.status == "completed" for t in farm.ledger.recent() if t.kind is TaskKind.INGEST)
