"""The edges of the scene cutter, on pictures made here; how well it cuts is in tests/quality."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.domain import Scene
from workers.analysis.stages.scenes import SceneCutter

Picture = NDArray[np.uint8]


def pattern(seed: int, height: int = 90, width: int = 160) -> Picture:
    """Patches of a few colours, as unlike from seed to seed as two shots."""
    rng = np.random.default_rng(seed)
    palette = rng.integers(0, 256, (4, 3))
    patches = palette[rng.integers(0, 4, (6, 8))].astype(np.uint8)
    rows, columns = np.arange(height) * 6 // height, np.arange(width) * 8 // width
    return np.ascontiguousarray(patches[rows][:, columns])


def barred(picture: Picture, share: float, axis: int) -> Picture:
    """The middle share of a picture's rows (axis 0) or columns, the others black."""
    line = np.arange(picture.shape[axis]) / picture.shape[axis]
    film = np.abs(line - 0.5) < share / 2
    return picture * (film[:, None, None] if axis == 0 else film[None, :, None])


def scenes(pictures: dict[int, Picture]) -> tuple[Scene, ...]:
    cutter = SceneCutter()
    for second, picture in pictures.items():
        cutter.add(second, picture)
    return cutter.finish()


def run(*pictures: Picture) -> tuple[Scene, ...]:
    return scenes(dict(enumerate(pictures)))


def flat(colour: tuple[int, int, int]) -> Picture:
    return np.full((90, 160, 3), colour, np.uint8)


RED = (200, 20, 30)
BLACK = np.zeros((90, 160, 3), np.uint8)
ONE, TWO = pattern(1), pattern(2)


def test_no_picture_makes_no_scene() -> None:
    assert run() == ()


def test_one_picture_is_a_scene_of_a_second() -> None:
    assert scenes({7: ONE}) == (Scene(7, 8),)


def test_a_cut_starts_a_scene_at_the_first_picture_of_the_new_shot() -> None:
    assert run(ONE, ONE, ONE, TWO, TWO) == (Scene(0, 3), Scene(3, 5))


def test_scenes_cover_seconds_without_a_picture() -> None:
    found = scenes({3: ONE, 4: ONE, 9: TWO, 10: TWO})
    assert found == (Scene(3, 9), Scene(9, 11))


def test_black_between_two_shots_belongs_to_the_first() -> None:
    assert run(ONE, ONE, BLACK, BLACK, TWO, TWO) == (Scene(0, 4), Scene(4, 6))


def test_black_within_a_shot_is_no_cut() -> None:
    assert run(ONE, ONE, BLACK, BLACK, ONE, ONE) == (Scene(0, 6),)


def test_nothing_but_black_is_one_scene() -> None:
    assert run(BLACK, BLACK, BLACK) == (Scene(0, 3),)


def test_a_flash_is_no_cut() -> None:
    burnt = np.clip(ONE * 2.0 + 120, 0, 255).astype(np.uint8)
    assert run(ONE, ONE, burnt, ONE, ONE) == (Scene(0, 5),)
    assert run(ONE, ONE, ONE, burnt) == (Scene(0, 4),)
    assert run(burnt, ONE, ONE, ONE) == (Scene(0, 4),)


def test_a_change_of_exposure_is_no_cut() -> None:
    darker = (ONE * 0.35).astype(np.uint8)
    assert run(ONE, ONE, ONE, darker, darker, darker) == (Scene(0, 6),)


def test_pictures_of_any_shape_and_size_do() -> None:
    for height, width in ((1, 1), (4, 160), (160, 90), (23, 31), (90, 160)):
        one, two = pattern(1, height, width), pattern(2, height, width)
        found = run(one, one, one, two, two)
        assert found[0].start == 0
        assert found[-1].end == 5


def test_a_picture_that_is_reused_by_the_caller_does_no_harm() -> None:
    cutter, picture = SceneCutter(), ONE.copy()
    for second, shown in enumerate((ONE, ONE, ONE, TWO, TWO)):
        picture[:] = shown
        cutter.add(second, picture)
    assert cutter.finish() == (Scene(0, 3), Scene(3, 5))


@pytest.mark.parametrize(("share", "axis"), [(0.74, 0), (0.75, 1), (0.32, 1)])
def test_a_film_with_black_bars_is_cut_as_without_them(share: float, axis: int) -> None:
    pictures = [_moved(pattern(seed), by) for seed in (1, 2, 3) for by in range(4)]
    bars = [barred(picture, share, axis) for picture in pictures]
    assert run(*bars) == run(*pictures) == (Scene(0, 4), Scene(4, 8), Scene(8, 12))


def test_a_logo_over_the_whole_picture_keeps_no_bars_in_the_film() -> None:
    film = [barred(pattern(seed), 0.32, 1) for seed in (1, 1, 2, 2, 3, 3)]
    assert run(pattern(9), pattern(9), *film) == (
        Scene(0, 2),
        Scene(2, 4),
        Scene(4, 6),
        Scene(6, 8),
    )


def test_a_dark_beginning_takes_nothing_off_the_film() -> None:
    lamp = barred(barred(ONE, 0.5, 0), 0.5, 1)  # so dark around it that it may be all there is
    assert run(lamp, lamp, ONE, ONE, TWO, TWO)[-1] == Scene(4, 6)
    dark = (ONE * 0.1).astype(np.uint8)
    assert run(dark, dark, ONE, ONE) == (Scene(0, 4),)


def test_a_clock_that_runs_on_black_is_one_scene() -> None:
    clocks = [BLACK.copy() for _ in range(6)]
    for seed, clock in enumerate(clocks):
        clock[75:87, 60:100] = pattern(seed, 12, 40)
    assert run(*clocks) == (Scene(0, 6),)


def test_flat_colours_are_pictures_with_and_without_bars() -> None:
    shades = [flat(c) for c in (RED, RED, (0, 0, 200), (0, 0, 200), (0, 150, 40), (0, 150, 40))]
    expected = (Scene(0, 2), Scene(2, 4), Scene(4, 6))
    assert run(*shades) == expected
    assert run(*(barred(shade, 0.74, 0) for shade in shades)) == expected


def test_a_flat_colour_between_two_shots_is_one() -> None:
    assert run(ONE, ONE, flat(RED), flat(RED), TWO, TWO) == (Scene(0, 2), Scene(2, 4), Scene(4, 6))


def test_a_flat_colour_that_is_like_the_shots_around_it_hides_no_cut() -> None:
    like_both = flat((140, 110, 70))
    assert run(ONE, ONE, like_both, like_both, TWO, TWO) == (Scene(0, 4), Scene(4, 6))
    for seed in range(60):
        colour = np.random.default_rng(seed).integers(0, 256, 3)
        between = flat((int(colour[0]), int(colour[1]), int(colour[2])))
        assert len(run(ONE, ONE, between, between, TWO, TWO)) > 1, colour


def test_noise_and_slow_changes_of_a_flat_colour_are_no_cuts() -> None:
    rng = np.random.default_rng(1)
    noisy = [np.clip(flat(RED) + rng.normal(0, 9, ONE.shape), 0, 255) for _ in range(5)]
    assert run(*(picture.astype(np.uint8) for picture in noisy)) == (Scene(0, 5),)
    evening = [flat((20 * n, 20, 200)) for n in range(11)]
    assert run(*evening) == (Scene(0, 11),)


def test_a_title_that_comes_on_a_flat_colour_is_no_cut() -> None:
    ground = flat((20, 30, 160))
    title = ground.copy()
    title[40:50, 40:120] = pattern(1, 10, 80) // 2 + 128
    assert run(ground, ground, title, title, ground, ground) == (Scene(0, 6),)


@pytest.mark.parametrize("end", [0, 255], ids=["black", "white"])
def test_fades_of_flat_colours_and_of_shots_are_no_cuts(end: int) -> None:
    for shown in (flat(RED), ONE):
        steps = [shown + (end - shown.astype(float)) * part for part in (0, 0.3, 0.6, 0.9, 1)]
        fade = [step.astype(np.uint8) for step in (*steps, *reversed(steps))]
        assert run(*fade) == (Scene(0, 10),)


def test_black_and_white_between_two_of_one_colour_are_no_cuts() -> None:
    white = flat((255, 255, 255))
    assert run(flat(RED), flat(RED), BLACK, flat(RED), white, flat(RED)) == (Scene(0, 6),)
    assert run(ONE, ONE, white, white, ONE, ONE) == (Scene(0, 6),)


def _moved(picture: Picture, by: int) -> Picture:
    return np.roll(picture, 3 * by, axis=1)
