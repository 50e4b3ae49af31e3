"""What a browser loads and runs at first: little, and nothing that is not ours."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Request, WebSocketRoute, expect

from tests.e2e.console.conftest import Library
from tests.support.console.chromium import TIMEOUT_S, window
from tests.support.console.editor import Editor
from tests.support.console.held import Held
from tests.support.console.weight import FILES, first_view
from tests.support.stack import KEY
from tests.support.waiting import wait_for


def test_the_first_view_weighs_at_most_150_kilobytes(editor: Editor, library: Library) -> None:
    weights = first_view(editor, f"#/search?dir={library.cache_dir}")
    assert set(FILES) <= set(weights)
    assert sum(weights.values()) <= 150_000


def test_a_part_that_is_gone_is_there_once_the_page_is_loaded_again(editor: Editor) -> None:
    page = editor.page
    old = re.compile(r"/chunks/people_page-")
    page.route(old, lambda route: route.fulfill(status=404))  # as after an upgrade
    editor.open("#/people")
    alert = page.get_by_role("alert").filter(has_text="may be of a newer version")
    expect(alert.get_by_role("button", name="Try again")).to_be_visible()
    page.unroute(old)
    alert.get_by_role("button", name="Load the page again").click()
    expect(page.get_by_role("heading", name="People").first).to_be_attached()
    expect(alert).to_have_count(0)


def test_every_address_shows_a_page_and_its_title(editor: Editor) -> None:
    titles = {
        "basket": "Basket · Rushes",
        "work/watch": "Watch folders · Work · Rushes",
        "constructor": "Rushes",
        "server/keys": "Keys · Server · Rushes",
        "people": "People · Rushes",
        "search": "Rushes",
    }
    for address, title in titles.items():
        editor.open(f"#/{address}")
        expect(editor.page).to_have_title(title)
    expect(editor.box).to_be_visible()


def test_a_page_asks_once_and_complains_of_nothing_where_it_is_left_meanwhile(
    editor: Editor,
) -> None:
    page, asked, sockets = editor.page, list[Request](), list[WebSocketRoute]()
    page.on("request", lambda one: asked.append(one) if "details=true" in one.url else None)
    page.route_web_socket(re.compile("/socket[.]io/"), lambda one: sockets.append(one))
    people = Held(page, "**/faces/clusters?*details=true*")
    editor.open("#/people")
    people.wait()
    wait_for(lambda: page.title() and sockets, TIMEOUT_S, "a socket")
    with page.expect_request("**/analysis-data/folders"):  # of which it asks again
        sockets[0].connect_to_server()
    expect(page).to_have_url(re.compile("#/people[?]dir="))
    expect(page.get_by_text("Loading …")).to_be_visible()
    with page.expect_event("requestfailed"):  # the page gives it up
        editor.open("#/search")
    expect(editor.box).to_be_visible()
    people.let_go()
    assert len(asked) == 1


def test_an_address_that_is_gone_to_is_not_replaced_by_the_page_before(
    browser: Browser, library: Library
) -> None:
    with window(browser) as opened:
        page = opened.page
        page.add_init_script("""addEventListener('hashchange', (event) => {
          if (window.isLate) event.stopImmediatePropagation();
        });""")
        editor = Editor(page, library.client.url)
        editor.sign_in(KEY)
        people = Held(page, "**/faces/clusters?*details=true*")
        editor.open(f"#/people?dir={library.cache_dir}")
        people.wait()
        page.evaluate("window.isLate = true")  # a busy browser tells of an address late
        editor.open("#/search")
        people.let_go()
        expect(page.get_by_label("Collection")).to_be_visible()
        page.evaluate("window.isLate = false; dispatchEvent(new Event('hashchange'))")
        expect(page).to_have_title("Rushes")
        expect(editor.box).to_be_visible()
        assert opened.complaints == []


def test_the_page_runs_no_code_that_is_not_its_own(browser: Browser, library: Library) -> None:
    with window(browser) as opened:
        somebody = Editor(opened.page, library.client.url)
        somebody.sign_in(KEY)
        opened.page.evaluate("""() => {
          window.broken = [];
          addEventListener('securitypolicyviolation', (event) => broken.push(event.blockedURI));
          const script = document.createElement('script');
          script.textContent = 'window.hasRun = true';
          document.body.append(script);
          const picture = new Image();
          picture.src = 'https://example.org/picture.png';
        }""")
        opened.page.wait_for_function("() => broken.length === 2")
        assert opened.page.evaluate("window.hasRun") is None
        assert opened.page.evaluate("broken") == ["inline", "https://example.org/picture.png"]
        assert len(opened.complaints) == 2  # so that no other test passes over one
