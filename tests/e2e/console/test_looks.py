"""Looks, in a real browser: axe finds nothing, in light and dark, on a phone and a large screen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.e2e.console.conftest import Library
from tests.e2e.console.test_basket import choose, fill, rows
from tests.support.console.chromium import Window, window
from tests.support.console.editor import Editor
from tests.support.console.looks import PHONE, excess, findings, out_of_reach, tab_stops
from tests.support.stack import KEY

_FOUR_K = {"width": 3840, "height": 2160}


@contextmanager
def away(path: Path) -> Iterator[None]:
    """The file is elsewhere meanwhile."""
    moved = path.rename(path.with_name(f"{path.name} away"))
    try:
        yield
    finally:
        moved.rename(path)


def find(editor: Editor, library: Library) -> None:
    editor.choose_library(library.cache_dir)
    editor.search("a cup of coffee")
    editor.wait_for_hit(library.shoot.kitchen.name)


def test_nothing_is_found_in_the_sign_in(shown: Window, library: Library) -> None:
    Editor(shown.page, library.client.url).open()
    expect(shown.page.get_by_role("dialog", name="Sign in")).to_be_visible()
    assert findings(shown.page) == []


def test_nothing_is_found_in_the_search(editor: Editor, library: Library) -> None:
    page = editor.page
    find(editor, library)
    assert findings(page) == []
    page.get_by_role("button", name="Filters").click()
    assert findings(page) == []
    page.get_by_role("button", name="Filters").click()
    editor.search("“zebra crossing at noon”")
    expect(page.get_by_role("status").filter(has_text="Nothing matches")).to_be_attached()
    assert findings(page) == []
    editor.box.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    assert findings(page) == []


def test_nothing_is_found_in_the_player(editor: Editor, library: Library) -> None:
    shoot = library.shoot
    for film in (shoot.kitchen, shoot.numbered, shoot.cast):
        editor.open_file(library.cache_dir, film)
        editor.wait_for_video("video && video.readyState >= 2")
        if film is not shoot.cast:
            editor.go_back()  # one that plays is enough: that costs more
        assert findings(editor.page) == []
    editor.open_file(library.cache_dir, shoot.still)
    expect(editor.player.get_by_role("img").first).to_be_visible()
    assert findings(editor.page) == []
    with away(shoot.launch):
        editor.open_file(library.cache_dir, shoot.launch)
        expect(editor.player.get_by_text("This file is away")).to_be_visible()
        assert findings(editor.page) == []


def test_nothing_is_found_in_the_basket(editor: Editor, library: Library) -> None:
    editor.open("#/basket")
    expect(editor.page.get_by_text("The basket is empty")).to_be_visible()
    assert findings(editor.page) == []
    fill(editor, library)
    for form in ("Clips", "Timeline", "Subtitles"):
        choose(editor, form)
        assert findings(editor.page) == []
    choose(editor, "A folder of the server")
    assert findings(editor.page) == []
    rows(editor).first.get_by_role("button", name=re.compile("Remove")).click()
    assert findings(editor.page) == []


def test_every_control_can_be_reached_and_seen_on_a_phone(editor: Editor, library: Library) -> None:
    page = editor.page
    page.set_viewport_size(PHONE)
    find(editor, library)
    editor.box.press("Enter")  # closes the suggestions
    page.get_by_role("button", name="Filters").click()
    assert blocked(page) == []
    editor.open_file(library.cache_dir, library.shoot.kitchen)
    editor.wait_for_video("video && video.readyState >= 2")
    assert blocked(page) == []
    fill(editor, library)
    assert blocked(page) == []


def blocked(page: Page) -> list[str]:
    """Controls that Tab does not come to, that are covered or beside the page, or not marked."""
    stops = tab_stops(page)
    fit = ("isInside", "isOnTop", "isMarked")
    unfit = [str(stop) for stop in stops if not all(stop[name] for name in fit)]
    return unfit + out_of_reach(page)


def test_touch_shows_what_a_pointer_would_uncover(browser: Browser, library: Library) -> None:
    with window(browser, viewport=PHONE, has_touch=True, is_mobile=True) as phone:
        somebody = Editor(phone.page, library.client.url)
        somebody.sign_in(KEY)
        find(somebody, library)
        hit = somebody.wait_for_hit(library.shoot.kitchen.name)
        hit.get_by_role("button", name="Add its scene to the basket").tap()
        hit.get_by_role("link").tap()
        expect(somebody.player).to_be_visible()
        assert excess(phone.page) == 0


def test_the_wall_uses_the_width_of_a_large_screen(editor: Editor, library: Library) -> None:
    editor.page.set_viewport_size(_FOUR_K)
    find(editor, library)
    wall = editor.page.get_by_role("list", name="Matches").bounding_box()
    card = editor.hits.first.bounding_box()
    assert wall is not None
    assert card is not None
    assert wall["width"] > 0.95 * _FOUR_K["width"]
    assert 250 < card["width"] < 400
