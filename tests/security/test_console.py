"""What pages of strangers, of other ports and of other keys can do with a session: nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from socketio.exceptions import ConnectionError

from tests.support.attacked import raw_socket, until_closed
from tests.support.console.browser import MARK, Browser
from tests.support.socketio_client import Watcher
from tests.support.stack import KEY, Client, Stack
from tests.support.waiting import wait_for

ROOM = "watch-folders"
Headers = dict[str, str]


@pytest.fixture(scope="module")
def api(shared_stack: Stack) -> Client:
    return shared_stack.start_api("tests.support.console.api_that_looks_after_keys_often")


@pytest.fixture
def browser(api: Client) -> Iterator[Browser]:
    """Signed in."""
    with Browser(api.url) as found:
        assert found.sign_in(license_key=KEY).status_code == 200
        yield found


def foreign(own: str) -> list[Headers]:
    """What browsers say of requests that no page of ours has sent."""
    port = own.rpartition(":")[2]
    next_door = f"http://127.0.0.1:{int(port) + 1}"
    return [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "file://"},
        {"Origin": ""},
        {"Origin": next_door},
        {"Origin": f"http://localhost:{port}"},
        {"Origin": f"{own}.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-site", "Origin": own},
        {"Sec-Fetch-Site": "cross-site", "Referer": f"{own}/"},
        {"Referer": f"{next_door}/?{own}/"},
        {"Referer": "https://evil.example/", "Origin": "https://evil.example"},
    ]


def test_a_cookie_counts_with_no_page_but_ours(api: Client, browser: Browser) -> None:
    asked: list[tuple[str, str]] = [
        ("GET", "/tasks"), ("GET", "/console/session"), ("DELETE", "/console/session"),
        ("POST", "/analyze/cancel"),
    ]  # fmt: skip
    for headers in foreign(api.url):
        for method, path in asked:
            answer = browser.http.request(method, f"/api/v1{path}", headers=headers | MARK)
            assert answer.json()["error"] == "Authentication required", (headers, path)
            assert "set-cookie" not in answer.headers
    for headers in ({"Origin": api.url}, {"Sec-Fetch-Site": "same-origin"}):
        for method, path in asked[:2] + asked[3:]:
            answer = browser.http.request(method, f"/api/v1{path}", headers=headers | MARK)
            assert answer.status_code == 200, (headers, path)
    # Over plain HTTP, where browsers say no more of a GET; and of a POST they always say more.
    referer = {"Referer": f"{api.url}/api/v1/docs"}
    assert browser.http.get("/api/v1/tasks", headers=referer).status_code == 200
    assert browser.http.post("/api/v1/analyze/cancel", headers=referer | MARK).status_code == 401


def test_what_changes_something_needs_a_header_that_no_other_origin_can_send(
    api: Client, browser: Browser
) -> None:
    for method, path in (("POST", "/analyze/cancel"), ("DELETE", "/console/session")):
        for value in ("", "0", "true"):
            mark = {"X-Rushes-Console": value} if value else {}
            own = {"Origin": api.url, "Sec-Fetch-Site": "same-origin"}
            answer = browser.http.request(method, f"/api/v1{path}", headers=own | mark)
            assert answer.status_code == 403
            assert "X-Rushes-Console: 1" in answer.json()["message"]
    assert browser.ask("GET", "/console/session").status_code == 200


def test_nobody_is_signed_in_by_a_page_of_a_stranger(api: Client) -> None:
    link = api.post("/console/links").json()["url"].partition("=")[2]
    with Browser(api.url) as victim:
        for body in ({"license_key": KEY}, {"license_key": "wrong"}, {"link": link}):
            said = set()
            for headers in (*foreign(api.url), {"Origin": api.url, "X-Rushes-Console": "0"}):
                marked = MARK | headers
                answer = victim.http.post("/api/v1/console/sessions", headers=marked, json=body)
                said.add((answer.status_code, answer.text))
                assert "set-cookie" not in answer.headers
            assert [status for status, _ in said] == [403], "all alike, right or wrong"
        assert victim.sign_in(link=link).status_code == 200, "which they have not used up"


def test_a_link_to_which_a_stranger_leads_replaces_no_session(
    api: Client, browser: Browser
) -> None:
    other = api.post("/keys", label="Stranger").json()["license_key"]
    made = api.http.post("/console/links", headers={"X-License-Key": other})
    link = made.json()["url"].partition("=")[2]
    assert browser.sign_in(link=link).status_code == 409
    assert browser.ask("GET", "/console/session").json()["label"] == "key 1"


def by_websocket(url: str, headers: Headers) -> str:
    """What a socket with these headers is told when it asks for what needs a key."""
    watcher = Watcher(url, headers=headers)
    try:
        with watcher:
            return str(watcher.join(ROOM))
    except ConnectionError:
        return str(watcher.refusals)


def by_polling(url: str, headers: Headers) -> str:
    """The same without a WebSocket."""
    polled = f"{url}/socket.io/?EIO=4&transport=polling"
    opened = httpx.get(polled, headers=headers).text
    polled += f"&sid={json.loads(opened[1:])['sid']}"
    httpx.post(polled, content="40")
    said = httpx.get(polled).text
    if not said.startswith("40"):
        return said
    httpx.post(polled, content=f'420["join","{ROOM}"]')
    received = ""
    while "430[" not in received:  # the answer; the state of the room may come before it
        received += httpx.get(polled).text
    return received


@pytest.mark.parametrize("asked", [by_polling, by_websocket])
def test_a_socket_is_let_in_by_a_session_with_our_own_pages_alone(
    api: Client, browser: Browser, asked: Callable[[str, Headers], str]
) -> None:
    cookie = {"Cookie": browser.cookie}
    own = {"Origin": api.url}
    for headers in (own, own | {"Sec-Fetch-Site": "same-origin"}):
        assert "Joined." in asked(api.url, cookie | headers)
    for headers in foreign(api.url):
        said = asked(api.url, cookie | headers)
        assert "needs a licence key" in said or "Connection error" in said, (headers, said)
    assert "sign in again" in asked(api.url, {"Cookie": browser.cookie[:-4] + "none"} | own)
    browser.ask("DELETE", "/console/session")
    assert "sign in again" in asked(api.url, cookie | own)


def test_a_session_ends_with_its_key_and_so_do_its_sockets(api: Client) -> None:
    made = api.post("/keys", label="Guest").json()
    with Browser(api.url) as guest:
        guest.sign_in(license_key=made["license_key"])
        headers = {"Cookie": guest.cookie, "Origin": api.url}
        with Watcher(api.url, headers=headers) as socket:
            assert socket.join(ROOM)["task_id"] == ROOM
            assert api.http.delete(f"/keys/{made['key']['id']}").status_code == 200
            for method, path in (("GET", "/tasks"), ("POST", "/analyze/cancel")):
                answer = guest.ask(method, path)
                assert (answer.status_code, answer.json()["error"]) == (401, "Session ended")
            wait_for(lambda: not socket.is_connected, 5, "the socket to be put out")


def test_a_session_ends_when_its_key_expires(api: Client) -> None:
    key = api.post("/keys", expires_at=time.time() + 1).json()["license_key"]
    with Browser(api.url) as guest:
        assert guest.sign_in(license_key=key).status_code == 200

        def over() -> Any:
            answer = guest.ask("GET", "/tasks")
            return answer.status_code == 401 and answer.json()["error"] == "Session ended"

        wait_for(over, 5, "the end of the session")
        assert guest.sign_in(license_key=key).status_code == 403


def test_sockets_of_a_session_that_was_signed_out_are_put_out(
    api: Client, browser: Browser
) -> None:
    headers = {"Cookie": browser.cookie, "Origin": api.url}
    with Watcher(api.url, headers=headers) as socket:
        browser.ask("DELETE", "/console/session")
        wait_for(lambda: not socket.is_connected, 5, "the socket to be put out")


def test_other_origins_never_get_credentials(api: Client, browser: Browser) -> None:
    origin = {"Origin": "http://localhost:3000"}  # one that may call, with a key
    wanted = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-rushes-console",
    }
    preflight = browser.http.options("/api/v1/analyze/cancel", headers=origin | wanted)
    assert "rushes-console" not in preflight.headers["access-control-allow-headers"].lower()
    sockets = "/socket.io/?EIO=4&transport=polling"
    answers = [browser.http.get(p, headers=origin) for p in ("/api/v1/health", "/", sockets)]
    for answer in (preflight, *answers):
        assert answer.headers.get("access-control-allow-origin") == origin["Origin"]
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/console", "/console/", "/console/no.js", "/console/%00"])
def test_pages_run_nothing_but_our_own_files_and_stand_in_no_other_page(
    api: Client, path: str
) -> None:
    for method in ("GET", "HEAD", "POST", "OPTIONS"):
        answer = httpx.request(method, f"{api.url}{path}")
        policy = answer.headers["content-security-policy"]
        rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
        assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == "'none'"
        assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        is_there = path == "/" and method in ("GET", "HEAD")
        assert answer.status_code in ((200,) if is_there else (404, 405))


@pytest.mark.parametrize(
    "path",
    ["../files.py", "%2e%2e/files.py", "..%2ffiles.py", "/etc/passwd", "chunks/../../files.py",
     "..\\files.py", "./index.html", "%2fetc%2fpasswd", "chunks", "~root"],
)  # fmt: skip
def test_no_path_leads_out_of_the_files_of_the_console(
    api: Client, shared_stack: Stack, path: str
) -> None:
    asked = f"GET /console/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with raw_socket(shared_stack, asked.encode()) as connection:
        answer = until_closed(connection)
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"import" not in answer
    assert b"root:" not in answer


def test_no_key_and_no_token_is_written_anywhere(
    api: Client, browser: Browser, shared_stack: Stack
) -> None:
    made = api.post("/console/links").json()["url"]
    link = made.partition("=")[2]
    with Browser(api.url) as other:
        other.sign_in(license_key="canary-key")
        other.sign_in(link=link)
        assert browser.sign_in(link=link).status_code == 404
        secrets = (KEY, "canary-key", browser.session, other.session, link)
    log = shared_stack.processes["api-0"].text()
    audit = (shared_stack.folder / "state" / "audit.jsonl").read_text()
    assert "/console/links" in log
    for secret in secrets:
        assert secret not in log
        assert secret not in audit


def test_switched_off_there_is_no_page_and_no_session(
    shared_stack: Stack, api: Client, browser: Browser
) -> None:
    off = shared_stack.start_api(RUSHES_CONSOLE="off")
    cookie = {"Cookie": browser.cookie, "Origin": off.url}
    assert httpx.get(off.url).headers["location"] == "/api/v1/docs"
    for path in ("/console/index.html", "/api/v1/console/session"):
        assert httpx.get(off.url + path, headers={"X-License-Key": KEY}).status_code == 404
    assert "/console/" not in httpx.get(f"{off.url}/api/v1/openapi.json").text
    ignored = httpx.get(f"{off.url}/api/v1/tasks", headers=cookie)
    assert ignored.json()["error"] == "Authentication required"
    assert "needs a licence key" in by_polling(off.url, cookie)
