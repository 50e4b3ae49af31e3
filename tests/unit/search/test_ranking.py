"""Which frames become matches, and in which order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from api.search.frames.estimates import Estimates, WrongBound
from api.search.frames.log import ROW
from api.search.frames.ranking import rank


def rows_of(scene_lengths: list[int], gap: int = 1) -> NDArray[np.void]:
    """ROW records of scenes one after another, a picture every `gap` seconds."""
    rows = np.zeros(sum(scene_lengths), ROW)
    at = 0
    for length in scene_lengths:
        place = np.arange(length)
        rows["back"][at : at + length] = place
        rows["ahead"][at : at + length] = length - place
        at += length
    rows["second"] = np.arange(len(rows)) * gap
    return rows


class StoredRows:
    """Rows of files with these names; without any, all come from one file."""

    def __init__(self, base, final, rows, names=None) -> None:
        self._base, self._final, self._rows = base, final, rows
        self._names = np.zeros(len(rows), np.uint64) if names is None else names

    def rows(self, places):
        return self._rows[places]

    def numbers(self, places):
        return places

    def tie_order(self, places):
        return self._names[places]

    def scores(self, places):
        return self._base[places], self._final[places]


def ranked(base, rows, max_results=50, final=None, off_by=0.0, names=None) -> list[int]:
    """Matches by exact estimates, or by ones that are off by as much as `off_by`."""
    base = np.asarray(base, np.float32)
    excluding = final is not None
    final = np.where(np.isfinite(base), final, -np.inf).astype(np.float32) if excluding else base
    stored = StoredRows(base, final, rows, names)
    if off_by:
        off = np.random.default_rng(1).uniform(-off_by, off_by, len(rows))
        estimates = Estimates(
            (final + 0.99 * off).astype(np.float32), lambda p: np.full(len(p), off_by), off_by
        )
    else:
        estimates = Estimates(final, base=base)
    best = rank(estimates, stored, max_results, excluding=excluding)
    assert best is not None
    assert best[1].tolist() == final[best[0]].tolist()
    return best[0].tolist()


def plainly_ranked(base, rows, max_results, final) -> list[int]:
    """The rule of the contract, word by word and slowly."""
    chosen: list[int] = []
    for place in sorted(np.flatnonzero(np.isfinite(base)), key=lambda p: (-base[p], p)):
        scene = place - int(rows["back"][place])
        if all(
            scene != other - int(rows["back"][other])
            or abs(int(rows["second"][place]) - int(rows["second"][other])) >= 10
            for other in chosen
        ):
            chosen.append(int(place))
    return sorted(chosen, key=lambda p: (-final[p], p))[:max_results]


def test_a_scene_shows_its_best_frame_only() -> None:
    base = [0.1, 0.3, 0.2, 0.5, 0.4]
    assert ranked(base, rows_of([3, 2])) == [3, 1]


def test_a_long_shot_has_a_match_for_each_appearance_of_its_subject() -> None:
    rows = rows_of([600])
    base = np.random.default_rng(1).uniform(0, 0.1, 600)
    for second in (20, 150, 300, 580):
        base[second - 2 : second + 3] = 0.6
        base[second] = 0.6 + second / 10_000
    assert ranked(base, rows)[:4] == [580, 300, 150, 20]
    assert ranked(base, rows, max_results=4) == [580, 300, 150, 20]


def test_a_further_frame_is_ten_seconds_from_every_better_one() -> None:
    base = np.zeros(30)
    base[[10, 19, 20, 1, 0]] = [1.0, 0.9, 0.8, 0.7, 0.6]
    # 19 is 9 s from 10, 20 is 10 s from it; 1 is 9 s away, 0 is 10 s.
    assert ranked(base, rows_of([30]))[:3] == [10, 20, 0]


def test_seconds_count_and_not_rows() -> None:
    rows = rows_of([8], gap=5)  # a picture every 5 s
    assert ranked([0.5, 0.4, 0.3, 0, 0, 0, 0, 0], rows)[:2] == [0, 2]


def test_equal_scores_come_in_the_order_of_names_wherever_the_rows_lie() -> None:
    names = np.array([7, 7, 3, 3, 5], np.uint64)
    rows, base = rows_of([2, 2, 1]), [0.4, 0.4, 0.4, 0.1, 0.4]
    assert ranked(base, rows, names=names) == [2, 4, 0]
    assert ranked(base, rows, max_results=2, names=names) == [2, 4]
    assert ranked(base, rows, final=np.full(5, 0.1), names=names) == [2, 4, 0]


def test_a_filtered_frame_cannot_stand_for_its_scene() -> None:
    assert ranked([-np.inf, 0.2, 0.3, -np.inf], rows_of([2, 2])) == [2, 1]
    assert ranked([-np.inf] * 4, rows_of([2, 2])) == []


def test_excluded_concepts_move_matches_and_never_change_which_there_are() -> None:
    random = np.random.default_rng(3)
    rows = rows_of([int(n) for n in random.integers(3, 40, 30)])
    base = random.uniform(0, 1, len(rows)).astype(np.float32)
    scene = np.arange(len(rows)) - rows["back"]
    starts = np.unique(scene)
    hurt = np.isin(scene, starts[::3])
    final = np.where(hurt, base - np.float32(0.3), base).astype(np.float32)
    before, after = ranked(base, rows, 999), ranked(base, rows, 999, final)
    assert len(before) >= 30
    assert set(before) == set(after)
    assert [p for p in before if not hurt[p]] == [p for p in after if not hurt[p]]
    for place in before:
        if hurt[place]:
            above = set(after[: after.index(place)])
            assert above >= set(before[: before.index(place)]) - set(np.flatnonzero(hurt))
    assert after != before


@settings(max_examples=150, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 45), min_size=1, max_size=25),
    seed=st.integers(0, 10_000),
    levels=st.sampled_from([2, 10, 100_000]),  # few levels: many ties
    max_results=st.integers(1, 60),
    gap=st.sampled_from([1, 3]),
    excluding=st.booleans(),
    off_by=st.sampled_from([0.0, 0.001, 0.2]),
)
def test_it_is_the_plain_rule(lengths, seed, levels, max_results, gap, excluding, off_by) -> None:
    random = np.random.default_rng(seed)
    rows = rows_of(lengths, gap)
    base = (random.integers(0, levels, len(rows)) / levels).astype(np.float32)
    base[random.uniform(size=len(rows)) < 0.1] = -np.inf
    penalty = random.uniform(0, 0.5, len(rows)).astype(np.float32) * excluding
    final = (base - penalty).astype(np.float32)
    found = ranked(base, rows, max_results, final if excluding else None, off_by)
    assert found == plainly_ranked(base, rows, max_results, final)


@pytest.mark.parametrize("off_by", [0.0, 0.01])
@pytest.mark.parametrize("excluding", [False, True])
def test_large_arrays_follow_the_plain_rule_too(excluding: bool, off_by: float) -> None:
    random = np.random.default_rng(5)
    rows = rows_of([300] * 100)  # beyond the first look at the best 1024
    base = random.uniform(0, 1, len(rows)).astype(np.float32)
    base[6000:6300] = 2.0  # a locked-off shot of equal frames
    final = base.copy()
    if excluding:
        final[6000:7000] -= 1.9
        final[::2] -= 0.5
    found = ranked(base, rows, 80, final if excluding else None, off_by)
    assert found == plainly_ranked_fast(base, rows, 80, final)


def plainly_ranked_fast(base, rows, max_results, final) -> list[int]:
    """As `plainly_ranked`, scene by scene."""
    chosen: list[int] = []
    starts = np.flatnonzero(rows["back"] == 0)
    for start in starts:
        stop = start + int(rows["ahead"][start])
        chosen += [
            int(start) + place
            for place in plainly_ranked(base[start:stop], rows[start:stop], 999, base[start:stop])
        ]
    return sorted(chosen, key=lambda p: (-final[p], p))[:max_results]


@pytest.mark.parametrize("size", [1, 255, 256, 257, 5000])
@pytest.mark.parametrize("count", [1, 3, 300])
def test_the_best_are_among_the_top(size: int, count: int) -> None:
    scores = np.random.default_rng(size).uniform(size=size).astype(np.float32)
    scores[:: max(2, size // 7)] = -np.inf
    found = Estimates(scores).top(count)
    assert np.isfinite(scores[found]).all()
    finite = np.flatnonzero(np.isfinite(scores))
    best = finite[np.argsort(-scores[finite])][:count]
    assert set(best) <= set(found)
    if len(finite) > len(found):
        assert scores[found].min() >= np.delete(scores, found).max()


def test_among_too_many_candidates_estimates_give_up_and_exact_scores_do_not() -> None:
    rows = rows_of([1] * 100_000)
    base = np.full(len(rows), 0.5, np.float32)  # a test card for a day
    estimates = Estimates(base.copy(), lambda p: np.full(len(p), 0.01), 0.01)
    stored = StoredRows(base, base, rows)
    assert rank(estimates, stored, 50, excluding=False) is None
    assert ranked(base, rows) == list(range(50))


def test_an_estimate_beyond_its_bound_is_found_out() -> None:
    rows = rows_of([1] * 1000)
    base = np.linspace(0, 1, 1000, dtype=np.float32)
    estimates = Estimates(base[::-1].copy(), lambda p: np.full(len(p), 0.01), 0.01)
    with pytest.raises(WrongBound):
        rank(estimates, StoredRows(base, base, rows), 50, excluding=False)
