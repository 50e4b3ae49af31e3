"""Damaged sound: what decodes is heard where it belongs, the rest is silence and a warning."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest

from shared.errors import MediaUnreadable
from tests.integration.media.test_sound import AT, RATE, SECONDS, click_times, heard, with_pictures
from tests.support.media.by_path import open_sound
from tests.support.media.media import damage, truncate
from tests.support.media.sounds import Samples, SoundEncoding, clicks, write_sounds


def noisy() -> Samples:
    """Clicks over noise: silence would pack so well that there is little to damage."""
    noise = np.random.default_rng(1).normal(size=round(SECONDS * 48_000)) * 0.02
    return clicks(SECONDS, AT) + noise.astype(np.float32)


def warnings(path: Path) -> list[str]:
    with open_sound(str(path)) as reader:
        assert list(reader.blocks("mix"))
        return reader.warnings


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("a.mp3", SoundEncoding()),
        ("a.flac", SoundEncoding()),
        ("a.ac3", SoundEncoding()),
        ("a.m4a", SoundEncoding()),
        ("a.opus", SoundEncoding()),
        ("a.ts", with_pictures("aac")),
        ("a.mp4", with_pictures("aac")),
    ],
)
def test_what_follows_damage_is_heard_at_its_time(
    name: str, how: SoundEncoding, tmp_path: Path
) -> None:
    path = write_sounds(tmp_path / name, [noisy()], encoding=how)
    damage(path, 0.4, 0.5)
    times = click_times(heard(path))
    for time in AT:
        assert any(found == pytest.approx(time, abs=0.025) for found in times)
    assert "silence stands for" in warnings(path)[0]


def test_damage_in_one_of_two_streams_leaves_the_other_whole(tmp_path: Path) -> None:
    path = write_sounds(tmp_path / "a.mkv", [noisy(), clicks(SECONDS, AT)])
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 3, len(data) // 2, 50):
        data[at] ^= 0xFF
    path.write_bytes(bytes(data))
    with open_sound(str(path)) as reader:
        assert sum(len(block.pcm) for block in reader.blocks("mix")) > 11 * RATE


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.mkv", "a.ts", "a.opus", "a.mp4"])
def test_a_truncated_file_is_heard_as_far_as_it_goes(name: str, tmp_path: Path) -> None:
    how = SoundEncoding(container_options={"movflags": "faststart"} if name == "a.mp4" else {})
    path = truncate(write_sounds(tmp_path / name, [noisy()], encoding=how), 0.6)
    assert click_times(heard(path)) == pytest.approx(AT[:2], abs=0.025)


def test_an_early_end_is_named(tmp_path: Path) -> None:
    how = SoundEncoding(container_options={"movflags": "faststart"})
    path = truncate(write_sounds(tmp_path / "a.mp4", [noisy()], encoding=how), 0.6)
    assert warnings(path)[-1].startswith("The sound ends at 7 s of 12 s")


def test_a_whole_file_has_no_warnings(tmp_path: Path) -> None:
    for name in ("a.wav", "a.mp3", "a.m4a", "a.opus", "a.mkv", "a.ts"):
        assert warnings(write_sounds(tmp_path / name, [noisy()])) == []


def test_a_file_in_which_nothing_decodes_fails_with_a_sentence(tmp_path: Path) -> None:
    path = write_sounds(tmp_path / "a.m4a", [noisy()])
    data = bytearray(path.read_bytes())
    first = data.index(b"mdat") + 4
    last = data.rindex(b"moov") - 4
    data[first:last] = b"\xff" * (last - first)
    path.write_bytes(bytes(data))
    with (
        open_sound(str(path)) as reader,
        pytest.raises(MediaUnreadable, match="No sound in it could be decoded"),
    ):
        list(reader.blocks("mix"))


def test_values_that_are_no_numbers_are_silence(tmp_path: Path) -> None:
    samples = clicks(SECONDS, AT)
    samples[48_000:50_000] = np.nan
    samples[50_000:50_010] = np.inf
    samples[60_000:60_010] = 1e30
    path = write_sounds(tmp_path / "a.wav", [samples], encoding=SoundEncoding(codec="pcm_f32le"))
    pcm = heard(path)
    assert np.isfinite(pcm).all()
    assert len(pcm) == SECONDS * RATE


def test_noise_instead_of_media_never_raises_anything_else(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    for name in ("a.mp3", "a.ts", "a.flac", "a.ogg", "a.flv", "a.mkv"):
        how = SoundEncoding(codec="mp3") if name == "a.flv" else SoundEncoding()
        whole = write_sounds(
            tmp_path / name, [clicks(3, [1], rate=44_100)], rate=44_100, encoding=how
        ).read_bytes()
        for _ in range(8):
            data = bytearray(whole)
            for at in random.integers(0, len(data), 20):
                data[at : at + 4] = random.bytes(len(data[at : at + 4]))
            (tmp_path / name).write_bytes(bytes(data))
            with contextlib.suppress(MediaUnreadable):
                assert len(heard(tmp_path / name)) < 60 * RATE


def test_what_cannot_follow_in_a_chained_file_costs_nothing_of_what_came_before(
    tmp_path: Path,
) -> None:
    """An Opus file of two links, of which the second has two channels: FFmpeg refuses that."""
    links = [clicks(4, [1, 3]), np.stack([clicks(4, [1, 3])] * 2, axis=1)]
    parts = [write_sounds(tmp_path / f"{number}.opus", [link]) for number, link in enumerate(links)]
    path = tmp_path / "chained.opus"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert click_times(heard(path)) == pytest.approx([1, 3], abs=0.01)
    assert warnings(path)[0].startswith("The file is damaged after 4 s of sound")


def test_a_sample_rate_that_cannot_be_is_refused(tmp_path: Path) -> None:
    path = write_sounds(tmp_path / "a.wav", [clicks(1, [0.5])])
    data = bytearray(path.read_bytes())
    data[24:28] = (2**31 - 1).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(MediaUnreadable, match="declares sound of 2,147,483,647 samples a second"):
        heard(path)
