"""POST /media/playback on the real stack: what a player fetches, and what it is told."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import httpx
import pytest

from api import signed_addresses
from api.media.playback.previews import SignedOriginal, SignedPreview
from api.query_client import QueryClient
from api.signed_addresses import Signed, SignedAddresses, token_of
from shared.cache.cache_dir import CacheDir
from shared.domain import Probe
from shared.errors import NoWorker
from shared.media import MediaType
from shared.query.messages import Lane, MakePreview
from shared.redis.clients import connect
from tests.support.media import previews
from tests.support.media.by_path import hash_media
from tests.support.media.media import (
    PRORES,
    also,
    make_clip,
    make_still,
    read_bar_code,
    write_sound,
)
from tests.support.private_redis import private_redis
from tests.support.search.search_data import publish, random_units
from tests.support.stack import Client, Stack, running_stack
from tests.support.waiting import wait_for

SIZE = (160, 96)
AT_ONCE = 2
GONE_WITHIN_S = 2.0


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("playback")
    program = "tests.support.programs.query_with_a_fragile_decoder"
    with private_redis() as redis, running_stack(folder, redis.url, query=0, analysis=0) as running:
        running.start("query-0", "-m", program, NOTES=str(folder / "notes"))
        running.wait_ready(analysis=0, query=1)
        yield running


@pytest.fixture
def client(stack: Stack) -> Client:
    (stack.folder / "notes").write_text("")
    return stack.client()


def played(client: Client, path: Path, **more: str) -> dict[str, Any]:
    return dict(client.ok("/media/playback", media_path=str(path), **more))


def fetched(stack: Stack, url: str, **headers: str) -> httpx.Response:
    """As a browser does, without a key."""
    return httpx.get(stack.client().url + url, headers=headers)


def segment_of(stack: Stack, playback: dict[str, Any], number: int) -> httpx.Response:
    return fetched(stack, f"{playback['preview']['url']}/{number}")


def signed(stack: Stack, place: str, what: Signed) -> str:
    with connect(stack.redis_url) as redis:
        return f"/api/v1/media/{place}/{token_of(SignedAddresses(redis, 'default').signer(), what)}"


def makers(stack: Stack) -> list[int]:
    """The process of each segment whose making was begun."""
    return [*map(int, (stack.folder / "notes").read_text().split())]


@contextlib.contextmanager
def waiting(stack: Stack, url: str) -> Iterator[socket.socket]:
    """A client that has asked, and leaves at the end."""
    with socket.create_connection(("127.0.0.1", stack.ports[0])) as asking:
        asking.sendall(f"GET {url} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        yield asking


def is_gone(process: int) -> bool:
    return not os.path.exists(f"/proc/{process}")


def clients_who_left(stack: Stack) -> int:
    return stack.processes["api-0"].text().count(" 499 ")


def test_a_prores_original_is_described_and_its_preview_plays(
    stack: Stack, client: Client, tmp_path: Path
) -> None:
    encoding = also(PRORES, tone_hz=440)
    clip = make_clip(tmp_path / "a.mov", 6, size=SIZE, encoding=encoding)
    found = played(client, clip)
    assert (found["online"], found["kind"], found["duration_seconds"]) == (True, "video", 6)
    assert (found["width"], found["height"], found["rate"]) == (*SIZE, {"num": 25, "den": 1})
    assert (found["hash_str"], found["frames_url"]) == (hash_media(clip), None)
    assert "avc1" not in found["original"]["type"]
    preview = found["preview"]
    assert (preview["segment_seconds"], preview["segments"]) == (4, 2)
    assert preview["type"] == 'video/mp4; codecs="avc1.640028, mp4a.40.2"'
    answer = segment_of(stack, found, 1)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "video/mp4")
    shown = previews.pictures(answer.content, 1)
    assert [read_bar_code(picture.rgb) for picture in shown] == [*range(100, 150)]
    with av.open(io.BytesIO(answer.content)) as mp4:
        assert [stream.type for stream in mp4.streams] == ["video", "audio"]
    again = segment_of(stack, found, 1)
    assert (again.content, len(makers(stack))) == (answer.content, 1), "it was kept"
    beyond = segment_of(stack, found, 2)
    assert (beyond.status_code, "from 0 to 1" in beyond.json()["message"]) == (404, True)


def test_an_original_comes_by_ranges_and_is_never_a_page(
    stack: Stack, client: Client, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / "a.mp4", 1, size=SIZE)
    url, content = played(client, clip)["original"]["url"], clip.read_bytes()
    whole = fetched(stack, url)
    assert (whole.status_code, whole.content) == (200, content)
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert whole.headers["x-accel-buffering"] == "no"
    assert "sandbox" in whole.headers["content-security-policy"]
    assert whole.headers["cross-origin-resource-policy"] == "same-origin"
    tag = whole.headers["etag"]
    for asked, expected in (("0-9", content[:10]), ("100-", content[100:]), ("-7", content[-7:])):
        part = fetched(stack, url, Range=f"bytes={asked}", **{"If-Range": tag})
        assert (part.status_code, part.content) == (206, expected)
    assert fetched(stack, url, Range="bytes=999999999-").status_code == 416
    for known in (tag, f'"other", W/{tag}'):
        assert fetched(stack, url, **{"If-None-Match": known}).status_code == 304
    clip.write_bytes(content + b"more")
    changed = fetched(stack, url)
    assert (changed.status_code, "has changed" in changed.json()["message"]) == (404, True)
    later = played(client, clip)["original"]["url"]
    assert later != url
    assert fetched(stack, later).content == content + b"more"


def test_what_is_no_media_is_never_served_as_a_page(
    stack: Stack, client: Client, tmp_path: Path
) -> None:
    page = b"<!DOCTYPE html><html><script>alert(1)</script></html>"
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    for name, content in (("a.mp4", page), ("b.jpg", drawing), ("c.html", page), ("d.svg", page)):
        (tmp_path / name).write_bytes(content)
        refused = client.post("/media/playback", media_path=str(tmp_path / name))
        assert refused.status_code == 400, name
    tiff = make_still(tmp_path / "e.tif")
    wave = write_sound(tmp_path / "f.wav", 1)
    wave.write_bytes(wave.read_bytes() + page)
    for path, kind in ((tiff, "application/octet-stream"), (wave, "audio/wav")):
        answer = fetched(stack, played(client, path)["original"]["url"])
        assert (answer.headers["content-type"], answer.status_code) == (kind, 200)


def test_sound_and_stills_are_told_apart(stack: Stack, client: Client, tmp_path: Path) -> None:
    heard = played(client, write_sound(tmp_path / "a.wav", 5))
    assert (heard["kind"], heard["width"], heard["original"]["type"]) == (
        "audio",
        None,
        'audio/wav; codecs="1"',
    )
    answer = segment_of(stack, heard, 1)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/mp4")
    still = played(client, make_still(tmp_path / "a.jpg"))
    assert (still["kind"], still["preview"], still["duration_seconds"]) == ("still", None, None)
    assert still["original"]["type"] == "image/jpeg"


def test_a_file_that_is_away_is_known_by_its_stored_pictures(
    stack: Stack, client: Client, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / "a.mp4", 3, size=SIZE)
    cache = CacheDir.open(tmp_path / "cache", create=True)
    probe = Probe(media_type=MediaType.VIDEO, video_codec="h264", duration_seconds=3)
    publish(cache, hash_media(clip), random_units(3, 384, 1), path=clip, probe=probe)
    folder = {"cache_dir": str(tmp_path / "cache")}
    here = played(client, clip, **folder)
    assert fetched(stack, f"{here['frames_url']}?second=2").status_code == 200
    assert fetched(stack, f"{here['frames_url']}?second=3").status_code == 404
    clip.unlink()
    for url in (here["original"]["url"], f"{here['preview']['url']}/0"):
        answer = fetched(stack, url)
        assert (answer.status_code, "does not exist" in answer.json()["message"]) == (404, True)
    away = played(client, clip, **folder)
    assert (away["online"], away["original"], away["preview"]) == (False, None, None)
    assert (away["kind"], away["duration_seconds"]) == ("video", 3)
    assert fetched(stack, f"{away['frames_url']}?second=2").status_code == 200
    unknown = client.post("/media/playback", media_path=str(clip))
    assert (unknown.status_code, "does not exist" in unknown.json()["message"]) == (404, True)


def test_work_ends_with_the_last_client_who_waits(
    stack: Stack, client: Client, tmp_path: Path
) -> None:
    url = played(client, make_clip(tmp_path / "previews" / "hangs.mp4", 12, size=SIZE))["preview"][
        "url"
    ]
    with contextlib.ExitStack() as first, contextlib.ExitStack() as others:
        first.enter_context(waiting(stack, f"{url}/0"))
        others.enter_context(waiting(stack, f"{url}/0"))
        others.enter_context(waiting(stack, f"{url}/1"))
        both = wait_for(lambda: makers(stack)[AT_ONCE - 1 :] and makers(stack), 5, "two makers")
        assert len(both) == AT_ONCE, "the same one is made once"
        left = clients_who_left(stack)
        with waiting(stack, f"{url}/2"):
            pass  # it waits for its turn, in which nobody waits for it any more
        wait_for(lambda: clients_who_left(stack) > left, GONE_WITHIN_S, "that it is missed")
        others.close()
        wait_for(lambda: sum(map(is_gone, both)) == 1, GONE_WITHIN_S, "the end of one")
    wait_for(lambda: all(map(is_gone, both)), GONE_WITHIN_S, "the end of both")
    answered = played(client, make_clip(tmp_path / "b.mp4", 1, size=SIZE))
    assert segment_of(stack, answered, 0).status_code == 200
    assert len(makers(stack)) == AT_ONCE + 1, "what nobody waited for was not begun"


def test_the_same_segment_is_made_once_for_all(
    stack: Stack, client: Client, tmp_path: Path
) -> None:
    found = played(client, make_clip(tmp_path / "a.mp4", 4, size=SIZE))
    with ThreadPoolExecutor(4) as pool:
        answers = [*pool.map(lambda _: segment_of(stack, found, 0).content, range(4))]
    assert (len(set(answers)), len(makers(stack))) == (1, 1)


@pytest.mark.parametrize(("name", "why"), [("killed", "crashed"), ("hangs", "longer than 3 s")])
def test_a_file_that_kills_or_hangs_its_maker_costs_its_segment_alone(
    name: str, why: str, stack: Stack, client: Client, tmp_path: Path
) -> None:
    found = played(client, make_clip(tmp_path / "previews" / f"{name}.mp4", 1, size=SIZE))
    answer = segment_of(stack, found, 0)
    assert (answer.status_code, why in answer.json()["message"]) == (400, True)
    (maker,) = makers(stack)
    wait_for(lambda: is_gone(maker), GONE_WITHIN_S, "the end of its maker")
    well = played(client, make_clip(tmp_path / "well.mp4", 1, size=SIZE))
    assert segment_of(stack, well, 0).status_code == 200


def test_addresses_end_with_their_key(stack: Stack, client: Client, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 1, size=SIZE)
    publish(
        CacheDir.open(tmp_path / "cache", create=True),
        hash_media(clip),
        random_units(1, 384, 1),
        path=clip,
    )
    made = client.post("/keys", label="Guest").json()
    guest = stack.client(key=made["license_key"])
    found = played(guest, clip, cache_dir=str(tmp_path / "cache"))
    urls = (found["original"]["url"], found["preview"]["url"] + "/0", found["frames_url"])
    assert [fetched(stack, url).status_code for url in urls[:2]] == [200, 200]
    assert client.http.delete(f"/keys/{made['key']['id']}").status_code == 200
    for url in urls:
        ended = fetched(stack, url)
        assert (ended.status_code, "revoked" in ended.json()["message"]) == (404, True)


def test_a_file_plays_whatever_has_become_of_its_cache_folder(
    stack: Stack, client: Client, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / "a.mp4", 1, size=SIZE)
    cache = CacheDir.open(tmp_path / "cache", create=True)
    (cache.root.path / "rushes.json").write_text("{")
    found = played(client, clip, cache_dir=str(tmp_path / "cache"))
    assert (found["online"], found["frames_url"]) == (True, None)


def test_what_has_waited_too_long_in_line_is_no_fault_of_its_file(
    stack: Stack, client: Client, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / "a.mp4", 1, size=SIZE)
    asked = MakePreview(path=str(clip), begins=0, ends=1, has_picture=True, has_sound=False)

    async def ask() -> None:
        async with QueryClient(stack.redis_url, "default") as query_client:
            await query_client.ask(Lane.PREVIEW, asked, 2)  # it may take 3 s

    with pytest.raises(NoWorker, match="Too many previews"):
        asyncio.run(ask())
    assert not makers(stack)


def test_addresses_lead_nowhere_that_their_key_could_not_go_and_expire(
    stack: Stack, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_clip(tmp_path / "outside.mp4", 1, size=SIZE)
    inside = tmp_path / "show"
    inside.mkdir()
    (inside / "link.mp4").symlink_to(clip)
    made = client.post("/keys", roots=[str(inside)], label="Show").json()
    of_show = stack.client(key=made["license_key"])
    for path in (clip, inside / "link.mp4"):
        assert of_show.post("/media/playback", media_path=str(path)).status_code == 403
    key_id, now = made["key"]["id"], clip.stat()
    link = (str(inside / "link.mp4"), now.st_size, now.st_mtime_ns, key_id)
    original = SignedOriginal(*link, "video/mp4")
    preview = SignedPreview(*link, 1, True, False)
    leads_out = (signed(stack, "original", original), signed(stack, "preview", preview) + "/0")
    assert [fetched(stack, url).status_code for url in leads_out] == [403, 403]
    url = played(client, clip)["original"]["url"]
    assert fetched(stack, url[:-3]).status_code == 404
    monkeypatch.setattr(signed_addresses, "LEAST_S", -7200)
    late = fetched(stack, signed(stack, "original", original))
    assert (late.status_code, "expired" in late.json()["message"]) == (404, True)
    assert url.rpartition("/")[2] not in (stack.folder / "api-0.log").read_text()
