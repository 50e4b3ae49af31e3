"""Scene cuts on real clips: how many are found, how many are made up.

The weights were fitted and the threshold chosen on seeds 1 to 10 and the first half of the film
(fit_scenes.py); these are other seeds and the second half.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.quality.media.scene_clips import Clip, Picture, load_clips, load_photos
from tests.quality.media.scene_material import Sequence1Fps, film, splice, without_cuts
from workers.analysis.stages.scenes import SceneCutter

pytestmark = [pytest.mark.quality, pytest.mark.timeout(600)]
SEEDS = (11, 12, 13, 14, 15, 16)


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


def f1(name: str, sequence: Sequence1Fps) -> float:
    """F1 at +-1 s, each true cut met by one found cut at most; prints every mistake."""
    found, missed = found_cuts(sequence.pictures), sorted(set(sequence.cuts))
    truths = len(missed)
    false = []
    for cut in found:
        near = [true for true in missed if abs(true - cut) <= 1]
        if near:
            missed.remove(min(near, key=lambda true: abs(true - cut)))
        else:
            false.append(cut)
    for kind, seconds in (("missed", missed), ("false", false)):
        for second in seconds:
            shown = " | ".join(sequence.sources[second - 1 : second + 1])
            print(f"{name}: {kind} at {second}: {shown}")
    score = 2 * (truths - len(missed)) / (truths + len(found))
    print(f"{name}: {truths} cuts, {len(missed)} missed, {len(false)} false, F1 {score:.3f}")
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


def test_a_film_as_it_was_cut_is_found_too(clips: dict[str, Clip]) -> None:
    sequence = film(clips, 240, 490)

    assert len(sequence.cuts) >= 60
    assert f1("film", sequence) >= 0.9  # shots of a second, and views of one set in turn
