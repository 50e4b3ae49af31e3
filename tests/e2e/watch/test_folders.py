"""Watch folders through the public API only: put films into a folder and find them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.support.media.faces_film import film_of
from tests.support.media.media import Encoding, make_clip, make_still, picture_video
from tests.support.media.photos import known_photos
from tests.support.media.sounds import write_sounds
from tests.support.media.speech import RATE, spoken
from tests.support.private_redis import private_redis
from tests.support.socketio_client import Watcher
from tests.support.stack import Stack, running_stack
from tests.support.system.stopwatch import Stopwatch
from tests.support.waiting import wait_for
from tests.support.watch.ingest import Folder, Ingest, artefacts

LONG = Encoding(fps=2, gop=4)  # seconds that are quick to make and take time to analyse
SAID = "The old lighthouse keeper walked down to the water every morning."


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One of each process."""
    folder = tmp_path_factory.mktemp("stack")
    with private_redis() as redis, running_stack(folder, redis.url) as stack:
        stack.start_worker("watcher")
        yield stack


@pytest.fixture
def ingest(stack: Stack) -> Iterator[Ingest]:
    """The service is stopped and watches nothing."""
    server = Ingest(stack.client())
    yield server
    for folder in server.client.get("/watch-folders").json()["watch_folders"]:
        Folder(server, folder["id"], folder["cache_dir"]).delete()
    server.stop()
    server.wait_state("stopped")


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "incoming"
    folder.mkdir()
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def film(path: Path, name: str, seconds: float = 3) -> Path:
    return picture_video(path, [(known_photos()[name], seconds)], encoding=LONG)


def people_in(folder: Folder) -> int:
    """How many people the collection has."""
    query = {"cache_dir": folder.cache_dir, "cluster_job_name": "Season 1"}
    answer = folder.ingest.client.http.get("/faces/clusters", params=query)
    jobs = answer.json().get("cluster_jobs", [])
    return sum(c["cluster_id"] != "-1" for job in jobs for c in job["clusters"])


def test_films_put_into_a_folder_are_found_by_what_they_show(
    ingest: Ingest, media: Path, cache: Path
) -> None:
    cat = film(media / "A001.mp4", "cat", 30)
    coffee = film(media / "day 2" / "B001.mov", "coffee", 30)
    (media / "A001.xml").write_text("a sidecar")
    assert ingest.status()["state"] == "stopped"
    assert ingest.start() == "waiting"
    with ingest.room() as room:
        assert room.join("watch-folders") == {"message": "Joined.", "task_id": "watch-folders"}
        folder = ingest.add(media, cache, settle_seconds=2)
        folder.wait_processed(2)
        ingest.wait_state("waiting")
        wait_for(lambda: room.events[-1]["state"] == "waiting", 5, "the last event")
        events = list(room.events)
    pending = [event["files_pending"] for event in events]
    most = pending.index(max(pending))
    assert pending[most] == 2
    assert pending[most:] == sorted(pending[most:], reverse=True)
    assert pending[-1] == 0
    running = [event for event in events if event["current_file"]]
    assert {event["current_file"] for event in running} <= {str(cat), str(coffee)}
    assert {event["state"] for event in running} == {"running"}
    assert {event["current_folder"] for event in running} == {str(media)}
    last = {k: v for k, v in events[-1].items() if k not in ("task_id", "type")}
    assert last == ingest.status()
    assert last["files_processed_this_session"] == 2
    assert last["last_error"] is None
    stats = folder.stats()
    assert (stats["files_total"], stats["files_failed"], stats["failures"]) == (2, 0, [])
    assert stats["last_scan_at"] <= time.time()
    assert stats["is_polling"] is False
    assert folder.found("a cat") == str(cat)
    assert folder.found("an espresso") == str(coffee)
    rocket = film(media / "day 3" / "C001.mp4", "rocket")
    wait_for(lambda: folder.found("a space shuttle") == str(rocket), 30, "a film that came later")
    made = artefacts(cache)
    assert folder.delete().startswith(f"{media} is watched no more.")
    assert ingest.status()["folder_stats"] == {}
    assert folder.found("a space shuttle") == str(rocket), "what was analysed stays searchable"
    assert artefacts(cache) == made
    again = ingest.add(media, cache)
    again.wait_processed(3)
    assert {file["task_id"] for file in again.files("processed").values()} == {None}
    assert artefacts(cache) == made, "what is known is not analysed again"


def test_the_room_is_closed_to_those_without_a_key(ingest: Ingest) -> None:
    with Watcher(ingest.client.url) as room:
        answer = room.join("watch-folders")
        assert "licence key" in answer["message"]
        assert room.events == []


def test_analyses_that_come_again_and_again_never_meet_a_409(
    stack: Stack, ingest: Ingest, media: Path, cache: Path, tmp_path: Path
) -> None:
    for n in range(4):
        make_clip(media / f"{n}.mp4", seconds=60, encoding=LONG)
    ingest.start()
    folder = ingest.add(media, cache)
    for n in range(4):
        urgent = make_still(tmp_path / f"{n}.png", colour=(50 * n, 90, 200))
        wait_for(lambda: ingest.status()["current_file"], 30, "a file to be in work")
        stopwatch = Stopwatch(stack)
        task_id = ingest.client.analyze(tmp_path / "other", urgent)
        assert stopwatch.seconds() < 1
        assert ingest.client.wait_final(task_id)["status"] == "completed"
    folder.wait_processed(4)
    assert folder.stats()["files_failed"] == 0


def test_a_foreground_analysis_is_accepted_at_once_and_ingestion_goes_on_after_it(
    stack: Stack, ingest: Ingest, media: Path, cache: Path, tmp_path: Path
) -> None:
    films = [make_clip(media / f"{n}.mp4", seconds=80, encoding=LONG) for n in range(3)]
    urgent = make_clip(tmp_path / "urgent.mp4", seconds=400, encoding=LONG)
    ingest.start()
    folder = ingest.add(media, cache)
    wait_for(lambda: ingest.status()["current_file"], 30, "a file to be in work")
    with ingest.room() as room:
        room.join("watch-folders")
        stopwatch = Stopwatch(stack)
        task_id = ingest.client.analyze(tmp_path / "other", urgent)
        assert stopwatch.seconds() < 1
        paused = ingest.wait_state("paused")
        assert ingest.client.task(task_id)["status"] not in ("completed", "failed", "cancelled")
        assert paused["folder_stats"][folder.id]["state"] == "paused"
        assert paused["files_pending"] >= 1
        until = [paused["paused_until"]]
        record = ingest.client.wait_final(task_id)
        folder.wait_processed(3)
        held = [event for event in room.events if event["state"] == "paused"]
        until += [event["paused_until"] for event in held]
        assert {event["current_file"] for event in held} == {None}
        states = [event["state"] for event in room.events]
    assert record["status"] == "completed"
    assert states.index("running") < states.index("paused")
    assert "running" in states[states.index("paused") :]
    assert any(until), "when it is expected to go on"
    assert all(moment is None or moment > time.time() - 60 for moment in until)
    assert set(folder.files("processed")) == {str(path) for path in films}
    assert ingest.status()["last_error"] is None
    assert ingest.status()["paused_until"] is None


def test_changed_exclusions_and_analyses_apply_to_files_that_are_known(
    ingest: Ingest, media: Path, cache: Path
) -> None:
    people = film_of(media / "party.mp4", [("red", 6), ("hair", 6)])
    film(media / "proxy_cat.mp4", "cat")
    make_still(media / "flower.JPG", known_photos()["flower"])
    voice = write_sounds(media / "voice.wav", [spoken(SAID).pcm], rate=RATE)
    ingest.start()
    folder = ingest.add(
        media, cache, excluded_extensions=["jpg"], excluded_filename_globs=["PROXY_*"]
    )
    assert folder.wait_processed(1)["files_skipped"] == 1
    assert "analyze_visual" in folder.files("skipped")[str(voice)]["reason"]
    made = artefacts(cache)
    folder.put(excluded_extensions=[], excluded_filename_globs=[])
    folder.wait_processed(3)
    folder.put(analyze_speech=True, language="english")
    folder.wait_processed(4)
    folder.put(analyze_faces=True, cluster_job_name="Season 1")
    wait_for(lambda: people_in(folder) == 2, 60, lambda: f"two people; {folder.account()}")
    folder.wait_processed(4)
    client = ingest.client
    said = client.ok("/search/transcript", cache_dir=str(cache), query="to the water")
    assert [match["media_path"] for match in said["matches"]] == [str(voice)]
    assert folder.found("a cat") == str(media / "proxy_cat.mp4")
    assert {path: artefacts(cache)[path] for path in made} == made, "nothing was done again"
    folder.put(excluded_filename_globs=["party*"])
    wait_for(lambda: str(people) not in folder.files("processed"), 20, "it to be left out")
    assert folder.stats()["files_total"] == 3


def test_a_stopped_service_takes_nothing_and_a_started_one_what_came_meanwhile(
    ingest: Ingest, media: Path, cache: Path
) -> None:
    for n in range(3):
        make_clip(media / f"{n}.mp4", seconds=80, encoding=LONG)
    ingest.start()
    folder = ingest.add(media, cache)
    wait_for(lambda: ingest.status()["current_file"], 30, "a file to be in work")
    assert ingest.stop() == "stopping"
    status = ingest.wait_state("stopped")
    assert status["current_file"] is None
    assert status["folder_stats"][folder.id]["state"] == "stopped"
    assert folder.stats()["files_pending"] >= 1
    made = artefacts(cache)
    film(media / "late.mp4", "cat")
    assert ingest.stop() == "stopped"
    ingest.start()
    folder.wait_processed(4)
    ingest.wait_state("waiting")
    assert ingest.start() == "waiting", "starting twice is fine"
    assert {path: artefacts(cache)[path] for path in made} == made
    assert folder.found("a cat") == str(media / "late.mp4")


def test_a_file_that_fails_again_and_again_is_listed_and_gets_new_tries(
    ingest: Ingest, media: Path, cache: Path
) -> None:
    bad = media / "bad.mp4"
    bad.write_bytes(b"this is no video at all" * 100)
    film(media / "good.mp4", "cat")
    ingest.start()
    folder = ingest.add(media, cache)

    def tried() -> bool:
        file = folder.files("pending").get(str(bad))
        return file is not None and file["tries"] == 1

    wait_for(tried, 30, folder.account)
    assert folder.files("pending")[str(bad)]["reason"]
    answer = ingest.client.post(f"/watch-folders/{folder.id}/retry", paths=[str(bad)])
    assert answer.status_code == 404, "it has not failed yet: it waits for its next try"
    wait_for(lambda: "bad.mp4: " in (ingest.status()["last_error"] or ""), 5, "the last error")
    assert folder.stats()["failures"] == []
    assert folder.retry()["files"] == 0
    film(bad, "coffee")
    folder.wait_processed(2)
    assert folder.found("an espresso") == str(bad)


@pytest.fixture
def hasty(stack: Stack, ingest: Ingest) -> Iterator[Ingest]:
    """The same with a watcher that tries again soon."""
    stack.processes["watcher-0"].end()
    watcher = stack.start("watcher-0", "-m", "tests.support.programs.hasty_watcher")
    yield ingest
    assert watcher.end() == 0
    stack.start_worker("watcher")


def test_a_file_that_fails_three_times_is_listed_as_a_failure_until_it_is_mended(
    hasty: Ingest, media: Path, cache: Path
) -> None:
    bad = media / "bad.mp4"
    bad.write_bytes(b"this is no video at all" * 100)
    client, body = hasty.client, {"cache_dir": str(cache), "media_paths": [str(bad)]}
    hasty.start()
    folder = hasty.add(media, cache)

    def wait_failed(attempts: int) -> None:
        wait_for(lambda: folder.stats()["files_failed"] == 1, 30, folder.account)
        [failure] = folder.stats()["failures"]
        assert failure["path"] == str(bad)
        assert failure["tries"] == 3
        assert failure["error"]
        assert set(folder.files("failed")) == {str(bad)}
        tasks = client.get("/tasks").json()["tasks"]
        failed = [file["media_path"] for task in tasks for file in task["failed_files"]]
        assert failed.count(str(bad)) == attempts

    wait_failed(attempts=3)
    assert folder.retry(bad) == {"message": "1 failed file will be tried again.", "files": 1}
    wait_for(lambda: folder.stats()["files_failed"] == 0, 15, folder.account)
    wait_failed(attempts=6)
    assert client.ok("/analysis-data/left-out", **body, left_out=True)["changed"] == 1
    wait_for(lambda: str(bad) in folder.files("skipped"), 15, folder.account)
    assert "has left it out. " in folder.files("skipped")[str(bad)]["reason"]
    assert client.ok("/analysis-data/left-out", **body, left_out=False)["changed"] == 1
    wait_for(lambda: folder.stats()["files_failed"] == 1, 30, folder.account)
    film(bad, "cat")
    stats = folder.wait_processed(1)
    assert (stats["failures"], stats["files_failed"]) == ([], 0)
    assert folder.found("a cat") == str(bad)


def test_files_of_a_state_are_listed_in_pages(ingest: Ingest, media: Path, cache: Path) -> None:
    paths = [make_still(media / f"ü {n}.png", colour=(40 * n, 9, 9)) for n in range(5)]
    (media / "A001.braw").write_bytes(b"raw")
    ingest.start()
    folder = ingest.add(media, cache)
    folder.wait_processed(5)
    first = folder.page(state="processed", limit=2)
    second = folder.page(state="processed", limit=2, after=first["next"])
    third = folder.page(state="processed", limit=2, after=second["next"])
    assert third["next"] is None
    assert first["total"] == second["total"] == third["total"] == 5
    listed = [*first["files"], *second["files"], *third["files"]]
    assert [file["path"] for file in listed] == sorted(map(str, paths))
    assert {file["tries"] for file in listed} == {0}
    assert all(file["hash_str"] and file["task_id"] for file in listed)
    assert [file["size"] for file in listed] == [path.stat().st_size for path in sorted(paths)]
    [raw] = folder.page(state="unsupported")["files"]
    assert raw["reason"].startswith("Blackmagic RAW")
    assert folder.stats()["files_unsupported"] == 1
    assert folder.page()["files"] == []


def test_a_folder_is_worked_on_in_its_hours_only(ingest: Ingest, media: Path, cache: Path) -> None:
    film(media / "cat.mp4", "cat")
    now = datetime.now()
    hours = [(now + timedelta(hours=h)).strftime("%H:%M") for h in (-2, 2, 4)]
    ingest.start()
    folder = ingest.add(media, cache, schedule={"start": hours[1], "stop": hours[2]})
    stats = folder.wait_reason(f"until {hours[1]}")
    assert stats["state"] == "waiting"
    wait_for(lambda: folder.stats()["files_pending"] == 1, 20, "it to be seen")
    assert ingest.status()["state"] == "waiting"
    assert artefacts(cache) == {}
    folder.put(schedule={"start": hours[0], "stop": hours[1]})
    folder.wait_processed(1)
    assert folder.put(schedule=None)["schedule"] is None


def test_a_cache_dir_inside_the_folder_is_never_scanned(ingest: Ingest, media: Path) -> None:
    film(media / "cat.mp4", "cat")
    cache = media / "results"
    ingest.start()
    folder = ingest.add(media, cache)
    folder.wait_processed(1)
    shutil.copy(known_photos()["flower"], cache / "flower.jpg")
    shutil.copy(known_photos()["flower"], media / "flower.jpg")
    stats = folder.wait_processed(2)
    assert stats["files_total"] == 2
    assert set(folder.files("processed")) == {str(media / n) for n in ("cat.mp4", "flower.jpg")}
