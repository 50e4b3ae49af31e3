"""The player, in a real browser: originals that it can play, previews of those that it cannot."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Route, expect

from tests.e2e.console.conftest import NAMED, Library
from tests.support.console.editor import Editor
from tests.support.media.media import read_bar_code

_PICTURE = """() => {
  const video = document.querySelector('video');
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  canvas.getContext('2d').drawImage(video, 0, 0);
  return canvas.toDataURL('image/png').split(',')[1];
}"""
_PAINTED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
_IS_WITHIN = """() => document.activeElement === document.body ||
  document.activeElement.closest('.player') !== null"""
_RATE = 25


def shown_number(editor: Editor) -> int:
    """The number in the picture that the video shows."""
    png = base64.b64decode(editor.page.evaluate(_PICTURE))
    with Image.open(io.BytesIO(png)) as picture:
        return read_bar_code(np.asarray(picture.convert("RGB")))


def play(editor: Editor, library: Library, path: Path, at: float = 0) -> None:
    editor.open_file(library.cache_dir, path, at)


def at_rest(editor: Editor, seconds: float) -> None:
    """Until the video is paused and shows the picture of that time."""
    editor.wait_for_video(
        f"video && video.paused && !video.seeking && video.readyState >= 2 && "
        f"Math.abs(video.currentTime - {seconds}) < 0.01"
    )
    editor.page.evaluate(_PAINTED)


@pytest.mark.parametrize("second", [0, 3, 7, 15])
def test_the_picture_of_a_hit_is_exact_in_a_preview(
    editor: Editor, library: Library, second: int
) -> None:
    play(editor, library, library.shoot.numbered, second)
    editor.go_back()
    at_rest(editor, second + 0.5 / _RATE)
    assert shown_number(editor) == second * _RATE


def test_pictures_are_stepped_through_one_by_one(editor: Editor, library: Library) -> None:
    play(editor, library, library.shoot.numbered, 5)
    editor.go_back()
    at_rest(editor, 5 + 0.5 / _RATE)
    for _ in range(3):
        editor.page.keyboard.press(".")
    at_rest(editor, 5 + 3.5 / _RATE)
    assert shown_number(editor) == 5 * _RATE + 3
    editor.page.keyboard.press(",")
    at_rest(editor, 5 + 2.5 / _RATE)
    assert shown_number(editor) == 5 * _RATE + 2


def test_a_prores_original_plays_on_over_its_segments(editor: Editor, library: Library) -> None:
    play(editor, library, library.shoot.numbered, 2)
    editor.go_back()
    expect(editor.player.get_by_text("Preview", exact=True).first).to_be_visible()
    at_rest(editor, 2 + 0.5 / _RATE)
    editor.page.keyboard.press(" ")
    editor.wait_for_video("video.currentTime > 8.5")
    editor.page.keyboard.press(" ")
    editor.wait_for_video("video.paused")
    now = float(editor.video("currentTime"))
    assert abs(shown_number(editor) - now * _RATE) <= 2


def test_an_original_that_a_browser_can_play_is_streamed_by_ranges(
    editor: Editor, library: Library
) -> None:
    answers = []
    editor.page.on("response", lambda answer: answers.append((answer.url, answer.status)))
    play(editor, library, library.shoot.kitchen, 7)
    editor.wait_for_video("video && video.readyState >= 2")
    assert any("/media/original/" in url and status == 206 for url, status in answers)
    assert not any("/media/preview/" in url for url, _ in answers)


def test_the_transcript_follows_can_be_searched_and_leads_to_its_place(
    editor: Editor, library: Library
) -> None:
    play(editor, library, library.shoot.kitchen)
    segment = editor.player.get_by_text(re.compile("every morning")).first
    expect(segment).to_be_visible()
    editor.player.get_by_label("Find in the transcript").fill("morning")
    expect(editor.player.locator("mark").first).to_have_text(re.compile("morning", re.I))
    segment.click()
    editor.wait_for_video("video.currentTime > 0.5")


def test_a_segment_keeps_the_focus_while_the_list_scrolls(editor: Editor, library: Library) -> None:
    def lengthen(asked: Route) -> None:
        told = asked.fetch()
        found = told.json()
        found["transcriptions"][0]["segments"] = [[at, f"number {at}", at + 1] for at in range(500)]
        found["transcriptions"][0]["words"] = None
        asked.fulfill(response=told, json=found)

    editor.page.route("**/api/v1/transcriptions", lengthen)
    play(editor, library, library.shoot.kitchen)
    segment = editor.player.get_by_role("button", name="number 0")
    editor.go_back()
    segment.focus()
    editor.player.locator(".segments").evaluate("list => list.scrollTo(0, list.scrollHeight)")
    expect(editor.player.get_by_role("button", name="number 499")).to_be_visible()
    expect(segment).to_be_focused()


def test_it_says_who_is_seen_and_leads_to_them(editor: Editor, library: Library) -> None:
    play(editor, library, library.shoot.cast)
    expect(editor.player.get_by_text(NAMED).first).to_be_visible()


def test_a_file_that_is_gone_is_a_sentence_with_what_is_still_known(
    editor: Editor, library: Library
) -> None:
    gone = library.shoot.launch.with_name("Launch away.mov")
    library.shoot.launch.rename(gone)
    try:
        play(editor, library, library.shoot.launch, 2)
        expect(editor.player.get_by_text("This file is away")).to_be_visible()
    finally:
        gone.rename(library.shoot.launch)


def test_a_file_that_cannot_be_decoded_is_a_sentence(
    editor: Editor, library: Library, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mov"
    broken.write_bytes(b"\0\0\0\x14ftypqt  \0\0\0\0qt  " + bytes(5000))
    play(editor, library, broken)
    expect(editor.player.get_by_role("alert").first).not_to_be_empty()


def test_scenes_follow_one_another_where_seconds_lie_within_pictures(
    editor: Editor, library: Library, tmp_path: Path
) -> None:
    film = library.shoot.broadcast
    library.client.analyzed(tmp_path, film)
    editor.open_file(tmp_path, film)
    editor.go_back()
    scenes = editor.player.get_by_role("button", name=re.compile(r"^Scene \d"))
    expect(scenes.nth(2)).to_be_visible()
    for scene in scenes.all()[1:]:
        editor.page.keyboard.press("]")
        expect(scene).to_have_attribute("aria-current", "true")
        editor.page.keyboard.press("a")
    begins = [scene.inner_text() for scene in scenes.all()[1:]]
    editor.page.keyboard.press("b")
    starts = editor.page.get_by_label(re.compile("Start of"))
    expect(starts).to_have_count(len(begins))
    assert [start.input_value() for start in starts.all()] == [f"{at}.000" for at in begins]


def fail(editor: Editor, part: int, status: int, times: int | None = None) -> None:
    """Let the server refuse a part of every preview."""
    told = {"error": "refused", "message": "This part is refused."}
    editor.page.route(
        f"**/media/preview/*/{part}",
        lambda asked: asked.fulfill(status=status, json=told),
        times=times,
    )


def test_a_part_that_cannot_be_had_stops_nothing_before_it(
    editor: Editor, library: Library
) -> None:
    fail(editor, 2, 422)
    play(editor, library, library.shoot.numbered, 5)
    editor.go_back()
    editor.page.keyboard.press(" ")
    alert = editor.player.get_by_role("alert")
    expect(alert).to_contain_text("This part is refused.")
    assert float(editor.video("currentTime")) > 7.5
    editor.page.keyboard.press("Shift+ArrowRight")
    editor.wait_for_video("video.currentTime > 18.2")  # ten seconds before that it is refused
    expect(alert).to_have_count(0)
    editor.page.keyboard.press("k")
    editor.page.keyboard.press("Shift+ArrowLeft")
    expect(alert).to_be_visible()
    editor.page.unroute_all()
    alert.get_by_role("button", name="Try again").click()
    expect(alert).to_have_count(0)
    editor.wait_for_video("video && !video.seeking && video.readyState >= 2")


def test_a_busy_server_is_asked_again(editor: Editor, library: Library) -> None:
    fail(editor, 2, 503, times=2)
    play(editor, library, library.shoot.numbered, 8)
    editor.page.keyboard.press("l")  # whether or not it plays: whoever has done nothing yet waits
    editor.wait_for_video("video.currentTime > 8.5")
    expect(editor.player.get_by_role("alert")).to_have_count(0)


def test_where_it_covers_the_page_the_keyboard_stays_in_it(
    editor: Editor, library: Library
) -> None:
    editor.page.set_viewport_size({"width": 800, "height": 700})
    play(editor, library, library.shoot.kitchen)
    expect(editor.player.get_by_text(re.compile("every morning")).first).to_be_visible()
    for _ in range(40):
        editor.page.keyboard.press("Tab")
        assert editor.page.evaluate(_IS_WITHIN)
    editor.page.keyboard.press("Escape")
    editor.box.fill("cat")


def test_in_and_out_go_into_the_basket_by_keys(editor: Editor, library: Library) -> None:
    play(editor, library, library.shoot.numbered, 5)
    editor.go_back()
    at_rest(editor, 5 + 0.5 / _RATE)
    editor.page.keyboard.press("i")
    editor.page.keyboard.press("ArrowRight")
    editor.page.keyboard.press("ArrowRight")
    at_rest(editor, 7 + 0.5 / _RATE)
    editor.page.keyboard.press("o")
    editor.page.keyboard.press("a")
    editor.page.keyboard.press("b")
    row = editor.page.get_by_role("listitem").filter(has_text=library.shoot.numbered.name)
    expect(row).to_have_count(1)
    expect(row.get_by_label(re.compile("In|From|Start")).first).to_have_value(
        re.compile(r"00:00:05")
    )


def test_nothing_is_asked_of_the_server_any_more_when_the_player_is_closed(
    editor: Editor, library: Library
) -> None:
    play(editor, library, library.shoot.numbered, 9)
    editor.go_back()
    editor.page.keyboard.press("Escape")
    expect(editor.player).to_have_count(0)
    failed = []
    editor.page.on("request", lambda request: failed.append(request.url))
    editor.page.wait_for_function("() => document.querySelector('video') === null")
    assert not [url for url in failed if "/media/preview/" in url]
