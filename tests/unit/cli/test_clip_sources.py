"""Clips named on the command line, and clips made of what a search found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.commands.export import clips_of
from shared.errors import BadInput
from shared.exports.clips import STILL_S


def match(path: str, found: int, start: int, end: int) -> dict[str, Any]:
    """As a visual search answers."""
    clock = [f"00:00:{second:02d}" for second in (found, start, end)]
    names = ("timestamp", "scene_start_timestamp", "scene_end_timestamp")
    return {"video_path": path, **dict(zip(names, clock, strict=True))}


SAID = {"media_path": "/m/b.mov", "start_seconds": 8.5, "end_seconds": 10.0, "text": "Hello."}


def clips(tmp_path: Path, document: Any, **picked: Any) -> list[tuple[str, Any, Any]]:
    file = tmp_path / "found.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    found = clips_of([], str(file), **picked)
    return [(clip["media_path"], clip["start_time"], clip["end_time"]) for clip in found]


def test_files_with_in_and_out_points_are_clips_in_their_order() -> None:
    words = ["/m/a.mov", "10:00:01:00", "10:00:02:12", r"Z:\b.mov", "1.5", "00:00:04"]
    assert clips_of(words, "") == [
        {"media_path": "/m/a.mov", "start_time": "10:00:01:00", "end_time": "10:00:02:12"},
        {"media_path": r"Z:\b.mov", "start_time": 1.5, "end_time": "00:00:04"},
    ]


def test_a_match_stands_for_its_scene_and_two_of_one_scene_for_one_clip(tmp_path: Path) -> None:
    found = [
        match("/m/a.mov", 5, 2, 30),
        match("/m/a.mov", 20, 2, 30),
        match("/m/a.mov", 31, 30, 33),
    ]
    assert clips(tmp_path, {"matches": found}) == [("/m/a.mov", 2, 30), ("/m/a.mov", 30, 33)]


def test_bounds_are_exact_where_they_are_known(tmp_path: Path) -> None:
    known = {"cut_start_seconds": 1.4, "cut_end_seconds": 29.64}
    found = {"matches": [match("/m/a.mov", 5, 2, 30) | known, match("/m/a.mov", 20, 2, 30) | known]}
    assert clips(tmp_path, found) == [("/m/a.mov", 1.4, 29.64)]
    assert clips(tmp_path, found, around_s=9)[1] == ("/m/a.mov", 11, 29)
    assert clips(tmp_path, found, around_s=10)[1] == ("/m/a.mov", 10, 29.64)


def test_around_takes_less_than_the_scene_and_never_more(tmp_path: Path) -> None:
    found = {"matches": [match("/m/a.mov", 5, 2, 30), match("/m/a.mov", 3, 2, 30)]}
    assert clips(tmp_path, found, around_s=2) == [("/m/a.mov", 3, 7), ("/m/a.mov", 2, 5)]
    assert clips(tmp_path, found, around_s=0) == [("/m/a.mov", 5, 6), ("/m/a.mov", 3, 4)]


def test_a_still_is_held_and_what_was_said_has_its_own_times(tmp_path: Path) -> None:
    found = {"matches": [match("/m/a.png", 0, 0, 0), SAID]}
    assert clips(tmp_path, found) == [("/m/a.png", 0, STILL_S), ("/m/b.mov", 8.5, 10.0)]
    assert clips(tmp_path, found, around_s=9)[1] == ("/m/b.mov", 0, 19)


def test_clips_in_the_form_of_the_api_are_taken_as_they_are(tmp_path: Path) -> None:
    clip = {"media_path": "/m/a.mov", "start_time": 1, "end_time": 2, "name": "Ada"}
    for document in ([clip], {"clips": [clip]}):
        file = tmp_path / "clips.json"
        file.write_text(json.dumps(document))
        assert clips_of(None, str(file)) == [clip]


def test_results_are_picked_by_their_numbers_in_the_order_of_the_numbers(tmp_path: Path) -> None:
    found = {"matches": [match(f"/m/{n}.mov", 0, 0, 9) for n in range(1, 6)]}
    picked = clips(tmp_path, found, numbers="4, 1-2")
    assert [path for path, *_ in picked] == ["/m/4.mov", "/m/1.mov", "/m/2.mov"]
    for wrong in ("6", "0", "2-9", "1-99999999999"):
        with pytest.raises(BadInput, match="there are 5 results"):
            clips(tmp_path, found, numbers=wrong)
    with pytest.raises(BadInput, match="1,3-5"):
        clips(tmp_path, found, numbers="first")


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"tasks": []}, "no list"),
        ("matches", "no list"),
        ({"matches": []}, "nothing was found"),
        ({"matches": [{"video_path": "/m/a.mov"}]}, "entry 1 is no match"),
        ({"matches": [match("/m/a.mov", 1, 0, 2), 7]}, "entry 2 is no match"),
        ([{"media_path": "/m/a.mov"}], "entry 1 is no match"),
    ],
)
def test_json_that_holds_no_clips_is_told(tmp_path: Path, document: Any, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        clips(tmp_path, document)


def test_a_file_that_is_absent_or_no_json_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        clips_of([], str(tmp_path / "none.json"))
    (tmp_path / "found.txt").write_text("a table")
    with pytest.raises(BadInput, match="no JSON"):
        clips_of([], str(tmp_path / "found.txt"))


@pytest.mark.parametrize("words", [[], ["a.mov"], ["a.mov", "1"], ["a.mov", "1", "2", "b.mov"]])
def test_half_a_clip_and_no_clip_are_told(words: list[str]) -> None:
    with pytest.raises(BadInput, match="FILE IN OUT"):
        clips_of(words, "")


def test_clips_of_both_kinds_at_once_are_refused() -> None:
    with pytest.raises(BadInput, match="one of both"):
        clips_of(["a.mov", "1", "2"], "found.json")
