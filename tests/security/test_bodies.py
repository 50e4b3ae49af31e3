"""Bodies made to hold everybody up: without a key, with a wrong one and with a right one."""

from __future__ import annotations

import contextlib
import json
import select
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import httpx
import pytest

from tests.support.attacked import head, others_asking, raw_socket, resident_mb, until_closed
from tests.support.private_redis import PrivateRedis
from tests.support.stack import ADDRESS_SPACE, KEY, Stack

SLOW_S = 1.5  # /health is answered within 0.3 s; earlier versions took 2 to 12
FAT_MB = 400
MILLIONS: dict[str, Callable[[], bytes]] = {
    "keys": lambda: b"{" + b",".join(b'"k%d":1' % n for n in range(3_000_000)) + b"}",
    "lists": lambda: b'{"a":[' + b"[]," * 15_000_000 + b"[]]}",
    "nulls": lambda: b'{"a":[' + b'{"a":null},' * 5_400_000 + b"{}]}",
    "a key of lists": lambda: b'{"license_key":[' + b"[]," * 15_000_000 + b"[]]}",
    "nested lists": lambda: b'{"a":[' + (b"[" * 900 + b"]" * 900 + b",") * 30_000 + b"[]]}",
    "as many paths as may be": lambda: b'{"media_paths":[' + b'"relative",' * 990_000 + b'"/a"]}',
    "as many keys as may be": lambda: (
        b'{"segments":[{' + b",".join(b'"%d":1' % n for n in range(990_000)) + b"}]}"
    ),
    "halves of characters": lambda: b'{"a":"' + b"\\n\\ud800" * 7_000_000 + b'"}',
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One API process with a bound on its memory."""
    folder = tmp_path_factory.mktemp("s")
    redis = PrivateRedis(folder / "r")
    (folder / "r").mkdir()
    redis.start()
    stack = Stack(folder, redis.url, address_space=dict(ADDRESS_SPACE))
    try:
        stack.start_api()
        yield stack
    finally:
        stack.stop()
        redis.stop()


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("name", MILLIONS)
def test_millions_of_values_hold_nobody_up(stack: Stack, name: str, key: str | None) -> None:
    url = stack.client().url
    headers = {"X-License-Key": key} if key else {}
    body = MILLIONS[name]()
    with others_asking(stack) as waited:
        answer = httpx.post(
            f"{url}/api/v1/export/transcript", content=body, headers=headers, timeout=60
        )
    assert answer.status_code in ((400, 413) if key else (401, 413)), answer.text
    assert waited.longest_s < SLOW_S
    assert resident_mb(stack.processes["api-0"]) < FAT_MB


def test_a_wrong_key_in_the_header_is_refused_before_the_body_is_read(stack: Stack) -> None:
    asked = head("/analyze", "X-License-Key: wrong", f"Content-Length: {60 << 20}")
    with raw_socket(stack, asked) as connection:
        said = until_closed(connection)  # in as many pieces as it comes
    assert said.startswith(b"HTTP/1.1 403 ")
    assert said.count(b"HTTP/1.1") == 1


def test_a_key_works_wherever_it_stands_in_a_body_of_ten_thousand_paths(stack: Stack) -> None:
    paths = [f"/footage/card {n}/{'x' * 40}.mov" for n in range(10_000)]
    for fields in (
        {"license_key": KEY, "cache_dir": "/nowhere", "media_paths": paths},
        {"cache_dir": "/nowhere", "media_paths": paths, "license_key": f"  {KEY}\t"},
        {
            "cache_dir": "/nowhere",
            "x": [{"license_key": "no"}],
            "license_key": KEY,
            "media_paths": paths,
        },
    ):
        url = f"{stack.client().url}/api/v1/analysis-data/load-for-media"
        answer = httpx.post(url, json=fields, timeout=30)
        assert (answer.status_code, answer.json()["missing"]) == (200, paths)


def test_a_body_whose_key_cannot_be_found_is_401_and_whose_key_is_wrong_403(stack: Stack) -> None:
    for content, status in (
        (b'{"license_key": "test-key", "cache_dir": ', 401),
        (b'{"cache_dir": 5, "license_key": 5}', 401),
        (b'{"license_key": null}', 401),
        (b'{"license_key": "  "}', 401),
        (b'{"license_key": "no", "cache_dir": 5}', 403),
        (b'{"license_key": "' + b"a" * (20 << 20) + b'"}', 403),
        (b"", 401),
    ):
        answer = httpx.post(f"{stack.client().url}/api/v1/analyze", content=content)
        assert answer.status_code == status, content[:40]


@pytest.mark.timeout(180)
def test_uploads_without_a_key_have_four_places_64_mb_and_ten_seconds(stack: Stack) -> None:
    before = resident_mb(stack.processes["api-0"])
    asked = head("/analyze", f"Content-Length: {60 << 20}") + b'{"a":"'
    connections = [raw_socket(stack, asked) for _ in range(30)]
    began = time.monotonic()
    with ThreadPoolExecutor(len(connections)) as pool:

        def upload(connection) -> bytes:
            with connection:
                connection.settimeout(60)
                with contextlib.suppress(OSError):
                    for _ in range(24):
                        connection.sendall(b"a" * (1 << 20))
                return until_closed(connection)

        uploads = [pool.submit(upload, connection) for connection in connections]
        with others_asking(stack) as waited:
            while wait(uploads, timeout=0.02).not_done:
                assert stack.client().get("/tasks").status_code == 200  # whose key is in the header
                assert resident_mb(stack.processes["api-0"]) < before + 200
        said = [upload.result() for upload in uploads]
    assert time.monotonic() - began < 60
    assert waited.longest_s < SLOW_S
    statuses = sorted({answer[9:12] for answer in said} - {b""})
    assert set(statuses) <= {b"408", b"503"}
    assert b"503" in statuses
    full = next(answer for answer in said if answer[9:12] == b"503")
    assert b"retry-after: " in full.lower()
    assert b"X-License-Key" in full


def test_a_body_without_a_key_that_does_not_arrive_is_408(stack: Stack) -> None:
    began = time.monotonic()
    with raw_socket(stack, head("/analyze", "Content-Length: 100") + b"{") as connection:
        said = until_closed(connection)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b"did not arrive within 10 s" in said
    assert 9 < time.monotonic() - began < 25


def test_the_bodies_in_hand_have_a_limit_together(tmp_path: Path, redis_url: str) -> None:
    stack = Stack(
        tmp_path, redis_url, {"RUSHES_MAX_BODY_MB": "1"}, address_space=dict(ADDRESS_SPACE)
    )
    asked = head("/analyze", f"X-License-Key: {KEY}", f"Content-Length: {1 << 20}")
    with contextlib.ExitStack() as open_now:
        open_now.callback(stack.stop)
        client = stack.start_api()
        almost = asked + b" " * ((1 << 20) - 10)
        held = [open_now.enter_context(raw_socket(stack, almost)) for _ in range(5)]
        [refused], _, _ = select.select(held, [], [], 20)
        said = until_closed(refused)
        assert said.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: " in said.lower()
        for connection in held:
            if connection is not refused:
                connection.sendall(b" " * 8 + b"{}")
                assert connection.recv(1 << 16).startswith(b"HTTP/1.1 400 ")
        assert client.post("/analyze").status_code == 400


def test_nothing_of_a_body_or_key_is_logged(stack: Stack) -> None:
    for content in (json.dumps({"license_key": "canary-1"}), '{"canary-2": '):
        httpx.post(f"{stack.client().url}/api/v1/analyze", content=content)
    httpx.post(f"{stack.client().url}/api/v1/analyze", headers={"X-License-Key": "canary-3"})
    log = stack.processes["api-0"].text()
    assert "canary" not in log
    assert KEY not in log
    assert "Traceback" not in log
