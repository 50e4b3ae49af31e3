"""Every picture of a stretch comes out, and the cut in it is found to the picture."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from shared.errors import MediaUnreadable
from shared.media import MediaType
from shared.paths import Roots
from tests.support.media.by_path import open_media
from tests.support.media.media import (
    FILES,
    RGB,
    Encoding,
    make_clip,
    read_bar_code,
    truncate,
)
from workers.query import grab
from workers.query.grab import place_of_cut

SIZE = (160, 96)


def numbers(path: Path, first: int, last: int) -> list[int]:
    with open_media(str(path), MediaType.VIDEO) as reader:
        found = reader.every(first, last, SIZE)
    assert [math.ceil(seconds * 25 - 0.01) for seconds, _ in found] == [
        read_bar_code(picture) for _, picture in found
    ]
    return [read_bar_code(picture) for _, picture in found]


@pytest.mark.parametrize(
    ("name", "encoding"),
    FILES,
)
def test_every_picture_from_one_second_to_another_comes_out(
    name: str, encoding: Encoding, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / name, 4, size=SIZE, encoding=encoding)
    assert numbers(clip, 0, 1) == [*range(26)]
    assert numbers(clip, 2, 3) == [*range(50, 76)]
    assert numbers(clip, 3, 9) == [*range(75, 100)], "the file ends before"


def test_a_stretch_ends_with_the_picture_of_its_last_second_however_late_it_comes(
    tmp_path: Path,
) -> None:
    clip = make_clip(tmp_path / "held.mp4", 3, size=SIZE, times=lambda n: n * 0.04 + n // 30 * 0.7)
    with open_media(str(clip), MediaType.VIDEO) as reader:
        found = [read_bar_code(picture) for _, picture in reader.every(0, 1, SIZE)]
    assert found == [*range(26)]
    with open_media(str(clip), MediaType.VIDEO) as reader:
        found = [read_bar_code(picture) for _, picture in reader.every(1, 2, SIZE)]
    assert found == [*range(25, 34)], "29 is shown for 0.74 s"


def test_cuts_are_found_as_far_as_the_file_has_pictures(tmp_path: Path) -> None:
    shots = [((200, 40, 40), 1.6), ((40, 40, 200), 1.04), ((40, 200, 40), 1.36)]
    clip = make_clip(tmp_path / "shots.mp4", shots=shots)
    roots = Roots.only(str(tmp_path))
    assert grab.cuts_between(roots, str(clip), ((1, 2), (2, 3), (3, 4))) == [1.6, 2.64, None]
    whole = make_clip(tmp_path / "shots.ts", shots=shots)
    assert grab.cuts_between(roots, str(truncate(whole, 0.6)), ((1, 2), (3, 4))) == [1.6, None]
    (tmp_path / "broken.mp4").write_bytes(b"no film")
    with pytest.raises(MediaUnreadable):
        grab.cuts_between(roots, str(tmp_path / "broken.mp4"), ((1, 2),))


def noise(level: int, seed: int) -> RGB:
    """A picture about a grey level."""
    return np.random.default_rng(seed).integers(level - 9, level + 9, (36, 64, 3)).astype(np.uint8)


def test_a_flash_is_no_cut() -> None:
    shots = [noise(60, n) for n in range(10)] + [noise(110, n) for n in range(15)]
    for flash in range(1, 20):
        pictures = np.stack(shots)
        pictures[flash : flash + 3] += 100
        place = place_of_cut(pictures)
        assert place == 10 or (flash <= 10 <= flash + 3 and abs(place - 10) <= 3)


def test_a_dissolve_is_cut_where_the_later_shot_takes_over() -> None:
    first, last = noise(60, 1).astype(float), noise(180, 2).astype(float)
    shares = np.clip((np.arange(26) - 6) / 12, 0, 1)[:, None, None, None]
    pictures = (first * (1 - shares) + last * shares).astype(np.uint8)
    assert place_of_cut(pictures) in (12, 13)


def test_of_two_cuts_in_a_second_the_later_one_leads_to_the_shot_that_is_shown() -> None:
    levels = [60] * 5 + [110] * 6 + [160] * 10
    assert place_of_cut(np.stack([noise(level, n) for n, level in enumerate(levels)])) == 11


def test_two_pictures_have_the_cut_between_them() -> None:
    assert place_of_cut(np.stack([noise(60, 1), noise(180, 2)])) == 1
    assert place_of_cut(np.stack([noise(60, 1)] * 3)) == 1
