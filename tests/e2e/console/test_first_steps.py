"""docs/first-steps.md, step by step in one browser; its pictures are made on the way.

`scripts/pictures` keeps them. Paths on the page begin with /footage: the path map makes them so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from lxml import etree
from playwright.sync_api import Browser, Locator, expect

from cli.demo.samples import fetch_samples
from tests.support.cli.remote_command import Command
from tests.support.console.chromium import Window, window
from tests.support.console.editor import Editor
from tests.support.console.first_shoot import FirstShoot, make_first_shoot
from tests.support.console.pictures import Pictures
from tests.support.media.photos import SAMPLES
from tests.support.private_redis import private_redis
from tests.support.stack import KEY, PROJECT, Client, running_stack

PAGE = PROJECT / "docs" / "first-steps.md"
LIBRARY = "/footage/.rushes"


@dataclass
class Tour:
    """What every step has at hand."""

    browser: Browser
    shown: Window
    editor: Editor
    client: Client
    command: Command
    shoot: FirstShoot
    folder: Path  # for downloads
    pictures: Pictures

    def take(self, name: str, *, dark: bool = False) -> None:
        self.pictures.take(self.editor.page, name, dark=dark)

    def save(self, by: Locator) -> Path:
        """What the browser saves after a click."""
        with self.editor.page.expect_download() as offered:
            by.click()
        saved = self.folder / offered.value.suggested_filename
        offered.value.save_as(saved)
        return saved


STEPS: list[tuple[str, Callable[[Tour], None]]] = []


def step(heading: str) -> Callable[[Callable[[Tour], None]], Callable[[Tour], None]]:
    """Marks what is done under a heading of the page; steps are done in the order of this file."""

    def add(do: Callable[[Tour], None]) -> Callable[[Tour], None]:
        STEPS.append((heading, do))
        return do

    return add


@pytest.fixture
def tour(browser: Browser, tmp_path: Path) -> Iterator[Tour]:
    """A stack of its own, which knows no library yet, and nobody who is signed in."""
    folders = [tmp_path / name for name in ("stack", "home", "downloads")]
    for folder in folders:
        folder.mkdir()
    stack_folder, home, downloads = folders
    shoot = make_first_shoot(tmp_path / "footage")
    names = f"/footage={shoot.folder}"
    with (
        private_redis() as redis,
        running_stack(stack_folder, redis.url, RUSHES_PATH_MAP=names) as stack,
        window(browser, color_scheme="light") as shown,
    ):
        stack.start_worker("recluster")
        stack.start_worker("export")
        client = stack.client()
        command = Command(client.url, KEY, home, {"RUSHES_CACHE_DIR": LIBRARY})
        editor = Editor(shown.page, client.url)
        yield Tour(browser, shown, editor, client, command, shoot, downloads, Pictures())


def test_every_step_of_the_page_can_be_done_and_makes_its_pictures(tour: Tour) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [heading for heading, _ in STEPS] == re.findall(r"^## (.+)$", page, re.MULTILINE)
    for heading, do in STEPS:
        print(heading)
        do(tour)
    shown = re.findall(r"\]\(images/([\w-]+\.webp)\)", page)
    assert tour.pictures.taken == shown
    kept = tour.pictures.folder or PAGE.parent / "images"
    assert {path.name for path in kept.iterdir()} == set(shown)
    assert tour.shown.foreign(tour.client.url) == []
    assert tour.shown.complaints == []


@step("Open the console")
def open_it(tour: Tour) -> None:
    link = tour.command.json("console")["url"]
    tour.editor.page.goto(link)
    expect(tour.editor.page.get_by_text("Nothing is analyzed yet")).to_be_visible()
    tour.editor.page.reload()
    expect(tour.editor.page.get_by_role("button", name="Sign out")).to_be_visible()


@step("Analyze a folder")
def analyze(tour: Tour) -> None:
    told = tour.command.run("analyze", tour.shoot.folder, "--collection", "Crew", status=1)
    assert "7 files (6 video, 1 image)" in told.stderr
    assert "7 for pictures, 2 for speech, 7 for faces" in told.stderr
    assert "Torn.mp4" in told.stdout


@step("Choose the library")
def choose(tour: Tour) -> None:
    tour.editor.page.reload()
    libraries = tour.editor.page.get_by_label("Library")
    expect(libraries).to_contain_text(f"{LIBRARY} · 6 files")
    expect(libraries).to_contain_text("Another folder …")


@step("Search by words")
def by_words(tour: Tour) -> None:
    tour.editor.search("an animal")
    expect(tour.editor.hits.first).to_contain_text(tour.shoot.meadow.name)
    expect(tour.editor.hits.first).to_contain_text("strong")
    tour.editor.box.press("Enter")
    expect(tour.editor.page.get_by_text("of this folder is analyzed")).to_be_visible()
    tour.take("search")
    page = tour.editor.page
    page.get_by_role("button", name="Filters").click()
    matches = page.get_by_role("group", name="Filters").get_by_label("Matches")
    expect(matches).to_contain_text("also what is hardly one")
    page.get_by_role("button", name="Filters").click()


@step("Scrub through a scene")
def scrub(tour: Tour) -> None:
    hit = tour.editor.hits.nth(2)
    picture = hit.get_by_role("link")
    box = picture.bounding_box()
    assert box is not None
    tour.editor.page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2)
    expect(picture.locator("img").first).to_have_attribute("src", re.compile("second="))
    expect(hit.get_by_role("button", name="More like this")).to_have_text("≈")
    tour.take("scrub")
    hit.get_by_role("button", name="Add its scene to the basket").click()
    expect(tour.editor.page.get_by_role("link", name="Basket")).to_contain_text("1")


@step("Search by a picture")
def by_picture(tour: Tour) -> None:
    page = tour.editor.page
    tour.editor.search("")
    with page.expect_file_chooser() as asked:
        page.get_by_role("button", name=re.compile("Search by a picture")).click()
    asked.value.set_files(fetch_samples(SAMPLES).picture)
    expect(tour.editor.hits.first).to_contain_text(tour.shoot.letters.name)
    tour.take("picture")


@step("Find what is said")
def by_speech(tour: Tour) -> None:
    tour.editor.search('"amiable"')
    hit = tour.editor.wait_for_hit("amiable")
    expect(hit).to_contain_text("these words")
    expect(hit.locator("img")).to_be_visible()
    expect(tour.editor.page.get_by_text("of this folder is transcribed")).to_be_visible()
    tour.take("said")
    tour.editor.search('"amiabel"')
    expect(tour.editor.wait_for_hit("amiable")).to_contain_text("nearly these words")


@step("Find a person")
def by_person(tour: Tour) -> None:
    [crew] = tour.command.json("people", "list")["cluster_jobs"]
    [first, *_] = crew["clusters"]
    told = tour.command.run("people", "name", first["cluster_id"], "Eileen")
    assert "is Eileen" in told.stdout
    tour.editor.page.reload()
    tour.editor.search("Eil")
    tour.editor.page.get_by_role("option", name="Person: Eileen").click()
    hit = tour.editor.wait_for_hit(tour.shoot.launch.name)
    expect(hit).to_contain_text("Eileen")
    tour.take("person")


@step("Play an original")
def play(tour: Tour) -> None:
    tour.editor.hits.first.get_by_role("link").click()
    player = tour.editor.player
    expect(player.get_by_role("button", name="Original")).to_have_attribute("aria-pressed", "true")
    tour.editor.wait_for_video("video && video.currentTime > 5")
    tour.editor.page.keyboard.press("k")
    expect(player.get_by_text("Eileen")).to_be_visible()
    expect(player.get_by_role("button", name="Copy timecode")).to_be_visible()
    expect(player.get_by_role("button", name=re.compile("^Scene 2"))).to_be_visible()
    tour.take("player")
    tour.editor.page.keyboard.press("Escape")


@step("Play what the browser cannot")
def play_preview(tour: Tour) -> None:
    tour.editor.search("an animal")
    tour.editor.wait_for_hit(tour.shoot.forest.name).get_by_role("link").click()
    player = tour.editor.player
    expect(player.get_by_role("button", name="Preview")).to_have_attribute("aria-pressed", "true")
    tour.editor.wait_for_video("video && video.readyState >= 2 && video.currentTime > 4.2")
    tour.editor.page.keyboard.press("k")
    tour.take("preview", dark=True)


@step("Read along")
def read(tour: Tour) -> None:
    tour.editor.page.keyboard.press("Escape")
    tour.editor.search('"amiable"')
    tour.editor.wait_for_hit("amiable").get_by_role("link").click()
    player = tour.editor.player
    sentence = player.get_by_role("button", name=re.compile("more amiable woman"))
    sentence.click()
    expect(sentence).to_have_attribute("aria-current", "true")
    tour.editor.wait_for_video("video && video.currentTime > 9.5")
    tour.editor.page.keyboard.press("k")
    tour.take("transcript")
    player.get_by_label("Find in the transcript").fill("Dashwood")
    expect(sentence).to_have_count(0)
    player.get_by_role("button", name="Close the player").focus()


@step("Mark in and out")
def mark(tour: Tour) -> None:
    keys = tour.editor.page.keyboard
    for key in ("i", "ArrowRight", ".", "o", "a"):
        keys.press(key)
    expect(tour.editor.player.get_by_text("1 range added")).to_be_visible()
    keys.press("x")
    keys.press("a")
    expect(tour.editor.player.get_by_text("2 ranges added")).to_be_visible()


@step("Look into the basket")
def basket(tour: Tour) -> None:
    tour.editor.page.keyboard.press("b")
    rows = tour.editor.page.get_by_role("list", name="Basket").get_by_role("listitem")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text(tour.shoot.meadow.name)
    grip = rows.first.get_by_role("button", name=re.compile("^Move"))
    grip.focus()
    grip.press("ArrowDown")
    expect(rows.nth(1)).to_contain_text(tour.shoot.meadow.name)
    tour.take("basket")


@step("Make a timeline for Premiere")
def timeline(tour: Tour) -> None:
    page = tour.editor.page
    page.get_by_role("radio", name="Timeline").check()
    page.get_by_label("Format").select_option(label="Premiere Pro (XML)")
    page.get_by_role("radio", name="Download").check()
    made = tour.save(page.get_by_role("button", name="Export the timeline"))
    sequence = etree.fromstring(made.read_bytes())
    assert len(sequence.findall(".//video//clipitem")) == 3
    assert all(
        one.text.startswith("file://localhost/footage/day") for one in sequence.iter("pathurl")
    )


@step("Make clips")
def clips(tour: Tour) -> None:
    page = tour.editor.page
    page.get_by_role("radio", name="Clips").check()
    page.get_by_label("Folder on the server").fill("/footage/exports")
    page.get_by_label("Make the folder where it is missing").check()
    page.get_by_role("button", name="Export 3 clips").click()
    expect(page.get_by_role("link", name="Download")).to_have_count(3)
    tour.take("clips")
    saved = tour.save(page.get_by_role("link", name="Download").first)
    written = tour.shoot.folder / "exports" / saved.name
    assert saved.read_bytes() == written.read_bytes()


@step("Learn the keys")
def keys(tour: Tour) -> None:
    page = tour.editor.page
    page.get_by_role("link", name="Search", exact=True).click()
    tour.editor.wait_for_hit("amiable").get_by_role("link").click()
    expect(tour.editor.player).to_be_visible()
    page.keyboard.press("k")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("One picture back")
    tour.take("keys", dark=True)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")


@step("Send it to a colleague")
def send(tour: Tour) -> None:
    tour.editor.search("an animal")
    tour.editor.wait_for_hit(tour.shoot.meadow.name)
    tour.editor.box.press("Enter")
    address = tour.editor.page.url.removeprefix(f"{tour.client.url}/")
    key = tour.client.post("/keys", label="colleague", scopes=["search"]).json()["license_key"]
    with window(tour.browser) as theirs:
        colleague = Editor(theirs.page, tour.client.url)
        colleague.sign_in(key, address)
        expect(colleague.box).to_have_value("an animal")
        expect(colleague.hits.first).to_contain_text(tour.shoot.meadow.name)


@step("Read how complete the answer is")
def coverage(tour: Tour) -> None:
    page = tour.editor.page
    expect(page.get_by_text("86 % of this folder is analyzed")).to_be_visible()
    page.get_by_text("What is missing").click()
    expect(page.get_by_text("The file is incomplete")).to_be_visible()
    tour.take("coverage")
    tour.shoot.torn.write_bytes(tour.shoot.bikes.read_bytes())
    told = tour.command.json("analyze", tour.shoot.folder, "--collection", "Crew")
    assert json.dumps(told).count('"failed"') == 0
    page.reload()
    expect(page.get_by_text("100 % of this folder is analyzed")).to_be_visible()


@step("When something is away")
def away(tour: Tour) -> None:
    elsewhere = tour.shoot.folder.with_name("unplugged")
    tour.shoot.folder.joinpath("day1").rename(elsewhere)
    page = tour.editor.page
    tour.editor.search("a rabbit")
    tour.editor.box.press("Enter")
    hit = tour.editor.wait_for_hit(tour.shoot.meadow.name)
    expect(hit).to_contain_text("offline")
    hit.get_by_role("link").click()
    expect(tour.editor.player.get_by_text("This file is away")).to_be_visible()
    expect(tour.editor.player.get_by_alt_text("Stored picture of this moment")).to_be_visible()
    tour.take("away")
    elsewhere.rename(tour.shoot.folder / "day1")
    page.reload()
    tour.editor.wait_for_video("video && video.readyState >= 2")
