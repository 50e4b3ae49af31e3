"""Mixing rows of sound: level, anti-phase, no clicks where the balance changes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from workers.media.sound.tracks import Mixer

RATE = 16_000


def noise(seed: int, seconds: float = 4) -> NDArray[np.float32]:
    samples = np.random.default_rng(seed).normal(size=round(seconds * RATE)) * 0.1
    return samples.astype(np.float32)


def level(row: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(np.square(row))))


def test_two_different_voices_are_both_heard_at_the_level_of_one() -> None:
    first, second = noise(1), noise(2)
    mixed = Mixer(RATE).mix(np.stack([first, second]))
    assert level(mixed) == pytest.approx(0.1, rel=0.05)
    for voice in (first, second):
        assert np.corrcoef(mixed, voice)[0, 1] == pytest.approx(0.7, abs=0.05)


def test_a_soft_voice_survives_beside_a_loud_one() -> None:
    first, second = noise(1), noise(2) * 0.1
    mixed = Mixer(RATE).mix(np.stack([first, second]))
    assert mixed @ second / (second @ second) == pytest.approx(1, abs=0.15)


def test_anti_phase_stays_audible_when_the_louder_side_changes() -> None:
    voice = noise(1, 8)
    fade = np.linspace(0.7, 1.3, len(voice), dtype=np.float32)
    mixed = Mixer(RATE).mix(np.stack([voice * fade, -voice * (2 - fade)]))
    pieces = [level(piece) for piece in np.split(mixed, 32)]
    assert min(pieces) > 0.085


def test_how_the_sound_is_cut_into_calls_does_not_matter_much() -> None:
    rows = np.stack([noise(1), noise(2), noise(3) * 0])
    whole = Mixer(RATE).mix(rows)
    mixer = Mixer(RATE)
    parts = np.concatenate([mixer.mix(part) for part in np.split(rows, 4, axis=1)])
    assert np.abs(whole - parts).max() < 0.01


def test_silence_and_nothing_are_mixed_to_the_same() -> None:
    mixer = Mixer(RATE)
    assert not mixer.mix(np.zeros((8, RATE), np.float32)).any()
    assert mixer.mix(np.zeros((2, 0), np.float32)).shape == (0,)
    row = noise(1)
    assert (Mixer(RATE).mix(row[None]) == row).all()
