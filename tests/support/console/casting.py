"""Somebody who sorts the people of a collection at the console, by hand and by keys."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import Locator, Page, expect

UNNAMED = "Unnamed"
_DROP = """([name, content]) => {
  const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
  const dropped = new DataTransfer();
  dropped.items.add(new File([bytes], name, { type: 'image/png' }));
  for (const kind of ['dragenter', 'dragover', 'drop']) {
    const init = { bubbles: true, cancelable: true, dataTransfer: dropped };
    document.querySelector('dialog').dispatchEvent(new DragEvent(kind, init));
  }
}"""


class Casting:
    """Acts on the people's pages by what is seen on them."""

    def __init__(self, page: Page, home: str) -> None:
        self.page = page
        self.home = home

    def open(self, cache_dir: object, collection: str = "", **more: str) -> None:
        """All people; with `id`, one of them."""
        where = {"dir": str(cache_dir), "collection": collection, **more}
        params = urlencode({name: value for name, value in where.items() if value})
        self.page.goto("about:blank")
        self.page.goto(f"{self.home}/#/people{'/person' if 'id' in more else ''}?{params}")

    @property
    def people(self) -> Locator:
        return self.page.get_by_role("list", name="People", exact=True).get_by_role("listitem")

    def person(self, name: str) -> Locator:
        """The face of the first who is called so."""
        return self.people.get_by_role("link", name=re.compile(f"^{re.escape(name)},")).first

    def wait_for(self, *names: str) -> None:
        """Until exactly these people are shown, in any order."""
        expect(self.people).to_have_count(len(names))
        for name in set(names):
            same = self.people.get_by_role("link", name=re.compile(f"^{re.escape(name)},"))
            expect(same).to_have_count(names.count(name))

    def call(self, name: str, new: str) -> None:
        """Give a name by keys alone: on the face, Enter, the name, Enter."""
        face = self.person(name)
        face.focus()
        face.press("Enter")
        expect(self.field).to_be_focused()
        self.field.fill(new)
        self.field.press("Enter")

    @property
    def field(self) -> Locator:
        """Where a name is typed."""
        return self.page.locator("input[role=combobox]")

    def select(self, faces: Sequence[Locator]) -> None:
        """By the key x."""
        for face in faces:
            face.focus()
            face.press("x")

    @property
    def faces(self) -> Locator:
        """Those of one person."""
        every = self.page.get_by_role("list", name=re.compile("^Faces of"))
        return every.get_by_role("listitem").get_by_role("button")

    def told(self, text: str | re.Pattern[str]) -> None:
        """Until it is said what became of a change."""
        bar = self.page.locator(".message-bar")
        expect(bar.get_by_text(text)).to_be_visible()

    def press(self, name: str) -> None:
        """A button."""
        self.page.get_by_role("button", name=name, exact=True).last.click()

    def drop(self, name: str, picture: Image.Image) -> None:
        """A picture onto the dialog that is open."""
        written = io.BytesIO()
        picture.save(written, "PNG")
        content = base64.b64encode(written.getvalue()).decode()
        self.page.evaluate(_DROP, [name, content])
        expect(self.page.get_by_role("img", name=re.compile(name))).to_be_visible()
