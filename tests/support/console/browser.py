"""A browser on a page of ours, as far as a server can tell: its cookie, and whose page it is."""

from __future__ import annotations

from typing import Any

import httpx

from tests.support import openapi_agreement

MARK = {"X-Rushes-Console": "1"}


class Browser:
    """Asks one server; use as a context manager."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(
            base_url=url, event_hooks={"response": [openapi_agreement.check]}, timeout=30
        )

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.http.close()

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """What a script of our own page asks; `headers`: more of them, `_` for `-`."""
        own = {"Origin": self.url, **MARK} | {n.replace("_", "-"): v for n, v in headers.items()}
        return self.http.request(method, f"/api/v1{path}", json=body, headers=own)

    def sign_in(self, **how: str | bool) -> httpx.Response:
        """With `license_key` or `link`."""
        return self.ask("POST", "/console/sessions", how)

    @property
    def session(self) -> str:
        """Its token."""
        return self.http.cookies[self._name]

    @property
    def cookie(self) -> str:
        """The header that it sends."""
        return f"{self._name}={self.session}"

    @property
    def _name(self) -> str:
        return f"rushes-session-{self.http.base_url.port}"
