"""An answer of the server that a page does not get yet."""

from __future__ import annotations

import contextlib

from playwright.sync_api import APIResponse, Error, Page, Route

from tests.support.console.chromium import TIMEOUT_S
from tests.support.waiting import wait_for


class Held:
    """Holds the first answer to what a page asks at an address; those after it go through."""

    def __init__(self, page: Page, address: str) -> None:
        self._page = page
        self._held: tuple[Route, APIResponse] | None = None
        page.route(address, self._take)

    def wait(self) -> None:
        """Until one is held."""
        # Whatever the browser is asked lets it tell of its requests.
        wait_for(lambda: self._page.title() and self._held, TIMEOUT_S, "an answer to hold")

    def let_go(self) -> None:
        """The page gets it, if it still waits for it."""
        assert self._held is not None
        route, answer = self._held
        with contextlib.suppress(Error):  # the page has given it up
            route.fulfill(response=answer)

    def again(self) -> None:
        """Let go of it, and hold the next one."""
        self.let_go()
        self._held = None

    def _take(self, route: Route) -> None:
        if self._held is None:
            self._held = route, route.fetch()
        else:
            route.continue_()
