"""docs/start/first-day.md, step by step in two windows; its pictures are made on the way.

`scripts/pictures` keeps them. Paths on the page begin with /footage: the path map makes them so.
"""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.support.cli.remote_command import Command
from tests.support.console.administrator import Administrator
from tests.support.console.casting import UNNAMED, Casting
from tests.support.console.chromium import Window, window
from tests.support.console.day_shoot import DayShoot, make_day_shoot
from tests.support.console.tutorial import Tutorial, Visit
from tests.support.console.worker import WorkDesk
from tests.support.private_redis import private_redis
from tests.support.stack import KEY, Client, Stack, running_stack
from tests.support.webhook_receiver import Receiver

LIBRARY = "/footage/.rushes"
CAST = "Crew"
MAKER, STATE = "edit-server", "/var/lib/rushes"  # what pictures call this machine, and its folder
_WORKED_MS = 120_000  # what waits for work on a busy machine


@dataclass
class FirstDay(Visit):
    """The administrator's window, and that of Ann, an editor."""

    stack: Stack
    shoot: DayShoot
    link: str
    receiver: Receiver
    anns: Window

    @property
    def admin(self) -> Administrator:
        return Administrator(self.page, self.client.url)

    @property
    def ann(self) -> WorkDesk:
        return WorkDesk(self.anns.page, self.client.url)


tutorial = Tutorial[FirstDay]("first-day.md")


@pytest.fixture
def day(browser: Browser, tmp_path: Path) -> Iterator[FirstDay]:
    """A server that was just installed, in whose folder everybody can look."""
    folders = [tmp_path / name for name in ("stack", "home", "elsewhere")]
    for folder in folders:
        folder.mkdir()
    stack_folder, home, elsewhere = folders
    shoot = make_day_shoot(tmp_path / "footage", elsewhere)
    (stack_folder / "state").mkdir()
    (stack_folder / "state").chmod(0o755)
    with (
        private_redis(append_only=True) as redis,
        running_stack(
            stack_folder,
            redis.url,
            RUSHES_PATH_MAP=f"/footage={shoot.folder}",
            RUSHES_MEDIA_ROOTS=str(shoot.folder),
            RUSHES_WEBHOOK_HOSTS="127.0.0.1",
        ) as stack,
        Receiver().listening() as receiver,
        window(browser, color_scheme="light") as shown,
        window(browser, color_scheme="light") as anns,
    ):
        client = stack.client()
        link = Command(client.url, KEY, home).json("console")["url"]
        call_this_machine(shown.page, stack_folder / "state", shoot.folder)
        yield FirstDay(browser, shown, client, stack, shoot, link, receiver, anns)
        shown.page.unroute_all(behavior="ignoreErrors")  # of what is asked for just now
        assert anns.complaints == []


def call_this_machine(page: Page, state: Path, footage: Path) -> None:
    """By other names in what the page is told: pictures look the same wherever they are made."""
    names = {socket.gethostname(): MAKER, str(state): STATE, str(footage): "/footage"}

    def rename(route: Route) -> None:
        answer = route.fetch()
        text = answer.text()
        for own, name in names.items():
            text = text.replace(own, name)
        route.fulfill(response=answer, body=text)

    page.route(re.compile(r"/api/v1/(machines|doctor|keys)(\?|$)"), rename)


@pytest.mark.timeout(300)
def test_every_step_of_the_page_can_be_done_and_makes_its_pictures(day: FirstDay) -> None:
    tutorial.go_through(day)


@tutorial.step("Open the console")
def open_it(day: FirstDay) -> None:
    day.page.goto(day.link)
    expect(day.page.get_by_text("Nothing is analyzed yet")).to_be_visible()
    expect(day.page.get_by_role("button", name="Sign out")).to_be_visible()


@tutorial.step("Mend what the health says")
def health(day: FirstDay) -> None:
    day.page.get_by_role("link", name="Server", exact=True).click()
    content = day.admin.content
    expect(content).to_contain_text("Ready: everything")
    wrong = content.get_by_role("listitem").filter(has_text="every user of this machine")
    expect(wrong).to_contain_text("What to do: run", timeout=_WORKED_MS)
    expect(wrong.get_by_role("button", name=f"Copy chmod o= {STATE}")).to_be_visible()
    day.take("health")
    (day.stack.folder / "state").chmod(0o700)
    day.admin.press("Look again")
    expect(wrong).to_have_count(0, timeout=_WORKED_MS)


@tutorial.step("See what runs where")
def machines(day: FirstDay) -> None:
    day.admin.go_to("Machines")
    content = day.admin.content
    expect(content.get_by_role("heading", name=MAKER)).to_be_visible()
    expect(content).to_contain_text(re.compile(r"Pictures: conse-lite0, \d+ MB"))
    expect(content).to_contain_text("What no machine has")
    day.take("machines")
    for kind in ("recluster", "export", "watcher"):
        day.stack.start_worker(kind)
    for kind in ("Regrouping worker", "Export worker", "Watcher"):
        expect(content).to_contain_text(kind, timeout=_WORKED_MS)
    expect(content).not_to_contain_text("What no machine has")


@tutorial.step("Choose the models")
def models(day: FirstDay) -> None:
    offered = day.client.get("/models/available").json()["speech"]
    absent = next(one for one in offered if not one["is_downloaded"])["display_name"]
    active = day.client.get("/models/loaded").json()["speech"]["model_key"]
    there = [one for one in offered if one["is_downloaded"] and one["model_key"] != active]
    other = there[0]["display_name"]
    day.admin.go_to("Models")
    day.admin.press(f"Fetch {absent}")
    asked = day.admin.dialog(re.compile("^Fetch "))
    expect(asked).to_contain_text("Its licence is")
    asked.get_by_role("button", name="Close").click()
    day.admin.press(f"Load {other}")
    asked = day.admin.dialog(re.compile("^Load "))
    expect(asked).to_contain_text("Transcripts that are there stay")
    asked.get_by_role("button", name="Load").click()
    expect(day.admin.card(other)).to_contain_text("active", timeout=_WORKED_MS)


@tutorial.step("Analyze a first folder")
def analyze(day: FirstDay) -> None:
    page, desk = day.page, day.desk
    page.get_by_role("link", name="Work", exact=True).click()
    page.get_by_role("navigation", name="Work").get_by_role("link", name="Analyze").click()
    desk.button("footage").click()
    desk.choose("day1")
    page.get_by_label("Library").fill(LIBRARY)
    page.get_by_label("Faces").check()
    page.get_by_label("Collection").fill(CAST)
    expect(page.get_by_role("region", name="How")).to_contain_text("4 to analyze")
    day.take("cost")
    desk.button("Analyze").click()
    expect(desk.dialog).to_contain_text("Done", timeout=_WORKED_MS)
    desk.link("Search this library", within=desk.dialog).click()
    day.editor.search("an animal")
    day.editor.wait_for_hit(day.shoot.meadow.name)


@tutorial.step("Mend a file that failed")
def mend(day: FirstDay) -> None:
    page, desk, shoot = day.page, day.desk, day.shoot
    page.get_by_role("link", name="Work", exact=True).click()
    tasks = page.get_by_role("list", name="Ended", exact=True).get_by_role("listitem")
    page.get_by_text("2 files failed").click()
    expect(page.get_by_text("The file is incomplete")).to_be_visible()
    day.take("failed")
    shutil.copy(shoot.meadow, shoot.torn)
    page.get_by_role("checkbox", name=shoot.torn.name).check()
    desk.button("Try 1 file again").click()
    expect(tasks.filter(has_text="Files: 1 of 1")).to_have_count(1, timeout=_WORKED_MS)
    desk.button("Leave 1 file out").click()
    desk.link("See what is left out").click()
    expect(desk.button(f"Take back {shoot.notes.name}")).to_be_visible()


@tutorial.step("Watch a folder")
def watch(day: FirstDay) -> None:
    page, desk, path = day.page, day.desk, "/footage/incoming"
    page.get_by_role("navigation", name="Work").get_by_role("link", name="Watch folders").click()
    desk.link("Watch a folder").click()
    desk.button("footage").click()
    desk.button("incoming").click()
    expect(page.get_by_label("Folder to watch")).to_have_value(path)
    expect(page.get_by_label("Library")).to_have_value(LIBRARY)
    page.get_by_label("Speech").uncheck()
    page.get_by_label("Seconds without change").fill("1")
    desk.button("Watch this folder").click()
    desk.button("Start watching").click()
    expect(desk.watched(path)).to_contain_text("Waiting for files")
    shutil.copy(day.shoot.bikes, day.shoot.incoming)
    expect(desk.watched(path)).to_contain_text("1 done", timeout=_WORKED_MS)
    day.take("watch")
    desk.link("Search this library", within=desk.watched(path)).click()
    day.editor.search("a bicycle")
    day.editor.wait_for_hit(day.shoot.bikes.name)


@tutorial.step("Give the editors keys")
def keys(day: FirstDay) -> None:
    day.page.get_by_role("link", name="Server", exact=True).click()
    day.admin.go_to("Keys")
    key = day.admin.create_key("Ann", "search", "analyze", "export", roots="/footage")
    expect(day.admin.card("Ann")).to_contain_text("/footage")
    day.ann.sign_in(key, "#/search")
    page = day.anns.page
    expect(page.get_by_label("Library")).to_have_value(LIBRARY)
    page.get_by_role("link", name="Server", exact=True).click()
    expect(Administrator(page, day.client.url).sections).to_have_text(["Health", "Models"])
    day.admin.go_to("Machines")
    day.admin.go_to("Keys")
    expect(day.admin.card("Ann")).to_contain_text(re.compile(r"Last used\s*less than a minute ago"))
    day.take("keys-of-editors")


@tutorial.step("See who waits, and why")
def line(day: FirstDay) -> None:
    archive, ben = (client_of(day, label) for label in ("Archive", "Ben"))
    library, footage = Path(LIBRARY), Path("/footage")
    archive.analyze(library, footage / "archive" / day.shoot.archive.name)
    ben.analyze(library, footage / "day1" / day.shoot.launch.name, on_busy="queue")
    ann, page = day.ann, day.anns.page
    page.get_by_role("link", name="Work", exact=True).click()
    page.get_by_role("navigation", name="Work").get_by_role("link", name="Analyze").click()
    ann.button("footage").click()
    ann.choose("day2")
    ann.button("Analyze").click()
    expect(ann.dialog).to_contain_text("Another analysis is running. It is of Archive.")
    ann.button("Close", within=ann.dialog).last.click()
    day.page.get_by_role("link", name="Work", exact=True).click()
    desk = day.desk
    expect(desk.waiting("Analysis of Ann")).to_contain_text("2nd in line")
    day.take("line")
    desk.button("Put first: Analysis of Ann").click()
    expect(ann.waiting("Analysis of Ann")).to_contain_text("Next in line")
    desk.button("Cancel: Analysis of Archive").click()
    expect(desk.dialog).to_contain_text("Archive, who is told")
    desk.button("Cancel it").click()
    expect(ann.ended("Analysis of Ann")).to_contain_text("Done", timeout=_WORKED_MS)
    expect(desk.ended("Analysis of Ben")).to_contain_text("Done", timeout=_WORKED_MS)


def client_of(day: FirstDay, label: str) -> Client:
    made = day.client.post("/keys", label=label, scopes=["search", "analyze"])
    return day.stack.client(key=made.json()["license_key"])


@tutorial.step("Say who people are")
def people(day: FirstDay) -> None:
    take_one_for_two(day)
    day.page.get_by_role("link", name="People", exact=True).click()
    casting = Casting(day.page, day.client.url)
    casting.wait_for(UNNAMED, UNNAMED)
    casting.call(UNNAMED, "Eileen")
    casting.told(re.compile("“Eileen” now finds"))
    casting.wait_for("Eileen", UNNAMED)
    day.take("people")
    casting.person(UNNAMED).drag_to(casting.person("Eileen"))
    casting.wait_for("Eileen")
    casting.press("Undo")
    casting.wait_for("Eileen", UNNAMED)
    casting.press("Redo")
    casting.wait_for("Eileen")
    casting.person("Eileen").click()
    day.page.get_by_role("link", name="Search for Eileen").click()
    expect(day.editor.wait_for_hit(day.shoot.launch.name)).to_contain_text("Eileen")


def take_one_for_two(day: FirstDay) -> None:
    """Part the faces of the one person there is, as another light might have done."""
    where = {"cache_dir": LIBRARY, "cluster_job_name": CAST}
    found = day.client.http.get("/faces/clusters", params={"cache_dir": LIBRARY}).json()
    one = next(c for c in found["cluster_jobs"][0]["clusters"] if c["cluster_id"] != "-1")
    page = day.client.ok("/faces/clusters/faces", **where, cluster_id=one["cluster_id"])
    ids = [face["face_id"] for face in page["faces"]]
    day.client.ok("/faces/clusters/modify", **where, moves=[{"face_ids": ids[::2]}])


@tutorial.step("Tell other programs")
def webhook(day: FirstDay) -> None:
    day.page.get_by_role("link", name="Server", exact=True).click()
    day.admin.go_to("Webhooks")
    day.receiver.secret = day.admin.add_webhook(day.receiver.url, "task.ended")
    day.admin.press(f"Try {day.receiver.url}")
    expect(day.admin.card(day.receiver.url)).to_contain_text("The receiver took it.")
    assert [message["type"] for message in day.receiver.messages] == ["webhook.test"]


@tutorial.step("Look up who did what")
def audit(day: FirstDay) -> None:
    day.admin.go_to("Audit log")
    lines = day.admin.content.get_by_role("list").get_by_role("listitem")
    expect(lines.first).to_contain_text("added a webhook")
    day.take("audit")
    day.admin.content.get_by_label("Who").select_option(label="Ann")
    expect(lines.filter(has_text="Ann began an analysis")).to_have_count(1)
