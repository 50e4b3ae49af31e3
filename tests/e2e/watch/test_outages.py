"""Watch folders when processes end, are killed or start anew; seen by a client of the API."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.watch.live import LEASE_S
from tests.support.media.media import Encoding, make_clip, picture_video
from tests.support.media.photos import known_photos
from tests.support.private_redis import PrivateRedis, private_redis
from tests.support.stack import Client, Process, Stack, running_stack
from tests.support.system.stopwatch import Stopwatch
from tests.support.waiting import wait_for
from tests.support.watch.ingest import Folder, Ingest, artefacts

LONG = Encoding(fps=2, gop=4)


def film(path: Path, name: str) -> Path:
    return picture_video(path, [(known_photos()[name], 3)], encoding=LONG)


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "incoming"
    folder.mkdir()
    return folder


@pytest.fixture
def kept_redis() -> Iterator[PrivateRedis]:
    """A Redis that keeps its data over a kill."""
    with private_redis(append_only=True) as server:
        yield server


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that clients know by other names."""
    return tmp_path_factory.mktemp("share")


@pytest.fixture(scope="module")
def idle_stack(share: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All but a watcher."""
    path_map = {"RUSHES_PATH_MAP": f"Z:\\footage={share};/Volumes/footage={share}"}
    folder = tmp_path_factory.mktemp("stack")
    with private_redis() as redis, running_stack(folder, redis.url, **path_map) as stack:
        yield stack


@pytest.fixture
def stack(idle_stack: Stack) -> Iterator[Stack]:
    """The same; afterwards nothing is watched, the service is stopped and no watcher runs."""
    yield idle_stack
    ingest = Ingest(idle_stack.client(len(idle_stack.ports) - 1))
    for folder in ingest.client.get("/watch-folders").json()["watch_folders"]:
        Folder(ingest, folder["id"], folder["cache_dir"]).delete()
    ingest.stop()
    for name in [name for name in idle_stack.processes if name.startswith("watcher")]:
        idle_stack.processes.pop(name).end()


def watchers(ingest: Ingest) -> int:
    return int(ingest.client.get("/ready").json()["workers"].get("watcher", 0))


def kill(*processes: Process) -> None:
    for process in processes:
        process.kill()
        process.popen.wait(5)


def empty(redis: PrivateRedis) -> None:
    """It is stopped, and comes up with nothing."""
    kept = list(redis.socket.parent.glob("appendonly*"))
    assert kept
    for path in kept:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def start_all(stack: Stack, *kinds: str) -> Client:
    for kind in kinds:
        stack.start_worker(kind, 1)
    return stack.start_api()


def test_a_spare_watcher_takes_over_from_a_killed_one_within_15_seconds(
    stack: Stack, tmp_path: Path, media: Path
) -> None:
    film(media / "cat.mp4", "cat")
    ingest = Ingest(stack.client())
    folder = ingest.add(media, tmp_path / "cache")
    assert "No watcher is running" in stack.client().ok("/watch-folders/service/start")["message"]
    assert "No watcher is running" in ingest.status()["last_error"]
    assert ingest.status()["state"] == "waiting"
    first = stack.start_worker("watcher", 0)
    folder.wait_processed(1)
    spare = stack.start_worker("watcher", 1)
    wait_for(lambda: watchers(ingest) == 2, 15, "both of them")
    kill(first)
    stopwatch = Stopwatch(stack)
    film(media / "coffee.mp4", "coffee")
    wait_for(lambda: "active watcher now" in spare.text(), 30, "the spare to take over")
    assert stopwatch.seconds() < LEASE_S - 1, "it does not wait for the lease to run out"
    folder.wait_processed(2)
    assert folder.found("an espresso") == str(media / "coffee.mp4")


def test_clients_have_their_own_form_of_paths_everywhere(stack: Stack, share: Path) -> None:
    films = share / "Tag 1"
    films.mkdir()
    make_clip(films / "Ü #1%.mp4", seconds=60, encoding=LONG)
    (films / "bad.mp4").write_bytes(b"this is no video at all" * 100)
    stack.start_worker("watcher", 4)
    ingest = Ingest(stack.client())
    began = time.time()
    ingest.start()
    windows = "Z:\\footage\\Tag 1"
    with ingest.room() as room:
        room.join("watch-folders")
        folder = ingest.add(windows, "Z:\\footage\\cache")
        wait_for(lambda: ingest.status()["current_file"], 30, "a file to be in work")
        wait_for(lambda: folder.stats()["files_processed"] == 1, 30, folder.account)
        events = list(room.events)
    good, bad = f"{windows}\\Ü #1%.mp4", f"{windows}\\bad.mp4"
    named = {event["current_file"] for event in events} - {None}
    assert good in named
    assert named <= {good, bad}
    assert {event["current_folder"] for event in events} - {None} == {windows}
    assert set(folder.files("processed")) == {good}
    wait_for(lambda: bad in folder.files("pending"), 30, folder.account)
    tasks = [t for t in ingest.client.get("/tasks").json()["tasks"] if t["created_at"] > began]
    assert {t["media_path"] for t in tasks} - {None} <= {good, bad}
    failed = [f["media_path"] for t in tasks for f in t["failed_files"]]
    assert failed == [bad]
    [listed] = ingest.client.get("/watch-folders").json()["watch_folders"]
    assert (listed["path"], listed["cache_dir"]) == (windows, "Z:\\footage\\cache")
    assert folder.found("red") == good
    share.rename(share.with_name("away"))
    assert windows in folder.wait_reason("is missing")["reason"]
    wait_for(lambda: "is missing" in (ingest.status()["last_error"] or ""), 5, "last_error")
    assert str(share) not in str([*events, ingest.status(), folder.files("pending"), tasks])
    assert folder.delete().startswith(windows)


def test_a_watcher_and_an_api_that_start_again_go_on_where_they_were(
    stack: Stack, tmp_path: Path, media: Path
) -> None:
    film(media / "cat.mp4", "cat")
    cache = tmp_path / "cache"
    watcher = stack.start_worker("watcher", 2)
    ingest = Ingest(stack.client())
    ingest.start()
    folder = ingest.add(media, cache)
    folder.wait_processed(1)
    watcher.end()
    made = artefacts(cache)
    film(media / "coffee.mp4", "coffee")
    stack.processes["api-0"].end()
    stack.start_worker("watcher", 3)
    again = Ingest(stack.start_api())
    assert [f["id"] for f in again.client.get("/watch-folders").json()["watch_folders"]] == [
        folder.id
    ]
    folder = folder.of(again)
    with again.room() as room:
        room.join("watch-folders")
        folder.wait_processed(2)
        wait_for(lambda: room.events[-1]["files_pending"] == 0, 10, "the last counts")
    assert again.wait_state("waiting")["files_processed_this_session"] == 1
    assert folder.found("a cat") == str(media / "cat.mp4")
    assert folder.found("an espresso") == str(media / "coffee.mp4")
    assert {path: artefacts(cache)[path] for path in made} == made


@pytest.mark.parametrize("is_kept", [True, False], ids=["redis kept", "redis emptied"])
def test_a_started_service_runs_again_by_itself_after_everything_was_killed(
    tmp_path: Path, media: Path, kept_redis: PrivateRedis, is_kept: bool
) -> None:
    cache = tmp_path / "cache"
    film(media / "cat.mp4", "cat")
    with running_stack(tmp_path / "stack", kept_redis.url) as stack:
        stack.start_worker("watcher", 0)
        ingest = Ingest(stack.client())
        ingest.start()
        folder = ingest.add(media, cache, excluded_filename_globs=["no_*"])
        folder.wait_processed(1)
        for n in range(3):
            make_clip(media / f"{n}.mp4", seconds=60, encoding=LONG)
        wait_for(lambda: ingest.status()["current_file"], 30, "a file to be in work")
        kept_redis.stop()
        kill(*stack.processes.values())
        made = artefacts(cache)
        film(media / "coffee.mp4", "coffee")
        if not is_kept:
            empty(kept_redis)
        kept_redis.start()
        again = Ingest(start_all(stack, "query", "analysis", "watcher"))
        folder = folder.of(again)
        stats = folder.wait_processed(5, timeout_s=90)
        assert stats["files_failed"] == 0
        assert folder.found("a cat") == str(media / "cat.mp4")
        assert folder.found("an espresso") == str(media / "coffee.mp4")
        assert {path: artefacts(cache)[path] for path in made} == made, "nothing was done again"
        assert len(artefacts(cache)) == 10
        [kept] = again.client.get("/watch-folders").json()["watch_folders"]
        assert (kept["id"], kept["excluded_filename_globs"]) == (folder.id, ["no_*"])
        assert again.wait_state("waiting")["last_error"] is None


def test_a_stopped_service_stays_stopped_after_everything_was_killed(
    tmp_path: Path, media: Path, kept_redis: PrivateRedis
) -> None:
    film(media / "cat.mp4", "cat")
    with running_stack(tmp_path / "stack", kept_redis.url, query=0) as stack:
        stack.start_worker("watcher", 0)
        ingest = Ingest(stack.client())
        ingest.start()
        folder = ingest.add(media, tmp_path / "cache")
        folder.wait_processed(1)
        assert ingest.stop() in ("stopping", "stopped")
        kept_redis.stop()
        kill(*stack.processes.values())
        kept_redis.start()
        again = Ingest(start_all(stack, "analysis", "watcher"))
        wait_for(lambda: watchers(again), 15, "the watcher")
        again.wait_state("stopped", 15)  # a killed watcher's last words hold for its lease
        stats = folder.of(again).stats()
        assert (stats["state"], stats["files_processed"]) == ("stopped", 1)
