"""GET /watch-folders/service/status, start, stop, retry and the list of files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.domain import ProgressType
from shared.watch.files import FolderFacts, RetryRequest
from shared.watch.live import FolderLive, WatchState
from shared.watch.options import FileGroup
from tests.support.private_redis import PrivateRedis
from tests.support.stack import Client, Stack, running_stack
from tests.support.waiting import wait_for
from tests.support.watch.desk import TOKEN, WatchDesk, watch_desk

NO_WATCHER = "No watcher is running; start one with `rushes watcher`."


@pytest.fixture
def desk(
    client: Client, api_redis: PrivateRedis, media: Path, caches: Path, api_stack: Stack
) -> Iterator[WatchDesk]:
    state_dir = api_stack.folder / "state"
    with watch_desk(client, api_redis.url, media, caches, state_dir) as desk:
        yield desk


def only_folder(status: dict[str, Any]) -> dict[str, Any]:
    [stats] = status["folder_stats"].values()
    return dict(stats)


def test_the_service_is_stopped_until_it_is_started(desk: WatchDesk) -> None:
    assert desk.status() == {
        "state": "stopped",
        "current_folder": None,
        "current_file": None,
        "files_pending": 0,
        "files_processed_this_session": 0,
        "last_error": None,
        "paused_until": None,
        "folder_stats": {},
    }


def test_starting_and_stopping_twice_is_the_same_as_once(desk: WatchDesk) -> None:
    for what, state in [("stop", "stopped"), ("start", "waiting"), ("stop", "stopped")]:
        for _ in range(2):
            answer = desk.service(what)
            assert set(answer) == {"message", "state"}
            assert answer["state"] == state == desk.status()["state"]


def test_a_started_service_without_a_watcher_waits_and_says_why(desk: WatchDesk) -> None:
    folder = desk.added("in")
    assert desk.service("start")["message"].endswith(NO_WATCHER)
    status = desk.status()
    assert (status["state"], status["last_error"]) == ("waiting", NO_WATCHER)
    assert list(status["folder_stats"]) == [folder["id"]]
    assert only_folder(status) == {
        "state": "waiting",
        "reason": NO_WATCHER,
        "files_total": 0,
        "files_pending": 0,
        "files_processed": 0,
        "files_failed": 0,
        "files_skipped": 0,
        "files_unsupported": 0,
        "last_scan_at": None,
        "is_polling": None,
        "failures": [],
    }


def test_what_the_watcher_says_is_shown(desk: WatchDesk) -> None:
    folder = desk.added("in")
    desk.service("start")
    live = FolderLive(
        state=WatchState.RUNNING,
        current_file=f"{folder['path']}/a.mov",
        is_polling=True,
        last_scan_at=1_700_000_000.25,
    )
    desk.watcher_says(
        WatchState.RUNNING,
        {folder["id"]: live},
        current_folder=folder["path"],
        current_file=f"{folder['path']}/a.mov",
        files_processed=12,
        last_error="b.mov: it is cut off.",
    )
    status = desk.status()
    stats = only_folder(status)
    assert (status["state"], status["current_folder"]) == ("running", folder["path"])
    assert status["current_file"] == f"{folder['path']}/a.mov"
    assert status["files_processed_this_session"] == 12
    assert status["last_error"] == "b.mov: it is cut off."
    assert (stats["state"], stats["reason"], stats["is_polling"]) == ("running", None, True)
    assert stats["last_scan_at"] == 1_700_000_000.25


def test_a_folder_that_waits_says_why_and_one_that_is_new_is_not_forgotten(desk: WatchDesk) -> None:
    away, new = desk.added("away"), desk.added("new")
    desk.service("start")
    live = FolderLive(state=WatchState.WAITING, reason="It cannot be reached.")
    desk.watcher_says(WatchState.WAITING, {away["id"]: live})
    status = desk.status()
    assert status["state"] == "waiting"
    stats = status["folder_stats"][away["id"]]
    assert (stats["state"], stats["reason"]) == ("waiting", "It cannot be reached.")
    stats = status["folder_stats"][new["id"]]
    assert (stats["state"], stats["reason"]) == ("waiting", "The watcher has not come to it yet.")


def test_a_folder_waits_that_the_watcher_left_when_the_service_was_stopped(desk: WatchDesk) -> None:
    folder = desk.added("in")
    desk.service("start")
    desk.watcher_says(WatchState.STOPPED, {folder["id"]: FolderLive(state=WatchState.STOPPED)})
    status = desk.status()
    stats = only_folder(status)
    assert (status["state"], stats["state"]) == ("waiting", "waiting")
    assert stats["reason"] == "The watcher has not come to it yet."


def test_files_are_counted_by_what_became_of_them(desk: WatchDesk) -> None:
    ids = [desk.added(name)["id"] for name in ("one", "two")]
    off = desk.added("off", enabled=False)["id"]
    for n, group in enumerate(FileGroup, start=1):
        for folder_id in (ids[0], off):
            names = [f"/{group}-{i}" for i in range(n)]
            desk.watcher_knows(folder_id, *names, group=group)
    desk.watcher_knows(ids[1], "/x", group=FileGroup.PENDING)
    status = desk.status()
    stats = status["folder_stats"][ids[0]]
    counts = {name[6:]: value for name, value in stats.items() if name.startswith("files_")}
    assert counts.pop("total") == 15
    assert counts == {group: n for n, group in enumerate(FileGroup, start=1)}
    assert status["files_pending"] == 2, "of those that are enabled"
    assert status["folder_stats"][off]["files_pending"] == 1


def test_the_first_hundred_failures_are_shown_with_reason_and_tries(desk: WatchDesk) -> None:
    folder = desk.added("in")
    names = [f"{folder['path']}/{n:03}.mov" for n in range(120)]
    desk.watcher_knows(folder["id"], *names, group=FileGroup.FAILED, reason="Cut off.", tries=3)
    stats = only_folder(desk.status())
    assert stats["files_failed"] == 120
    assert stats["failures"] == [
        {"path": name, "error": "Cut off.", "tries": 3} for name in names[:100]
    ]


def test_processed_files_without_an_audio_track_have_a_list_of_their_own(desk: WatchDesk) -> None:
    folder = desk.added("in")
    silent, changed = (f"{folder['path']}/{name}.mov" for name in ("a", "b"))
    reason = "It has no audio track."
    desk.watcher_knows(folder["id"], silent, changed, group=FileGroup.PROCESSED, reason=reason)
    desk.watcher_knows(folder["id"], changed, group=FileGroup.PENDING)
    stats = only_folder(desk.status())
    assert (stats["files_processed"], stats["files_failed"], stats["failures"]) == (1, 0, [])
    assert stats["files_not_applicable"] == 1
    assert stats["not_applicable"] == [{"media_path": silent, "reason": reason}]
    listed = desk.client.get(f"/watch-folders/{folder['id']}/files?state=processed").json()
    assert [(file["path"], file["reason"]) for file in listed["files"]] == [(silent, reason)]


def test_a_disabled_folder_winds_down_and_is_stopped(desk: WatchDesk) -> None:
    folder = desk.added("in", enabled=False)
    desk.service("start")
    for said, shown in [
        (WatchState.RUNNING, "stopping"),
        (WatchState.WAITING, "stopped"),
        (WatchState.STOPPED, "stopped"),
    ]:
        desk.watcher_says(WatchState.WAITING, {folder["id"]: FolderLive(state=said)})
        stats = only_folder(desk.status())
        assert (stats["state"], stats["reason"]) == (shown, "disabled")


def test_while_a_foreground_analysis_has_the_lock_the_service_is_paused(desk: WatchDesk) -> None:
    folder = desk.added("in")
    desk.service("start")
    live = {folder["id"]: FolderLive(state=WatchState.RUNNING)}
    desk.watcher_says(WatchState.RUNNING, live)
    task_id = desk.client.analyze(desk.caches / "x", *(desk.media / f"{n}.mp4" for n in range(2)))
    status = desk.status()
    assert (status["state"], status["paused_until"]) == ("paused", None)
    stats = only_folder(status)
    assert (stats["state"], stats["reason"]) == ("paused", "A foreground analysis has precedence.")
    lease = desk.ledger.claim(task_id, 0, "worker", "nonce")
    assert lease
    desk.ledger.progress(lease, type=ProgressType.VIDEO, fraction=0.9)
    eta_s = desk.client.task(task_id)["eta_seconds"]
    assert desk.status()["paused_until"] == pytest.approx(time.time() + eta_s, abs=10)
    desk.client.ok("/analyze/cancel")
    desk.ledger.settle(lease, "cancelled")
    status = desk.status()
    assert (status["state"], status["paused_until"]) == ("running", None)


def test_a_stopped_service_is_stopping_until_its_watcher_has_unwound(desk: WatchDesk) -> None:
    folder = desk.added("in")
    desk.service("start")
    for state in (WatchState.RUNNING, WatchState.STOPPING):
        desk.watcher_says(state, {folder["id"]: FolderLive(state=state)})
        assert desk.service("stop")["state"] == "stopping"
        assert only_folder(desk.status())["state"] == "stopping"
    task_id = desk.ingest()
    stopped = {folder["id"]: FolderLive(state=WatchState.STOPPED)}
    desk.watcher_says(WatchState.STOPPED, stopped)
    assert desk.status()["state"] == "stopping", "a Task of it is still there"
    assert desk.client.task(task_id)["status"] == "queued", "its watcher ends it, not the API"
    desk.ledger.stop(task_id)
    assert desk.status()["state"] == "stopped"
    stats = only_folder(desk.status())
    assert stats["state"] == "stopped"
    assert "service/start" in stats["reason"]


def test_without_a_watcher_stopping_ends_what_was_begun(desk: WatchDesk, media: Path) -> None:
    waiting, taken = desk.ingest(), desk.ingest()
    lease = desk.ledger.claim(taken, 0, "worker", "nonce")
    assert lease
    foreground = desk.client.analyze(desk.caches / "x", media / "a.mp4")
    desk.service("start")
    assert desk.service("stop")["state"] == "stopping"
    assert desk.client.task(waiting)["status"] == "cancelled"
    assert desk.client.task(foreground)["status"] == "queued"
    desk.ledger.settle(lease, "cancelled")
    assert desk.status()["state"] == "stopped"


def test_it_stays_started_when_redis_and_the_api_begin_anew(
    own_redis: PrivateRedis, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    with running_stack(tmp_path / "s", own_redis.url, analysis=0, query=0) as stack:
        desk = WatchDesk(stack.client(), own_redis.url, tmp_path, tmp_path / "caches")
        desk.added("in")
        desk.service("start")
        folders = desk.all()
        own_redis.stop()
        own_redis.start()
        assert (desk.status()["state"], desk.all()) == ("waiting", folders)
        assert stack.processes["api-0"].end() == 0
        own_redis.flush()
        desk.client = stack.start_api()
        assert (desk.status()["state"], desk.all()) == ("waiting", folders)
        desk.redis.close()


def test_a_task_in_a_queue_of_an_earlier_version_ends(
    own_redis: PrivateRedis, tmp_path: Path
) -> None:
    with running_stack(tmp_path / "s", own_redis.url, analysis=0, query=0) as stack:
        desk = WatchDesk(stack.client(), own_redis.url, tmp_path, tmp_path / "caches")
        task = desk.ingest(queue="scenes")
        assert stack.processes["api-0"].end() == 0
        desk.client = stack.start_api()
        wait_for(lambda: desk.client.task(task)["status"] == "cancelled", 10, "its end")
        desk.redis.close()


def test_redis_away_is_503_and_accepts_nothing(own_redis: PrivateRedis, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with running_stack(tmp_path / "s", own_redis.url, analysis=0, query=0) as stack:
        desk = WatchDesk(stack.client(), own_redis.url, tmp_path, tmp_path / "caches")
        folder = desk.added("in")
        own_redis.freeze()
        for answer in (
            desk.post("other"),
            desk.delete(folder["id"]),
            desk.client.get("/watch-folders/service/status"),
        ):
            assert (answer.status_code, answer.json()["error"]) == (503, "Redis unavailable")
        own_redis.thaw()
        assert desk.all() == [folder]
        desk.redis.close()


def test_the_last_scan_is_known_also_without_a_watcher(desk: WatchDesk) -> None:
    folder = desk.added("in")
    assert desk.watcher_lease.acquire(TOKEN, ttl_s=60)
    assert desk.files.note(TOKEN, folder["id"], FolderFacts(last_scan_at=5.5))
    desk.watcher_lease.release(TOKEN)
    assert only_folder(desk.status())["last_scan_at"] == 5.5
    live = FolderLive(state=WatchState.WAITING, last_scan_at=9.5)
    desk.watcher_says(WatchState.WAITING, {folder["id"]: live})
    assert only_folder(desk.status())["last_scan_at"] == 9.5


def test_all_failed_files_get_new_tries_or_those_that_are_named(desk: WatchDesk) -> None:
    folder = desk.added("in")
    path = f"/watch-folders/{folder['id']}/retry"
    names = [f"{folder['path']}/{n}.mov" for n in range(3)]
    assert desk.client.ok(path)["files"] == 0
    desk.watcher_knows(folder["id"], *names, group=FileGroup.FAILED)
    desk.watcher_knows(folder["id"], "/ok", group=FileGroup.PROCESSED)
    answer = desk.client.ok(path)
    assert (set(answer), answer["files"]) == ({"message", "files"}, 3)
    assert desk.client.ok(path, paths=[names[0], names[2], names[0]])["files"] == 2
    assert desk.client.ok(path, paths=[])["files"] == 0
    assert desk.asked() == [
        RetryRequest(folder_id=folder["id"]),
        RetryRequest(folder_id=folder["id"]),
        RetryRequest(folder_id=folder["id"], paths=(names[0], names[2])),
        RetryRequest(folder_id=folder["id"], paths=()),
    ]
    assert NO_WATCHER not in answer["message"]
    desk.watcher_lease.release(TOKEN)
    assert NO_WATCHER in desk.client.ok(path)["message"]


def test_files_are_listed_page_by_page(desk: WatchDesk) -> None:
    folder = desk.added("in")
    names = [f"{folder['path']}/{n:02} ü \\%.mov" for n in range(7)]
    desk.watcher_knows(folder["id"], *names, group=FileGroup.SKIPPED)
    desk.watcher_knows(folder["id"], "/other", group=FileGroup.PENDING)
    http, url = desk.client.http, f"/watch-folders/{folder['id']}/files"
    seen: list[str] = []
    query: dict[str, Any] = {"state": "skipped", "limit": 3}
    sizes = []
    while True:
        page = http.get(url, params=query).json()
        assert page["total"] == 7
        seen += [file["path"] for file in page["files"]]
        sizes.append(len(page["files"]))
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert (seen, sizes) == (names, [3, 3, 1])
    assert [file["path"] for file in http.get(url).json()["files"]] == ["/other"], "pending ones"
    assert http.get(url, params={"state": "failed"}).json() == {
        "files": [],
        "total": 0,
        "next": None,
    }


def test_a_listed_file_says_what_is_known_of_it(desk: WatchDesk) -> None:
    folder = desk.added("in")
    desk.watcher_knows(folder["id"], "/new", group=FileGroup.PENDING)
    desk.watcher_knows(
        folder["id"],
        "/old",
        group=FileGroup.PENDING,
        hash_str="9ae0daaf81f5b2c3",
        reason="It is tried again.",
        tries=1,
        task_id="t" * 32,
    )
    page = desk.client.get(f"/watch-folders/{folder['id']}/files").json()
    same = {"state": "pending", "size": 7, "modified_at": 1_700_000_000.5}
    assert page["files"] == [
        {"path": "/new", **same, "reason": None, "tries": 0, "hash_str": None, "task_id": None},
        {
            "path": "/old",
            **same,
            "reason": "It is tried again.",
            "tries": 1,
            "hash_str": "9ae0daaf81f5b2c3",
            "task_id": "t" * 32,
        },
    ]


def test_paths_come_in_the_clients_form(api_redis: PrivateRedis, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "in").mkdir(parents=True)
    api_redis.flush()
    with running_stack(
        tmp_path / "s", api_redis.url, analysis=0, query=0, RUSHES_PATH_MAP=f"X:={root}"
    ) as stack:
        desk = WatchDesk(stack.client(), api_redis.url, root, root / "caches")
        folder = desk.added("in", path="X:\\in", cache_dir="X:\\cache")
        assert (folder["path"], folder["cache_dir"]) == ("X:\\in", "X:\\cache")
        desk.watcher_knows(folder["id"], f"{root}/in/a/b.mov", group=FileGroup.FAILED)
        shown = "X:\\in\\a\\b.mov"
        assert only_folder(desk.status())["failures"][0]["path"] == shown
        page = desk.client.get(f"/watch-folders/{folder['id']}/files?state=failed").json()
        assert page["files"][0]["path"] == shown
        path = f"/watch-folders/{folder['id']}/retry"
        assert desk.client.ok(path, paths=[shown])["files"] == 1
        assert desk.asked()[0].paths == (f"{root}/in/a/b.mov",)
        desk.redis.close()
