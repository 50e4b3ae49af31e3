"""Sound that was heard can be heard again without decoding it, where there is room for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.system.tiny_disk import tiny_disk
from workers.media.sound.kept_sound import KeptSound
from workers.media.sound.sound_reader import SoundBlock

RATE = 16_000


def blocks(seconds: int = 12) -> list[SoundBlock]:
    """Two streams, in pieces of 5 s and a rest."""
    random = np.random.default_rng(1)
    found = []
    for first in range(0, seconds * RATE, 5 * RATE):
        count = min(5 * RATE, seconds * RATE - first)
        for stream in (0, 1):
            pcm = random.uniform(-1, 1, count).astype(np.float32)
            found.append(SoundBlock(stream, first, pcm))
    found[0].pcm[:2] = (-1, 1)
    return found


def test_all_of_it_comes_again_rounded_to_16_bits(tmp_path: Path) -> None:
    sound = blocks()
    beats = []
    with KeptSound(tmp_path / "made") as kept:
        passed = []
        for block in kept.passing(sound):
            assert not kept.is_whole, "more may come"
            passed.append(block)
        assert kept.is_whole
        again = [*kept.blocks(lambda: beats.append(1))]
        assert list((tmp_path / "made").iterdir()) == [], "it has no name"
    assert not kept.is_whole
    assert passed == sound
    assert len(beats) == len(sound)
    for first, second in zip(sound, again, strict=True):
        assert (first.stream, first.start) == (second.stream, second.start)
        assert second.pcm.dtype == np.float32
        np.testing.assert_allclose(first.pcm, second.pcm, atol=0.51 / 32767)


@pytest.mark.parametrize("kib", [0, 64, 512])
def test_where_there_is_no_room_it_passes_all_the_same(tmp_path: Path, kib: int) -> None:
    with tiny_disk(tmp_path / "disk", kib=max(kib, 64)) as disk:
        folder = disk if kib else disk / "file" / "below"
        if not kib:
            (disk / "file").touch()
        sound = blocks()
        with KeptSound(folder) as kept:
            assert [*kept.passing(sound)] == sound
            assert not kept.is_whole


def test_sound_that_was_not_heard_to_its_end_is_not_whole(tmp_path: Path) -> None:
    with KeptSound(tmp_path) as kept:
        next(kept.passing(blocks()))
        assert not kept.is_whole
