"""Sound of previews: segments one after the other are the sound of the original, without a gap."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from tests.support.media import previews
from tests.support.media.media import H264, also, make_clip
from tests.support.media.sounds import SoundEncoding, tone, write_sounds

LENGTH = 12
SEAMS = (4, 8)  # seconds


def heard(path: Path, length: float = LENGTH) -> np.ndarray:
    """[2, samples] of all segments; their packets lie on one grid, without a gap."""
    count = math.ceil(length / 4)
    made = [previews.segment(path, n, length, picture=False, sound=True) for n in range(count)]
    samples, times = previews.sound(made)
    assert times == [*range(0, 1024 * len(times), 1024)]
    return samples


def chord(rate: int) -> np.ndarray:
    wave = tone(LENGTH, 440, rate=rate) + tone(LENGTH, 97, 0.2, rate=rate)
    return np.stack([wave, wave], axis=1)


@pytest.mark.parametrize(
    ("name", "rate", "codec"),
    [
        ("a.wav", 48_000, None),
        ("b.wav", 44_100, None),
        ("c.m4a", 48_000, None),
        ("d.mka", 44_100, "aac"),  # time stamps of whole milliseconds
        ("e.ogg", 48_000, "libopus"),
        ("f.flac", 44_100, None),
    ],
)
def test_segments_continue_each_other(
    name: str, rate: int, codec: str | None, tmp_path: Path
) -> None:
    path = write_sounds(
        tmp_path / name, [chord(rate)], rate=rate, encoding=SoundEncoding(codec=codec)
    )
    found, wanted = heard(path)[0], chord(48_000)[:, 0]
    assert len(found) >= len(wanted) - 1024
    usual = np.abs(found[100_000:150_000] - wanted[100_000:150_000]).max()
    for at in (seconds * 48_000 for seconds in SEAMS):
        seam = np.abs(found[at - 2048 : at + 2048] - wanted[at - 2048 : at + 2048])
        assert seam.max() < max(0.02, 1.5 * usual)


def test_sound_begins_with_the_pictures(tmp_path: Path) -> None:
    encoding = also(H264, tone_hz=1000, beeps=True, start_s=0)
    clip = make_clip(tmp_path / "a.mp4", 9, size=(64, 64), encoding=encoding)
    made = [previews.segment(clip, n, 9, sound=True) for n in range(3)]
    samples, _ = previews.sound(made)
    for second in range(9):
        beep = np.abs(samples[0, second * 48_000 : second * 48_000 + 2400]).max()
        pause = np.abs(samples[0, second * 48_000 + 4000 : (second + 1) * 48_000 - 1100]).max()
        assert beep > 0.3 > 0.05 > pause


def test_one_microphone_is_heard_in_both_ears_and_several_together(tmp_path: Path) -> None:
    alone = write_sounds(tmp_path / "one.wav", [tone(2)])
    assert np.allclose(np.abs(heard(alone, 2)).max(axis=1), 0.4, atol=0.02)
    pcm = SoundEncoding(codec="pcm_s24le")
    both = write_sounds(tmp_path / "two.mov", [tone(2), tone(2, 880, 0.2)], encoding=pcm)
    assert np.abs(heard(both, 2)).max() > 0.5


def test_many_channels_are_heard(tmp_path: Path) -> None:
    for channels, layout in ((6, "5.1"), (8, "7.1")):
        rows = np.zeros((96_000, channels), np.float32)
        rows[:, 2] = tone(2)
        path = write_sounds(
            tmp_path / f"{channels}.wav", [rows], encoding=SoundEncoding(layout=layout)
        )
        assert np.abs(heard(path, 2)).max() > 0.1


def test_the_last_piece_has_sound_however_short_it_is(tmp_path: Path) -> None:
    for length in (4.001, 4.005):
        path = write_sounds(tmp_path / "a.wav", [tone(length)])
        assert heard(path, length).shape[1] > 4 * 48_000


def test_where_there_is_no_sound_it_is_silent(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 5, size=(64, 64))
    made = [previews.segment(clip, n, 5, sound=True) for n in range(2)]
    samples, times = previews.sound(made)
    assert not samples.any()
    assert all(b - a == 1024 for a, b in itertools.pairwise(times))
