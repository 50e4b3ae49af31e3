"""Who speaks, in a real browser: named in the transcript, found by search, joined with a face."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.console.conftest import Library
from tests.support.console.casting import UNNAMED, Casting
from tests.support.console.editor import Editor
from tests.support.console.looks import findings
from tests.support.console.talk import SUBTITLE, TALK, WARNING, talk_of_two


@pytest.fixture
def cache_dir(library: Library, tmp_path: Path) -> Path:
    """Of two who speak and are seen in turn, and of whom nobody has a name."""
    return talk_of_two(tmp_path, library.shoot.kitchen)


@pytest.fixture
def casting(editor: Editor, cache_dir: Path) -> Casting:
    """Somebody who looks at them: two faces and two voices."""
    somebody = Casting(editor.page, editor.home)
    somebody.open(cache_dir, TALK)
    somebody.wait_for(UNNAMED, UNNAMED, UNNAMED, UNNAMED)
    return somebody


def speaker(editor: Editor, name: str) -> Locator:
    """Among those who speak in the file."""
    every = editor.player.get_by_role("list", name="Who speaks")
    return every.get_by_role("button", name=re.compile(f"^{name} "))


def test_a_speaker_is_named_by_keys_and_found_by_search(
    editor: Editor, library: Library, cache_dir: Path
) -> None:
    page = editor.page
    editor.open_file(cache_dir, library.shoot.kitchen)
    said = editor.player.get_by_role("listitem").filter(has_text="Was he alone?")
    expect(said).to_contain_text("S2 ?, doubtful")
    expect(editor.player.get_by_text(WARNING)).to_be_visible()
    assert findings(page, crosswise=True) == []
    speaker(editor, "S1").focus()
    page.keyboard.press("Enter")
    asked = page.get_by_role("dialog", name="Who is S1?")
    expect(asked.get_by_role("combobox", name="Name")).to_be_focused()
    assert findings(page, crosswise=True) == []
    page.keyboard.type("Ada")
    page.keyboard.press("Enter")
    expect(speaker(editor, "Ada")).to_be_focused()
    said = editor.player.get_by_role("listitem").filter(has_text="yellow flag")
    expect(said).to_contain_text("Ada")
    expect(editor.player.get_by_text("“Ada” now finds 18 s of speech in 1 file.")).to_be_visible()
    editor.player.get_by_role("link", name="Search for Ada").click()
    expect(page.get_by_text("Ada speaks", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    editor.search("Ad")
    expect(page.get_by_role("option", name="Ada speaks")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Remove: Ada speaks")).to_be_visible()
    expect(page.get_by_text("; who speaks is told in 1 file")).to_be_visible()
    editor.search("“flag”")
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("Who speaks").select_option("Ada")
    expect(editor.wait_for_hit("yellow flag")).to_contain_text("said by Ada")
    assert "speaker=Ada" in page.url
    page.get_by_role("button", name="Remove: said: “flag”").click()
    editor.search("“alone”")
    page.get_by_label("Who speaks").select_option("Ada")
    expect(page.get_by_text("Nothing matches").first).to_be_visible()
    page.get_by_role("button", name="Search whoever speaks").click()
    expect(editor.wait_for_hit("Was he alone?")).to_contain_text("said by S2")


def test_a_speaker_is_somebody_known_or_somebody_else(
    editor: Editor, library: Library, cache_dir: Path
) -> None:
    page = editor.page
    editor.open_file(cache_dir, library.shoot.kitchen)
    speaker(editor, "S1").click()
    page.get_by_role("dialog").get_by_role("combobox").fill("Ada")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    speaker(editor, "S2").click()
    page.get_by_role("button", name="This is somebody I know …").click()
    known = page.get_by_role("dialog", name="Whose voice is S2?").get_by_role("combobox")
    known.fill("Ada")
    known.press("Enter")
    expect(speaker(editor, "Ada")).to_have_count(2)
    speaker(editor, "Ada").last.click()
    page.get_by_role("button", name="Not Ada: somebody else").click()
    expect(speaker(editor, "S2")).to_have_count(1)
    editor.player.get_by_role("button", name="Undo").click()
    expect(speaker(editor, "Ada")).to_have_count(2)


def test_subtitles_of_the_file_are_read_and_found(
    editor: Editor, library: Library, cache_dir: Path
) -> None:
    editor.open_file(cache_dir, library.shoot.kitchen)
    editor.player.get_by_label("What is shown").select_option("Subtitles · German")
    expect(editor.player.get_by_role("button", name=SUBTITLE)).to_be_visible()
    editor.page.keyboard.press("Escape")
    editor.search("“Leuchtturm”")
    expect(editor.wait_for_hit(SUBTITLE)).to_contain_text("in subtitles")


def test_a_face_and_a_voice_are_one_only_when_somebody_says_so(casting: Casting) -> None:
    page = casting.page
    section = page.get_by_role("region", name="Seen and heard together")
    proposals = section.get_by_role("group")
    expect(proposals).to_have_count(1)  # of the other voice too little is beyond doubt
    expect(proposals).to_contain_text("together for 18 s in 1 file: the same person?")
    assert findings(page, crosswise=True) == []
    proposals.get_by_role("button", name="Same person").focus()
    page.keyboard.press("Enter")
    casting.told(re.compile("2 people are one now"))
    casting.wait_for(UNNAMED, UNNAMED, UNNAMED)
    expect(section).to_have_count(0)
    expect(casting.person(UNNAMED)).to_be_focused()
    page.keyboard.press("u")
    casting.wait_for(UNNAMED, UNNAMED, UNNAMED, UNNAMED)
    expect(proposals).to_have_count(1)
    proposals.get_by_role("button", name="Different people").click()
    casting.told("They stay two people, and are not proposed again.")
    expect(section).to_have_count(0)
    casting.press("History …")
    expect(page.get_by_role("dialog")).to_contain_text("were said to be two people")


def test_a_voice_is_played_and_taken_out_of_a_person(casting: Casting, editor: Editor) -> None:
    page = casting.page
    page.get_by_role("region").get_by_role("button", name="Same person").first.click()
    casting.wait_for(UNNAMED, UNNAMED, UNNAMED)
    casting.people.get_by_role("link", name=re.compile("1 voice")).first.click()
    expect(page.get_by_role("heading", name=UNNAMED, exact=True)).to_be_visible()
    page.keyboard.press("v")
    voices = page.get_by_role("list", name=f"Voices of {UNNAMED}")
    expect(voices.get_by_role("listitem")).to_have_count(1)
    assert findings(page, crosswise=True) == []
    voices.get_by_role("link", name=re.compile("^Play the voice in")).click()
    expect(editor.player).to_be_visible()
    editor.wait_for_video("video && !video.paused")
    page.keyboard.press("Escape")
    voices.get_by_role("checkbox").focus()
    page.keyboard.press("x")
    page.keyboard.press("s")
    casting.told("1 voice is a new person now.")
    page.get_by_role("link", name="Open the new person").click()
    expect(voices.get_by_role("listitem")).to_have_count(1)
    page.keyboard.press("u")
    casting.told("The last change is taken back.")
    page.get_by_role("link", name="All people").click()
    casting.wait_for(UNNAMED, UNNAMED, UNNAMED)
    casting.people.get_by_role("link", name=re.compile("1 voice$")).last.focus()
    page.keyboard.press("Delete")
    casting.told(re.compile("1 voice went to the voices of nobody"))
    page.get_by_role("link", name="1 voice of nobody").click()
    expect(page.get_by_role("list", name="Voices of").get_by_role("listitem")).to_have_count(1)
