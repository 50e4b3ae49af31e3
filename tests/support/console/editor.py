"""Somebody at the console, who does what a hand and a keyboard can do."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Locator, Page, TimeoutError, expect

_LOOK_EVERY_MS = 40  # at a video: at each of the browser's own pictures costs more than playing it
_VIDEO_STATE = """() => [...document.querySelectorAll('video')].map((video) => ({
  source: video.currentSrc, at: video.currentTime, error: video.error && video.error.message,
  ready: video.readyState, network: video.networkState, paused: video.paused,
}))"""


class Editor:
    """Acts on a page by what is seen on it: roles and names, as a screen reader has them."""

    def __init__(self, page: Page, home: str) -> None:
        self.page = page
        self.home = home

    def open(self, address: str = "") -> None:
        """Open the console; `address`: what comes after the home, such as "#/search?q=cat"."""
        self.page.goto(f"{self.home}/{address}")

    def sign_in(self, key: str, address: str = "") -> None:
        self.open(address)
        self.page.get_by_label("Licence key").fill(key)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.box).to_be_visible()

    @property
    def box(self) -> Locator:
        """The one box of the search."""
        return self.page.get_by_role("combobox", name="Search", exact=True)

    def choose_library(self, cache_dir: object) -> None:
        """By its folder."""
        self.open(f"#/search?dir={cache_dir}")

    def search(self, words: str) -> None:
        """For these words and nothing else."""
        expect(self.box).to_be_visible()
        clear = self.page.get_by_role("button", name="Clear", exact=True)
        if clear.is_visible():
            clear.click()
        self.box.fill(words)

    @property
    def hits(self) -> Locator:
        return self.page.get_by_role("list", name="Matches").get_by_role("listitem")

    def wait_for_hit(self, name: str | re.Pattern[str]) -> Locator:
        """The first hit whose text holds a name."""
        hit = self.hits.filter(has_text=name).first
        expect(hit).to_be_visible()
        return hit

    def open_file(self, cache_dir: object, path: object, at: float = 0) -> None:
        """Open a file by its address, at a scene of 2 s that begins there."""
        params = {"dir": cache_dir, "play": path, "at": at, "from": at, "to": at + 2}
        self.page.goto("about:blank")
        self.open(f"#/search?{urlencode(params)}")
        expect(self.player).to_be_visible()

    def go_back(self) -> None:
        """Pause what is shown, and go to where the scene begins."""
        self.wait_for_video("video && video.readyState >= 2")
        self.page.keyboard.press("k")
        self.page.keyboard.press("Shift+I")

    @property
    def player(self) -> Locator:
        return self.page.get_by_role("region", name="Player")

    def video(self, what: str) -> Any:
        """A property of the video that is shown."""
        return self.page.eval_on_selector("video", f"video => video.{what}")

    def wait_for_video(self, condition: str) -> None:
        """Until an expression about `video` is true."""
        script = f"const video = document.querySelector('video'); return {condition};"
        try:
            self.page.wait_for_function(f"() => {{ {script} }}", polling=_LOOK_EVERY_MS)
        except TimeoutError as error:
            shown = self.player.inner_text() if self.player.is_visible() else "no player"
            state = self.page.evaluate(_VIDEO_STATE)
            raise AssertionError(f"{condition} never came true: {state}; {shown}") from error
