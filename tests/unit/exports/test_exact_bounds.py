"""Ends of clips that are moved to cuts, and those that stay where they are."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from api.exports.exact_bounds import _place


@dataclass
class Clip:
    start_time: float | str
    end_time: float | str
    media_path: str = "/footage/a.mov"


@pytest.mark.parametrize(
    ("asked", "placed", "left"),
    [
        ((3, 8), (2.6, 7.52), set()),
        (("00:00:03", "00:00:08"), (2.6, 7.52), set()),
        ((3.5, 8), (3.5, 7.52), set()),
        ((3, 9), (2.6, 9), set()),
        ((2.7, 3), (2.7, 3), {3}),  # else it would end before it begins
        ((7.6, "8"), (7.6, "8"), {8}),
        (("01:00:00:00", 8), ("01:00:00:00", 7.52), set()),
    ],
)
def test_bounds_of_scenes_move_and_the_clip_stays_a_clip(
    asked: tuple[float | str, ...], placed: tuple[float | str, ...], left: set[int]
) -> None:
    clip = Clip(*asked)
    assert _place(clip, {3: 2.6, 8: 7.52}) == left
    assert (clip.start_time, clip.end_time) == placed
