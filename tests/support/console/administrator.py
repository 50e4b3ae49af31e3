"""Somebody who administers the server at the console."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.support.console.editor import Editor


class Administrator:
    """Acts on the page of the server by what is seen on it."""

    def __init__(self, page: Page, home: str) -> None:
        self.page = page
        self._editor = Editor(page, home)

    def sign_in(self, key: str) -> None:
        self._editor.sign_in(key)

    def open(self, section: str, query: str = "") -> None:
        """Open a section by its address, such as "keys"."""
        self._editor.open(f"#/server/{section}{query}")
        expect(self.page.get_by_role("navigation", name="Server")).to_be_visible()

    def go_to(self, title: str) -> None:
        """Go to a section by the list of them."""
        self.page.get_by_role("navigation", name="Server").get_by_role("link", name=title).click()

    @property
    def content(self) -> Locator:
        """The section that is shown."""
        return self.page.get_by_role("main")

    @property
    def sections(self) -> Locator:
        """Those that are offered."""
        return self.page.get_by_role("navigation", name="Server").get_by_role("link")

    def card(self, name: str) -> Locator:
        """The key, the webhook or the model of that name."""
        return self.content.get_by_role("listitem", name=name, exact=True)

    def press(self, name: str) -> None:
        self.content.get_by_role("button", name=name, exact=True).click()

    def dialog(self, name: str | re.Pattern[str]) -> Locator:
        shown = self.page.get_by_role("dialog", name=name)
        expect(shown).to_be_visible()
        return shown

    def create_key(self, label: str, *scopes: str, roots: str = "") -> str:
        """By the form; the key, which is read where it is shown, this once."""
        self.press("Create a key")
        form = self.dialog("Create a key")
        form.get_by_label("Label").fill(label)
        for box in form.get_by_role("checkbox").all():
            box.uncheck()
        for scope in scopes:
            form.get_by_role("checkbox", name=scope).check()
        form.get_by_label("Folders that it may use").fill(roots)
        form.get_by_role("button", name="Create").click()
        return self.read_once(label, "The key")

    def add_webhook(self, url: str, *events: str) -> str:
        """By the form; its secret, which is read where it is shown, this once."""
        self.fill_webhook(url, *events).get_by_role("button", name="Add").click()
        return self.take_secret()

    def fill_webhook(self, url: str, *events: str) -> Locator:
        """The form, before it is sent."""
        self.press("Add a webhook")
        form = self.dialog("Add a webhook")
        form.get_by_label("Address").fill(url)
        for box in form.get_by_role("checkbox").all():
            box.uncheck()
        for event in events:
            form.get_by_role("checkbox", name=event).check()
        return form

    def take_secret(self) -> str:
        return self.read_once("The secret", "The secret")

    def read_once(self, title: str, label: str) -> str:
        dialog = self.dialog(title)
        shown = dialog.get_by_label(label).input_value()
        self.page.keyboard.press("Escape")  # a slip of the hand does not lose it
        expect(dialog.get_by_role("button", name="Copy")).to_be_visible()
        dialog.get_by_role("button", name="I have it").click()
        expect(dialog).to_have_count(0)
        assert shown not in self.page.content()
        kept = "JSON.stringify({...localStorage, ...sessionStorage, at: location.href})"
        assert shown not in self.page.evaluate(kept)
        return shown
