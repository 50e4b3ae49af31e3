"""Thousands of hits, in a real browser: page by page, only those near the window are drawn."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

from tests.support.console.editor import Editor
from tests.support.console.many_scenes import SCENES, many_scenes

_CARDS = """() => [...document.querySelectorAll('.card')].map((card) =>
  [Number(card.dataset.place), card.querySelector('a').getAttribute('href')])"""
_IS_BEHIND = """place => [...document.querySelectorAll('.card')].some((card) =>
  Number(card.dataset.place) > place)"""
_PAGE = 100
_MOST_CARDS = 150


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache folder."""
    return many_scenes(tmp_path_factory.mktemp("many"))


def open_many(editor: Editor, many: Path) -> None:
    like = many.parent / "Reel 00.mp4"
    editor.open(f"#/search?{urlencode({'dir': many, 'like': like, 'second': 0})}")
    editor.wait_for_hit(like.name)


def test_thousands_of_hits_are_gone_through_to_the_last_and_none_comes_twice(
    editor: Editor, many: Path
) -> None:
    open_many(editor, many)
    editor.hits.first.get_by_role("link").focus()
    seen: dict[int, str] = {}
    while (last := max(seen, default=-1)) < SCENES - 1:
        editor.page.keyboard.press("End")
        editor.page.wait_for_function(_IS_BEHIND, arg=last)
        cards = editor.page.evaluate(_CARDS)
        assert len(cards) < _MOST_CARDS
        for place, address in cards:
            assert seen.setdefault(place, address) == address
    assert len(set(seen.values())) == len(seen)
    expect(editor.page.get_by_text(f"{SCENES:,} matches").first).to_be_attached()
    editor.page.keyboard.press("Home")
    expect(editor.hits.first.get_by_role("link")).to_be_focused()


def test_a_wheel_leads_to_the_next_page_of_hits(editor: Editor, many: Path) -> None:
    open_many(editor, many)
    editor.hits.first.hover()
    for _ in range(20):
        editor.page.mouse.wheel(0, 1500)
    editor.page.wait_for_function(_IS_BEHIND, arg=_PAGE - 1)
    assert editor.hits.count() < _MOST_CARDS
