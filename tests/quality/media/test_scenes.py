"""Scene cuts on real clips: how many are found, how many are made up.

The weights were fitted and the threshold chosen on seeds 1 to 10 and the first half of the film
(fit_scenes.py); these are other seeds and the second half.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.quality.media.scene_clips import Clip, Picture, load_clips, load_photos
from tests.quality.media.scene_material import (
    Sequence1Fps,
    film,
    splice,
    with_bars,
    without_bars,
    without_cuts,
)
from tests.support.running.long_form import by_form
from workers.analysis.stages.scenes import SceneCutter

pytestmark = [pytest.mark.quality, pytest.mark.timeout(600)]
SEEDS = by_form(short=(11, 12), long=(11, 12, 13, 14, 15, 16))
SHAPES = {"2:1": 2.0, "2.39:1": 2.39, "4:3": 4 / 3, "9:16": 9 / 16}


@pytest.fixture(scope="module")
def clips() -> dict[str, Clip]:
    return load_clips()


@pytest.fixture(scope="module")
def photos() -> list[Path]:
    return load_photos()


def found_cuts(pictures: list[Picture]) -> list[int]:
    cutter = SceneCutter()
    for second, picture in enumerate(pictures):
        cutter.add(second, picture)
    return [scene.start for scene in cutter.finish()][1:]


def mistakes(name: str, sequence: Sequence1Fps) -> tuple[int, int]:
    """Cuts missed and made up at +-1 s, each true cut met by one found cut at most; prints each."""
    missed, false = sorted(set(sequence.cuts)), []
    for cut in found_cuts(sequence.pictures):
        near = [true for true in missed if abs(true - cut) <= 1]
        if near:
            missed.remove(min(near, key=lambda true: abs(true - cut)))
        else:
            false.append(cut)
    for kind, seconds in (("missed", missed), ("false", false)):
        for second in seconds:
            shown = " | ".join(sequence.sources[second - 1 : second + 1])
            print(f"{name}: {kind} at {second}: {shown}")
    print(f"{name}: {len(set(sequence.cuts))} cuts, {len(missed)} missed, {len(false)} false")
    return len(missed), len(false)


def f1(name: str, sequence: Sequence1Fps) -> float:
    missed, false = mistakes(name, sequence)
    truths = len(set(sequence.cuts))
    score = 2 * (truths - missed) / (2 * truths - missed + false)
    print(f"{name}: F1 {score:.3f}")
    return score


@pytest.mark.parametrize("seed", SEEDS)
def test_cuts_between_pieces_of_real_clips_are_found(clips: dict[str, Clip], seed: int) -> None:
    sequence = splice(clips, seed)

    assert len(set(sequence.cuts)) >= 60
    assert len({source.split()[0] for source in sequence.sources}) >= 3
    assert f1(f"seed {seed}", sequence) >= 0.95


@pytest.mark.parametrize("seed", SEEDS)
def test_at_most_one_cut_a_minute_is_made_up(
    clips: dict[str, Clip], photos: list[Path], seed: int
) -> None:
    takes = without_cuts(clips, photos, seed)

    false = 0
    for name, pictures in takes:
        for second in found_cuts(pictures):
            print(f"seed {seed}: false at {second} in {name}")
            false += 1
    minutes = sum(len(pictures) for _, pictures in takes) / 60
    print(f"seed {seed}: {false} false cuts in {minutes:.1f} minutes")
    assert minutes >= 5
    assert false <= minutes


@pytest.mark.short
def test_a_film_as_it_was_cut_is_found_too(clips: dict[str, Clip]) -> None:
    sequence = film(clips, 240, 490)

    assert len(sequence.cuts) >= 60
    assert f1("film", sequence) >= 0.9  # shots of a second, and views of one set in turn


@pytest.mark.parametrize("shape", by_form(short=("2.39:1", "9:16"), long=tuple(SHAPES)))
def test_a_film_with_black_bars_is_cut_as_without_them(
    clips: dict[str, Clip], photos: list[Path], shape: str
) -> None:
    whole = film(clips, 240, 490)
    takes = [pictures for seed in SEEDS for _, pictures in without_cuts(clips, photos, seed)]
    found = []
    for name, framed in (("without bars", without_bars), ("with bars", with_bars)):
        pictures = [framed(picture, SHAPES[shape]) for picture in whole.pictures]
        missed, false = mistakes(f"film {name}", replace(whole, pictures=pictures))
        made_up = sum(len(found_cuts([framed(p, SHAPES[shape]) for p in take])) for take in takes)
        minutes = sum(map(len, takes)) / 60
        print(f"takes {name}: {made_up} false cuts in {minutes:.0f} minutes")
        found.append((missed, false, made_up))
    bare, barred = found

    assert barred[0] <= 6
    assert barred[1] <= bare[1]
    assert barred[2] <= bare[2]


def test_a_film_that_changes_its_shape_is_cut_too(clips: dict[str, Clip]) -> None:
    whole = film(clips, 240, 490)
    shapes = [(2.39, 16 / 9, 4 / 3)[second // 30 % 3] for second in range(len(whole.pictures))]
    pictures = [with_bars(*framed) for framed in zip(whole.pictures, shapes, strict=True)]
    missed, false = mistakes("film of three shapes", replace(whole, pictures=pictures))

    assert missed <= 6
    assert false <= 2
