"""By which names the server may be called, and events that only look like the server's own."""

from __future__ import annotations

import base64
import hashlib
import re
import socket

import httpx
import pytest

from api.http.connections import Hosts, Origins
from shared.settings import Settings
from tests.support.attacked import head, raw_socket, until_closed
from tests.support.socketio_client import Watcher
from tests.support.stack import KEY, Client, Stack
from tests.support.waiting import wait_for


@pytest.fixture(scope="module")
def api(shared_stack: Stack) -> Client:
    """An API process that has public names and one of the local network."""
    return shared_stack.start_api(RUSHES_ALLOWED_HOSTS="rushes.example.com, *.studio.example,nas")


def test_a_name_that_a_stranger_made_lead_here_is_refused(api: Client) -> None:
    for name in (
        "evil.example", "rushes.example.com.evil.example", "127.0.0.1.nip.io", "a.b:6699",
        "evil", "evil:6699", "evil.local", "evil.lan", "x.internal", "x.home.arpa", "x.svc", "x.",
        "localhost.evil", ".",
    ):  # fmt: skip
        for path in ("/api/v1/health", "/api/v1/tasks", "/socket.io/?EIO=4&transport=polling"):
            answer = httpx.get(f"{api.url}{path}", headers={"Host": name, "X-License-Key": KEY})
            assert answer.status_code == 400, (name, path)
            said = f"This server is not called {name.partition(':')[0]}: list that name in RUSHES"
            assert said in answer.json()["message"]
    short = socket.gethostname().partition(".")[0]
    for name in (
        "localhost:6699", "127.0.0.1", "127.1", "[::1]:6699", "192.168.1.5:6699", "nas:6699",
        "NAS.", socket.gethostname(), short.upper(), f"{short}.local:6699", "a.localhost",
        "Rushes.Example.com", "b.studio.example:443",
    ):  # fmt: skip
        answer = httpx.get(f"{api.url}/api/v1/health", headers={"Host": name})
        assert answer.status_code == 200, name


def test_a_socket_with_a_strangers_name_is_refused(api: Client, shared_stack: Stack) -> None:
    for name, status in (
        ("evil.example", b"403"), ("evil.local", b"403"), ("localhost", b"101"),
        ("localhost\r\nHost: evil.example", b"403"),
    ):  # fmt: skip
        asked = (
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {name}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        with raw_socket(shared_stack, asked.encode()) as connection:
            assert connection.recv(1 << 16)[9:12] == status


@pytest.mark.parametrize(
    ("url", "hosts", "is_refused"),
    [
        ("", ["localhost", "evil.example"], True),
        ("", ["evil.example", "localhost"], True),
        ("", ["localhost", "localhost"], True),
        ("http://evil.example", ["localhost"], True),
        ("http://evil.example", [], True),
        ("HTTP://localhost:80", ["localhost"], True),
        ("http://LOCALHOST", ["localhost"], False),
        ("http://localhost", [], False),
    ],
)
def test_a_request_with_two_hosts_is_refused(
    api: Client, shared_stack: Stack, url: str, hosts: list[str], is_refused: bool
) -> None:
    names = ("Host", "hOST")[: len(hosts)]
    lines = "".join(f"{name}: {host}\r\n" for name, host in zip(names, hosts, strict=True))
    asked = f"GET {url}/api/v1/health HTTP/1.1\r\n{lines}Connection: close\r\n\r\n"
    with raw_socket(shared_stack, asked.encode()) as connection:
        answer = until_closed(connection)
    assert answer[9:12] == (b"400" if is_refused else b"200"), answer
    assert (b"Send one Host header" in answer) == (is_refused and bool(hosts))


def test_the_log_names_a_refused_host_once(api: Client, shared_stack: Stack) -> None:
    for name in ("evil.example", "evil.example:80", "rushes-api.media", "evil.example"):
        httpx.get(f"{api.url}/api/v1/health", headers={"Host": name})
    log = shared_stack.processes["api-0"].text()
    for name in ("evil.example", "rushes-api.media"):
        [line] = [line for line in log.splitlines() if f"'{name}'" in line]
        assert "RUSHES_ALLOWED_HOSTS" in line


def test_any_name_may_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not Hosts(Settings()).allow("rushes.example.com")
    assert Hosts(Settings(allowed_hosts=("*",))).allow("rushes.example.com")
    assert Hosts(Settings(host="farm.example.com")).allow("farm.example.com")
    monkeypatch.setattr(socket, "gethostname", lambda: "Nas.Studio.example")
    own = [name for name in ("nas", "nas.local", "nas.studio.example", "nas.lan", "studio.example")
           if Hosts(Settings()).allow(name)]  # fmt: skip
    assert own == ["nas", "nas.local", "nas.studio.example"]
    public = Settings(public_url="https://studio.example/rushes")
    assert Hosts(public).allow("studio.example")
    assert not Hosts(public).allow("rushes.studio.example")
    assert Origins(public).allow("https://studio.example")
    assert not Origins(public).allow("http://studio.example")


def test_nobody_is_sent_to_a_host_that_a_stranger_named(api: Client) -> None:
    for path in ("/api/v1/tasks/", "/api/v1/health/", "/api/v1/docs/", "/metrics/"):
        answer = httpx.get(f"{api.url}{path}", headers={"Host": "nas"})
        assert answer.status_code == 404, path
        assert "location" not in answer.headers
    assert "location" not in httpx.get(api.url, headers={"Host": "nas"}).headers


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
