"""Roots of a licence key over HTTP and Socket.IO: nothing outside is read, stopped or revoked."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.app import ENDPOINTS
from api.http.endpoint import Endpoint, RootsRule
from shared.domain import AnalyzeSpec, FileSpec, TaskKind
from shared.ledger.ledger import Ledger
from shared.ledger.records import NewItem, NewTask, Sender
from shared.media import MediaType
from shared.redis.clients import connect
from shared.rights import KeyScope
from shared.watch.live import FolderLive, LiveStatus, WatchLive, WatchState
from tests.support.cache_material import fill
from tests.support.openapi_agreement import example_body
from tests.support.played_worker import seem_alive
from tests.support.socketio_client import Watcher
from tests.support.stack import Client, Stack
from tests.support.waiting import wait_for

SECRET = "secretshow"  # in every path, name and address of the other show
OUTSIDE = "outside the folders of this licence key"


def created(client: Client, where: str, /, **body: Any) -> Any:
    answer = client.http.post(where, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


@dataclass
class Shows:
    """Two shows of one server: `guest` is an administrator of the first alone."""

    admin: Client
    guest: Client
    guest_key: str
    folders: dict[str, Path]  # media and cache of each, by name
    task_id: str  # an analysis of the other show
    folder_id: str
    key_id: str
    ingest_id: str = ""

    @property
    def ids(self) -> dict[str, str]:
        return {
            "task_id": self.task_id,
            "watch_folder_id": self.folder_id,
            "key_id": self.key_id,
            "webhook_id": "none",
        }


@pytest.fixture
def shows(api_stack: Stack, client: Client, media: Path, caches: Path) -> Iterator[Shows]:
    folders = {}
    for name in ("show1", SECRET):
        folders[name], folders[f"{name} cache"] = media / name, caches / name
        folders[name].mkdir(exist_ok=True)
    for name in ("show1", SECRET):
        if not folders[f"{name} cache"].exists():
            fill(folders[f"{name} cache"], folders[name] / "a.mov", f"hello {name}")
    roots = [str(folders["show1"]), str(folders["show1 cache"])]
    guest_key = created(client, "/keys", label="guest", roots=roots)["license_key"]
    made = created(client, "/keys", label=f"key of {SECRET}", roots=[str(folders[SECRET])])
    other = api_stack.client(key=created(client, "/keys", label=SECRET)["license_key"])
    other.http.headers["User-Agent"] = f"panel of {SECRET}"
    seem_alive(api_stack.redis_url)
    body = {"path": str(folders[SECRET]), "cache_dir": str(folders[f"{SECRET} cache"])}
    shows = Shows(
        admin=client,
        guest=api_stack.client(key=guest_key),
        guest_key=guest_key,
        folders=folders,
        task_id=other.analyze(folders[f"{SECRET} cache"], folders[SECRET] / "a.mov"),
        folder_id=created(other, "/watch-folders", **body)["id"],
        key_id=made["key"]["id"],
    )
    with connect(api_stack.redis_url) as redis:
        shows.ingest_id = _ingest(Ledger(redis, "default"), body["cache_dir"], folders[SECRET])
        path = str(folders[SECRET])
        live = FolderLive(state=WatchState.WAITING, reason=f"{path} is not mounted.")
        LiveStatus(redis, "default").publish(
            WatchLive(
                state=WatchState.RUNNING,
                current_folder=path,
                current_file=f"{path}/a.mov",
                last_error=f"{path} cannot be read.",
                folders={shows.folder_id: live},
            )
        )
        yield shows
    for folder in client.get("/watch-folders").json()["watch_folders"]:  # a file keeps them
        assert client.http.delete(f"/watch-folders/{folder['id']}").status_code == 200


def _ingest(ledger: Ledger, cache_dir: str, folder: Path) -> str:
    path = str(folder / "b.mov")
    spec = AnalyzeSpec(cache_dir, (FileSpec(path, path, MediaType.VIDEO),))
    sender = Sender(label=f"watch folder {SECRET}")
    task = NewTask(kind=TaskKind.INGEST, items=[NewItem.analyze(spec)], sender=sender)
    ledger.submit(task)
    return task.task_id


def _request(endpoint: Endpoint, shows: Shows) -> dict[str, Any]:
    """The example of an operation, of the guest's own folders, about what is of the other show."""
    words = {"/footage/.rushes": "show1 cache", "/footage": "show1", "/mnt/show1": "show1"}
    text = json.dumps(example_body(endpoint))
    for path, name in words.items():
        text = text.replace(path, str(shows.folders[name]))
    text = re.sub(r'"task_id": "[0-9a-f]{32}"', f'"task_id": "{shows.task_id}"', text)
    query: dict[str, Any] = {}
    for each in endpoint.query:
        query[each.name] = "true" if each.schema.get("type") == "boolean" else each.example
        if each.name == "cache_dir":
            query[each.name] = str(shows.folders["show1 cache"])
    for name in ("after", "state", "action", "key_id", "task_id"):
        query.pop(name, None)
    content = {"json": json.loads(text)} if endpoint.body else {}
    return {"params": query, **content}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda e: e.operation_id)
def test_no_operation_shows_a_key_what_lies_outside_its_roots(
    shows: Shows, endpoint: Endpoint
) -> None:
    path = endpoint.path.format(**shows.ids)
    answer = shows.guest.http.request(endpoint.method, path, **_request(endpoint, shows))
    told = answer.text + answer.headers.get("X-Rushes-Warnings", "")
    assert SECRET not in told
    rule = endpoint.roots_rule
    if rule is RootsRule.REFUSED:
        assert (answer.status_code, "without roots" in told) == (403, True)
    if rule is RootsRule.WITHIN and endpoint.path != "/tasks/{task_id}":
        assert answer.status_code in (403, 404), told
    if rule is RootsRule.CHECKED and endpoint.scope is not KeyScope.ADMIN:
        swapped = _request(endpoint, shows)
        text = json.dumps(swapped).replace("show1", SECRET)
        answer = shows.guest.http.request(endpoint.method, path, **json.loads(text))
        assert answer.status_code == 403 or OUTSIDE in answer.text, answer.text[:300]
    task = shows.admin.task(shows.task_id)
    assert (task["status"], SECRET in task["owner"]) == ("queued", True)
    assert shows.folder_id in shows.admin.get("/watch-folders").text
    assert shows.key_id in shows.admin.get("/keys").text


def test_a_task_outside_the_roots_shows_how_far_it_is_and_nothing_else(shows: Shows) -> None:
    listed = {task["task_id"]: task for task in shows.guest.get("/tasks").json()["tasks"]}
    whole = shows.admin.task(shows.task_id)
    shown = listed[shows.task_id]
    for name in ("kind", "type", "status", "progress", "total", "created_at", "place"):
        assert shown[name] == whole[name]
    hidden: dict[str, Any] = {"media_path": None, "failed_files": [], "owner": None, "client": None}
    assert {name: shown[name] for name in hidden} == hidden
    assert shown["message"] == f"0 of 1 done. Its files lie {OUTSIDE}."
    assert shows.guest.task(shows.task_id, files=True)["files"] == []
    details = shows.guest.get(f"/tasks/{shows.task_id}?details=true").json()
    assert (details["may_cancel"], details["may_put_first"], details["cache_dir"]) == (
        *(False, False, None),
    )


def test_a_key_leaves_the_roots_of_its_maker_through_no_link(
    api_stack: Stack, shows: Shows
) -> None:
    show, other = shows.folders["show1"], shows.folders[SECRET]
    for name, target in (("to secret", other), ("to nothing", other / "nothing")):
        (show / name).unlink(missing_ok=True)
        (show / name).symlink_to(target)
        refused = shows.guest.post("/keys", roots=[str(show / name)])
        said = f"{show / name} leads {OUTSIDE}."
        assert (refused.status_code, refused.json()["message"]) == (403, said)
    refused = shows.guest.post("/keys", roots=["/etc"])
    said = f"roots[0]: /etc lies {OUTSIDE}."
    assert (refused.status_code, refused.json()["message"]) == (403, said)
    day, scene = show / "swapped", show / "swapped" / "scene"
    scene.mkdir(parents=True)
    (scene / "a.mov").write_bytes(b"x")
    by_guest = created(shows.guest, "/keys", roots=[str(day)])
    assert by_guest["key"]["roots"] == [str(day)]
    second = api_stack.client(key=by_guest["license_key"])
    third = api_stack.client(key=created(second, "/keys", roots=[str(scene)])["license_key"])

    def error(client: Client) -> str:
        body = {"media_paths": [str(scene / "a.mov")]}
        return str(client.ok("/media/metadata", **body)["media"][0]["error"])

    assert [OUTSIDE in error(client) for client in (second, third)] == [False, False]
    day.rename(show / "moved")
    day.symlink_to(other)
    (other / "scene").mkdir(exist_ok=True)
    (other / "scene" / "a.mov").write_bytes(b"x")
    assert [OUTSIDE in error(client) for client in (second, third)] == [True, True]
    assert by_guest["key"]["id"] in shows.guest.get("/keys").text


def test_an_own_task_outside_the_recorded_folders_is_not_hidden(
    api_stack: Stack, shows: Shows
) -> None:
    path = "/elsewhere/a.mov"
    spec = AnalyzeSpec("/elsewhere", (FileSpec(path, path, MediaType.VIDEO),))
    sender = Sender(owner=hashlib.sha256(shows.guest_key.encode()).hexdigest()[:12], label="guest")
    task = NewTask(kind=TaskKind.ANALYZE, items=[NewItem.analyze(spec)], sender=sender)
    shown = created(shows.admin, "/keys", roots=[str(shows.folders["show1"])])["license_key"]
    with connect(api_stack.redis_url) as redis, joined(shows) as watcher:
        Ledger(redis, "default").submit(task)
        redis.hdel(f"rushes:default:task:{task.task_id}", "folders")  # as by an earlier version
        assert watcher.join(task.task_id)["message"] == "Joined."
        files = shows.guest.task(task.task_id, files=True)["files"]
        assert [file["media_path"] for file in files] == [path]
        assert api_stack.client(key=shown).task(task.task_id, files=True)["files"] == []
        assert shows.guest.ok("/analyze/cancel", task_id=task.task_id)["cancelled"] is True
        wait_for(lambda: watcher.of(task.task_id)[-1]["status"] == "cancelled", 10, "the end")
        assert {event["owner"] for event in watcher.of(task.task_id)} == {"guest"}


def test_an_own_task_shows_everything_and_is_cancelled(shows: Shows) -> None:
    folders = shows.folders
    task_id = shows.guest.analyze(folders["show1 cache"], folders["show1"] / "a.mov")
    files = shows.guest.task(task_id, files=True)["files"]
    assert [file["media_path"] for file in files] == [str(folders["show1"] / "a.mov")]
    assert shows.guest.task(task_id)["owner"] == "guest"
    assert SECRET not in shows.guest.get(f"/tasks/{task_id}").text
    assert shows.guest.ok("/analyze/cancel", task_id=task_id)["cancelled"] is True


def test_nothing_outside_the_roots_is_stopped_or_moved(shows: Shows) -> None:
    guest, folders = shows.guest, shows.folders
    for task_id in (shows.task_id, shows.ingest_id):
        refused = guest.post("/analyze/cancel", task_id=task_id)
        assert (refused.status_code, OUTSIDE in refused.json()["message"]) == (403, True)
    body = {
        "cache_dir": str(folders["show1 cache"]),
        "visual_media_paths": [str(folders["show1"] / "a.mov")],
    }
    assert guest.post("/analyze", **body, on_busy="replace-any").status_code == 403
    own = guest.ok("/analyze", **body)["task_id"]
    assert guest.post(f"/tasks/{own}/first", of_all=True).status_code == 403
    for path in ("first", "retry"):
        assert guest.post(f"/tasks/{shows.task_id}/{path}").status_code == 403
    assert guest.get(f"/tasks/{shows.task_id}/exports").status_code in (403, 404)
    for task_id in (shows.task_id, shows.ingest_id):
        assert shows.admin.task(task_id)["status"] == "queued"


def test_keys_that_reach_further_are_not_shown_and_not_revoked(shows: Shows) -> None:
    wider = created(shows.admin, "/keys", label="whole house")["key"]["id"]
    inner = str(shows.folders["show1"] / "day1")
    inside = created(shows.guest, "/keys", label="day 1", roots=[inner])
    shown = {key["label"] for key in shows.guest.get("/keys").json()["keys"]}
    assert shown >= {"guest", "day 1"}
    assert not shown & {"whole house", "key 1", SECRET, f"key of {SECRET}"}
    for key_id in (wider, shows.key_id):
        refused = shows.guest.http.delete(f"/keys/{key_id}")
        assert (refused.status_code, "reaches beyond" in refused.json()["message"]) == (403, True)
    assert shows.guest.http.delete(f"/keys/{inside['key']['id']}").status_code == 200


@contextmanager
def joined(shows: Shows, *rooms: str) -> Iterator[Watcher]:
    with Watcher(shows.guest.url, key=shows.guest_key) as watcher:
        for room in rooms:
            assert watcher.join(room)["message"] == "Joined."
        yield watcher


def test_sockets_of_a_key_are_sent_nothing_from_outside_its_roots(shows: Shows) -> None:
    with joined(shows, shows.task_id, "watch-folders", "tasks") as watcher:
        assert shows.admin.ok("/analyze/cancel", task_id=shows.task_id)["cancelled"] is True
        last = wait_for(
            lambda: next(
                (e for e in watcher.of(shows.task_id) if e["status"] == "cancelled"), None
            ),
            10,
            "the end",
        )
        wait_for(lambda: watcher.of("watch-folders") and watcher.of("tasks"), 10, "both rooms")
        assert (last["media_path"], last["owner"], last["total"]) == (None, None, 1)
        assert watcher.of("watch-folders")[-1]["folder_stats"] == {}
        assert SECRET not in json.dumps(watcher.events)
    with Watcher(shows.guest.url) as keyless:
        assert keyless.join(shows.task_id)["message"] == "Joined."


def test_a_watch_folder_of_others_is_no_part_of_a_conflict(shows: Shows) -> None:
    media, cache = shows.folders[SECRET].parent, shows.folders["show1 cache"]
    outer = created(shows.admin, "/watch-folders", path=str(media), cache_dir=str(cache))
    body = {"path": str(shows.folders["show1"]), "cache_dir": str(cache)}
    refused = shows.guest.http.post("/watch-folders", json=body)
    assert (refused.status_code, outer["id"] in refused.text) == (409, False)
    assert OUTSIDE in refused.json()["message"]


def test_folders_of_a_task_are_few_and_hold_all_its_files() -> None:
    paths = [f"/show/day{n}/{n}.mov" for n in range(100)]
    files = tuple(FileSpec(path, path, MediaType.VIDEO) for path in paths)
    items = [NewItem.analyze(AnalyzeSpec("/cache", files))]
    assert NewTask(kind=TaskKind.ANALYZE, items=items).folders == ("/cache", "/show")
    paths = ["/other/a.mov", *(f"/footage/show1/day{n}/cam/{n}.mov" for n in range(40))]
    files = tuple(FileSpec(path, path, MediaType.VIDEO) for path in paths)
    items = [NewItem.analyze(AnalyzeSpec("/caches/very/deep/show1", files))]
    assert NewTask(kind=TaskKind.ANALYZE, items=items).folders == (
        *("/caches/very/deep/show1", "/footage/show1", "/other"),
    )
    spec = msgspec.json.encode({"output_dir": "/out", "media_path": "/show/a.mov"})
    clips = NewTask(kind=TaskKind.EXPORT, items=[NewItem(spec)])
    assert clips.folders == ("/out", "/show")
