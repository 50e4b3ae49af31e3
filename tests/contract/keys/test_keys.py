"""Licence keys over HTTP: what one may do, who makes them, how much they are used."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import ENDPOINTS
from api.http.endpoint import Endpoint
from shared.redis.clients import connect
from shared.rights import KeyScope
from tests.support.played_worker import seem_alive
from tests.support.private_redis import PrivateRedis
from tests.support.stack import KEY, Client, Stack
from tests.support.waiting import wait_for


def made(client: Client, **body: Any) -> tuple[str, dict[str, Any]]:
    """A new key, and what is shown of it."""
    answer = client.post("/keys", **body)
    assert answer.status_code == 201, answer.text
    return answer.json()["license_key"], answer.json()["key"]


def listed(client: Client) -> dict[str, dict[str, Any]]:
    """By label."""
    return {key["label"]: key for key in client.get("/keys").json()["keys"]}


def called(stack: Stack, endpoint: Endpoint, key: str) -> httpx.Response:
    path = endpoint.path
    for name in ("task_id", "watch_folder_id", "key_id", "webhook_id"):
        path = path.replace(f"{{{name}}}", "none")
    content = {"json": {}} if endpoint.body else {}
    return stack.client(key=key).http.request(endpoint.method, path, **content)


def test_a_key_is_shown_once_and_listed_with_its_rights(client: Client, media: Path) -> None:
    until = time.time() + 86_400
    rights = {"scopes": ["search", "export"], "roots": [str(media)], "expires_at": until}
    key, shown = made(client, label="Edit 3", **rights)
    assert {name: shown[name] for name in rights} == rights
    answer = client.get("/keys")
    assert key not in answer.text
    assert listed(client)["Edit 3"] == shown
    first = listed(client)["key 1"]
    assert (first["is_from_settings"], first["scopes"]) == (True, list(KeyScope))
    known = listed(client)
    number = made(client)[1]["label"].removeprefix("key ")
    assert int(number) > len(known), "not that of another, also of one that was revoked"


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda e: e.operation_id)
def test_each_operation_asks_for_its_scope_and_no_other(
    api_stack: Stack, client: Client, endpoint: Endpoint
) -> None:
    if endpoint.scope is None:
        key, _ = made(client, scopes=["search"])
        assert called(api_stack, endpoint, key).status_code not in (401, 403)
        return
    others = [scope for scope in KeyScope if scope is not endpoint.scope]
    key, _ = made(client, scopes=others)
    refused = called(api_stack, endpoint, key)
    assert (refused.status_code, refused.json()["error"]) == (403, "Licence key lacks a scope")
    assert f"lacks the scope '{endpoint.scope}'" in refused.json()["message"]
    key, _ = made(client, scopes=[endpoint.scope])
    assert called(api_stack, endpoint, key).status_code not in (401, 403)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"scopes": ["sleep"]}, "scopes"),
        ({"scopes": []}, "scopes"),
        (
            {"roots": ["/elsewhere"]},
            "roots[0]: /elsewhere lies outside the folders in RUSHES_MEDIA",
        ),
        ({"roots": ["relative"]}, "roots[0]"),
        ({"label": "two\nlines"}, r"label holds control characters: two\nlines."),
        ({"label": "x" * 300}, "label"),
        ({"expires_at": 1.0}, "expires_at is in the past"),
        ({"expires_at": time.time() + 21 * 366 * 86_400}, "more than 20 years ahead"),
        ({"expires_at": 1e19}, "more than 20 years ahead"),
        (
            {"expires_at": 1_998_761_600_000},
            "expires_at is in seconds; 1998761600000 looks like milliseconds. Send 1998761600.",
        ),
        ({"scopes": ["search", "sleep"]}, 'scopes[1] must be one of "search", "analyze", "people"'),
    ],
)
def test_what_no_key_can_have_is_named(client: Client, body: dict[str, Any], said: str) -> None:
    before = client.get("/keys").json()["keys"]
    answer = client.post("/keys", **body)
    assert answer.status_code == 400
    assert said in answer.json()["message"]
    after = client.get("/keys").json()["keys"]
    assert [key["id"] for key in after] == [key["id"] for key in before]


def test_a_root_that_is_not_there_is_warned_of(client: Client, media: Path) -> None:
    answer = client.post("/keys", roots=[str(media), str(media / "nowhere")])
    assert answer.status_code == 201
    warning = f"roots[1]: this machine has no folder {media / 'nowhere'} now."
    assert json.loads(answer.headers["X-Rushes-Warnings"]) == [warning]


def test_damaged_records_in_redis_break_no_list(client: Client, api_redis: PrivateRedis) -> None:
    made(client, label="whole", expires_at=time.time() + 60)
    with connect(api_redis.url) as redis:
        for name in ("keys", "watch_folders", "webhooks", "cache_folders"):
            for field in ("folder:bad", "bad"):
                redis.hset(f"rushes:default:{name}", field, '{"id": NaN}')
            redis.hset(f"rushes:default:{name}", "folder:\xff".encode("latin-1"), b"\xff\xfe")
        redis.lpush("rushes:default:recent", b"\xff\xfe", "bad")
    for path in ("/keys", "/tasks", "/tasks?state=ended", "/watch-folders", "/webhooks"):
        assert client.get(path).status_code == 200, path
    assert client.get("/analysis-data/folders").status_code == 200
    assert client.get("/watch-folders/service/status").status_code == 200
    assert "whole" in listed(client)
    assert client.http.delete(f"/keys/{listed(client)['whole']['id']}").status_code == 200
    made(client, label="made beside damage")
    assert client.get("/watch-folders/bad/files").status_code == 404


def test_a_key_of_earlier_versions_with_any_expiry_is_listed(
    client: Client, api_redis: PrivateRedis
) -> None:
    record = {"id": "0" * 12, "tier": "pro", "label": "far", "created_at": 1.0, "expires_at": 1e19}
    with connect(api_redis.url) as redis:
        redis.hset("rushes:default:keys", "0" * 64, json.dumps(record))
    assert listed(client)["far"]["expires_at"] == 1e19


def test_a_basic_key_is_shown_as_it_is(client: Client, api_redis: PrivateRedis) -> None:
    with connect(api_redis.url) as redis:
        record = {"id": "1" * 12, "tier": "basic", "label": "old basic", "created_at": 1.0}
        redis.hset("rushes:default:keys", "1" * 64, json.dumps(record))
    shown = listed(client)["old basic"]
    assert (shown["tier"], shown["scopes"]) == ("basic", [])
    assert listed(client)["key 1"]["tier"] == "pro"


def test_a_revoked_key_is_refused_and_none_revokes_itself(api_stack: Stack, client: Client) -> None:
    key, shown = made(client, label="Guest", scopes=["admin"])
    guest = api_stack.client(key=key)
    itself = guest.http.delete(f"/keys/{shown['id']}")
    assert (itself.status_code, "this very request" in itself.json()["message"]) == (400, True)
    assert client.http.delete(f"/keys/{shown['id']}").status_code == 200
    assert guest.get("/keys").status_code == 403
    assert client.http.delete(f"/keys/{shown['id']}").status_code == 404
    of_settings = listed(client)["key 1"]["id"]
    other = api_stack.client(key=made(client)[0])
    assert other.http.delete(f"/keys/{of_settings}").status_code == 400


def test_an_expired_key_says_so(api_stack: Stack, client: Client) -> None:
    key, _ = made(client, expires_at=time.time() + 0.5)
    guest = api_stack.client(key=key)
    answer = wait_for(lambda: (a := guest.get("/tasks")).status_code == 403 and a, 5, "the end")
    assert "expired on 20" in answer.json()["message"]


def test_every_named_path_lies_in_the_roots_of_the_key(
    api_stack: Stack, client: Client, media: Path, caches: Path
) -> None:
    mine, others = media / "show1", media / "show2"
    for folder in (mine, others, caches / "show1"):
        folder.mkdir(exist_ok=True)
    (others / "a.mov").write_bytes(b"x")
    key, _ = made(client, roots=[str(mine), str(caches / "show1")])
    guest = api_stack.client(key=key)
    both = [str(mine / "none.mov"), str(others / "a.mov")]
    inside, outside = guest.ok("/media/metadata", media_paths=both)["media"]
    assert inside["error"] == "The file does not exist."
    assert "outside the folders of this licence key" in outside["error"]
    for path, body in (
        ("/search/text", {"cache_dir": str(caches / "show2"), "query": "x"}),
        ("/analyze", {"cache_dir": str(caches), "visual_media_paths": [str(mine)]}),
        ("/watch-folders", {"path": str(media), "cache_dir": str(caches / "show1")}),
        ("/export/clips", {"output_dir": str(others), "clips": []}),
    ):
        answer = guest.http.post(path, json=body)
        assert (path, answer.status_code) == (path, 403)
        assert "outside the folders of this licence key" in answer.json()["message"]


def test_watch_folders_outside_the_roots_of_a_key_are_not_there(
    api_stack: Stack, client: Client, media: Path, caches: Path
) -> None:
    for name in ("mine", "theirs"):
        (media / name).mkdir(exist_ok=True)
    bodies = {n: {"path": str(media / n), "cache_dir": str(caches / n)} for n in ("mine", "theirs")}
    ids = {n: client.http.post("/watch-folders", json=b).json()["id"] for n, b in bodies.items()}
    roots = [str(media / "mine"), str(caches / "mine")]
    guest = api_stack.client(key=made(client, roots=roots)[0])
    shown = guest.get("/watch-folders").json()["watch_folders"]
    assert [folder["id"] for folder in shown] == [ids["mine"]]
    for answer in (
        guest.http.put(f"/watch-folders/{ids['theirs']}", json={"enabled": False}),
        guest.http.delete(f"/watch-folders/{ids['theirs']}"),
        guest.get(f"/watch-folders/{ids['theirs']}/files"),
        guest.http.post(f"/watch-folders/{ids['theirs']}/retry", json={}),
    ):
        assert answer.status_code == 404
    assert guest.http.delete(f"/watch-folders/{ids['mine']}").status_code == 200
    assert client.http.delete(f"/watch-folders/{ids['theirs']}").status_code == 200


def test_links_lead_out_of_no_roots_of_a_key(
    api_stack: Stack, client: Client, media: Path, caches: Path
) -> None:
    mine, others = media / "show3", caches / "others"
    for folder in (mine, others):
        folder.mkdir(exist_ok=True)
    (media / "secret.mov").write_bytes(b"x" * 1000)
    (mine / "link.mov").symlink_to(media / "secret.mov")
    (mine / "cache").symlink_to(others)
    guest = api_stack.client(key=made(client, roots=[str(mine)])[0])
    [told] = guest.ok("/media/metadata", media_paths=[str(mine / "link.mov")])["media"]
    assert "outside the folders of this licence key" in told["error"]


def test_uses_are_counted(api_stack: Stack, client: Client) -> None:
    key, _ = made(client, label="Counted")
    guest = api_stack.client(key=key)
    began = time.time()
    for _ in range(3):
        guest.get("/tasks")
    wait_for(lambda: listed(client)["Counted"]["requests"] == 3, 15, "the count")
    assert began - 5 < listed(client)["Counted"]["last_seen_at"] < time.time() + 5


def test_deeds_are_in_the_audit_log_without_keys(
    api_stack: Stack, client: Client, api_redis: PrivateRedis, media: Path, caches: Path
) -> None:
    key, shown = made(client, label="Deeds")
    guest = api_stack.client(key=key)
    body = {"cache_dir": str(caches / "audit"), "visual_media_paths": [str(media / "a.mov")] * 30}
    task_id = guest.ok("/analyze", **body, license_key=key)["task_id"]
    guest.ok("/analyze/cancel")
    guest.get("/tasks")
    text = (api_stack.folder / "state" / "audit.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    deeds = [line for line in lines if line.get("key_id") == shown["id"]]
    assert [line["action"] for line in deeds] == ["analyze", "cancel_task"]
    assert {line["task_id"] for line in deeds} == {task_id}
    assert deeds[0]["details"]["visual_media_paths"]["count"] == 30
    assert (deeds[0]["key_label"], deeds[0]["address"]) == ("Deeds", "127.0.0.1")
    assert key not in text
    assert KEY not in text


def test_anothers_task_is_cancelled_and_replaced_by_administrators_alone(
    api_stack: Stack, client: Client, media: Path, caches: Path
) -> None:
    anns, _ = made(client, label="Ann")
    bobs, _ = made(client, label="Bob", scopes=["analyze"])
    body = {"cache_dir": str(caches / "turns"), "visual_media_paths": [str(media / "a.mov")]}
    task_id = api_stack.client(key=anns).ok("/analyze", **body)["task_id"]
    bob = api_stack.client(key=bobs)
    assert bob.post("/analyze/cancel", task_id=task_id).status_code == 403
    assert bob.post("/analyze", **body, on_busy="replace-any").status_code == 403
    assert client.ok("/analyze/cancel", task_id=task_id)["cancelled"] is True
    assert client.task(task_id)["message"] == "Stopped by key 1. What was finished stays."


def test_anothers_task_is_put_first_by_administrators_alone_and_its_owner_is_told(
    api_stack: Stack, client: Client, media: Path, caches: Path
) -> None:
    ann, bob = (
        api_stack.client(key=made(client, label=label, scopes=["analyze"])[0])
        for label in ("Ann", "Bob")
    )
    seem_alive(api_stack.redis_url)
    body = {"cache_dir": str(caches / "line"), "visual_media_paths": [str(media / "a.mov")]}
    first, second, third = (ann.ok("/analyze", **body, on_busy="queue") for _ in range(3))
    path = f"/tasks/{third['task_id']}/first"
    assert bob.post(path).status_code == 403
    assert ann.post(path, of_all=True).status_code == 403
    assert ann.ok(path) == {"message": "It comes first now.", "moved": True, "place": 1}
    assert ann.task(second["task_id"])["place"] == 2
    moved = client.ok(f"/tasks/{second['task_id']}/first", of_all=True)
    assert (moved["moved"], moved["place"]) == (True, 1)
    assert ann.task(second["task_id"])["message"].endswith("key 1 has put it first.")
    assert ann.ok(f"/tasks/{first['task_id']}/first")["moved"] is False
    assert ann.post("/tasks/none/first").status_code == 404


def test_a_key_makes_none_with_more_rights_than_its_own(
    api_stack: Stack, client: Client, media: Path
) -> None:
    until, show = time.time() + 3600, media / "show9"
    mine = {"scopes": ["admin", "search"], "roots": [str(show)], "expires_at": until}
    guest = api_stack.client(key=made(client, **mine)[0])
    same = guest.post("/keys").json()["key"]
    assert {name: same[name] for name in ("roots", "expires_at")} == {
        "roots": [str(show)],
        "expires_at": until,
    }
    assert sorted(same["scopes"]) == ["admin", "search"]
    for more, status in (
        ({"scopes": ["export"]}, 403),
        ({"roots": [str(media)]}, 403),
        ({"expires_at": until + 1}, 400),
    ):
        assert guest.post("/keys", **more).status_code == status
    assert guest.post("/keys", scopes=["search"], roots=[str(show / "day1")]).status_code == 201


def test_a_watch_folder_keeps_the_roots_of_its_key(
    api_stack: Stack, client: Client, media: Path, caches: Path
) -> None:
    show, other = media / "show5", media / "show6"
    for folder in (show, other, caches / "show5"):
        folder.mkdir(exist_ok=True)
    (show / "link").symlink_to(other)
    (caches / "show5" / "link").symlink_to(caches)
    guest = api_stack.client(key=made(client, roots=[str(show), str(caches / "show5")])[0])
    for path, cache in ((show / "link", caches / "show5"), (show, caches / "show5" / "link")):
        body = {"path": str(path), "cache_dir": str(cache)}
        refused = guest.http.post("/watch-folders", json=body)
        assert (refused.status_code, "licence key" in refused.json()["message"]) == (403, True)
    for path in ("start", "stop"):
        assert guest.http.post(f"/watch-folders/service/{path}").status_code == 403
