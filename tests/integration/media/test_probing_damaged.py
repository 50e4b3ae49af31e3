"""Damaged files of every kind are described as far as it goes, or refused with a reason."""

from __future__ import annotations

import contextlib
import random
from fractions import Fraction
from pathlib import Path

import pytest

from shared.errors import MediaError
from shared.paths import Roots
from tests.integration.media.test_probing_against_ffprobe import KINDS
from tests.support.media.by_path import opened
from tests.support.media.media import make_clip
from tests.support.media.media_kinds import broadcast_wave, encoding, ixml, with_timecode_rate
from workers.media.probing.stream_facts import track_rate, wave_timecode
from workers.query.grab import probe_file

ANYWHERE = Roots("RUSHES_MEDIA_ROOTS", None, "/nowhere")


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_described_or_refused(kind: str, tmp_path: Path) -> None:
    path = KINDS[kind](tmp_path)
    whole = path.read_bytes()
    chance = random.Random(kind)
    for round_number in range(12):
        path.write_bytes(_damaged(whole, round_number, chance))
        with contextlib.suppress(MediaError):  # any other error fails the test
            assert probe_file(ANYWHERE, str(path)).media_type


@pytest.mark.parametrize("rate", ["0/0", "0/1", "1/0", "1/3", "4294967295/1"])
def test_a_rate_that_no_timecode_has_is_none(rate: str, tmp_path: Path) -> None:
    wave = broadcast_wave(tmp_path / "a.wav", 48_000, ixml=ixml(rate, "NDF"))
    with opened(wave) as file:
        assert wave_timecode(file) is None
    clip = make_clip(tmp_path / "a.mov", 1, encoding=encoding(timecode="01:00:00:00"))
    with opened(clip) as file:
        assert track_rate(file) == 25
    if rate.endswith(("/1", "/3")):
        with opened(with_timecode_rate(clip, Fraction(rate))) as file:
            assert track_rate(file) is None


def _damaged(whole: bytes, round_number: int, chance: random.Random) -> bytes:
    data = bytearray(whole)
    if round_number % 4 == 0:
        for _ in range(chance.randint(1, 40)):
            data[chance.randrange(len(data))] = chance.randrange(256)
    elif round_number % 4 == 1:
        del data[chance.randrange(1, len(data)) :]
    else:  # in the headers at its beginning, or the index at its end
        near = 0 if round_number % 4 == 2 else max(0, len(data) - 4096)
        at = near + chance.randrange(min(len(data) - 8, 4088))
        data[at : at + 8] = chance.randbytes(8)
    return bytes(data)
