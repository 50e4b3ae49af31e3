"""What the server tells a page, which does not get it yet: an answer, events."""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any

from playwright.sync_api import APIResponse, Error, Page, Route, WebSocketRoute

from tests.support.console.chromium import TIMEOUT_S
from tests.support.waiting import wait_for


class Held:
    """Holds the first answer to what a page asks at an address; those after it go through."""

    def __init__(self, page: Page, address: str) -> None:
        self._page = page
        self._held: tuple[Route, APIResponse] | None = None
        self._is_taken = False
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
        self._held, self._is_taken = None, False

    def _take(self, route: Route) -> None:
        if self._is_taken:
            route.continue_()
        else:
            self._is_taken = True  # another may come before this one is answered
            self._held = route, route.fetch()


class HeldEvents:
    """Holds back events of Socket.IO; of those held, the page gets only the newest."""

    def __init__(self, page: Page) -> None:
        """Loads the page again."""
        self._page = page
        self._is_holding = False
        self._last: tuple[WebSocketRoute, str] | None = None
        page.route_web_socket(re.compile("/socket[.]io/"), self._open)
        page.reload()

    @property
    def newest(self) -> dict[str, Any]:
        """The newest event that the server has sent, held or not."""
        self._page.title()  # whatever the browser is asked lets it tell of its events
        return dict(json.loads(self._last[1][2:])[1]) if self._last else {}

    def hold(self) -> None:
        self._is_holding = True

    def let_go(self) -> None:
        assert self._last
        self._is_holding = False
        socket, event = self._last
        socket.send(event)

    def _open(self, socket: WebSocketRoute) -> None:
        def pass_on(message: str | bytes) -> None:
            is_event = str(message).startswith("42")
            if is_event:
                self._last = socket, str(message)
            if not (is_event and self._is_holding):
                socket.send(message)

        socket.connect_to_server().on_message(pass_on)
