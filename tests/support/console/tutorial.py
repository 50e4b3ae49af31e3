"""A page of the documentation whose every section is done in a browser, with its pictures."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from playwright.sync_api import Browser, Page

from tests.support.console.chromium import Window
from tests.support.console.editor import Editor
from tests.support.console.pictures import Pictures
from tests.support.console.worker import WorkDesk
from tests.support.stack import PROJECT, Client

_DOCS = PROJECT / "docs"
_IMAGE = re.compile(r"\]\(\.\./images/([\w-]+\.webp)\)")


@dataclass
class Visit:
    """What every section has at hand."""

    browser: Browser
    shown: Window
    client: Client
    pictures: Pictures = field(default_factory=Pictures, kw_only=True)

    @property
    def page(self) -> Page:
        return self.shown.page

    @property
    def editor(self) -> Editor:
        return Editor(self.page, self.client.url)

    @property
    def desk(self) -> WorkDesk:
        return WorkDesk(self.page, self.client.url)

    def take(self, name: str, *, dark: bool = False) -> None:
        self.pictures.take(self.page, name, dark=dark)


AVisit = TypeVar("AVisit", bound=Visit)
Section = Callable[[AVisit], None]


class Tutorial(Generic[AVisit]):
    """The sections of docs/start/NAME.md and what is done in each, in the order of the test."""

    def __init__(self, name: str) -> None:
        self._page = _DOCS / "start" / name
        self._sections: list[tuple[str, Section[AVisit]]] = []

    def step(self, heading: str) -> Callable[[Section[AVisit]], Section[AVisit]]:
        """Marks what is done under a heading of the page."""

        def add(do: Section[AVisit]) -> Section[AVisit]:
            self._sections.append((heading, do))
            return do

        return add

    def go_through(self, visit: AVisit) -> None:
        """Do all of it; the page must have these headings and these pictures, and no others."""
        text = self._page.read_text(encoding="utf-8")
        headings = [heading for heading, _ in self._sections]
        assert headings == re.findall(r"^## (.+)$", text, re.MULTILINE)
        for heading, do in self._sections:
            print(heading)
            do(visit)
        assert visit.pictures.taken == _IMAGE.findall(text)
        kept = {path.name for path in (visit.pictures.folder or _DOCS / "images").iterdir()}
        assert set(visit.pictures.taken) <= kept
        assert kept <= {name for page in _DOCS.rglob("*.md") for name in _images_of(page)}
        assert visit.shown.foreign(visit.client.url) == []
        assert visit.shown.complaints == []


def _images_of(page: Path) -> list[str]:
    return _IMAGE.findall(page.read_text(encoding="utf-8"))
