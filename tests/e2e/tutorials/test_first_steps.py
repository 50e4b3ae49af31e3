"""docs/start/first-steps.md, step by step in one browser; its pictures are made on the way.

`scripts/pictures` keeps them. Paths on the page begin with /footage: the path map makes them so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from lxml import etree
from playwright.sync_api import Browser, Locator, expect

from cli.demo.samples import fetch_samples
from tests.support.cli.remote_command import Command
from tests.support.console.casting import UNNAMED, Casting
from tests.support.console.chromium import window
from tests.support.console.editor import Editor
from tests.support.console.first_shoot import FirstShoot, make_first_shoot
from tests.support.console.tutorial import Tutorial, Visit
from tests.support.media.photos import SAMPLES
from tests.support.private_redis import private_redis
from tests.support.stack import KEY, running_stack

LIBRARY = "/footage/.rushes"
_ANALYZED_MS = 90_000  # all of it, on a busy machine


@dataclass
class FirstSteps(Visit):
    """An editor, with an empty folder for downloads."""

    shoot: FirstShoot
    link: str
    downloads: Path

    def save(self, by: Locator) -> Path:
        """What the browser saves after a click."""
        with self.page.expect_download() as offered:
            by.click()
        saved = self.downloads / offered.value.suggested_filename
        offered.value.save_as(saved)
        return saved


tutorial = Tutorial[FirstSteps]("first-steps.md")


@pytest.fixture
def tour(browser: Browser, tmp_path: Path) -> Iterator[FirstSteps]:
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
        link = Command(client.url, KEY, home).json("console")["url"]
        yield FirstSteps(browser, shown, client, shoot, link, downloads)


@pytest.mark.timeout(300)
def test_every_step_of_the_page_can_be_done_and_makes_its_pictures(tour: FirstSteps) -> None:
    tutorial.go_through(tour)


@tutorial.step("Open the console")
def open_it(tour: FirstSteps) -> None:
    tour.page.goto(tour.link)
    expect(tour.page.get_by_text("Nothing is analyzed yet")).to_be_visible()
    tour.page.reload()
    expect(tour.page.get_by_role("button", name="Sign out")).to_be_visible()


@tutorial.step("Analyze a folder")
def analyze(tour: FirstSteps) -> None:
    page, desk = tour.page, tour.desk
    desk.link("Choose folders to analyze").click()
    desk.go_to("/footage")
    desk.choose("day1", "day2")
    expect(page.get_by_label("Library")).to_have_value(LIBRARY)
    page.get_by_label("Faces").check()
    page.get_by_label("Collection").fill("Crew")
    expect(page.get_by_role("region", name="How")).to_contain_text("7 to analyze")
    desk.button("Analyze").click()
    expect(desk.dialog).to_contain_text("Done", timeout=_ANALYZED_MS)
    expect(desk.dialog).to_contain_text("1 file failed")


@tutorial.step("Choose the library")
def choose(tour: FirstSteps) -> None:
    tour.desk.link("Search this library", within=tour.desk.dialog).click()
    libraries = tour.page.get_by_label("Library")
    expect(libraries).to_contain_text(f"{LIBRARY} · 6 files")
    expect(libraries).to_contain_text("Another folder …")


@tutorial.step("Search by words")
def by_words(tour: FirstSteps) -> None:
    tour.editor.search("an animal")
    expect(tour.editor.hits.first).to_contain_text(tour.shoot.meadow.name)
    expect(tour.editor.hits.first).to_contain_text("strong")
    tour.editor.box.press("Enter")
    expect(tour.page.get_by_text("of this folder is analyzed")).to_be_visible()
    tour.take("search")
    page = tour.page
    page.get_by_role("button", name="Filters").click()
    matches = page.get_by_role("group", name="Filters").get_by_label("Matches")
    expect(matches).to_contain_text("also what is hardly one")
    page.get_by_role("button", name="Filters").click()


@tutorial.step("Scrub through a scene")
def scrub(tour: FirstSteps) -> None:
    hit = tour.editor.hits.nth(2)
    picture = hit.get_by_role("link")
    box = picture.bounding_box()
    assert box is not None
    tour.page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2)
    expect(picture.locator("img").first).to_have_attribute("src", re.compile("second="))
    expect(hit.get_by_role("button", name="More like this")).to_have_text("≈")
    tour.take("scrub")
    hit.get_by_role("button", name="Add its scene to the basket").click()
    expect(tour.page.get_by_role("link", name="Basket")).to_contain_text("1")


@tutorial.step("Search by a picture")
def by_picture(tour: FirstSteps) -> None:
    page = tour.page
    tour.editor.search("")
    with page.expect_file_chooser() as asked:
        page.get_by_role("button", name=re.compile("Search by a picture")).click()
    asked.value.set_files(fetch_samples(SAMPLES).picture)
    expect(tour.editor.hits.first).to_contain_text(tour.shoot.letters.name)
    tour.take("picture")


@tutorial.step("Find what is said")
def by_speech(tour: FirstSteps) -> None:
    tour.editor.search('"amiable"')
    hit = tour.editor.wait_for_hit("amiable")
    expect(hit).to_contain_text("these words")
    expect(hit.locator("img")).to_be_visible()
    expect(tour.page.get_by_text("of this folder is transcribed")).to_be_visible()
    tour.take("said")
    tour.editor.search('"amiabel"')
    expect(tour.editor.wait_for_hit("amiable")).to_contain_text("nearly these words")


@tutorial.step("Find a person")
def by_person(tour: FirstSteps) -> None:
    tour.page.get_by_role("link", name="People", exact=True).click()
    casting = Casting(tour.page, tour.client.url)
    expect(casting.people.first).to_be_visible()
    casting.call(UNNAMED, "Eileen")
    casting.told(re.compile("“Eileen” now finds"))
    tour.page.get_by_role("link", name="Search", exact=True).click()
    tour.editor.search("Eil")
    tour.page.get_by_role("option", name="Person: Eileen").click()
    hit = tour.editor.wait_for_hit(tour.shoot.launch.name)
    expect(hit).to_contain_text("Eileen")
    tour.take("person")


@tutorial.step("Play an original")
def play(tour: FirstSteps) -> None:
    tour.editor.hits.first.get_by_role("link").click()
    player = tour.editor.player
    expect(player.get_by_role("button", name="Original")).to_have_attribute("aria-pressed", "true")
    tour.editor.wait_for_video("video && video.currentTime > 5")
    tour.page.keyboard.press("k")
    expect(player.get_by_text("Eileen")).to_be_visible()
    expect(player.get_by_role("button", name="Copy timecode")).to_be_visible()
    expect(player.get_by_role("button", name=re.compile("^Scene 2"))).to_be_visible()
    tour.take("player")
    tour.page.keyboard.press("Escape")


@tutorial.step("Play what the browser cannot")
def play_preview(tour: FirstSteps) -> None:
    tour.editor.search("an animal")
    tour.editor.wait_for_hit(tour.shoot.forest.name).get_by_role("link").click()
    player = tour.editor.player
    expect(player.get_by_role("button", name="Preview")).to_have_attribute("aria-pressed", "true")
    tour.editor.wait_for_video("video && video.readyState >= 2 && video.currentTime > 4.2")
    tour.page.keyboard.press("k")
    tour.take("preview", dark=True)


@tutorial.step("Read along")
def read(tour: FirstSteps) -> None:
    tour.page.keyboard.press("Escape")
    tour.editor.search('"amiable"')
    tour.editor.wait_for_hit("amiable").get_by_role("link").click()
    player = tour.editor.player
    sentence = player.get_by_role("button", name=re.compile("more amiable woman"))
    sentence.click()
    expect(sentence).to_have_attribute("aria-current", "true")
    tour.editor.wait_for_video("video && video.currentTime > 9.5")
    tour.page.keyboard.press("k")
    tour.take("transcript")
    player.get_by_label("Find in the transcript").fill("Dashwood")
    expect(sentence).to_have_count(0)
    player.get_by_role("button", name="Close the player").focus()


@tutorial.step("Mark in and out")
def mark(tour: FirstSteps) -> None:
    keys = tour.page.keyboard
    for key in ("i", "ArrowRight", ".", "o", "a"):
        keys.press(key)
    expect(tour.editor.player.get_by_text("1 range added")).to_be_visible()
    keys.press("x")
    keys.press("a")
    expect(tour.editor.player.get_by_text("2 ranges added")).to_be_visible()


@tutorial.step("Look into the basket")
def basket(tour: FirstSteps) -> None:
    tour.page.keyboard.press("b")
    rows = tour.page.get_by_role("list", name="Basket").get_by_role("listitem")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text(tour.shoot.meadow.name)
    grip = rows.first.get_by_role("button", name=re.compile("^Move"))
    grip.focus()
    grip.press("ArrowDown")
    expect(rows.nth(1)).to_contain_text(tour.shoot.meadow.name)
    tour.take("basket")


@tutorial.step("Make a timeline for Premiere")
def timeline(tour: FirstSteps) -> None:
    page = tour.page
    page.get_by_role("radio", name="Timeline").check()
    page.get_by_label("Format").select_option(label="Premiere Pro (XML)")
    page.get_by_role("radio", name="Download").check()
    made = tour.save(page.get_by_role("button", name="Export the timeline"))
    sequence = etree.fromstring(made.read_bytes())
    assert len(sequence.findall(".//video//clipitem")) == 3
    assert all(
        one.text.startswith("file://localhost/footage/day") for one in sequence.iter("pathurl")
    )


@tutorial.step("Make clips")
def clips(tour: FirstSteps) -> None:
    page = tour.page
    page.get_by_role("radio", name="Clips").check()
    page.get_by_label("Folder on the server").fill("/footage/exports")
    page.get_by_label("Make the folder where it is missing").check()
    page.get_by_role("button", name="Export 3 clips").click()
    expect(page.get_by_role("link", name="Download")).to_have_count(3)
    tour.take("clips")
    saved = tour.save(page.get_by_role("link", name="Download").first)
    written = tour.shoot.folder / "exports" / saved.name
    assert saved.read_bytes() == written.read_bytes()


@tutorial.step("Learn the keys")
def keys(tour: FirstSteps) -> None:
    page = tour.page
    page.get_by_role("link", name="Search", exact=True).click()
    tour.editor.wait_for_hit("amiable").get_by_role("link").click()
    expect(tour.editor.player).to_be_visible()
    page.keyboard.press("k")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("One picture back")
    tour.take("keys", dark=True)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")


@tutorial.step("Send it to a colleague")
def send(tour: FirstSteps) -> None:
    tour.editor.search("an animal")
    tour.editor.wait_for_hit(tour.shoot.meadow.name)
    tour.editor.box.press("Enter")
    address = tour.page.url.removeprefix(f"{tour.client.url}/")
    key = tour.client.post("/keys", label="colleague", scopes=["search"]).json()["license_key"]
    with window(tour.browser) as theirs:
        colleague = Editor(theirs.page, tour.client.url)
        colleague.sign_in(key, address)
        expect(colleague.box).to_have_value("an animal")
        expect(colleague.hits.first).to_contain_text(tour.shoot.meadow.name)


@tutorial.step("Read how complete the answer is")
def coverage(tour: FirstSteps) -> None:
    page = tour.page
    expect(page.get_by_text("86 % of this folder is analyzed")).to_be_visible()
    page.get_by_text("What is missing").click()
    expect(page.get_by_text("The file is incomplete")).to_be_visible()
    tour.take("coverage")
    tour.shoot.torn.write_bytes(tour.shoot.bikes.read_bytes())
    address = page.url
    page.get_by_role("link", name="Work", exact=True).click()
    page.get_by_text("1 file failed").click()
    tour.desk.button("Try 1 file again").click()
    tasks = page.get_by_role("list", name="Ended", exact=True).get_by_role("listitem")
    expect(tasks.filter(has_text="Files: 1 of 1")).to_have_count(1, timeout=_ANALYZED_MS)
    page.goto(address)
    expect(page.get_by_text("100 % of this folder is analyzed")).to_be_visible()


@tutorial.step("When something is away")
def away(tour: FirstSteps) -> None:
    elsewhere = tour.shoot.folder.with_name("unplugged")
    tour.shoot.folder.joinpath("day1").rename(elsewhere)
    page = tour.page
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
