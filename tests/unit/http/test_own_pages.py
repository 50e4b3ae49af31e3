"""Whose page sends a request, behind a proxy and without one, and the cookie that it gets."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from api.own_pages import OwnPages
from shared.settings import Settings

BELOW = "https://studio.example/rushes"
PUBLIC = "https://studio.example"


@pytest.mark.parametrize(
    ("public", "host", "origin", "is_ours"),
    [
        (None, "nas:6699", "http://nas:6699", True),
        (None, "NAS:6699", "http://nas:6699", True),
        (None, "nas", "https://nas", True),
        (None, "nas:6699", "http://nas:6700", False),
        (None, "nas:6699", "http://nas", False),
        (None, "", "http://", False),
        (None, "nas", "null", False),
        (BELOW, "studio.example", PUBLIC, True),
        (BELOW, "rushes_api", PUBLIC, True),
        (BELOW, "studio.example", "http://studio.example", False),
        (BELOW, "127.0.0.1:6699", "http://127.0.0.1:6699", True),
        (BELOW, "studio.example", "https://evil.example", False),
    ],
)
def test_our_own_pages_are_those_of_our_address(
    public: str | None, host: str, origin: str, is_ours: bool
) -> None:
    pages = OwnPages(Settings(public_url=public))
    assert pages.have_sent(Headers({"host": host, "origin": origin}), "POST") is is_ours
    referer = Headers({"host": host, "referer": f"{origin}/rushes/?a=b"})
    assert pages.have_sent(referer, "GET") is is_ours
    assert pages.have_sent(referer, "POST") is False


@pytest.mark.parametrize(
    ("public", "headers", "path", "is_secure"),
    [
        (None, {"origin": "http://nas:6699"}, "/", False),
        (None, {"origin": "https://nas"}, "/", True),
        ("https://studio.example", {"origin": PUBLIC}, "/", True),
        (BELOW, {"origin": PUBLIC}, "/rushes", True),
        (BELOW, {"referer": f"{PUBLIC}/rushes/"}, "/rushes", True),
        (BELOW, {}, "/rushes", True),
        (BELOW, {"origin": "http://127.0.0.1:6699"}, "/", False),
        ("http://studio.example/rushes", {"origin": "http://studio.example"}, "/rushes", False),
    ],
)
def test_the_cookie_goes_where_the_page_is(
    public: str | None, headers: dict[str, str], path: str, is_secure: bool
) -> None:
    cookie = OwnPages(Settings(public_url=public)).cookie(Headers(headers), "token")
    words = cookie.split("; ")
    assert words[0] == "rushes-session=token"
    assert f"Path={path}" in words
    assert {"HttpOnly", "SameSite=Strict"} <= set(words)
    assert ("Secure" in words) is is_secure


def test_of_several_cookies_of_the_name_the_nearest_counts() -> None:
    pages = OwnPages(Settings())
    headers = Headers({"host": "nas", "origin": "http://nas"})
    for cookies in ("a=b; rushes-session=near; rushes-session=far", "rushes-session=near"):
        found = pages.session(Headers({**headers, "cookie": cookies}))
        assert found is not None
        assert found.token == "near"
    assert pages.session(Headers({**headers, "cookie": "not-rushes-session=x"})) is None


def test_two_servers_on_one_host_have_cookies_of_their_own() -> None:
    pages = OwnPages(Settings())
    given = [
        pages.cookie(Headers({"host": host, "origin": f"http://{host}"}), f"of {host}")
        for host in ("nas:6699", "nas:6700", "[::1]:6699", "[::1]")
    ]
    names = [cookie.partition("=")[0] for cookie in given]
    assert names == [
        "rushes-session-6699",
        "rushes-session-6700",
        "rushes-session-6699",
        "rushes-session",
    ]
    both = "; ".join(cookie.partition(";")[0] for cookie in given[:2])
    for host in ("nas:6699", "nas:6700"):
        found = pages.session(Headers({"host": host, "origin": f"http://{host}", "cookie": both}))
        assert found is not None
        assert found.token == f"of {host}"
