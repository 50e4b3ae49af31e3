"""What hinders ingestion is waited for with a reason; it is never held against the files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from shared.domain import TaskKind
from shared.redis.clients import connect
from shared.watch.options import FileGroup
from tests.support.media.media import make_clip
from tests.support.private_redis import PrivateRedis
from tests.support.system.tiny_disk import tiny_disk
from tests.support.waiting import wait_for
from tests.support.watch.ingest_stack import IngestStack, still


def test_a_full_cache_disk_fails_no_file_and_all_are_done_once_it_is_enlarged(
    served: IngestStack,
) -> None:
    names = [f"{n:03d}.png" for n in range(100)]
    for n, name in enumerate(names):
        still(served.media / name, n, side=96)
    with tiny_disk(served.folder / "disk", kib=1024) as disk:
        folder = served.watch(cache_dir=disk / "cache", image_sequences="stills")
        served.start_watching()
        served.watcher()
        served.wait_reason(folder, "is full", 60)
        files = served.files.all(folder.id)
        assert {file.group for file in files.values()} <= {FileGroup.PENDING, FileGroup.PROCESSED}
        assert {file.tries for file in files.values()} == {0}
        assert served.group(folder, FileGroup.PENDING)
        command = ["mount", "-o", "remount,size=65536k", str(disk)]
        subprocess.run(command, check=True)
        served.wait_processed(folder, *names, timeout_s=90)
        assert set(served.published(disk / "cache").values()) == {1}


def test_a_read_only_cache_is_waited_for(served: IngestStack) -> None:
    with tiny_disk(served.folder / "disk", kib=8192) as disk:
        folder = served.watch(cache_dir=disk / "cache")
        served.start_watching()
        served.watcher()
        still(served.media / "a.png", 1)
        served.wait_processed(folder, "a.png")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        still(served.media / "b.png", 2)
        served.wait_reason(folder, "read-only", 40)
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        served.wait_processed(folder, "a.png", "b.png", timeout_s=60)
        assert served.processed(folder)["b.png"].tries == 0


def test_a_cache_that_is_gone_is_waited_for_and_made_anew_only_when_asked(
    served: IngestStack,
) -> None:
    still(served.media / "a.png", 1)
    folder = served.watch()
    served.start_watching()
    served.watcher()
    served.wait_processed(folder, "a.png")
    served.cache.rename(served.folder / "elsewhere")
    still(served.media / "b.png", 2)
    served.wait_reason(folder, "is gone or empty")
    assert not served.cache.exists(), "nothing is begun in its place"
    (served.folder / "elsewhere").rename(served.cache)
    served.wait_processed(folder, "a.png", "b.png")
    assert served.ingested() == 2
    shutil.rmtree(served.cache)
    still(served.media / "c.png", 3)
    served.wait_reason(folder, "is gone or empty")
    served.ask_retry(folder)
    served.wait_processed(folder, "a.png", "b.png", "c.png")
    assert len(served.published()) == 6, "all three are analysed into the new one"


def test_without_a_worker_files_wait_and_say_why(ingest: IngestStack) -> None:
    still(ingest.media / "a.png", 1)
    folder = ingest.watch()
    ingest.start_watching()
    ingest.watcher()

    def said() -> bool:
        live = ingest.live()
        return bool(live and live.last_error and "No analysis worker" in live.last_error)

    wait_for(said, 20, f"the hint; {ingest.live()}")
    ingest.worker_with_fake_embedder()
    ingest.wait_processed(folder, "a.png")
    assert ingest.processed(folder)["a.png"].tries == 0


def test_a_model_that_is_on_no_machine_is_waited_for(ingest: IngestStack) -> None:
    still(ingest.media / "a.png", 1)
    folder = ingest.watch()
    ingest.start_watching()
    empty = ingest.folder / "no-models"
    empty.mkdir()
    ingest.watcher()
    without = ingest.worker_with_fake_embedder(0, RUSHES_MODELS_DIR=str(empty))

    def said() -> bool:
        live = ingest.live()
        return bool(live and live.last_error and "is not on this machine" in live.last_error)

    wait_for(said, 30, f"the hint; {ingest.live()}")
    without.end()
    ingest.worker_with_fake_embedder(1)
    ingest.wait_processed(folder, "a.png")
    assert ingest.processed(folder)["a.png"].tries == 0


def test_a_redis_that_goes_away_holds_nothing_against_files(
    tmp_path: Path, own_redis: PrivateRedis
) -> None:
    ingest = IngestStack(tmp_path, own_redis.url)
    try:
        for n in range(4):
            still(ingest.media / f"{n}.png", n)
        ingest.worker_with_fake_embedder()
        folder = ingest.watch()
        ingest.start_watching()
        ingest.watcher()
        ingest.wait_processed(folder, *(f"{n}.png" for n in range(4)))
        own_redis.stop()
        for n in range(4, 8):
            still(ingest.media / f"{n}.png", n)
        own_redis.start()
        ingest.client = connect(own_redis.url)
        ingest.wait_processed(folder, *(f"{n}.png" for n in range(8)), timeout_s=60)
        assert {file.tries for file in ingest.processed(folder).values()} == {0}
        assert set(ingest.published().values()) == {1}
    finally:
        ingest.close()


def test_a_bad_file_is_tried_again_with_pauses_and_a_mended_one_has_new_tries(
    served: IngestStack,
) -> None:
    bad = served.media / "bad.mp4"
    bad.write_bytes(b"this is no video at all" * 100)
    still(served.media / "good.png", 1)
    folder = served.watch()
    served.start_watching()
    served.watcher()

    def tried() -> bool:
        file = served.group(folder, FileGroup.PENDING).get("bad.mp4")
        return file is not None and file.tries == 1 and file.next_try_at > 0

    wait_for(tried, 20, f"one try; {served.account(folder)}")
    served.ask_retry(folder, str(bad))
    wait_for(lambda: len(served.attempts(bad)) == 2, 20, "a second attempt")
    make_clip(bad, 1)
    served.wait_processed(folder, "bad.mp4", "good.png")
    assert served.processed(folder)["bad.mp4"].tries == 0


def test_silent_clips_are_no_failures_where_speech_is_wanted(served: IngestStack) -> None:
    make_clip(served.media / "silent.mp4", 1)
    folder = served.watch(analyze_speech=True)
    served.start_watching()
    served.watcher()
    served.wait_processed(folder, "silent.mp4")
    assert served.processed(folder)["silent.mp4"].reason == "It has no audio track."
    [task] = served.ledger.recent()
    assert (task.message, task.failed_files) == ("Completed.", ())


def test_a_foreground_analysis_comes_first_and_ingestion_goes_on_by_itself(
    ingest: IngestStack,
) -> None:
    for n in range(3):
        make_clip(ingest.media / f"{n}.mp4", 4)
        make_clip(ingest.folder / "desk" / f"{n}.mp4", 3)
    ingest.worker_with()  # holds in the middle of a file until it is released
    folder = ingest.watch()
    ingest.start_watching()
    ingest.watcher()
    ingest.wait_marker()
    task = ingest.submit([ingest.folder / "desk" / "0.mp4"])
    ingest.wait_state("paused")
    ingest.release()
    assert ingest.wait_final(task).status == "completed"
    ingest.wait_processed(folder, "0.mp4", "1.mp4", "2.mp4")
    assert {file.tries for file in ingest.processed(folder).values()} == {0}
    assert all(t.status == "completed" for t in ingest.ledger.recent() if t.kind is TaskKind.INGEST)
