"""Pictures of hits: in the answer, left out, or under signed addresses that need no key."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api import signed_addresses
from api.search.frames.previews import SignedFrame
from api.signed_addresses import SignedAddresses, token_of
from shared.cache.cache_dir import CacheDir
from shared.redis.clients import connect
from tests.support.media.media import make_still
from tests.support.private_redis import private_redis
from tests.support.search.search_data import media_hash, publish, random_units
from tests.support.stack import Client, Stack, running_stack
from tests.support.system.stopwatch import Stopwatch
from tests.support.waiting import wait_for

HASH = media_hash(1)
ROWS = 5


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two API processes; a film of five grid frames; a picture to search by."""
    folder = tmp_path_factory.mktemp("hits")
    with (
        private_redis() as redis,
        running_stack(
            folder,
            redis.url,
            apis=2,
            analysis=0,
            RUSHES_PUBLIC_URL="https://studio.example/rushes",
        ) as running,
    ):
        film = folder / "film.mp4"
        film.write_bytes(b"film")
        make_still(folder / "red.jpg", colour=(200, 30, 30))
        cache = CacheDir.open(folder / "cache", create=True)
        publish(cache, HASH, random_units(ROWS, 384, 1), model="conse-lite0", path=film)
        yield running


@pytest.fixture
def client(stack: Stack) -> Client:
    return stack.client()


def matches(stack: Stack, client: Client, **body: Any) -> list[dict[str, Any]]:
    image = str(stack.folder / "red.jpg")
    cache_dir = str(stack.folder / "cache")
    answer = client.ok("/search/image", cache_dir=cache_dir, image_path=image, **body)
    return list(answer["matches"])


def fetched(stack: Stack, url: str, api: int = 0, **headers: str) -> httpx.Response:
    """As a browser does: without a key, by the proxy that takes the path away."""
    path = url.removeprefix("/rushes")
    assert path != url
    return httpx.get(stack.client(api).url + path, headers=headers)


def test_an_answer_is_as_ever_unless_it_is_asked_for_otherwise(
    stack: Stack, client: Client
) -> None:
    (plain,) = matches(stack, client)
    jpeg = f"{HASH} {plain['frame_idx']}".encode()
    assert base64.b64decode(plain["image"]) == jpeg
    assert "image_url" not in plain
    assert matches(stack, client, images=True) == [plain]
    assert matches(stack, client, images=False) == [{**plain, "image": ""}]


def test_an_address_shows_the_picture_without_a_key_in_every_api_process(
    stack: Stack, client: Client
) -> None:
    (plain,) = matches(stack, client)
    (match,) = matches(stack, client, images="url")
    assert match == {**plain, "image": "", "image_url": match["image_url"]}
    for api in (0, 1):
        shown = fetched(stack, match["image_url"], api)
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
        assert base64.b64encode(shown.content).decode() == plain["image"]
        kept_s = int(shown.headers["cache-control"].removeprefix("private, max-age="))
        assert 3500 < kept_s <= 5400
        again = fetched(stack, match["image_url"], api, **{"If-None-Match": shown.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert matches(stack, client, images="url") == [match], "browsers keep it by its address"
    token = match["image_url"].rpartition("/")[2]
    logs = "".join(path.read_text() for path in stack.folder.glob("*.log"))
    assert logs
    assert token not in logs


def test_an_address_shows_every_second_of_its_scene_and_no_other(
    stack: Stack, client: Client
) -> None:
    with connect(stack.redis_url) as redis:
        signer = SignedAddresses(redis, "default").signer()
    token = token_of(signer, SignedFrame(str(stack.folder / "cache"), HASH, 2, 1, 4, None))
    url = f"/rushes/api/v1/frames/{token}"
    shown = {second: fetched(stack, f"{url}?second={second}") for second in (1, 2, 3)}
    assert [answer.content.decode() for answer in shown.values()] == [
        f"{HASH} {second}" for second in shown
    ]
    assert len({answer.headers["etag"] for answer in shown.values()}) == 3
    assert fetched(stack, url).content == shown[2].content
    for outside in (0, 4):
        refused = fetched(stack, f"{url}?second={outside}")
        assert (refused.status_code, "from 1 to 3" in refused.json()["message"]) == (404, True)
    assert fetched(stack, f"{url}?second=soon").status_code == 400


def test_the_address_of_a_match_shows_its_scene(stack: Stack, client: Client) -> None:
    (match,) = matches(stack, client, images="url")
    seconds = [int(match[f"scene_{side}_timestamp"][-2:]) for side in ("start", "end")]
    for second in range(*seconds):
        assert fetched(stack, f"{match['image_url']}?second={second}").status_code == 200
    beyond = fetched(stack, f"{match['image_url']}?second={seconds[1]}")
    assert beyond.status_code == 404


def test_an_address_that_was_changed_or_has_expired_shows_nothing(
    stack: Stack, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    (match,) = matches(stack, client, images="url")
    url = match["image_url"]
    for wrong in (
        url[:-1],
        url + "x",
        url.replace("/frames/", "/frames/x"),
        "/rushes/api/v1/frames/a",
    ):
        refused = fetched(stack, wrong)
        assert (refused.status_code, refused.json()["error"]) == (404, "Not found")
    frame = SignedFrame(str(stack.folder / "cache"), HASH, 1, 0, ROWS, None)
    monkeypatch.setattr(signed_addresses, "LEAST_S", -7200)
    with connect(stack.redis_url) as redis:
        token = token_of(SignedAddresses(redis, "default").signer(), frame)
    late = fetched(stack, f"/rushes/api/v1/frames/{token}")
    assert (late.status_code, "expired" in late.json()["message"]) == (404, True)


def test_an_address_ends_with_the_key_that_asked_for_it(stack: Stack, client: Client) -> None:
    def address(key: str) -> str:
        (match,) = matches(stack, stack.client(key=key), images="url")
        return str(match["image_url"])

    revoked = client.post("/keys", label="Guest").json()
    urls = [address(revoked["license_key"])]
    expiring = client.post("/keys", expires_at=time.time() + 2).json()
    urls.append(address(expiring["license_key"]))
    assert fetched(stack, urls[1]).status_code == 200
    stopwatch = Stopwatch(stack)
    assert client.http.delete(f"/keys/{revoked['key']['id']}").status_code == 200
    for url in urls:
        wait_for(lambda url=url: fetched(stack, url).status_code == 404, 20, "the end of the key")
        assert stopwatch.seconds() < 5
        assert "was revoked or has expired" in fetched(stack, url).json()["message"]


def test_an_address_of_an_earlier_version_works_until_it_expires(stack: Stack) -> None:
    signed = [str(stack.folder / "cache"), HASH, 1, 0, ROWS, None]
    with connect(stack.redis_url) as redis:
        signer = SignedAddresses(redis, "default").signer()
    token = signer.dumps([int(time.time()) + 60, signed], salt="SignedFrame")
    assert fetched(stack, f"/rushes/api/v1/frames/{token}").status_code == 200


def test_an_address_leads_nowhere_that_its_key_could_not_go(stack: Stack, tmp_path: Path) -> None:
    with connect(stack.redis_url) as redis:
        signer = SignedAddresses(redis, "default").signer()
    elsewhere = SignedFrame(str(stack.folder / "cache"), HASH, 1, 0, ROWS, (str(tmp_path),))
    assert fetched(stack, f"/rushes/api/v1/frames/{token_of(signer, elsewhere)}").status_code == 403
    gone = SignedFrame(str(stack.folder / "cache"), media_hash(9), 1, 0, ROWS, None)
    assert fetched(stack, f"/rushes/api/v1/frames/{token_of(signer, gone)}").status_code == 404


def test_another_word_for_images_is_named(stack: Stack, client: Client) -> None:
    body = {"cache_dir": str(stack.folder / "cache"), "query": "x", "images": "links"}
    refused = client.post("/search/text", **body)
    assert refused.status_code == 400
    assert "images" in refused.json()["message"]
