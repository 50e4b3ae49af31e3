"""By which names the server may be called, and events that only look like the server's own."""

from __future__ import annotations

import base64
import hashlib
import re

import httpx
import pytest

from api.http.cors import Origins
from api.http.hosts import Hosts
from shared.settings import Settings
from tests.support.attacked import head, raw_socket
from tests.support.socketio_client import Watcher
from tests.support.stack import KEY, Client, Stack
from tests.support.waiting import wait_for


@pytest.fixture(scope="module")
def api(shared_stack: Stack) -> Client:
    """An API process that has a public name."""
    return shared_stack.start_api(RUSHES_ALLOWED_HOSTS="rushes.example.com, *.studio.example")


def test_a_name_that_a_stranger_made_lead_here_is_refused(api: Client) -> None:
    for name in ("evil.example", "rushes.example.com.evil.example", "127.0.0.1.nip.io", "a.b:6699"):
        for path in ("/api/v1/health", "/api/v1/tasks", "/socket.io/?EIO=4&transport=polling"):
            answer = httpx.get(f"{api.url}{path}", headers={"Host": name, "X-License-Key": KEY})
            assert answer.status_code == 400, (name, path)
            assert "RUSHES_ALLOWED_HOSTS" in answer.json()["message"]
    for name in (
        "localhost:6699", "127.0.0.1", "127.1", "[::1]:6699", "192.168.1.5:6699", "api:6699",
        "NAS.local",
        "rushes-api.rushes.svc.cluster.local", "rushes-api.rushes.svc", "Rushes.Example.com",
        "b.studio.example:443", "x.",
    ):  # fmt: skip
        answer = httpx.get(f"{api.url}/api/v1/health", headers={"Host": name})
        assert answer.status_code == 200, name


def test_a_socket_with_a_strangers_name_is_refused(api: Client, shared_stack: Stack) -> None:
    for name, status in (("evil.example", b"403"), ("localhost", b"101")):
        asked = (
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {name}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        with raw_socket(shared_stack, asked.encode()) as connection:
            assert connection.recv(1 << 16)[9:12] == status


def test_the_log_names_a_refused_host_once(api: Client, shared_stack: Stack) -> None:
    for name in ("evil.example", "evil.example:80", "rushes-api.media", "evil.example"):
        httpx.get(f"{api.url}/api/v1/health", headers={"Host": name})
    log = shared_stack.processes["api-0"].text()
    for name in ("evil.example", "rushes-api.media"):
        [line] = [line for line in log.splitlines() if f"'{name}'" in line]
        assert "RUSHES_ALLOWED_HOSTS" in line


def test_any_name_may_be_allowed() -> None:
    assert not Hosts(Settings()).allow("rushes.example.com")
    assert Hosts(Settings(allowed_hosts=("*",))).allow("rushes.example.com")
    assert Hosts(Settings(host="farm.example.com")).allow("farm.example.com")
    public = Settings(public_url="https://studio.example/rushes")
    assert Hosts(public).allow("studio.example")
    assert not Hosts(public).allow("rushes.studio.example")
    assert Origins(public).allow("https://studio.example")
    assert not Origins(public).allow("http://studio.example")


def test_nobody_is_sent_to_a_host_that_a_stranger_named(api: Client) -> None:
    for path in ("/api/v1/tasks/", "/api/v1/health/", "/api/v1/docs/", "/metrics/"):
        answer = httpx.get(f"{api.url}{path}", headers={"Host": "evil"})
        assert answer.status_code == 404, path
        assert "location" not in answer.headers
    assert "location" not in httpx.get(api.url, headers={"Host": "evil"}).headers


@pytest.mark.parametrize("name", ["connect", "disconnect"])
@pytest.mark.parametrize("data", [None, "x", ({}, {}), ({"HTTP_X_LICENSE_KEY": KEY}, None)])
def test_events_called_connect_or_disconnect_change_nothing(
    api: Client, shared_stack: Stack, name: str, data: object
) -> None:
    with Watcher(api.url, key=KEY) as keyed, Watcher(api.url) as keyless:
        for watcher in (keyed, keyless):
            assert watcher.call(name, data) is None
        assert keyed.join("watch-folders")["task_id"] == "watch-folders"  # its key is still known
        assert "licence key" in keyless.join("watch-folders")["message"]
        wait_for(lambda: keyed.of("watch-folders"), 10, "the status of watching")
    assert "Traceback" not in shared_stack.processes["api-0"].text()


def test_keys_with_blanks_around_them_work(bounded_stack: Stack) -> None:
    client = bounded_stack.start_api(RUSHES_LICENSE_KEYS=" first ,  second\t")
    for key in ("first", "first  ", "\tsecond "):
        answer = httpx.post(f"{client.url}/api/v1/analyze/cancel", json={"license_key": key})
        assert answer.status_code == 200, repr(key)
        with Watcher(client.url, key=key) as watcher:
            assert "message" in watcher.join("watch-folders")
    for key in ("first", " first", "second \t"):
        asked = head("/tasks", f"X-License-Key: {key}", method="GET")
        with raw_socket(bounded_stack, asked) as connection:
            assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 "), repr(key)


def test_pages_of_the_documentation_run_nothing_and_are_taken_for_nothing_else(api: Client) -> None:
    for path in ("/api/v1/docs", "/api/v1/openapi.json", "/llms.txt"):
        answer = httpx.get(f"{api.url}{path}")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    for path in ("/api/v1/docs", "/api/v1/health", "/nowhere", "/socket.io/"):
        assert httpx.get(f"{api.url}{path}").headers["x-content-type-options"] == "nosniff"
    page = httpx.get(f"{api.url}/api/v1/docs")
    assert len(re.findall("<style", page.text)) == 1
    assert not re.search(r"<script|\sstyle=|<link|<img|\son\w+=", page.text)
    allowed = re.findall(r"'sha256-([^']+)'", page.headers["content-security-policy"])
    style = re.search(r"<style>(.*?)</style>", page.text, re.DOTALL)
    assert style is not None
    digest = hashlib.sha256(style[1].encode()).digest()
    assert allowed == [base64.b64encode(digest).decode()]
