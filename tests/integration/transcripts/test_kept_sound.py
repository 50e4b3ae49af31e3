"""Sound that was heard can be heard again without decoding it, where there is room for it."""

from __future__ import annotations

import os
from contextlib import suppress
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


def passes_unkept(kept: KeptSound) -> bool:
    sound = blocks()
    with kept:
        assert [*kept.passing(sound)] == sound
        return not kept.is_whole


def test_on_a_disk_that_is_nearly_full_it_passes_all_the_same(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk") as disk:
        assert passes_unkept(KeptSound(disk))


def test_in_a_folder_that_cannot_be_made_it_passes_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert passes_unkept(KeptSound(tmp_path / "file" / "below"))


def test_what_is_too_long_passes_all_the_same(tmp_path: Path) -> None:
    assert passes_unkept(KeptSound(tmp_path, most_bytes=4 * 12 * RATE - 1))


def test_what_was_cut_off_is_an_error_and_no_shorter_sound(tmp_path: Path) -> None:
    with KeptSound(tmp_path) as kept:
        assert [*kept.passing(blocks())]
        [number] = (n for n in os.listdir("/proc/self/fd") if str(tmp_path) in link_of(n))
        os.truncate(f"/proc/self/fd/{number}", 100_000)
        with pytest.raises(OSError, match="shorter"):
            [*kept.blocks(lambda: None)]


def link_of(descriptor: str) -> str:
    with suppress(OSError):  # that of the listing is gone
        return os.readlink(f"/proc/self/fd/{descriptor}")
    return ""


def test_sound_that_was_not_heard_to_its_end_is_not_whole(tmp_path: Path) -> None:
    with KeptSound(tmp_path) as kept:
        next(kept.passing(blocks()))
        assert not kept.is_whole
