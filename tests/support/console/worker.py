"""Somebody who looks after the work: tasks, analyses and watch folders, by the console."""

from __future__ import annotations

import re
from pathlib import PurePath

from playwright.sync_api import Locator, Page, expect


class WorkDesk:
    """Acts on the pages of work by what is seen on them."""

    def __init__(self, page: Page, home: str) -> None:
        self.page = page
        self.home = home

    def sign_in(self, key: str, address: str = "#/work") -> None:
        self.open(address)
        self.page.get_by_label("Licence key").fill(key)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("button", name="Sign out")).to_be_visible()

    def open(self, address: str = "#/work") -> None:
        self.page.goto(f"{self.home}/{address}")

    def button(self, name: str | re.Pattern[str], within: Locator | None = None) -> Locator:
        exact = isinstance(name, str)
        return (within or self.page).get_by_role("button", name=name, exact=exact)

    def link(self, name: str, within: Locator | None = None) -> Locator:
        return (within or self.page).get_by_role("link", name=name)

    # Tasks

    def waiting(self, name: str) -> Locator:
        """Rows of tasks that run or wait, such as "Analysis of Ann"."""
        rows = self.page.get_by_role("list", name="Waiting and running", exact=True)
        return rows.get_by_role("listitem", name=name, exact=True)

    def ended(self, name: str) -> Locator:
        """Rows of tasks that have ended."""
        rows = self.page.get_by_role("list", name="Ended", exact=True)
        return rows.get_by_role("listitem", name=name, exact=True)

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    # Folders

    @property
    def entries(self) -> Locator:
        """Folders and files of the folder that is looked into."""
        found = self.page.get_by_role("list", name="Folders and files", exact=True)
        return found.get_by_role("listitem")

    def choose(self, *names: str) -> None:
        """Tick folders and files."""
        for name in names:
            self.page.get_by_role("checkbox", name=f"Choose {name}", exact=True).check()

    def go_to(self, path: PurePath | str) -> None:
        self.page.get_by_label("Go to a folder").fill(str(path))
        self.button("Go").click()

    # Watch folders

    def watched(self, path: PurePath | str) -> Locator:
        """The row of a watched folder."""
        rows = self.page.get_by_role("list", name="Watch folders", exact=True)
        return rows.get_by_role("listitem", name=str(path), exact=True)
