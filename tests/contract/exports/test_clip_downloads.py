"""`download_urls`: exported clips under signed addresses, which a browser saves without a key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api import signed_addresses
from api.exports.clips.downloads import SignedExport
from api.signed_addresses import SignedAddresses, token_of
from tests.contract.keys.test_keys import made
from tests.support.exports.clips_desk import ClipsDesk, clips_desk
from tests.support.private_redis import PrivateRedis
from tests.support.stack import Client, Stack
from tests.support.waiting import wait_for

CONTENT = bytes(range(256)) * 3000  # more than one piece


@pytest.fixture
def desk(client: Client, api_redis: PrivateRedis, media: Path) -> Iterator[ClipsDesk]:
    with clips_desk(client, api_redis.url, media) as desk:
        desk.live()
        yield desk


def exported(desk: ClipsDesk, name: str = "0.mov", **more: Any) -> str:
    """The task of one clip that has been exported under this name."""
    task_id = desk.in_background(desk.clip(), **more)
    lease, spec = desk.take(task_id)
    (desk.out / name).write_bytes(CONTENT)
    desk.done(lease, spec, output_path=f"{spec.client_output_dir}/{name}")
    return task_id


def clip_of(client: Client, task_id: str) -> dict[str, Any]:
    answer = client.get(f"/tasks/{task_id}/exports?download_urls=true")
    assert answer.status_code == 200, answer.text
    (clip,) = answer.json()["exported"]
    return dict(clip)


def fetched(desk: ClipsDesk, url: str, method: str = "GET", **headers: str) -> httpx.Response:
    """As a browser does, without a key."""
    return httpx.request(method, desk.client.url + url, headers=headers)


def test_a_clip_is_saved_under_its_name_without_a_key(desk: ClipsDesk, api_stack: Stack) -> None:
    url = clip_of(desk.client, exported(desk, "Gespräch 1.mov"))["download_url"]
    saved = fetched(desk, url)
    assert (saved.status_code, saved.content == CONTENT) == (200, True)
    assert saved.headers["content-type"] == "video/quicktime"
    assert saved.headers["content-disposition"].startswith("attachment; ")
    assert "filename*=UTF-8''Gespr%C3%A4ch%201.mov" in saved.headers["content-disposition"]
    token = url.rpartition("/")[2]

    def logs() -> str:
        return "".join(path.read_text() for path in api_stack.folder.glob("*.log"))

    wait_for(lambda: "/api/v1/exports/…" in logs(), 5, "its line")
    assert token not in logs()


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-99", 0, 100),
        ("bytes=700000-", 700_000, len(CONTENT)),
        ("bytes=-10", len(CONTENT) - 10, len(CONTENT)),
        ("bytes=5-9999999", 5, len(CONTENT)),
    ],
)
def test_a_range_is_answered_so_that_a_download_goes_on(
    desk: ClipsDesk, asked: str, start: int, end: int
) -> None:
    url = clip_of(desk.client, exported(desk))["download_url"]
    part = fetched(desk, url, Range=asked)
    assert (part.status_code, part.content == CONTENT[start:end]) == (206, True)
    assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{len(CONTENT)}"


def test_other_ranges_and_conditions_are_answered_as_http_says(desk: ClipsDesk) -> None:
    url = clip_of(desk.client, exported(desk))["download_url"]
    beyond = fetched(desk, url, Range=f"bytes={len(CONTENT)}-")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(CONTENT)}")
    for no_range in ("bytes=1-2,5-6", "bytes=9-3", "bytes=-", "lines=1-2"):
        assert fetched(desk, url, Range=no_range).content == CONTENT
    head = fetched(desk, url, "HEAD")
    assert (head.headers["content-length"], head.content) == (str(len(CONTENT)), b"")
    tag = head.headers["etag"]
    assert fetched(desk, url, **{"If-None-Match": tag}).status_code == 304
    assert fetched(desk, url, **{"Range": "bytes=0-1", "If-Range": tag}).status_code == 206
    assert fetched(desk, url, **{"Range": "bytes=0-1", "If-Range": '"old"'}).content == CONTENT


def test_there_is_an_address_only_for_who_asks_and_for_what_is_written(desk: ClipsDesk) -> None:
    (clip,) = desk.found(exported(desk))["exported"]
    assert "download_url" not in clip
    assert "download_url" not in clip_of(desk.client, exported(desk, dry_run=True))


def test_an_address_shows_nothing_once_the_file_is_gone_or_its_time_is_over(
    desk: ClipsDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = clip_of(desk.client, exported(desk, "gone.mov"))["download_url"]
    (desk.out / "gone.mov").unlink()
    gone = fetched(desk, url)
    assert gone.status_code == 404
    assert gone.json()["message"] == "gone.mov is not where it was exported to; export it again."
    assert fetched(desk, url + "x").status_code == 404
    monkeypatch.setattr(signed_addresses, "LEAST_S", -7200)
    signer = SignedAddresses(desk.redis, "default").signer()
    token = token_of(signer, SignedExport(str(desk.out / "0.mov"), ""))
    late = fetched(desk, f"/api/v1/exports/{token}")
    assert (late.status_code, "expired" in late.json()["message"]) == (404, True)


def test_an_address_leads_nowhere_that_its_key_could_not_go(
    desk: ClipsDesk, api_stack: Stack, media: Path, tmp_path: Path
) -> None:
    task_id = exported(desk, "link.mov")
    (tmp_path / "secret").write_bytes(b"secret")
    (desk.out / "link.mov").unlink()
    (desk.out / "link.mov").symlink_to(tmp_path / "secret")
    outside = fetched(desk, clip_of(desk.client, task_id)["download_url"])
    assert outside.status_code == 403
    (media / "other").mkdir(exist_ok=True)
    key, _ = made(desk.client, label="Guest of clips", roots=[str(media / "other")])
    refused = api_stack.client(key=key).get(f"/tasks/{exported(desk)}/exports?download_urls=true")
    assert refused.status_code == 403
    assert "outside the folders of this licence key" in refused.json()["message"]
    key, shown = made(desk.client, label="Colleague")
    guest = clip_of(api_stack.client(key=key), exported(desk))
    assert fetched(desk, guest["download_url"]).status_code == 200
    assert desk.client.http.delete(f"/keys/{shown['id']}").status_code == 200
    ended = fetched(desk, guest["download_url"])
    assert (ended.status_code, "revoked" in ended.json()["message"]) == (404, True)
