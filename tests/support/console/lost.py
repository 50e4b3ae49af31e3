"""An answer of the server that a page never gets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, Route


@contextmanager
def lost(page: Page, address: str) -> Iterator[None]:
    """The server does what is asked of it there by POST, and nothing comes back."""

    def lose(route: Route) -> None:
        if route.request.method == "POST":
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route(address, lose)
    try:
        yield
    finally:
        page.unroute(address, lose)
