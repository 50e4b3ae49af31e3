"""Who is signed in, in a real browser: links, keys, sessions that end, strangers' pages."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.console.conftest import Library
from tests.support.console.chromium import Window, window
from tests.support.console.editor import Editor
from tests.support.stack import KEY, Stack

_STRANGER = """<!doctype html><title>waiting</title><script>
const tries = {
  read: () => fetch(HOME + '/api/v1/tasks', { credentials: 'include' }),
  write: () => fetch(HOME + '/api/v1/analyze/cancel', { method: 'POST', credentials: 'include' }),
  marked: () => fetch(HOME + '/api/v1/analyze/cancel',
    { method: 'POST', credentials: 'include', headers: { 'X-Rushes-Console': '1' } }),
  blind: () => fetch(HOME + '/api/v1/console/session',
    { method: 'DELETE', mode: 'no-cors', credentials: 'include' }),
};
(async () => {
  const told = {};
  for (const [name, go] of Object.entries(tries)) {
    told[name] = await go().then((answer) => answer.status, () => 'refused');
  }
  told.socket = await new Promise((resolve) => {
    const path = '/socket.io/?EIO=4&transport=websocket';
    const socket = new WebSocket(HOME.replace('http', 'ws') + path);
    socket.onopen = () => socket.send('40');
    socket.onmessage = ({ data }) => {
      if (String(data).startsWith('40')) socket.send('420["join","watch-folders"]');
      if (String(data).startsWith('430')) resolve(data);
    };
    socket.onclose = socket.onerror = () => resolve('closed');
  });
  document.title = JSON.stringify(told);
})();
</script>"""


class _Page(http.server.BaseHTTPRequestHandler):
    content = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def stranger(library: Library) -> Iterator[str]:
    """The address of a page of another origin on the same host, which is the nearest to ours."""
    page = _STRANGER.replace("HOME", repr(library.client.url)).encode()
    kind = type("Page", (_Page,), {"content": page})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def opened(browser: Browser, library: Library) -> Iterator[Window]:
    with window(browser) as made:
        yield made


def test_a_link_signs_in_once_and_leaves_nothing_in_the_address(
    browser: Browser, opened: Window, library: Library
) -> None:
    link = library.client.ok("/console/links")["url"]
    opened.page.goto(link)
    somebody = Editor(opened.page, library.client.url)
    expect(somebody.box).to_be_visible()
    assert "link=" not in opened.page.url
    assert all(KEY not in url and "link=" not in url for url in opened.requests)
    cookie = next(
        one for one in opened.context.cookies() if one["name"].startswith("rushes-session")
    )
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    with window(browser) as second:
        second.page.goto(link)
        expect(second.page.get_by_role("dialog", name="Sign in")).to_be_visible()
        expect(second.page.get_by_role("alert")).not_to_be_empty()


def test_a_link_that_is_pasted_into_an_open_window_signs_it_in(
    opened: Window, library: Library
) -> None:
    somebody = Editor(opened.page, library.client.url)
    somebody.open()
    dialog = opened.page.get_by_role("dialog", name="Sign in")
    expect(dialog).to_be_visible()
    opened.page.keyboard.press("Escape")
    opened.page.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    link = library.client.ok("/console/links")["url"]
    somebody.open("#" + link.partition("#")[2])
    expect(somebody.box).to_be_visible()
    somebody.open("#" + link.partition("#")[2])  # it is used, which matters to nobody
    expect(somebody.box).to_be_visible()
    assert "link=" not in opened.page.url


def test_a_link_of_another_key_asks_before_it_replaces_the_session(
    opened: Window, library: Library
) -> None:
    ann, ben = (
        library.client.post("/keys", label=name).json()["license_key"] for name in ("Ann", "Ben")
    )
    somebody = Editor(opened.page, library.client.url)
    somebody.sign_in(ann)
    asked = library.client.http.post("/console/links", headers={"X-License-Key": ben})
    link = asked.json()["url"]
    for address in (link, link + "&"):  # the second by a change of what is behind the `#` alone
        if address == link:
            opened.page.goto("about:blank")
        opened.page.goto(address)
        dialog = opened.page.get_by_role("dialog", name="Change keys?")
        expect(dialog).to_contain_text("Sign in as Ben? You are signed in as Ann.")
        assert "link=" not in opened.page.url
        dialog.get_by_role("button", name="Cancel").click()
        expect(dialog).to_be_hidden()
        expect(opened.page.get_by_title("Signed in with the key “Ann”")).to_be_visible()
    opened.page.goto(link)
    dialog.get_by_role("button", name="Sign in").click()
    expect(opened.page.get_by_title("Signed in with the key “Ben”")).to_be_visible()
    expect(dialog).to_be_hidden()


def test_a_wrong_key_is_a_sentence_and_the_right_one_follows(
    opened: Window, library: Library
) -> None:
    somebody = Editor(opened.page, library.client.url)
    somebody.open()
    opened.page.get_by_label("Licence key").fill("wrong")
    opened.page.get_by_role("button", name="Sign in").click()
    expect(opened.page.get_by_role("alert")).to_contain_text("license")
    opened.page.get_by_label("Licence key").fill(KEY)
    opened.page.keyboard.press("Enter")
    expect(somebody.box).to_be_visible()
    assert KEY not in opened.page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")


def test_a_session_that_ends_with_its_key_loses_nothing_that_was_typed(
    opened: Window, library: Library
) -> None:
    made = library.client.post("/keys", label="for an hour").json()
    somebody = Editor(opened.page, library.client.url)
    somebody.sign_in(made["license_key"])
    somebody.choose_library(library.cache_dir)
    somebody.search("a cup of coffee")
    somebody.wait_for_hit(library.shoot.kitchen.name)
    assert library.client.http.delete(f"/keys/{made['key']['id']}").status_code == 200
    somebody.search("a cup of coffee beside a cat")
    expect(opened.page.get_by_role("dialog", name="Sign in")).to_contain_text("ended")
    opened.page.get_by_label("Licence key").fill(KEY)
    opened.page.get_by_role("button", name="Sign in").click()
    expect(somebody.box).to_have_value("a cup of coffee beside a cat")
    somebody.wait_for_hit(library.shoot.kitchen.name)


def test_signing_out_ends_the_session_in_every_window(opened: Window, library: Library) -> None:
    somebody = Editor(opened.page, library.client.url)
    somebody.sign_in(KEY)
    other = Editor(opened.context.new_page(), library.client.url)
    other.open()
    expect(other.box).to_be_visible()
    opened.page.get_by_role("button", name="Sign out").click()
    expect(opened.page.get_by_role("dialog", name="Sign in")).to_be_visible()
    expect(other.page.get_by_role("dialog", name="Sign in")).to_be_visible()


def test_a_page_of_another_origin_can_do_nothing_with_the_session(
    opened: Window, library: Library, stranger: str
) -> None:
    somebody = Editor(opened.page, library.client.url)
    somebody.sign_in(KEY)
    page = opened.context.new_page()
    page.goto(stranger)
    page.wait_for_function("() => document.title !== 'waiting'")
    told = page.evaluate("JSON.parse(document.title)")
    # Loopback origins may call by default, without cookies: an answer to credentials is refused.
    assert {told[name] for name in ("read", "write", "marked")} == {"refused"}
    assert "error" in told["socket"] or told["socket"] == "closed"
    somebody.page.reload()
    expect(somebody.box).to_be_visible()  # the session is there still: it was not signed out
    links = library.client.http.get("/keys").json()
    assert links["keys"]


def test_a_server_that_was_killed_is_waited_for_and_nothing_typed_is_lost(
    opened: Window, library: Library, stack: Stack
) -> None:
    port = stack.ports[0]
    somebody = Editor(opened.page, library.client.url)
    somebody.sign_in(KEY)
    somebody.choose_library(library.cache_dir)
    somebody.search("a rocket")
    somebody.wait_for_hit(library.shoot.launch.name)
    expect(opened.page.get_by_text("Live", exact=True)).to_be_visible()
    stack.processes["api-0"].kill()
    stack.processes["api-0"].popen.wait(10)
    try:
        expect(opened.page.get_by_text("Not connected")).to_be_visible()
        somebody.box.fill("a cup of coffee")
        expect(opened.page.get_by_text("does not answer").first).to_be_visible()
        expect(somebody.hits.first).to_be_visible()
    finally:
        stack.ports.remove(port)
        stack.start_api(port=port)
    expect(opened.page.get_by_text("Live", exact=True)).to_be_visible()
    expect(somebody.box).to_have_value("a cup of coffee")
    somebody.wait_for_hit(library.shoot.kitchen.name)
