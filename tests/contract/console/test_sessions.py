"""Signing in to the console: by key, by a link, and out again."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest

from shared.redis import console_sessions
from shared.redis.clients import connect
from shared.rights import KeyScope
from tests.support.console.browser import Browser
from tests.support.private_redis import PrivateRedis
from tests.support.stack import KEY, Client

LINK = "/console/links"


@pytest.fixture
def browser(client: Client) -> Iterator[Browser]:
    with Browser(client.url) as found:
        yield found


def ends_in(redis: PrivateRedis, what: str, left_s: int | None = None) -> int:
    """Seconds until the only session or link ends; `left_s`: it shall end so soon."""
    with connect(redis.url) as store:
        [name] = store.scan_iter(f"*:console-{what}:*")
        if left_s is not None:
            store.pexpire(name, left_s * 1000)
        return int(store.ttl(name))


def made(client: Client, **rights: Any) -> str:
    return str(client.post("/keys", **rights).json()["license_key"])


def link_of(client: Client, key: str) -> str:
    answer = client.http.post(LINK, headers={"X-License-Key": key})
    return str(answer.json()["url"].partition("=")[2])


def test_a_key_signs_in_and_the_session_has_its_rights(
    client: Client, browser: Browser, media: Path
) -> None:
    show, until = str(media / "show1"), time.time() + 3600
    rights = {"scopes": ["search"], "roots": [show], "expires_at": until}
    answer = browser.sign_in(license_key=made(client, label="Edit 3", **rights))
    assert answer.status_code == 200
    told = answer.json()
    assert (told["label"], told["scopes"], told["roots"]) == ("Edit 3", ["search"], [show])
    assert (told["media_roots"], told["cache_roots"]) == ([show], [])
    assert told["key_expires_at"] == until
    assert browser.ask("GET", "/console/session").json() == told
    assert browser.ask("POST", "/tasks/x/first", {}).status_code == 403
    body = {"media_paths": [str(media / "show2" / "a.mov")]}
    [metadata] = browser.ask("POST", "/media/metadata", body).json()["media"]
    assert "outside the folders of this licence key" in metadata["error"]


def test_a_key_without_bounds_names_the_folders_of_the_server(
    browser: Browser, media: Path, caches: Path
) -> None:
    told = browser.sign_in(license_key=KEY).json()
    assert (told["roots"], told["key_expires_at"]) == (None, None)
    assert told["scopes"] == list(KeyScope)
    folders = [told[f"{kind}_roots"] for kind in ("media", "cache", "export")]
    assert folders == [[str(media)], [str(caches)], [str(media), str(caches)]]


def test_the_cookie_is_for_no_script_and_no_other_site(browser: Browser) -> None:
    answer = browser.sign_in(license_key=KEY)
    [cookie] = SimpleCookie(answer.headers["set-cookie"]).values()
    assert (cookie["path"], cookie["samesite"], cookie["secure"]) == ("/", "Strict", "")
    assert cookie["httponly"] is True
    assert int(cookie["max-age"]) == console_sessions.TTL_S
    assert answer.headers["cache-control"] == "no-store"
    assert KEY not in str(answer.headers)


def test_a_session_lasts_a_week_from_its_last_use_on(
    browser: Browser, api_redis: PrivateRedis
) -> None:
    browser.sign_in(license_key=KEY)
    assert ends_in(api_redis, "session", 5) <= 5
    answer = browser.ask("GET", "/console/session")
    assert ends_in(api_redis, "session") > console_sessions.TTL_S - 60
    assert f"Max-Age={console_sessions.TTL_S};" in answer.headers["set-cookie"]
    ends_in(api_redis, "session", 0)
    over = browser.ask("GET", "/tasks")
    assert (over.status_code, over.json()["error"]) == (401, "Session ended")
    assert "sign in again" in over.json()["message"]


def test_signing_out_ends_the_session_and_takes_the_cookie_away(browser: Browser) -> None:
    browser.sign_in(license_key=KEY)
    cookie = browser.cookie
    answer = browser.ask("DELETE", "/console/session")
    assert answer.json() == {"message": "Signed out."}
    assert "Max-Age=0;" in answer.headers["set-cookie"]
    assert browser.ask("GET", "/console/session").json()["error"] == "Authentication required"
    stolen = browser.ask("GET", "/tasks", Cookie=cookie)
    assert stolen.json()["error"] == "Session ended"


def test_signing_in_anew_ends_the_session_before(browser: Browser) -> None:
    browser.sign_in(license_key=KEY)
    before = browser.cookie
    browser.sign_in(license_key=KEY)
    assert browser.cookie != before
    answer = browser.ask("GET", "/tasks", Cookie=before)
    assert answer.json()["error"] == "Session ended"
    browser.http.cookies.clear()
    assert browser.ask("GET", "/tasks").json()["error"] == "Authentication required"


def test_a_link_signs_in_once_with_the_key_that_asked_for_it(
    client: Client, browser: Browser, api_redis: PrivateRedis
) -> None:
    key = made(client, label="Ann", scopes=["search"])
    answer = client.http.post(LINK, headers={"X-License-Key": key})
    address, token = answer.json()["url"].split("/#link=")
    assert address == client.url
    until = time.time() + console_sessions.LINK_TTL_S
    assert answer.json()["expires_at"] == pytest.approx(until, abs=5)
    assert 0 < ends_in(api_redis, "link") <= console_sessions.LINK_TTL_S
    assert browser.sign_in(link=token).json()["label"] == "Ann"
    for over in (token, "made-up"):
        again = browser.sign_in(link=over)
        assert (again.status_code, "was used, or is older" in again.json()["message"]) == (
            404,
            True,
        )


def test_a_link_of_another_key_replaces_no_session_unless_it_is_confirmed(
    client: Client, browser: Browser
) -> None:
    ann, ben = made(client, label="Ann"), made(client, label="Ben")
    browser.sign_in(license_key=ann)
    link, own = (link_of(client, key) for key in (ben, ann))
    for more in ({}, {"replace": False}, {"replace": None}):
        refused = browser.sign_in(link=link, **more)
        assert (refused.status_code, refused.json()["error"]) == (409, "Signed in already")
        assert refused.json()["message"] == "Sign in as Ben? You are signed in as Ann."
        assert "set-cookie" not in refused.headers
    before = browser.cookie
    assert browser.ask("GET", "/console/session").json()["label"] == "Ann"
    assert browser.sign_in(link=own).json()["label"] == "Ann", "of the same key nobody is asked"
    assert browser.sign_in(link=link, replace=True).json()["label"] == "Ben", "it is unused still"
    assert browser.ask("GET", "/tasks", Cookie=before).status_code == 401
    assert browser.sign_in(link=link, replace=True).status_code == 404
    assert browser.sign_in(link="made-up").status_code == 404


def test_a_link_asks_nothing_where_the_session_is_over(client: Client, browser: Browser) -> None:
    guest = client.post("/keys", label="Guest").json()
    browser.sign_in(license_key=guest["license_key"])
    assert client.http.delete(f"/keys/{guest['key']['id']}").status_code == 200
    assert browser.sign_in(link=link_of(client, KEY)).json()["label"] == "key 1"


def test_a_session_makes_no_links_which_would_outlive_it(client: Client, browser: Browser) -> None:
    browser.sign_in(license_key=KEY)
    refused = browser.ask("POST", LINK, {})
    assert (refused.status_code, refused.json()["error"]) == (401, "Authentication required")
    assert browser.ask("POST", LINK, {}, X_License_Key=KEY).status_code == 200
    assert browser.ask("GET", "/console/session").status_code == 200


def test_a_link_ends_after_a_while_and_with_its_key(
    client: Client, browser: Browser, api_redis: PrivateRedis
) -> None:
    shown = client.post("/keys", label="Guest").json()
    headers = {"X-License-Key": shown["license_key"]}
    links = [client.http.post(LINK, headers=headers).json()["url"] for _ in range(1)]
    ends_in(api_redis, "link", 0)
    links.append(client.http.post(LINK, headers=headers).json()["url"])
    assert client.http.delete(f"/keys/{shown['key']['id']}").status_code == 200
    for link in links:
        assert browser.sign_in(link=link.partition("=")[2]).status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({}, 400, "license_key or link is required."),
        ({"license_key": "  "}, 400, "license_key or link is required."),
        ({"license_key": 5}, 400, "license_key"),
        ({"license_key": "x" * 2000}, 400, "1,000 characters"),
        ({"license_key": "wrong"}, 403, "requires a Jumper Pro license"),
        ({"link": "wrong"}, 404, "Ask for a new one"),
    ],
)
def test_what_signs_nobody_in_is_said(
    browser: Browser, body: dict[str, Any], status: int, said: str
) -> None:
    answer = browser.ask("POST", "/console/sessions", body)
    assert (answer.status_code, said in answer.json()["message"]) == (status, True), answer.text
    assert "set-cookie" not in answer.headers
    assert "wrong" not in answer.text


def test_a_key_in_the_header_wins_over_the_session(client: Client, browser: Browser) -> None:
    browser.sign_in(license_key=made(client, label="Ann"))
    told = browser.ask("GET", "/console/session", X_License_Key=KEY)
    assert told.json()["label"] == "key 1"
    assert "set-cookie" not in told.headers
    browser.ask("DELETE", "/console/session", X_License_Key=KEY)
    assert browser.ask("GET", "/console/session").json()["label"] == "Ann"


def test_a_key_in_the_body_counts_where_the_session_does_not(
    client: Client, browser: Browser
) -> None:
    """A page of something else on our host, which knows nothing of the console."""
    browser.sign_in(license_key=made(client, scopes=["search"]))
    own = {"Origin": client.url}
    path = "/api/v1/analyze/cancel"
    answer = browser.http.post(path, headers=own, json={"license_key": KEY})
    assert answer.status_code == 200
    assert browser.http.post(path, headers=own, json={}).status_code == 403


def test_what_a_session_does_is_that_of_its_key(
    client: Client, browser: Browser, api_stack
) -> None:
    browser.sign_in(license_key=made(client, label="Deeds of a session"))
    browser.ask("POST", "/analyze/cancel", {})
    log = (api_stack.folder / "state" / "audit.jsonl").read_text().splitlines()
    assert [line for line in log if "Deeds of a session" in line and "cancel" in line]
    assert browser.session not in "".join(log)


def test_the_page_is_compressed_and_asked_for_again_only_when_it_has_changed(
    browser: Browser,
) -> None:
    page = browser.http.get("/")
    assert (page.headers["content-encoding"], page.headers["cache-control"]) == ("gzip", "no-cache")
    assert "Accept-Encoding" in page.headers["vary"]
    same = browser.http.get("/", headers={"If-None-Match": f'"x", W/{page.headers["etag"]}'})
    assert (same.status_code, same.content) == (304, b"")
    plain = browser.http.get("/", headers={"Accept-Encoding": "identity"})
    assert plain.content == page.content
    assert plain.headers["etag"] != page.headers["etag"]
    assert browser.http.head("/").status_code == 200
    for path in re.findall(r'(?:href|src)="([^"]+)"', page.text):
        assert not path.startswith(("/", "http:", "https:")), "it may lie below a path"
        assert browser.http.get(f"/{path}").status_code == 200, path
