"""Debian's Chromium, driven by Playwright. Every request of a page is noted: none may leave."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    expect,
    sync_playwright,
)

from tests.support.skip_or_fail import skip_or_fail

# The first is Chromium without the windows that nobody sees: they take more than the pages.
_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--autoplay-policy=no-user-gesture-required",
)
TIMEOUT_S = 20.0  # for anything on a page to happen


@contextlib.contextmanager
def driver() -> Iterator[Playwright]:
    """What starts browsers. Until it ends, this thread counts as one in which asyncio runs."""
    expect.set_options(timeout=TIMEOUT_S * 1000)
    with sync_playwright() as started:
        yield started


@contextlib.contextmanager
def chromium(playwright: Playwright, program: str | None = None) -> Iterator[Browser]:
    """A headless browser; skips the test where there is none, and fails it in CI.

    `program`: what starts it elsewhere, such as on another machine.
    """
    browser = playwright.chromium.launch(executable_path=program or chromium_path(), args=_flags())
    try:
        yield browser
    finally:
        browser.close()


def chromium_path() -> str:
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        skip_or_fail("there is no Chromium: install it (Debian: sudo apt install chromium).")
    return path


def _flags() -> list[str]:
    return [*_FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]


@dataclass
class Window:
    """A browser window of its own, with its own cookies, and what it did besides showing pages."""

    context: BrowserContext
    page: Page
    requests: list[str] = field(default_factory=list)  # addresses
    complaints: list[str] = field(default_factory=list)  # errors that the page has printed

    def foreign(self, home: str) -> list[str]:
        """Requests that went elsewhere than to `home`, and not to the page itself."""
        inside = urlsplit(home).netloc
        return [
            url
            for url in self.requests
            if urlsplit(url).scheme not in ("blob", "data") and urlsplit(url).netloc != inside
        ]


@contextlib.contextmanager
def window(browser: Browser, **options: Any) -> Iterator[Window]:
    """A window; `options` are those of Playwright's new_context."""
    context = browser.new_context(**({"viewport": {"width": 1280, "height": 800}} | options))
    context.set_default_timeout(TIMEOUT_S * 1000)
    shown = Window(context, context.new_page())
    context.on("request", lambda request: shown.requests.append(request.url))
    context.on("websocket", lambda socket: shown.requests.append(socket.url))
    context.on("console", lambda message: _note(shown, message))
    context.on("weberror", lambda error: shown.complaints.append(str(error.error)))
    try:
        yield shown
    finally:
        context.close()


def _note(shown: Window, message: ConsoleMessage) -> None:
    # The browser prints answers that are no 200 as errors, too: the page says those itself.
    if message.type == "error" and "Failed to load resource" not in message.text:
        shown.complaints.append(message.text)
