"""Loading transcripts: replicas, restarts, kills, damage, and what was deleted."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from api.cache.caches import Caches
from api.search.transcripts import log as transcript_log
from api.search.transcripts.index import TranscriptIndex
from api.search.transcripts.loader import TranscriptLoader
from api.search.transcripts.log import TranscriptLog
from api.search.transcripts.query import SpokenQuery
from shared.cache import cache_files
from shared.cache.cache_dir import CacheDir
from shared.domain import Stage
from shared.errors import BadInput, CacheError
from shared.opening import RootedPath
from shared.settings import Settings
from tests.support.search.search_data import (
    load,
    media_hash,
    publish,
    random_units,
    search_index,
    view_of,
)
from tests.support.search.transcript_data import SPEECH, publish_transcript, segments, told
from tests.support.system.tiny_disk import tiny_disk
from tests.support.waiting import wait_for

SPAWN = multiprocessing.get_context("spawn")


def fill(cache: CacheDir, files: int) -> None:
    for number in range(files):
        publish_transcript(cache, media_hash(number), segments("hello", f"file {number} speaks"))


def files_of(found: list[tuple[int, float, float, str]]) -> set[int]:
    return {number for number, *_ in found}


def untouched(cache: CacheDir) -> None:
    """From now on, nobody may read an artefact."""
    for path in cache.root.path.glob("media/*/*/transcript.*"):
        path.write_bytes(b"{")


def test_replaced_transcripts_are_found_and_the_old_are_not(cache, index, replica) -> None:
    publish_transcript(cache, media_hash(1), segments("old words"))
    assert len(told(index, cache, "old words")) == 1
    publish_transcript(cache, media_hash(1), segments("new words"))
    for one in (index, replica):
        assert told(one, cache, "old") == []
        assert told(one, cache, "new words") == [(1, 0, 5, "new words")]


def test_a_restart_and_a_replica_read_no_artefact_again(cache, index, replica) -> None:
    fill(cache, 30)
    assert len(told(index, cache, "speaks", max_results=99)) == 30
    untouched(cache)
    publish_transcript(cache, media_hash(99), segments("the newest speaks"))
    for one in (index, replica):
        assert len(told(one, cache, "speaks", max_results=99)) == 31


def test_a_search_with_nothing_new_reads_no_manifest(cache, index) -> None:
    fill(cache, 3)
    told(index, cache, "absent")
    manifests = list(cache.root.path.glob("media/*/*/manifest.*"))
    for path in manifests:
        os.utime(path, ns=(0, path.stat().st_mtime_ns))
    told(index, cache, "absent")
    assert all(path.stat().st_atime_ns == 0 for path in manifests)


def test_after_a_restart_the_folders_of_sound_files_are_not_looked_into(
    cache, index, replica, tmp_path
) -> None:
    sound = tmp_path / "a.wav"
    sound.write_bytes(b"sound")
    publish_transcript(cache, media_hash(1), segments("hello"), path=sound)
    told(index, cache, "hello")
    (manifest,) = cache.root.path.glob("media/*/*/manifest.*")
    os.utime(manifest, ns=(0, manifest.stat().st_mtime_ns))
    assert len(told(replica, cache, "hello")) == 1
    assert manifest.stat().st_atime_ns == 0


def test_load_says_which_transcripts_are_unusable_and_why(cache, index) -> None:
    data = {
        number: publish_transcript(cache, media_hash(number), segments(f"hello {number}"))
        for number in range(7)
    }
    whole = data[1].read_bytes()
    data[1].write_bytes(whole[:-10])
    data[2].unlink()
    data[3].write_bytes(whole.replace(b'"end":5.0', b'"end":-5.0'))
    data[4].write_bytes(b"\xff\xfe")
    next(cache.media_dir(media_hash(5)).path.glob("manifest.transcript*")).write_bytes(b"{")
    data[6].write_bytes(whole.replace(b"hello 1", b"\\ud800"))
    report = load(index, cache)
    assert report.transcription_files == 1
    reasons = {int(skipped.hash_str, 16): skipped.reason for skipped in report.skipped}
    assert set(reasons) == {1, 2, 3, 4, 5, 6}
    assert "is damaged" in reasons[1]
    assert "is missing" in reasons[2]
    assert "from 0.0 to -5.0 s" in reasons[3]
    assert "is broken" in reasons[5]
    assert files_of(told(index, cache, "hello")) == {0}
    data[1].write_bytes(whole)  # mended
    assert load(index, cache).transcription_files == 2
    assert files_of(told(index, cache, "hello")) == {0, 1}


def test_a_damaged_new_transcript_hides_the_old_one_and_leaves_other_models(cache, index) -> None:
    publish_transcript(cache, media_hash(1), segments("hello"))
    publish_transcript(cache, media_hash(1), segments("hello from tiny"), model="tiny")
    assert told(index, cache, "hello") == [(1, 0, 5, "hello")]
    publish_transcript(cache, media_hash(1), segments("hello again")).write_bytes(b"{")
    assert told(index, cache, "hello") == [(1, 0, 5, "hello from tiny")]


def test_load_for_media_names_what_is_missing(cache, index) -> None:
    fill(cache, 3)
    shutil.rmtree(cache.root.path / "catalog")
    view = view_of(index, cache)
    report = index.transcripts.load_for_media(view, [media_hash(1), media_hash(9)])
    assert (report.transcription_files, report.missing) == (1, {media_hash(9)})
    assert index.transcripts.load_for_media(view, []).transcription_files == 0


def test_a_transcript_that_was_never_announced_is_found_by_loading(cache, index) -> None:
    publish(cache, media_hash(1), random_units(5, 8, 1))
    assert told(index, cache, "hello") == []
    lines = {path: path.read_bytes() for path in cache.root.path.glob("catalog/*.jsonl")}
    publish_transcript(cache, media_hash(1), segments("hello"))
    for path, content in lines.items():  # the worker was killed before it could
        path.write_bytes(content)
    assert told(index, cache, "hello") == []
    view = index.caches.open(str(cache.root), thorough=True)
    report = index.transcripts.load(view, look_for_more=True)
    assert report.transcription_files == 1
    assert files_of(told(index, cache, "hello")) == {1}


@pytest.mark.parametrize("part", ["catalog", "rushes.json", "catalog/*.jsonl"])
def test_what_was_deleted_is_found_again_by_looking(cache, index, replica, part) -> None:
    fill(cache, 5)
    assert len(told(index, cache, "hello")) == 5
    for path in cache.root.path.glob(part):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    publish_transcript(cache, media_hash(50), segments("hello"))
    for one in (index, replica):
        assert len(told(one, cache, "hello")) == 6
        assert load(one, cache).transcription_files == 6


def test_deleted_transcripts_are_no_longer_found(cache, index, replica) -> None:
    fill(cache, 4)
    assert len(told(index, cache, "hello")) == 4
    shutil.rmtree(cache.media_dir(media_hash(2)).path)
    cache_files.manifest_path(cache.root, media_hash(3), Stage.TRANSCRIPT, SPEECH).path.unlink()
    for one in (index, replica):
        assert files_of(told(one, cache, "hello")) == {0, 1}
        assert told(one, cache, "hello", [media_hash(2)]) == []
        assert load(one, cache).transcription_files == 2


def test_loading_does_not_count_what_was_deleted(cache, index) -> None:
    fill(cache, 4)
    assert load(index, cache).transcription_files == 4
    cache_files.manifest_path(cache.root, media_hash(3), Stage.TRANSCRIPT, SPEECH).path.unlink()
    hashes = [media_hash(number) for number in (2, 3)]
    report = index.transcripts.load_for_media(view_of(index, cache), hashes)
    assert (report.transcription_files, report.missing) == (1, {media_hash(3)})
    cache_files.manifest_path(cache.root, media_hash(2), Stage.TRANSCRIPT, SPEECH).path.unlink()
    view = index.caches.open(str(cache.root), thorough=True)
    assert index.transcripts.load(view, look_for_more=True).transcription_files == 2


def test_what_is_published_again_while_it_is_forgotten_stays(cache, settings) -> None:
    fill(cache, 2)
    caches = Caches(settings)
    pool = ThreadPoolExecutor(1)
    transcripts = TranscriptIndex(settings.state_dir / "transcripts", caches, pool, 1)
    keys = [(media_hash(number), SPEECH) for number in range(2)]
    view = caches.open(str(cache.root), thorough=True)
    assert transcripts.load(view, look_for_more=True).transcription_files == 2
    cache_files.manifest_path(cache.root, media_hash(0), Stage.TRANSCRIPT, SPEECH).path.unlink()
    view = caches.open(str(cache.root))
    log = TranscriptLog(settings.state_dir / "transcripts" / view.key)
    TranscriptLoader(view, log, caches.reader(view.cache)).remove(keys, 5)
    found = transcripts.search(view, SpokenQuery("hello", SPEECH))
    assert [hit.hash_str for hit in found] == [media_hash(1)]
    pool.shutdown()
    caches.close()


def test_a_share_that_vanished_deletes_nothing(cache, index) -> None:
    fill(cache, 3)
    assert len(told(index, cache, "hello")) == 3
    away = cache.root.path.rename(cache.root.path.with_name("away"))
    with pytest.raises(BadInput, match="There is no cache folder"):
        told(index, cache, "hello")
    cache.root.path.mkdir()  # an empty mount point
    assert told(index, cache, "hello") == []
    cache.root.path.rmdir()
    away.rename(cache.root.path)
    untouched(cache)
    assert len(told(index, cache, "hello")) == 3


@pytest.mark.parametrize("pattern", ["transcripts", "transcripts/*", "transcripts/*/spoken.1.log"])
def test_the_server_may_lose_its_own_files_between_two_searches(
    cache, index, settings, pattern
) -> None:
    fill(cache, 3)
    assert len(told(index, cache, "hello")) == 3
    (path,) = settings.state_dir.glob(pattern)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert len(told(index, cache, "hello")) == 3


@pytest.mark.parametrize("damage", ["cut", "torn", "zeros", "head", "body"])
def test_damage_to_the_servers_own_file_is_mended(cache, index, settings, damage) -> None:
    fill(cache, 3)
    assert len(told(index, cache, "hello")) == 3
    (log,) = settings.state_dir.glob("transcripts/*/*.log")
    whole = log.read_bytes()
    at_body = whole.rfind(b"hello")
    log.write_bytes(
        {
            "cut": whole[:-20],
            "torn": whole + whole[:90],
            "zeros": whole + bytes(200),
            "head": whole.replace(b"file 1 speaks", b"file 7 speaks", 1),
            "body": whole[:at_body] + b"HELLO" + whole[at_body + 5 :],
        }[damage]
    )
    publish_transcript(cache, media_hash(9), segments("hello"))
    with search_index(settings) as fresh:
        for one in (fresh, index):
            found = told(one, cache, "hello")
            assert files_of(found) == {0, 1, 2, 9}
            assert {text for *_, text in found} == {"hello"}


def test_much_replaced_text_is_compacted_away_while_replicas_go_on(
    cache, index, replica, settings, monkeypatch
) -> None:
    monkeypatch.setattr(transcript_log, "_DEAD_BYTES_WORTH_COMPACTING", 10_000)
    publish_transcript(cache, media_hash(2), segments("hello"))
    for turn in range(12):
        publish_transcript(cache, media_hash(1), segments(f"hello {turn}", "word " * 500))
        for one in (index, replica):
            assert [text for *_, text in told(one, cache, "hello")] == [f"hello {turn}", "hello"]
    (log,) = settings.state_dir.glob("transcripts/*/*.log")
    assert log.stat().st_size < 5 * 5_000


def test_a_copied_cache_folder_has_its_own_transcripts(cache, index) -> None:
    fill(cache, 2)
    assert len(told(index, cache, "hello")) == 2
    copy = CacheDir(RootedPath.alone(cache.root.path.with_name("copy")), cache.id)
    shutil.copytree(cache.root.path, copy.root.path)
    publish_transcript(cache, media_hash(8), segments("hello"))
    assert files_of(told(index, cache, "hello")) == {0, 1, 8}
    assert files_of(told(index, copy, "hello")) == {0, 1}


def test_threads_search_while_transcripts_arrive(cache, index) -> None:
    fill(cache, 3)
    with ThreadPoolExecutor(4) as pool:
        searches = [pool.submit(told, index, cache, f"file {turn % 3} sp") for turn in range(60)]
        for number in range(10, 20):
            publish_transcript(cache, media_hash(number), segments("hello"))
        for turn, search in enumerate(searches):
            assert files_of(search.result()) == {turn % 3}
    assert load(index, cache).transcription_files == 13


def _load(state: Path, root: Path, gate: object, out: object) -> None:
    with search_index(Settings(state_dir=state)) as index:
        gate.wait()  # type: ignore[attr-defined]
        cache = CacheDir.open(root, create=False)
        out.put(told(index, cache, "hello", max_results=500))  # type: ignore[attr-defined]


def test_processes_that_load_at_once_agree_and_store_each_text_once(cache, settings) -> None:
    fill(cache, 100)
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
    assert len(answers[0]) == 100
    assert answers[0] == answers[1] == answers[2]
    (log,) = settings.state_dir.glob("transcripts/*/*.log")
    assert log.read_bytes().count(b"hello file 7 speaks") == 1


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
    fill(cache, 150)
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(settings.state_dir), str(cache.root)],
        stdout=subprocess.PIPE,
    )
    wait_for(
        lambda: any(
            path.stat().st_size > 2000 for path in settings.state_dir.glob("transcripts/*/*.log")
        ),
        30,
        "the first transcripts in the log",
    )
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert child.stdout is not None
    child.stdout.close()
    assert len(told(index, cache, "hello", max_results=500)) == 150


def test_a_full_state_dir_is_a_clear_error_and_no_end(cache, settings, tmp_path) -> None:
    fill(cache, 3)
    with (
        tiny_disk(tmp_path / "tiny") as disk,
        search_index(replace(settings, state_dir=disk)) as index,
    ):
        assert len(told(index, cache, "hello")) == 3
        publish_transcript(cache, media_hash(9), segments(*["hello " * 100_000] * 8))
        before = shutil.disk_usage(disk).used
        with pytest.raises(CacheError, match="RUSHES_STATE_DIR needs room"):
            told(index, cache, "hello")
        assert shutil.disk_usage(disk).used - before < 20_000
        publish_transcript(cache, media_hash(9), segments("hello"))
        assert len(told(index, cache, "hello")) == 4
