"""The basket, in a real browser: ranges of several files become files that others can read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import av
import pytest
from lxml import etree
from playwright.sync_api import expect

from tests.e2e.console.conftest import Library
from tests.support.console.editor import Editor
from tests.support.system.tiny_disk import tiny_disk


def fill(editor: Editor, library: Library) -> None:
    """Two ranges: 1 to 3 s of the launch, 2 to 5 s of the kitchen."""
    ranges: list[dict[str, Any]] = [
        {"mediaPath": str(library.shoot.launch), "start": 1, "end": 3},
        {"mediaPath": str(library.shoot.kitchen), "start": 2, "end": 5},
    ]
    kept = [
        {**one, "id": f"range {number}", "cacheDir": str(library.cache_dir)}
        for number, one in enumerate(ranges)
    ]
    editor.page.goto(f"{library.client.url}/api/v1/health")  # less to load than the console
    editor.page.evaluate(
        "ranges => localStorage.setItem('rushes-basket', ranges)", json.dumps(kept)
    )
    editor.open("#/basket")
    expect(rows(editor)).to_have_count(2)


def rows(editor: Editor) -> Any:
    return editor.page.get_by_role("list", name="Basket").get_by_role("listitem")


def choose(editor: Editor, what: str) -> None:
    editor.page.get_by_role("radio", name=what).check()


def seconds_of(path: Path) -> float:
    with av.open(str(path)) as opened:
        assert opened.duration is not None
        return opened.duration / av.time_base


def test_clips_are_written_to_the_disk_and_offered_as_downloads(
    editor: Editor, library: Library, tmp_path: Path
) -> None:
    fill(editor, library)
    choose(editor, "Clips")
    editor.page.get_by_label("Folder on the server").fill(str(tmp_path))
    editor.page.get_by_label("How clips are made").select_option("encode")
    editor.page.get_by_role("button", name="Export 2 clips").click()
    links = editor.page.get_by_role("link", name="Download")
    expect(links).to_have_count(2)
    with editor.page.expect_download() as offered:
        links.first.click()
    download = Path(tmp_path / "downloaded")
    offered.value.save_as(download)
    written = sorted(tmp_path.glob("*.m*"))
    assert len(written) == 2
    assert download.read_bytes() in [path.read_bytes() for path in written]
    assert sorted(round(seconds_of(path)) for path in written) == [2, 3]


@pytest.mark.parametrize("name", ["Premiere Pro", "Final Cut Pro", "EDL"])
def test_timelines_are_downloads_that_name_both_files(
    editor: Editor, library: Library, tmp_path: Path, name: str
) -> None:
    fill(editor, library)
    choose(editor, "Timeline")
    choices = editor.page.get_by_label("Format")
    choices.select_option(label=choices.get_by_text(re.compile(name)).text_content())
    choose(editor, "Download")
    with editor.page.expect_download() as offered:
        editor.page.get_by_role("button", name="Export the timeline").click()
    made = tmp_path / offered.value.suggested_filename
    offered.value.save_as(made)
    text = made.read_text(encoding="utf-8")
    assert "Launch" in text
    assert "Kitchen" in text
    if made.suffix != ".edl":
        etree.fromstring(text.encode())


def test_subtitles_are_of_the_range_only(editor: Editor, library: Library, tmp_path: Path) -> None:
    fill(editor, library)
    rows(editor).filter(has_text="Launch").get_by_role("button", name=re.compile("Remove")).click()
    choose(editor, "Subtitles")
    choose(editor, "Download")
    with editor.page.expect_download() as offered:
        editor.page.get_by_role("button", name="Export the subtitles").click()
    made = tmp_path / "made.srt"
    offered.value.save_as(made)
    assert "morning" in made.read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_written_to_is_a_sentence_and_nothing_is_lost(
    editor: Editor, library: Library
) -> None:
    fill(editor, library)
    choose(editor, "Clips")
    editor.page.get_by_label("Folder on the server").fill("/proc/nowhere")
    editor.page.get_by_role("button", name="Export 2 clips").click()
    expect(editor.page.get_by_role("alert").first).to_contain_text("/proc/nowhere")
    expect(rows(editor)).to_have_count(2)


def test_a_full_disk_is_a_sentence_beside_each_clip_and_nothing_is_lost(
    editor: Editor, library: Library, tmp_path: Path
) -> None:
    fill(editor, library)
    choose(editor, "Clips")
    with tiny_disk(tmp_path / "full", kib=16) as full:
        editor.page.get_by_label("Folder on the server").fill(str(full))
        editor.page.get_by_label("How clips are made").select_option("encode")
        editor.page.get_by_role("button", name="Export 2 clips").click()
        told = editor.page.get_by_role("listitem").filter(has_text="Free some space")
        expect(told).to_have_count(2)
        assert list(full.iterdir()) == []
    expect(rows(editor)).to_have_count(2)


def test_ranges_are_changed_moved_removed_and_brought_back(
    editor: Editor, library: Library
) -> None:
    fill(editor, library)
    launch = rows(editor).filter(has_text="Launch")
    start = launch.get_by_label(re.compile("Start of"))
    start.fill("00:00:02.500")
    start.press("Enter")
    grip = launch.get_by_role("button", name=re.compile("Move"))
    grip.focus()
    grip.press("ArrowDown")
    expect(rows(editor).last).to_contain_text("Launch")
    expect(rows(editor).last.get_by_label(re.compile("Start of"))).to_have_value("00:00:02.500")
    launch.get_by_role("button", name=re.compile("Remove")).click()
    expect(rows(editor)).to_have_count(1)
    editor.page.get_by_role("button", name="Undo").click()
    expect(rows(editor).last).to_contain_text("Launch")


def test_what_is_typed_stays_as_it_is_typed(editor: Editor, library: Library) -> None:
    fill(editor, library)
    choose(editor, "Clips")
    folder = editor.page.get_by_label("Folder on the server")
    folder.fill("/somewhere")
    folder.fill("")
    expect(folder).to_have_value("")
    seconds = editor.page.get_by_label("Seconds more on both sides")
    seconds.fill("")
    seconds.press_sequentially("1.5")
    seconds.blur()
    editor.page.reload()
    expect(seconds).to_have_value("1.5")
    expect(folder).to_have_value("")


def test_a_session_that_ends_takes_nothing_of_the_form_away(
    editor: Editor, library: Library
) -> None:
    fill(editor, library)
    choose(editor, "Clips")
    folder = editor.page.get_by_label("Folder on the server")
    folder.fill("/somewhere")
    editor.page.context.clear_cookies()
    editor.page.get_by_role("button", name="Export 2 clips").click()
    expect(editor.page.get_by_label("Licence key")).to_be_visible()
    expect(folder).to_have_value("/somewhere")


def test_several_windows_agree(editor: Editor, library: Library) -> None:
    fill(editor, library)
    other = Editor(editor.page.context.new_page(), library.client.url)
    other.open("#/basket")
    expect(rows(other)).to_have_count(2)
    rows(editor).first.get_by_role("button", name=re.compile("Remove")).click()
    expect(rows(other)).to_have_count(1)
    choose(editor, "Subtitles")
    expect(other.page.get_by_role("radio", name="Subtitles")).to_be_checked()
