"""The search page, in a real browser: from typing to a hit, in every way that it can be asked."""

from __future__ import annotations

import base64
import re
from pathlib import Path

from playwright.sync_api import WebSocketRoute, expect

from tests.e2e.console.conftest import NAMED, Library
from tests.support.console.editor import Editor
from tests.support.console.footage import MARKUP
from tests.support.stack import KEY

COFFEE, CAT = "Kitchen", re.compile(r"00:00:0[6-9]|00:00:1[01]")

_DROP = """([name, content]) => {
  const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
  const dropped = new DataTransfer();
  dropped.items.add(new File([bytes], name, { type: 'image/png' }));
  for (const kind of ['dragenter', 'dragover', 'drop']) {
    const init = { bubbles: true, cancelable: true, dataTransfer: dropped };
    document.body.dispatchEvent(new DragEvent(kind, init));
  }
}"""


def drop(editor: Editor, picture: Path) -> None:
    expect(editor.box).to_be_visible()
    content = base64.b64encode(picture.read_bytes()).decode()
    editor.page.evaluate(_DROP, [picture.name, content])


def test_from_typing_to_a_played_hit(editor: Editor, library: Library) -> None:
    editor.choose_library(library.cache_dir)
    editor.search("a cup of coffee")
    hit = editor.wait_for_hit(library.shoot.kitchen.name)
    expect(hit).to_contain_text("00:00:0")
    hit.get_by_role("link").click()
    expect(editor.player).to_be_visible()
    editor.wait_for_video("video && video.currentTime > 0 && video.videoWidth > 0")
    editor.page.keyboard.press("Escape")
    expect(editor.player).to_have_count(0)
    expect(hit).to_be_visible()


def test_what_is_said_is_found_and_opens_where_it_is_said(editor: Editor, library: Library) -> None:
    editor.choose_library(library.cache_dir)
    editor.search("“every morning”")
    hit = editor.wait_for_hit("every morning")
    expect(hit).to_contain_text(library.shoot.kitchen.name)
    expect(hit.locator("img")).to_have_attribute("src", re.compile("^data:image/jpeg"))
    editor.search("a rocket")
    editor.wait_for_hit(library.shoot.launch.name)
    expect(editor.hits.filter(has_text="every morning")).to_have_count(0)


def test_a_dropped_picture_finds_what_is_like_it(
    editor: Editor, library: Library, photos: dict[str, Path]
) -> None:
    editor.choose_library(library.cache_dir)
    drop(editor, photos["rocket"])
    editor.wait_for_hit(library.shoot.launch.name)
    expect(editor.hits.first).to_contain_text(library.shoot.launch.name)


def test_a_person_is_proposed_while_their_name_is_typed(editor: Editor, library: Library) -> None:
    editor.choose_library(library.cache_dir)
    editor.search(NAMED[:3])
    editor.page.get_by_role("option", name=f"Person: {NAMED}").click()
    hit = editor.wait_for_hit(library.shoot.cast.name)
    expect(hit).to_contain_text(NAMED)
    for other in (library.shoot.launch, library.shoot.kitchen):
        expect(editor.hits.filter(has_text=other.name)).to_have_count(0)


def test_an_address_holds_the_search(editor: Editor, library: Library) -> None:
    editor.choose_library(library.cache_dir)
    editor.search("a cat")
    editor.box.press("Enter")
    editor.wait_for_hit(library.shoot.kitchen.name)
    address = editor.page.url
    editor.page.goto("about:blank")
    editor.page.goto(address)
    expect(editor.box).to_have_value("a cat")
    editor.wait_for_hit(library.shoot.kitchen.name)


def test_a_name_full_of_markup_stays_text(editor: Editor, library: Library) -> None:
    editor.choose_library(library.cache_dir)
    editor.search("a flower")
    hit = editor.wait_for_hit(MARKUP)
    hit.get_by_role("link").click()
    expect(editor.player).to_contain_text(MARKUP)
    assert editor.page.locator("img[src='x']").count() == 0


def test_nothing_matches_is_said_only_where_nothing_does(editor: Editor, library: Library) -> None:
    editor.choose_library(library.cache_dir)
    editor.search("“zebra crossing at noon”")
    expect(editor.page.get_by_role("status").filter(has_text="Nothing matches")).to_be_attached()
    editor.search("a cup of coffee")
    editor.wait_for_hit(library.shoot.kitchen.name)
    expect(editor.page.get_by_text("Nothing matches")).to_have_count(0)


def test_it_says_how_much_is_analyzed_and_what_is_missing(
    editor: Editor, library: Library, tmp_path: Path
) -> None:
    editor.choose_library(library.cache_dir)
    editor.search("a cat")
    expect(editor.page.get_by_text("100 % of this folder is analyzed")).to_be_visible()


def test_the_picture_of_a_hit_scrubs_through_its_scene(editor: Editor, library: Library) -> None:
    editor.choose_library(library.cache_dir)
    editor.search("a cup of coffee")
    hit = editor.wait_for_hit(library.shoot.kitchen.name)
    picture = hit.get_by_role("link")
    box = picture.bounding_box()
    assert box is not None
    shown = set()
    for share in (0.05, 0.5, 0.95):
        editor.page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)
        source = picture.locator("img").first
        expect(source).to_have_attribute("src", re.compile("second="))
        shown.add(source.get_attribute("src"))
    assert len(shown) == 3


def test_everything_works_by_keyboard(editor: Editor, library: Library) -> None:
    editor.choose_library(library.cache_dir)
    expect(editor.box).to_be_visible()
    editor.page.keyboard.press("/")
    expect(editor.box).to_be_focused()
    editor.page.keyboard.type("a rocket", delay=5)
    editor.page.keyboard.press("Enter")
    editor.wait_for_hit(library.shoot.launch.name)
    editor.hits.first.get_by_role("link").focus()
    editor.page.keyboard.press("Enter")
    expect(editor.player).to_be_visible()
    editor.page.keyboard.press("?")
    expect(editor.page.get_by_role("dialog", name="Keys")).to_contain_text("Play")
    editor.page.keyboard.press("Escape")
    editor.page.keyboard.press("Escape")
    expect(editor.player).to_have_count(0)


def test_a_resting_mouse_leaves_the_keyboard_alone(editor: Editor, library: Library) -> None:
    editor.page.set_viewport_size({"width": 480, "height": 500})
    editor.open(f"#/search?dir={library.cache_dir}&q=a+rocket&least=any")
    expect(editor.hits.nth(5)).to_be_attached()
    editor.hits.nth(1).get_by_role("link").hover()
    editor.hits.first.get_by_role("link").focus()
    focused = editor.hits.filter(has=editor.page.locator(":focus"))
    for place in range(2, 7):
        editor.page.keyboard.press("ArrowRight")
        expect(focused).to_have_attribute("aria-posinset", str(place))
        # The browser looks what is below the mouse before it draws.
        editor.page.evaluate("() => new Promise((drawn) => requestAnimationFrame(drawn))")


def test_people_who_could_not_be_had_are_proposed_once_the_server_is_back(
    editor: Editor, library: Library
) -> None:
    sockets: list[WebSocketRoute] = []

    def through(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    clusters, page = "**/faces/clusters?*", editor.page
    page.route_web_socket(re.compile("/socket.io/"), through)
    page.route(clusters, lambda route: route.fulfill(status=500, json={}))
    page.goto("about:blank")
    with page.expect_response(clusters):
        editor.choose_library(library.cache_dir)
    editor.search(NAMED[:3])
    expect(page.get_by_role("option").first).to_be_visible()
    person = page.get_by_role("option", name=f"Person: {NAMED}")
    expect(person).to_have_count(0)
    page.unroute(clusters)
    sockets[-1].close()
    expect(person).to_be_visible(timeout=60_000)  # it waits longer from try to try


def test_a_file_that_is_away_is_shown_as_offline_and_its_player_says_so(
    editor: Editor, library: Library, tmp_path: Path, photos: dict[str, Path]
) -> None:
    moved = library.shoot.kitchen.with_name("elsewhere.mp4")
    library.shoot.kitchen.rename(moved)
    try:
        editor.choose_library(library.cache_dir)
        editor.search("a cup of coffee")
        hit = editor.wait_for_hit(library.shoot.kitchen.name)
        expect(hit).to_contain_text("offline")
        hit.get_by_role("link").click()
        expect(editor.player.get_by_text("This file is away")).to_be_visible()
    finally:
        moved.rename(library.shoot.kitchen)


def test_filters_are_in_the_address_and_keep_the_rest_out(editor: Editor, library: Library) -> None:
    editor.open(f"#/search?dir={library.cache_dir}&q=a+rocket&sound=yes")
    expect(editor.page.get_by_text("Sound: with sound")).to_be_visible()
    expect(editor.hits.filter(has_text=library.shoot.launch.name)).to_have_count(0)


def test_a_search_in_several_ways_at_once(editor: Editor, library: Library) -> None:
    editor.choose_library(library.cache_dir)
    editor.search("a cup of coffee “every morning”")
    editor.wait_for_hit(library.shoot.kitchen.name)
    expect(editor.hits.filter(has_text=library.shoot.launch.name)).to_have_count(0)


def test_a_key_without_the_scope_to_search_reads_a_sentence(
    browser: object, library: Library
) -> None:
    from tests.support.console.chromium import window

    key = library.client.post("/keys", scopes=["export"]).json()["license_key"]
    with window(browser) as opened:  # type: ignore[arg-type]
        somebody = Editor(opened.page, library.client.url)
        somebody.open()
        opened.page.get_by_label("Licence key").fill(key)
        opened.page.get_by_role("button", name="Sign in").click()
        expect(opened.page.get_by_text("lacks the scope “search”")).to_be_visible()
    assert key != KEY
