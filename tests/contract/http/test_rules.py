"""Rules of every endpoint: route, key, body, in that order; errors in one form; CORS."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import httpx
import pytest

from shared.redis.clients import connect
from shared.redis.licence_keys import Keys
from tests.support import openapi_agreement
from tests.support.private_redis import PrivateRedis
from tests.support.stack import KEY, Client, Stack

NO_KEY = {
    "error": "Authentication required",
    "message": "Provide license_key in request body or X-License-Key header",
}
NOT_PRO = {
    "error": "Jumper Pro license required",
    "message": "The public API requires a Jumper Pro license",
}


def anonymous(client: Client) -> httpx.Client:
    return httpx.Client(
        base_url=f"{client.url}/api/v1", event_hooks={"response": [openapi_agreement.check]}
    )


def test_health_is_open_and_exactly_ok(client: Client) -> None:
    with anonymous(client) as http:
        answer = http.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    "name", ["/ready?require=redis", "/openapi.json", "/openapi.yaml", "/docs"]
)
def test_what_holds_no_data_needs_no_key(client: Client, name: str) -> None:
    with anonymous(client) as http:
        assert http.get(name).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/models/loaded"),
        ("GET", "/tasks"),
        ("POST", "/analyze"),
        ("POST", "/search/text"),
        ("DELETE", "/watch-folders/1"),
        ("POST", "/faces/recluster"),
    ],
)
def test_without_a_key_401_and_with_an_unknown_one_403(
    client: Client, method: str, path: str
) -> None:
    with anonymous(client) as http:
        missing = http.request(method, path)
        unknown = http.request(method, path, headers={"X-License-Key": "nobody's"})
    assert (missing.status_code, missing.json()) == (401, NO_KEY)
    assert (unknown.status_code, unknown.json()) == (403, NOT_PRO)


def test_a_key_in_the_body_is_accepted_and_the_header_wins(client: Client) -> None:
    with anonymous(client) as http:
        in_body = http.post("/analyze/cancel", json={"license_key": KEY})
        both = http.post(
            "/analyze/cancel", json={"license_key": KEY}, headers={"X-License-Key": "wrong"}
        )
        on_get = http.request("GET", "/tasks", json={"license_key": KEY})
        no_text = http.post("/analyze/cancel", json={"license_key": 5})
    assert in_body.status_code == 200
    assert both.status_code == 403
    assert on_get.status_code == 401
    assert no_text.status_code == 401


def test_made_keys_count_by_their_tier_until_they_are_revoked(
    client: Client, api_redis: PrivateRedis, api_stack: Stack
) -> None:
    keys = Keys(connect(api_redis.url), "default", api_stack.folder / "state")
    pro, basic = keys.create("pro"), keys.create("basic")

    def status(key: str) -> int:
        with anonymous(client) as http:
            return http.get("/tasks", headers={"X-License-Key": key}).status_code

    assert (status(pro), status(basic)) == (200, 403)
    for record in keys.list():
        keys.revoke(record.id)
    assert status(pro) == 403


def test_the_route_is_checked_before_the_key_and_the_key_before_the_body(client: Client) -> None:
    with anonymous(client) as http:
        unknown = http.post("/nowhere", content="{")
        wrong_method = http.get("/analyze")
        bad_body = http.post("/analyze", content="{")
        bad_body_with_bad_key = http.post(
            "/analyze", content="{", headers={"X-License-Key": "wrong"}
        )
    assert unknown.status_code == 404
    assert set(unknown.json()) == {"error", "message"}
    assert wrong_method.status_code == 405
    assert wrong_method.headers["allow"] == "POST"
    assert set(wrong_method.json()) == {"error", "message"}
    assert bad_body.status_code == 401
    assert bad_body_with_bad_key.status_code == 403


@pytest.mark.parametrize("content", ["", "   ", "{}", "null-free"])
def test_an_absent_or_empty_body_equals_an_empty_object(client: Client, content: str) -> None:
    if content == "null-free":
        answer = client.http.post("/analyze/cancel")
    else:
        answer = client.http.post("/analyze/cancel", content=content)
    assert answer.status_code == 200
    required = client.http.post("/analyze", content=content if content != "null-free" else "")
    assert required.status_code == 400
    assert required.json()["message"] == "cache_dir is required."


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", None])
def test_json_is_read_whatever_the_content_type_says(
    client: Client, content_type: str | None
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    body = json.dumps({"task_id": "x"})
    assert client.http.post("/analyze/cancel", content=body, headers=headers).status_code == 404


@pytest.mark.parametrize(
    "content", ["{", "[1]", '"text"', "5", "null", "{'a': 1}", b"\xff\xfe", "[" * 20_000, "{}x"]
)
def test_malformed_json_and_what_is_no_object_is_400(client: Client, content: str | bytes) -> None:
    answer = client.http.post("/analyze/cancel", content=content)
    assert answer.status_code == 400
    assert answer.json()["error"] == "Invalid request"


def test_unknown_keys_are_ignored_and_null_equals_leaving_out(
    client: Client, media: Path, caches: Path
) -> None:
    answer = client.post(
        "/analyze",
        cache_dir=str(caches / "a"),
        visual_media_paths=[str(media / "a.mp4")],
        transcription_jobs=None,
        cluster_job_name=None,
        force=None,
        on_busy=None,
        a_key_of_tomorrow={"x": None},
    )
    assert answer.status_code == 202
    assert client.post("/analyze", cache_dir=None).json()["message"] == "cache_dir is required."


def test_a_body_over_the_limit_is_413_also_when_it_does_not_say_its_size(client: Client) -> None:
    def pieces():
        for _ in range(40):
            yield b" " * (1 << 16)

    declared = client.http.post("/analyze", content=b" " * ((2 << 20) + 1))
    chunked = client.http.post("/analyze", content=pieces())
    for answer in (declared, chunked):
        assert answer.status_code == 413
        assert answer.json()["error"] == "Request too large"
        assert "RUSHES_MAX_BODY_MB" in answer.json()["message"]
    assert client.http.post("/analyze/cancel", content=b" " * (2 << 20)).status_code == 200


def test_a_huge_body_is_refused_before_it_is_sent(client: Client, api_stack: Stack) -> None:
    with socket.create_connection(("127.0.0.1", api_stack.ports[0]), timeout=5) as raw:
        head = f"POST /api/v1/analyze HTTP/1.1\r\nHost: localhost\r\nX-License-Key: {KEY}\r\n"
        raw.sendall(head.encode() + b"Content-Length: 99999999999\r\n\r\n{")
        answer = raw.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_every_origin_of_the_default_may_call_and_no_other(client: Client) -> None:
    for origin in (
        "null",
        "file://",
        "http://localhost",
        "https://localhost:8080",
        "http://127.0.0.1:3000",
    ):
        preflight = client.http.options(
            "/search/text",
            headers={
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "x-license-key",
            },
        )
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == origin
        assert "X-License-Key" in preflight.headers["access-control-allow-headers"]
        answer = client.http.get("/nowhere", headers={"Origin": origin})
        assert answer.headers["access-control-allow-origin"] == origin
        exposed = answer.headers["access-control-expose-headers"]
        assert {"Content-Disposition", "Retry-After"} <= set(exposed.split(", "))
    for origin in ("https://evil.example", "http://localhost.evil.example", "http://xlocalhost"):
        answer = client.http.get("/health", headers={"Origin": origin})
        assert "access-control-allow-origin" not in answer.headers
