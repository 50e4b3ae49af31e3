"""Filters of frames: what both allow, what either allows, over different lists of files."""

from __future__ import annotations

import numpy as np
import pytest

from api.people.frame_filter import NO_FRAMES, FrameFilter

ADA = {"a": [1, 5, 9], "b": [0], "c": []}
BO = {"d": [4], "b": [0, 2], "a": [5, 6]}


def shown(only: FrameFilter) -> dict[str, list[int]]:
    """Seconds by file; files without any are left out."""
    hashes, counts = only.files()
    parts = np.split(only.seconds, np.cumsum(counts)[:-1]) if len(counts) else []
    return {name: part.tolist() for name, part in zip(hashes, parts, strict=True)}


def test_both_and_either_over_different_files() -> None:
    ada, bo = FrameFilter.of(ADA), FrameFilter.of(BO)
    for one, other in ((ada, bo), (bo, ada)):
        assert shown(one & other) == {"a": [5], "b": [0]}
        assert shown(one | other) == {"a": [1, 5, 6, 9], "b": [0, 2], "d": [4]}


@pytest.mark.parametrize("other", [NO_FRAMES, FrameFilter.of({"a": []}), FrameFilter.of({})])
def test_with_nothing_both_is_nothing_and_either_is_the_other(other: FrameFilter) -> None:
    ada = FrameFilter.of(ADA)
    for both, either in ((ada & other, ada | other), (other & ada, other | ada)):
        assert both.is_empty
        assert shown(both) == {}
        assert shown(either) == {"a": [1, 5, 9], "b": [0]}


def test_two_faces_in_one_second_are_one_frame() -> None:
    files = np.array([0, 0, 0, 2], dtype=np.int32)
    seconds = np.array([3, 3, 4, 3], dtype=np.uint64)
    only = FrameFilter.from_columns(("a", "b", "c"), files, seconds)
    assert shown(only) == {"a": [3, 4], "c": [3]}


def test_random_filters_agree_with_sets() -> None:
    random = np.random.default_rng(4)
    for _ in range(50):
        sets = []
        for _ in range(2):
            pairs = {(f"f{n % 7}", int(n)) for n in random.integers(0, 40, random.integers(0, 30))}
            order = [f"f{n}" for n in random.permutation(7)]
            filled = {name: {s for f, s in pairs if f == name} for name in order}
            sets.append((pairs, FrameFilter.of(filled)))
        (mine, one), (others, other) = sets
        for expected, only in ((mine & others, one & other), (mine | others, one | other)):
            found = {(name, s) for name, seconds in shown(only).items() for s in seconds}
            assert found == expected
