"""The session of a browser, which counts only with requests of our own pages.

Browsers send a cookie with whatever asks for an address: pages of strangers, and of other ports of
the same host. They also say whose page it is, which no page can change: in Sec-Fetch-Site, else in
Origin, else (a GET over plain HTTP) in Referer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from shared.redis.console_sessions import TTL_S
from shared.settings import Settings

_COOKIE = "rushes-session"
MARK = "X-Rushes-Console"  # no page of another origin can send it: CORS does not allow it
_PORT = re.compile(r":(\d+)$")


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """The token of a cookie that came from our own page; nobody has looked yet whether it holds.

    `may_be_used`: it only reads, or has the header that shows that a script of ours sent it.
    `is_use`: the session lasts a week from now on; a socket that only stays open is no use.
    """

    token: str
    may_be_used: bool
    is_use: bool = True


class OwnPages:
    """Knows our own pages, by RUSHES_PUBLIC_URL and by the name that a request calls us."""

    def __init__(self, settings: Settings) -> None:
        self._is_on = settings.console
        self._path = settings.public_path
        self._public = (settings.public_url or "").removesuffix(self._path).lower()

    def session(self, headers: Headers, method: str = "GET") -> BrowserSession | None:
        """What a request brings of a session; None where it brings none that counts."""
        # The first one has the longest path.
        cookies = "; ".join(headers.getlist("cookie"))
        found = re.search(rf"(?:^|;)\s*{_cookie_of(headers)}=([^;]*)", cookies)
        if not found or not self.have_sent(headers, method):
            return None
        return BrowserSession(found[1].strip(), _reads(method) or is_marked(headers))

    def have_sent(self, headers: Headers, method: str) -> bool:
        """Whether one of our own pages has sent a request with these headers."""
        if not self._is_on:
            return False
        if (site := headers.get("sec-fetch-site")) is not None:
            return site == "same-origin"
        origin = headers.get("origin")
        if origin is None and _reads(method):
            origin = _origin_of_referer(headers)
        return origin is not None and self._is_ours(origin, headers)

    def cookie(self, headers: Headers, token: str) -> str:
        """Set-Cookie for the page that has sent these headers; an empty token takes it away."""
        page = headers.get("origin") or _origin_of_referer(headers) or self._public
        path = self._path if page.lower() == self._public and self._path else "/"
        lasts = TTL_S if token else 0
        secure = "; Secure" if page.lower().startswith("https:") else ""
        flags = f"Path={path}; Max-Age={lasts}; HttpOnly; SameSite=Strict{secure}"
        return f"{_cookie_of(headers)}={token}; {flags}"

    def _is_ours(self, origin: str, headers: Headers) -> bool:
        origin, host = origin.lower(), headers.get("host", "").lower()
        if self._public and (origin == self._public or host == urlsplit(self._public).netloc):
            return origin == self._public
        # Either: there may be a proxy that nobody told us of, and that speaks TLS.
        return bool(host) and origin in (f"http://{host}", f"https://{host}")


def _cookie_of(headers: Headers) -> str:
    """The cookie of this server: cookies know no port, so two on a host would share one."""
    port = _PORT.search(headers.get("host", ""))
    return f"{_COOKIE}-{port[1]}" if port else _COOKIE


def is_marked(headers: Headers) -> bool:
    """Whether a request has the header that scripts of our own pages send."""
    return headers.get(MARK) == "1"


def _reads(method: str) -> bool:
    return method in ("GET", "HEAD")


def _origin_of_referer(headers: Headers) -> str | None:
    page = headers.get("referer", "").split("/", 3)[:3]
    return "/".join(page) if len(page) == 3 else None
