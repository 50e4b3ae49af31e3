"""Watch folders, in a real browser: added, paused, and a file followed until it is found."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support.console.chromium import window
from tests.support.console.editor import Editor
from tests.support.console.looks import findings
from tests.support.console.worker import WorkDesk
from tests.support.media.media import picture_video
from tests.support.stack import KEY, Stack
from tests.support.watch.ingest import Folder, Ingest


@pytest.fixture(scope="module")
def ingest(stack: Stack) -> Iterator[Ingest]:
    """With a watcher that tries again soon; the service is stopped before and after."""
    watcher = stack.start("watcher-0", "-m", "tests.support.programs.hasty_watcher")
    server = Ingest(stack.client())
    yield server
    for folder in stack.client().get("/watch-folders").json()["watch_folders"]:
        Folder(server, folder["id"], folder["cache_dir"]).delete()
    server.stop()
    server.wait_state("stopped")
    watcher.end()
    del stack.processes["watcher-0"]


@pytest.fixture(scope="module")
def cat(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, Path]) -> Path:
    return picture_video(tmp_path_factory.mktemp("cat") / "Cat.mp4", [(photos["cat"], 2)])


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    folder = tmp_path / "incoming"
    folder.mkdir()
    return folder


@pytest.fixture
def two_desks(browser: Browser, ingest: Ingest) -> Iterator[tuple[WorkDesk, WorkDesk]]:
    """Two people who look after the same watch folders."""
    with ExitStack() as opened:
        windows = [opened.enter_context(window(browser)) for _ in range(2)]
        first, second = (WorkDesk(one.page, ingest.client.url) for one in windows)
        first.sign_in(KEY, "#/work/watch")
        second.sign_in(KEY, "#/work/watch")
        yield first, second
        assert [one.complaints for one in windows] == [[], []]


def test_a_folder_is_watched_and_a_file_is_followed_to_a_hit_then_it_is_paused(
    two_desks: tuple[WorkDesk, WorkDesk], ingest: Ingest, incoming: Path, cat: Path
) -> None:
    seen, other = two_desks
    seen.link("Watch a folder").click()
    path = seen.page.get_by_label("Folder to watch")
    path.press_sequentially("/no")
    with seen.page.expect_response("**/watch-folders"):  # others go on meanwhile
        elsewhere = ingest.add(incoming.parent, incoming.parent / ".rushes", recursive=False)
    path.press_sequentially("where")
    expect(path).to_have_value("/nowhere")
    elsewhere.delete()
    seen.go_to(incoming)
    expect(seen.page.get_by_label("Folder to watch")).to_have_value(str(incoming))
    seen.page.get_by_label("Library").fill(str(incoming / ".rushes"))  # others' lie near, too
    seen.page.get_by_label("Seconds without change").fill("0.3")
    assert findings(seen.page) == []
    seen.button("Watch this folder").click()
    expect(seen.watched(incoming)).to_contain_text("The service is stopped")
    seen.button("Start watching").click()
    for desk in (seen, other):
        expect(desk.watched(incoming)).to_contain_text("Waiting for files")
    shutil.copy(cat, incoming)
    for desk in (seen, other):
        expect(desk.watched(incoming)).to_contain_text("1 done")
        silent = "Not applicable: 1 file without an audio track"
        expect(desk.watched(incoming)).to_contain_text(silent)
    seen.button("1 done", within=seen.watched(incoming)).click()
    expect(seen.page.get_by_role("list", name="Files: done")).to_contain_text("Cat.mp4")
    assert findings(seen.page) == []
    seen.button(f"Pause: {incoming}").click()
    expect(other.watched(incoming)).to_contain_text("Somebody has paused it")
    expect(other.button(f"Resume: {incoming}")).to_be_visible()
    seen.link("Search this library", within=seen.watched(incoming)).click()
    editor = Editor(seen.page, seen.home)
    editor.search("a cat")
    editor.wait_for_hit("Cat.mp4")
    other.button(f"Remove: {incoming}").click()
    expect(other.dialog).to_contain_text("can be searched as before")
    other.button("Watch it no more").click()
    expect(other.watched(incoming)).to_have_count(0)
    assert (incoming / ".rushes").is_dir()


def test_a_file_that_fails_says_why_and_is_left_out_and_a_folder_changes(
    two_desks: tuple[WorkDesk, WorkDesk], ingest: Ingest, incoming: Path
) -> None:
    seen, other = two_desks
    ingest.start()
    folder = ingest.add(incoming, incoming / ".rushes")
    (incoming / "bad.mp4").write_bytes(b"this is no video at all" * 100)
    row = seen.watched(incoming)
    expect(row).to_contain_text("1 failed")
    seen.button("1 failed", within=row).click()
    failed = seen.page.get_by_role("list", name="Files: failed")
    expect(failed).to_contain_text("not a media file")
    expect(failed).to_contain_text("tried 3 times")
    seen.button("Leave out: bad.mp4").click()
    for desk in (seen, other):
        expect(desk.watched(incoming)).to_contain_text("0 failed")
        expect(desk.watched(incoming)).to_contain_text("1 left out")
    seen.button("1 left out", within=row).click()
    expect(seen.page.get_by_role("list", name="Files: left out")).to_contain_text("bad.mp4")
    other.link(f"Change: {incoming}").click()
    other.page.get_by_label("Only at certain hours").check()
    other.page.get_by_label("From", exact=True).fill("01:00")
    other.page.get_by_label("To", exact=True).fill("01:00")
    other.button("Save").click()
    expect(other.page.get_by_role("alert").last).to_contain_text("the same time")
    other.page.get_by_label("To", exact=True).fill("02:30")
    other.button("Save").click()
    expect(other.watched(incoming)).to_contain_text("from 01:00 to 02:30")
    other.link(f"Change: {incoming}").click()
    other.page.get_by_label("Leave out by name").fill("proxy_*")
    folder.delete()
    expect(other.page.get_by_role("alert").first).to_contain_text("somebody has removed it")
    other.button("Watch this folder").click()
    expect(other.watched(incoming)).to_contain_text("from 01:00 to 02:30")
    other.link(f"Change: {incoming}").click()
    expect(other.page.get_by_label("Leave out by name")).to_have_value("proxy_*")
