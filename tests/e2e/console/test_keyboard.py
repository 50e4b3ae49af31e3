"""The way of the focus, in a real browser: by Tab to a hit, into the player, and back again."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.e2e.console.conftest import Library
from tests.e2e.console.test_looks import find
from tests.support.console.editor import Editor

_IS_INSIDE = "panel => panel.contains(document.activeElement)"


def press_until(editor: Editor, key: str, css: str) -> int:
    """How often the key was pressed until what matches `css` had the focus."""
    for times in range(1, 40):
        editor.page.keyboard.press(key)
        if editor.page.evaluate("css => document.activeElement.matches(css)", css):
            return times
    raise AssertionError(f"{key} does not lead to {css}")


def test_tab_leads_from_the_box_to_a_hit_and_back(editor: Editor, library: Library) -> None:
    find(editor, library)
    editor.box.press("Escape")
    editor.box.focus()
    there = press_until(editor, "Tab", ".shot")
    assert there == press_until(editor, "Shift+Tab", "#search-words")
    assert there <= 10


def test_the_focus_goes_into_the_player_and_comes_back_to_the_hit(
    editor: Editor, library: Library
) -> None:
    find(editor, library)
    hit = editor.wait_for_hit(library.shoot.kitchen.name).get_by_role("link")
    hit.focus()
    hit.press("Enter")
    expect(editor.player).to_be_visible()
    assert editor.player.evaluate(_IS_INSIDE)
    for _ in range(5):
        editor.page.keyboard.press("Tab")
        assert editor.player.evaluate(_IS_INSIDE)
    editor.page.keyboard.press("Escape")
    expect(editor.player).to_have_count(0)
    expect(hit).to_be_focused()


def test_the_focus_comes_back_when_the_list_of_keys_is_closed(
    editor: Editor, library: Library
) -> None:
    find(editor, library)
    hit = editor.wait_for_hit(library.shoot.kitchen.name).get_by_role("link")
    hit.focus()
    keys = editor.page.get_by_role("dialog", name="Keys")
    editor.page.keyboard.press("?")
    expect(keys).to_be_visible()
    editor.page.keyboard.press("Escape")
    expect(keys).to_have_count(0)
    expect(hit).to_be_focused()


def test_the_skip_link_comes_first_and_leads_past_the_head(
    editor: Editor, library: Library
) -> None:
    editor.open("#/basket")
    expect(editor.page.get_by_text("The basket is empty")).to_be_visible()
    editor.page.keyboard.press("Tab")
    skip = editor.page.get_by_role("link", name="Go to the content")
    expect(skip).to_be_focused()
    skip.press("Enter")
    expect(editor.page.get_by_role("main")).to_be_focused()
