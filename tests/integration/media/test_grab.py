"""A single picture at any time is the one that is on screen then."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import pytest

from shared.errors import BadInput
from shared.media import MediaType
from shared.paths import Roots
from tests.support.media.by_path import grab_frame
from tests.support.media.media import (
    FILES,
    H264,
    H264_OPEN,
    Encoding,
    also,
    cut_with_edit_list,
    make_clip,
    make_still,
    read_bar_code,
)
from workers.media.stills import still_from_bytes
from workers.query import grab

SIZE = (160, 96)
TIMES = [0, 0.039, 0.5, 1.999, 2.0, 2.02, 3.99, 4.0, 5.5, 5.99]


def number_at(path: Path, seconds: float) -> int:
    picture = grab_frame(str(path), MediaType.VIDEO, seconds)
    return read_bar_code(picture.rgb(picture.width, picture.height))


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        *FILES,
        ("h264.mxf", H264),
        ("turned.mp4", also(H264, rotation=90)),
        ("ntsc.mp4", also(H264, fps=Fraction(30000, 1001))),
        ("vp9.webm", Encoding("libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8"})),
    ],
)
def test_the_picture_at_a_time_is_the_last_that_began_by_then(
    name: str, encoding: Encoding, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / name, 6, size=SIZE, encoding=encoding)
    rate = Fraction(encoding.fps)
    assert [number_at(clip, t) for t in TIMES] == [
        math.floor(Fraction(str(t)) * rate) for t in TIMES
    ]


def test_a_picture_that_is_held_for_long_is_shown_all_that_time(tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "held.mp4", 4, size=SIZE, times=lambda n: n * 0.04 + (20 if n >= 50 else 0)
    )
    assert [number_at(clip, t) for t in (1.99, 15, 21.9, 22.0)] == [49, 49, 49, 50]


def test_times_count_from_the_cut_of_an_edit_list(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mp4", 6, size=SIZE, encoding=H264_OPEN)
    cut = cut_with_edit_list(whole, tmp_path / "cut.mp4", 1.32)
    assert [number_at(cut, t) for t in (0, 1, 2.5)] == [33, 58, 95]


@pytest.mark.parametrize("seconds", [-0.1, 6.5, 1e9, math.nan, math.inf])
def test_a_time_outside_the_file_is_refused(seconds: float, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 6, size=SIZE)
    with pytest.raises(BadInput, match=r"[Tt]ime"):
        grab_frame(str(clip), MediaType.VIDEO, seconds)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_the_whole_second_after_the_end_shows_the_last_picture(name: str, tmp_path: Path) -> None:
    """The end of the last scene is one."""
    clip = make_clip(tmp_path / name, 2.48, size=SIZE, encoding=H264)
    assert [number_at(clip, t) for t in (2.44, 2.48, 3)] == [61, 61, 61]
    with pytest.raises(BadInput):
        number_at(clip, 3.01)


def test_a_time_beyond_a_file_that_states_no_length_is_refused(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.h264", 2, size=SIZE, encoding=also(H264, container="h264"))
    with pytest.raises(BadInput):
        grab_frame(str(clip), MediaType.VIDEO, 99)


def test_a_stretch_is_the_grid_in_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = make_clip(tmp_path / "a.mp4", 7, size=SIZE)
    roots = Roots.only(tmp_path)
    whole, following = grab.jpegs_within(roots, str(clip), (2, 6), 160)
    codes = [read_bar_code(still_from_bytes(jpeg).rgb(*SIZE)) for _, jpeg in whole]
    assert (following, codes) == (6, [50, 75, 100, 125])
    monkeypatch.setattr(grab, "TURN_S", 0.0)
    turns, due = [], 2
    while due < 6:
        found, due = grab.jpegs_within(roots, str(clip), (due, 6), 160)
        turns.append(found)
    assert [pair for turn in turns for pair in turn] == whole
    assert [len(turn) for turn in turns] == [2, 2]
    assert grab.jpegs_within(roots, str(clip), (60, 90), 160) == ([], 90)


def test_a_still_is_shown_at_its_beginning_only(tmp_path: Path) -> None:
    still = make_still(tmp_path / "a.jpg")
    assert grab_frame(str(still), MediaType.IMAGE, 0).width == 320
    with pytest.raises(BadInput):
        grab_frame(str(still), MediaType.IMAGE, 3)
