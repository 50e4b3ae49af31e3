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


class HeldEvents:
    """Holds back events of Socket.IO; of those held, the page gets only the newest."""

    def __init__(self, page: Page) -> None:
        """Loads the page again."""
        self._page = page
        self._held: list[tuple[WebSocketRoute, str]] | None = None
        page.route_web_socket(re.compile("/socket[.]io/"), self._open)
        page.reload()

    def hold(self) -> None:
        self._held = []

    @property
    def newest(self) -> dict[str, Any]:
        """The newest of those that are held."""
        self._page.title()  # whatever the browser is asked lets it tell of its events
        return dict(json.loads(self._held[-1][1][2:])[1]) if self._held else {}

    def let_go(self) -> None:
        assert self._held
        socket, event = self._held[-1]
        self._held = None
        socket.send(event)

    def _open(self, socket: WebSocketRoute) -> None:
        def pass_on(message: str | bytes) -> None:
            if self._held is not None and str(message).startswith("42"):
                self._held.append((socket, str(message)))
            else:
                socket.send(message)

        socket.connect_to_server().on_message(pass_on)
