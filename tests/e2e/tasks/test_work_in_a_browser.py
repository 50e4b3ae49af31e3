"""The work of a server, in a real browser: who waits and why, what it costs, what failed."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Request, expect

from tests.support.console.chromium import TIMEOUT_S, window
from tests.support.console.editor import Editor
from tests.support.console.held import Held, HeldEvents
from tests.support.console.looks import findings
from tests.support.console.worker import WorkDesk
from tests.support.media.media import Encoding, make_clip, picture_video
from tests.support.stack import KEY, Client, Stack
from tests.support.waiting import wait_for

Desk = Callable[..., WorkDesk]
LOOK_MS = 5_000  # at most so often a page asks for the libraries


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film that is made in a second, and analyzed in minutes."""
    folder = tmp_path_factory.mktemp("endless")
    made = make_clip(folder / "once.mp4", 30, encoding=Encoding(fps=2, gop=4))
    command = ["ffmpeg", "-v", "error", "-stream_loop", "60", "-i", made, "-c", "copy"]
    subprocess.run([*map(str, command), str(folder / "Endless.mp4")], check=True)
    return folder / "Endless.mp4"


@pytest.fixture(scope="module")
def cat(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, Path]) -> Path:
    return picture_video(tmp_path_factory.mktemp("cat") / "Cat.mp4", [(photos["cat"], 2)])


@pytest.fixture(autouse=True)
def _idle(stack: Stack) -> Iterator[None]:
    """Nothing is left for the next test to wait for."""
    yield
    client = stack.client()
    for task in client.get("/tasks?state=open").json()["tasks"]:
        client.ok("/analyze/cancel", task_id=task["task_id"])
        client.wait_final(task["task_id"])


@pytest.fixture
def desk(browser: Browser, stack: Stack) -> Iterator[Desk]:
    """A window of somebody who is signed in; the pages complain of nothing."""
    with ExitStack() as opened:
        windows = []

        def sit_down(key: str = KEY, address: str = "#/work") -> WorkDesk:
            windows.append(opened.enter_context(window(browser)))
            somebody = WorkDesk(windows[-1].page, stack.client().url)
            somebody.sign_in(key, address)
            return somebody

        yield sit_down
        assert [one.complaints for one in windows] == [[]] * len(windows)


def key_of(stack: Stack, label: str, **more: object) -> str:
    scopes = {"scopes": ["search", "analyze"], **more}
    made = stack.client().post("/keys", label=label, **scopes)
    return str(made.json()["license_key"])


def client_of(stack: Stack, label: str) -> Client:
    return stack.client(key=key_of(stack, label))


def test_a_task_of_another_key_is_waited_for_seen_why_put_first_and_cancelled(
    desk: Desk, stack: Stack, endless: Path, cat: Path, tmp_path: Path
) -> None:
    ann, bob, cleo = (client_of(stack, name) for name in ("Ann", "Bob", "Cleo"))
    running = ann.analyze(tmp_path / "ann", endless)
    tasks = [one.analyze(tmp_path / "lib", cat, on_busy="queue") for one in (bob, cleo)]
    editor, admin = desk(str(bob.http.headers["X-License-Key"])), desk()
    for seen in (editor, admin):
        waits = seen.waiting("Analysis of Bob")
        expect(waits).to_contain_text("Another analysis is running. It is of Ann.")
        expect(waits).to_contain_text("Next in line")
        expect(seen.waiting("Analysis of Cleo")).to_contain_text("2nd in line")
        expect(seen.waiting("Analysis of Ann")).to_contain_text("Endless.mp4")
    expect(editor.button("Cancel: Analysis of Ann")).to_have_count(0)
    expect(editor.button("Cancel: Analysis of Bob")).to_be_visible()
    admin.button("Put first: Analysis of Cleo").click()
    for seen in (editor, admin):
        expect(seen.waiting("Analysis of Cleo")).to_contain_text("Next in line")
        expect(seen.waiting("Analysis of Bob")).to_contain_text("2nd in line")
    assert findings(admin.page) == []
    admin.button("Cancel: Analysis of Ann").click()
    expect(admin.dialog).to_contain_text("already stay analyzed")
    expect(admin.dialog).to_contain_text("Ann, who is told")
    admin.button("Cancel it").click()
    for name, state in (("Ann", "Cancelled"), ("Bob", "Done"), ("Cleo", "Done")):
        expect(editor.ended(f"Analysis of {name}").first).to_contain_text(state)
    assert ann.task(running)["status"] == "cancelled"
    assert {bob.task(task)["status"] for task in tasks} == {"completed"}


def test_a_task_that_ends_while_its_dialogs_are_open_is_a_sentence(
    desk: Desk, stack: Stack, endless: Path, tmp_path: Path
) -> None:
    dan = client_of(stack, "Dan")
    task = dan.analyze(tmp_path / "dan", endless)
    seen, other = desk(), desk(address=f"#/work?task={task}")
    seen.button("Cancel: Analysis of Dan").click()
    expect(other.dialog).to_contain_text("Running")
    late = Held(other.page, f"**/tasks/{task}?**")
    dan.ok("/analyze/cancel", task_id=task)
    late.wait()
    dan.wait_final(task)
    late.let_go()  # it says that the task still stops
    expect(seen.dialog).to_contain_text("It ended while this was open, and nothing was lost")
    expect(seen.button("Cancel it")).to_have_count(0)
    expect(other.dialog).to_contain_text("It ended while this was open: Cancelled.")
    assert findings(other.page) == []
    expect(other.dialog).to_contain_text("It ended while this was open: Cancelled.")  # it stays so
    seen.button("Close", within=seen.dialog).last.click()
    expect(seen.page.get_by_role("heading", name="Waiting and running")).to_be_focused()
    expect(seen.ended("Analysis of Dan")).to_contain_text("Cancelled")


def test_a_failed_file_is_mended_and_tried_again_and_another_left_out_and_taken_back(
    desk: Desk, stack: Stack, cat: Path, tmp_path: Path
) -> None:
    eve, library = client_of(stack, "Eve"), tmp_path / "eve"
    broken = [tmp_path / name for name in ("mended.mp4", "lost.mp4")]
    for path in broken:
        path.write_bytes(b"this is no video at all" * 100)
    eve.wait_final(eve.analyze(library, *broken))
    seen = desk(str(eve.http.headers["X-License-Key"]))
    shutil.copy(cat, broken[0])
    first = seen.ended("Analysis of Eve")
    first.get_by_text("2 files failed").click()
    first.get_by_role("checkbox", name="mended.mp4").check()
    seen.button("Try 1 file again").click()
    expect(first).to_contain_text("They are tried again")
    expect(seen.ended("Analysis of Eve")).to_have_count(2)
    expect(seen.ended("Analysis of Eve").first).not_to_contain_text("files failed")
    seen.page.get_by_label("Only those in which something failed").check()
    expect(seen.ended("Analysis of Eve")).to_have_count(1)
    first.get_by_text("2 files failed").click()
    seen.button("Leave 1 file out").click()
    seen.link("See what is left out").click()
    assert findings(seen.page) == []
    seen.button("Take back lost.mp4").click()
    expect(seen.page.get_by_text("Nothing is left out of this library")).to_be_visible()


def test_a_folder_is_chosen_by_keys_its_cost_seen_analyzed_and_searched(
    desk: Desk, stack: Stack, cat: Path, tmp_path: Path
) -> None:
    footage = tmp_path / "footage"
    (footage / "day 1").mkdir(parents=True)
    (footage / "empty").mkdir()
    shutil.copy(cat, footage / "day 1")
    key = key_of(stack, "Fay", roots=[str(footage)])
    seen, elsewhere = desk(key, ""), desk(key, "")
    elsewhere.page.clock.install()
    page, events = seen.page, HeldEvents(elsewhere.page)
    wait_for(lambda: events.newest.get("open") == 0, TIMEOUT_S, "the first event")
    with elsewhere.page.expect_response("**/analysis-data/folders"):
        elsewhere.page.clock.fast_forward(LOOK_MS)
    expect(elsewhere.page.get_by_text("Nothing is analyzed yet")).to_be_visible()
    seen.link("Choose folders to analyze").click()
    seen.button("footage").click()
    expect(seen.entries).to_have_count(2)
    expect(seen.button("day 1")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(seen.button("empty")).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Cat.mp4")).to_be_visible()
    page.keyboard.press("Backspace")
    seen.choose("empty")
    expect(page.get_by_text("There is no media file in what is chosen.")).to_be_visible()
    seen.choose("day 1")
    cost = page.get_by_role("region", name="How")
    expect(cost).to_contain_text("1 to analyze")
    expect(cost).to_contain_text("2 seconds")
    page.get_by_label("Who speaks").select_option("tell voices apart")
    page.get_by_label("Collection of people").fill("Crew")
    assert findings(page) == []
    names, sent = Held(page, "**/media/files"), list[Request]()
    page.on("request", lambda one: sent.append(one) if one.url.endswith("/analyze") else None)
    seen.button("Analyze").click()
    names.wait()
    page.get_by_label("Pictures").uncheck()
    expect(cost).to_contain_text("There is nothing to do")  # the film is silent
    expect(seen.button("Analyze")).to_be_disabled()
    seen.button("Cancel", within=cost).click()
    page.get_by_label("Pictures").check()
    expect(cost).not_to_contain_text("There is nothing to do")
    names.again()
    seen.button("Analyze").click()
    names.wait()
    seen.link("Watch folders").click()
    events.hold()
    names.let_go()
    wait_for(lambda: page.title() and sent, TIMEOUT_S, "the analysis to be sent")
    assert sent[0].response()
    expect(seen.page.get_by_text("lacks the scope “watch”")).to_be_visible()  # nobody is led away
    seen.link("Analyze").first.click()
    expect(cost).to_contain_text("Choose at least one folder")
    seen.link("It is begun: see its task").click()
    expect(seen.dialog).to_contain_text("Done")
    (body,) = [one.post_data_json for one in sent]
    assert (body["speakers"], body["cluster_job_name"]) == (True, "Crew")
    wait_for(lambda: events.newest["open"] == 0, TIMEOUT_S, "the event of the end")
    events.let_go()  # as if the task had begun and ended between two events
    elsewhere.page.clock.fast_forward(LOOK_MS)
    expect(Editor(elsewhere.page, seen.home).box).to_be_visible()  # without being loaded anew
    seen.link("Search this library", within=seen.dialog).click()
    editor = Editor(page, seen.home)
    expect(page.get_by_label("Library")).to_have_value(str(footage / ".rushes"))
    editor.search("a cat")
    editor.wait_for_hit("Cat.mp4")


def test_a_folder_outside_the_roots_and_one_that_is_missing_are_sentences(
    desk: Desk, stack: Stack, tmp_path: Path
) -> None:
    seen = desk(key_of(stack, "Gus", roots=[str(tmp_path)]), "#/work/analyze")
    for path in ("/etc", str(tmp_path / "nowhere")):
        seen.go_to(path)
        expect(seen.page.get_by_role("alert").filter(has_text=path)).to_be_visible()
    seen.go_to(tmp_path)
    expect(seen.page.get_by_text("There is no folder and no media file in it.")).to_be_visible()


def test_what_a_key_may_not_do_is_not_offered_and_the_scope_is_named(
    desk: Desk, stack: Stack, endless: Path, cat: Path, tmp_path: Path
) -> None:
    ian, broken = client_of(stack, "Ian"), tmp_path / "broken.mp4"
    broken.write_bytes(b"this is no video at all" * 100)
    ian.wait_final(ian.analyze(tmp_path / "lib", broken))
    for path in (endless, cat):
        ian.analyze(tmp_path / "lib", path, on_busy="queue")
    seen = desk(key_of(stack, "Hal", scopes=["search"]), "#/work/analyze")
    expect(seen.page.get_by_text("lacks the scope “analyze”")).to_be_visible()
    seen.open("#/work/watch")
    expect(seen.page.get_by_text("lacks the scope “watch”")).to_be_visible()
    seen.open("#/work")
    expect(seen.page.get_by_text("lacks the scope “analyze”").first).to_be_visible()
    expect(seen.page.get_by_role("heading", name="Ended")).to_be_visible()
    seen.ended("Analysis of Ian").get_by_text("1 file failed").click()
    expect(seen.page.get_by_role("checkbox", name="broken.mp4")).to_be_visible()
    deeds = re.compile("Cancel|Put first|Put before|Try|Leave")
    expect(seen.waiting("Analysis of Ian")).to_have_count(2)
    expect(seen.button(deeds)).to_have_count(0)
    admin = desk()
    admin.ended("Analysis of Ian").get_by_text("1 file failed").click()
    expect(admin.button(deeds)).to_have_count(4)  # two to cancel, one to try again and to leave out
