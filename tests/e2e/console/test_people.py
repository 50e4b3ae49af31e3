"""The people's pages, in a real browser: named, merged, split, taken back, and found by search."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from tests.e2e.console.conftest import CAST, NAMED, Library
from tests.e2e.console.test_looks import blocked
from tests.support.console.casting import UNNAMED, Casting
from tests.support.console.chromium import window
from tests.support.console.editor import Editor
from tests.support.console.looks import PHONE, findings
from tests.support.console.many_people import CROWD, PEOPLE, many_people
from tests.support.media.faces_film import PEOPLE as IN_PHOTO
from tests.support.media.faces_film import close_up, group_photo
from tests.support.stack import KEY

_WATCH = """() => {
  window.longest = 0;
  new PerformanceObserver((list) => {
    for (const task of list.getEntries()) longest = Math.max(longest, task.duration);
  }).observe({ type: 'longtask' });
}"""
_LONGEST_MS = 500  # of a task of the page, on a machine that does other things, too
_MOST_TILES = 300
_MOST_FACES = 204  # of one person in the crowd


@pytest.fixture(scope="module")
def editor(browser: Browser, library: Library) -> Iterator[Editor]:
    """Somebody who is signed in; one window for all of these tests."""
    with window(browser) as opened:
        somebody = Editor(opened.page, library.client.url)
        somebody.sign_in(KEY)
        yield somebody
        assert opened.foreign(library.client.url) == []
        assert opened.complaints == []


@pytest.fixture
def cast(library: Library, tmp_path: Path) -> Path:
    """A cache folder of two people, Lena and somebody unnamed, that a test may change."""
    return Path(shutil.copytree(library.cache_dir, tmp_path / "cast"))


@pytest.fixture
def casting(editor: Editor, cast: Path) -> Casting:
    """Somebody who looks at the people of it."""
    return on_people(editor, cast)


def on_people(editor: Editor, cast: Path) -> Casting:
    somebody = Casting(editor.page, editor.home)
    somebody.open(cast, CAST)
    somebody.wait_for(NAMED, UNNAMED)
    return somebody


@pytest.fixture
def second(browser: Browser, library: Library, casting: Casting, cast: Path) -> Iterator[Casting]:
    """Somebody else in another window."""
    with window(browser) as opened:
        editor = Editor(opened.page, library.client.url)
        editor.sign_in(KEY)
        yield on_people(editor, cast)
        assert opened.complaints == []


def test_a_name_finds_at_once_and_can_be_taken_back_and_given_again(
    casting: Casting, editor: Editor, library: Library
) -> None:
    page = casting.page
    casting.call(UNNAMED, "Rita")
    casting.told(re.compile(r"“Rita” now finds \d+ s in 1 file\."))
    casting.wait_for(NAMED, "Rita")
    expect(casting.person("Rita")).to_be_focused()
    page.keyboard.press("u")
    casting.wait_for(NAMED, UNNAMED)
    casting.press("Redo")
    casting.wait_for(NAMED, "Rita")
    page.keyboard.press("Control+z")
    casting.wait_for(NAMED, UNNAMED)
    casting.call(UNNAMED, "Rita")
    page.get_by_role("link", name="Search for Rita").click()
    hit = editor.wait_for_hit(library.shoot.cast.name)
    expect(hit).to_contain_text("Rita")
    editor.search("Ri")
    expect(page.get_by_role("option", name="Person: Rita")).to_be_visible()


def test_a_name_that_somebody_has_asks_whether_they_are_one(casting: Casting) -> None:
    dialog = casting.page.get_by_role("dialog", name=f"Is this the same {NAMED}?")
    casting.call(UNNAMED, NAMED)
    dialog.get_by_role("button", name=f"No, two people called {NAMED}").click()
    casting.wait_for(NAMED, NAMED)
    casting.told(re.compile(f"“{NAMED}” now finds 2 groups of faces together"))
    casting.page.keyboard.press("u")
    casting.wait_for(NAMED, UNNAMED)
    casting.call(UNNAMED, NAMED)
    dialog.get_by_role("button", name="Yes, one person").click()
    casting.wait_for(NAMED)


def test_two_are_merged_by_dragging_and_by_keys(casting: Casting) -> None:
    casting.person(UNNAMED).drag_to(casting.person(NAMED))
    casting.wait_for(NAMED)
    casting.press("Undo")
    casting.wait_for(NAMED, UNNAMED)
    casting.select([casting.person(UNNAMED)])
    casting.person(NAMED).focus()
    casting.page.keyboard.press("m")
    casting.wait_for(NAMED)
    casting.told(re.compile(f"2 people are one now: {NAMED}"))


def test_people_of_two_names_are_merged_only_when_somebody_says_so(casting: Casting) -> None:
    casting.call(UNNAMED, "Rita")
    casting.wait_for(NAMED, "Rita")
    casting.select([casting.person("Rita")])
    casting.person(NAMED).focus()
    casting.page.keyboard.press("m")
    asked = casting.page.get_by_role("dialog", name=f"Are Rita and {NAMED} one person?")
    asked.get_by_role("button", name="Close").click()
    casting.wait_for(NAMED, "Rita")
    casting.page.keyboard.press("m")
    asked.get_by_role("button", name=f"Yes, call them {NAMED}").click()
    casting.wait_for(NAMED)


def test_faces_are_split_off_and_moved_back(casting: Casting) -> None:
    page = casting.page
    casting.person(NAMED).focus()
    page.keyboard.press("o")
    expect(page.get_by_role("heading", name=NAMED)).to_be_visible()
    expect(casting.faces.locator("img")).to_have_count(5)
    count = casting.faces.count()
    casting.select([casting.faces.nth(0), casting.faces.nth(1)])
    page.keyboard.press("s")
    casting.told("2 faces are a new person now.")
    expect(casting.faces).to_have_count(count - 2)
    page.get_by_role("link", name="Open the new person").click()
    expect(casting.faces.locator("img")).to_have_count(2)
    casting.select([casting.faces.nth(0)])
    page.keyboard.press("m")
    expect(casting.field).to_be_focused()
    casting.field.fill(NAMED)
    casting.field.press("Enter")
    expect(casting.faces).to_have_count(1)
    casting.told(f"1 face moved to {NAMED}.")
    casting.select([casting.faces.nth(0)])
    casting.faces.nth(0).drag_to(page.get_by_role("button", name="Not this person"))
    expect(page.get_by_text("This person is no longer here")).to_be_visible()
    casting.press("Undo")
    expect(casting.faces).to_have_count(1)


def test_not_a_person_and_the_history_brings_them_back(casting: Casting) -> None:
    page = casting.page
    page.keyboard.press("Delete")
    casting.told(re.compile("Go to a person first"))
    casting.wait_for(NAMED, UNNAMED)
    casting.person(UNNAMED).focus()
    page.keyboard.press("Delete")
    casting.wait_for(NAMED)
    casting.told(re.compile("1 person is none now"))
    expect(page.get_by_role("link", name=re.compile("faces of nobody"))).to_be_visible()
    page.get_by_role("link", name=re.compile("faces of nobody")).click()
    expect(page.get_by_role("heading", name="Faces of nobody")).to_be_visible()
    expect(casting.faces.locator("img")).to_have_count(5)
    page.get_by_role("link", name="All people").click()
    casting.press("History …")
    history = page.get_by_role("dialog", name="History")
    expect(history).to_contain_text("moved to the faces of nobody")
    history.get_by_role("button", name=re.compile(f"Go back to here: .*named “{NAMED}”")).click()
    expect(history.get_by_role("listitem").first).to_contain_text("Went back")
    history.get_by_role("button", name="Close").click()
    casting.wait_for(NAMED, UNNAMED)


def test_all_scenes_of_a_person_open_at_their_moment(casting: Casting, editor: Editor) -> None:
    casting.person(UNNAMED).click()
    casting.page.get_by_role("button", name="Scenes").click()
    expect(editor.hits.first).to_contain_text("Cast.mp4")
    editor.hits.first.get_by_role("link").click()
    expect(editor.player).to_be_visible()
    casting.page.keyboard.press("Escape")
    expect(editor.player).to_have_count(0)
    expect(casting.page.get_by_role("heading", name=UNNAMED)).to_be_visible()


def test_two_windows_edit_one_person_and_nothing_typed_is_lost(
    casting: Casting, second: Casting
) -> None:
    casting.person(UNNAMED).focus()
    casting.page.keyboard.press("n")
    casting.field.fill("Ada")
    second.call(UNNAMED, "Bea")
    second.wait_for(NAMED, "Bea")
    expect(casting.person("Bea")).to_be_visible()  # the first window sees it
    expect(casting.field).to_have_value("Ada")
    expect(casting.field).to_be_focused()
    casting.field.press("Enter")
    expect(casting.page.get_by_role("alert").filter(has_text="Meanwhile")).to_be_visible()
    expect(casting.field).to_have_value("Ada")
    casting.field.press("Enter")
    casting.wait_for(NAMED, "Ada")
    second.wait_for(NAMED, "Ada")
    second.call("Ada", "Bea")
    casting.wait_for(NAMED, "Bea")
    casting.page.locator(".message-bar").get_by_role("button", name="Undo").click()
    casting.told(re.compile("Meanwhile"))
    casting.wait_for(NAMED, "Bea")  # what somebody else did is not taken back


def test_a_name_for_somebody_who_is_merged_meanwhile_is_not_lost(
    casting: Casting, second: Casting
) -> None:
    page = casting.page
    page.get_by_label("Show").select_option("unnamed")
    casting.wait_for(UNNAMED)
    casting.person(UNNAMED).focus()
    page.keyboard.press("Enter")
    casting.field.fill("Ad")
    second.call(UNNAMED, "Bea")
    casting.wait_for("Bea")  # somebody types there
    casting.field.press_sequentially("a")
    second.wait_for(NAMED, "Bea")
    second.select([second.person("Bea")])
    second.person(NAMED).focus()
    second.page.keyboard.press("m")
    second.page.get_by_role("button", name=f"Yes, call them {NAMED}").click()
    second.wait_for(NAMED)
    lost = page.get_by_role("dialog", name="This person is no longer here")
    expect(lost).to_contain_text(f"merged them into {NAMED}")
    expect(lost.get_by_label("What you typed:")).to_have_value("Ada")
    expect(lost.get_by_label("What you typed:")).to_be_focused()
    lost.get_by_role("button", name=f"Go on with the name of {NAMED}").click()
    expect(casting.field).to_have_value("Ada")
    expect(casting.field).to_be_focused()
    casting.field.press("Enter")
    second.wait_for("Ada")


def test_who_types_is_left_alone_by_what_ends_later(casting: Casting) -> None:
    page, held = casting.page, list[Route]()
    page.route("**/faces/clusters/modify", lambda route: held.append(route))
    casting.person(UNNAMED).focus()
    with page.expect_request("**/faces/clusters/modify"):
        page.keyboard.press("Delete")
    casting.person(NAMED).focus()
    page.keyboard.press("Enter")
    expect(casting.field).to_be_focused()
    page.keyboard.type("Bu")
    expect(casting.field).to_have_value("Bu")
    held.pop().continue_()
    page.unroute("**/faces/clusters/modify")
    casting.told(re.compile("1 person is none now"))
    casting.wait_for(NAMED)
    page.keyboard.type("ub")  # keys of the page, elsewhere
    expect(casting.field).to_have_value("Buub")
    page.keyboard.press("Escape")
    expect(casting.person(NAMED)).to_be_focused()


def test_a_name_of_10000_characters_is_refused_in_a_sentence(casting: Casting) -> None:
    casting.call(UNNAMED, "a" * 10_000)
    expect(casting.page.get_by_role("alert").filter(has_text="200")).to_be_visible()
    expect(casting.field).to_have_value("a" * 10_000)
    casting.field.press("Escape")
    expect(casting.person(UNNAMED)).to_be_focused()
    casting.wait_for(NAMED, UNNAMED)


def test_a_person_is_enrolled_by_a_dropped_picture(casting: Casting) -> None:
    page = casting.page
    casting.press("Enrol from pictures …")
    enrol = page.get_by_role("dialog", name="Enrol a person from pictures")
    enrol.get_by_label("Name").fill("Rita")
    casting.drop("group.png", group_photo())
    enrol.get_by_role("button", name="Learn this face").click()
    expect(enrol.get_by_role("alert").filter(has_text="faces are found in it")).to_be_visible()
    enrol.get_by_role("button", name="Leave out group.png").click()
    casting.drop("rita.png", Image.fromarray(close_up(group_photo(), IN_PHOTO["hair"], 240, 4)))
    enrol.get_by_role("button", name="Learn this face").click()
    expect(enrol).to_contain_text("Rita is known by 1 photo")
    expect(enrol.get_by_role("link", name="Search for Rita")).to_be_visible()
    enrol.get_by_role("button", name="Close").click()
    casting.wait_for(NAMED, "Rita")


def test_faces_are_grouped_anew_and_it_says_what_changed(casting: Casting) -> None:
    casting.press("Group anew …")
    dialog = casting.page.get_by_role("dialog", name="Group the faces anew")
    dialog.get_by_role("spinbutton").fill("100")
    dialog.get_by_role("button", name="Group anew").click()
    before, now = "2 people, 0 faces of nobody", "0 people, 10 faces of nobody"
    casting.told(f"Grouped anew. Before: {before}. Now: {now}.")
    expect(casting.page.get_by_text("Nobody is known by enough clear faces yet")).to_be_visible()
    expect(casting.page.get_by_role("link", name="10 faces of nobody")).to_be_visible()
    expect(casting.people).to_have_count(0)


def test_a_key_without_the_scope_looks_only(browser: Browser, library: Library, cast: Path) -> None:
    key = library.client.post("/keys", scopes=["search"]).json()["license_key"]
    with window(browser) as opened:
        editor = Editor(opened.page, library.client.url)
        editor.sign_in(key)
        casting = on_people(editor, cast)
        expect(opened.page.get_by_text("your key lacks the scope “people”")).to_be_visible()
        for name in ("Undo", "History …", "Name …"):
            expect(opened.page.get_by_role("button", name=name)).to_have_count(0)
        casting.person(UNNAMED).click()
        expect(opened.page.get_by_role("heading", name=UNNAMED)).to_be_visible()


def test_a_library_without_faces_says_how_to_get_some(editor: Editor, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    Casting(editor.page, editor.home).open(tmp_path / "empty")
    expect(editor.page.get_by_role("link", name="Analyze a folder")).to_be_visible()


def test_nothing_is_found_in_the_pages(casting: Casting) -> None:
    page = casting.page
    casting.select([casting.person(UNNAMED)])
    page.keyboard.press("Enter")
    casting.field.fill("Le")
    expect(page.get_by_role("listbox").get_by_role("option").first).to_be_visible()
    assert findings(page) == []
    page.keyboard.press("Escape")
    for name in ("History …", "Enrol from pictures …"):
        casting.press(name)
        assert findings(page) == []
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    page.set_viewport_size(PHONE)
    assert blocked(page) == []
    page.set_viewport_size({"width": 1280, "height": 800})
    casting.person(NAMED).click()
    casting.select([casting.faces.first])
    assert findings(page) == []


def test_the_field_of_a_name_has_the_focus_as_soon_as_it_is_there(casting: Casting) -> None:
    page = casting.page
    casting.person(UNNAMED).focus()
    note_focus_when(page, "document.querySelector('.naming input')")
    page.keyboard.press("Enter")
    page.wait_for_function("window.focused !== undefined")
    assert page.evaluate("focused.getAttribute('role')") == "combobox"


def test_a_dialog_that_is_gone_has_given_the_focus_back(casting: Casting) -> None:
    page = casting.page
    casting.press("History …")
    expect(page.get_by_role("dialog")).to_be_visible()
    note_focus_when(page, "!document.querySelector('dialog')")
    page.keyboard.press("Escape")
    page.wait_for_function("window.focused !== undefined")
    assert page.evaluate("focused.textContent") == "History …"


def note_focus_when(page: Page, condition: str) -> None:
    """Note what has the focus when a change of the page first fulfils a condition."""
    page.evaluate(f"""() => new MutationObserver((_, observer) => {{
      if (!({condition})) return;
      window.focused = document.activeElement;
      observer.disconnect();
    }}).observe(document.body, {{ childList: true, subtree: true }})""")


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache folder."""
    return many_people(tmp_path_factory.mktemp("crowd"))


def test_1000_people_and_100000_faces_stay_smooth(editor: Editor, crowd: Path) -> None:
    casting, page = Casting(editor.page, editor.home), editor.page
    casting.open(crowd, CROWD)
    expect(casting.people.first).to_have_attribute("aria-setsize", str(PEOPLE))
    expect(casting.people.first.locator("img")).to_be_visible()
    page.evaluate(_WATCH)
    casting.people.first.get_by_role("link").focus()
    for key in ("PageDown", "End", "Home", "End"):
        page.keyboard.press(key)
    last = page.locator(f"[data-place='{PEOPLE - 1}']")
    expect(last.get_by_role("link")).to_be_focused()
    expect(last.locator("img")).to_be_visible()
    assert casting.people.count() < _MOST_TILES
    page.keyboard.press("Home")
    casting.people.nth(0).get_by_role("checkbox").click()
    casting.people.nth(3).get_by_role("checkbox").click(modifiers=["Shift"])
    expect(casting.people.nth(3).get_by_role("checkbox")).to_be_checked()
    expect(page.get_by_role("group", name="4 selected")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    casting.field.fill(NAMED[:2])
    expect(page.get_by_role("option", name=f"{NAMED} known in {CAST}")).to_be_visible()
    casting.field.fill("Zoe")
    casting.field.press("Enter")
    casting.told(re.compile("“Zoe” now finds"))
    page.get_by_role("searchbox", name="Find a name").fill("zo")
    casting.wait_for("Zoe")
    page.get_by_role("searchbox", name="Find a name").press("Enter")
    page.keyboard.press("o")
    expect(casting.faces.first.locator("img")).to_be_visible()
    assert page.evaluate("longest") < _LONGEST_MS
    casting.open(crowd, CROWD, sort="faces")
    page.evaluate(_WATCH)
    casting.people.first.get_by_role("link").click()
    expect(casting.faces.first.locator("img")).to_be_visible()
    casting.select([casting.faces.first])
    page.keyboard.press("End")
    last = page.locator(f"[data-place='{_MOST_FACES - 1}']")
    expect(last.locator("img")).to_be_visible()
    page.locator(".face-link:focus").click(modifiers=["Shift"])  # what is between is not loaded
    expect(page.get_by_role("group", name=f"{_MOST_FACES} selected")).to_be_visible()
    assert page.evaluate("longest") < _LONGEST_MS
