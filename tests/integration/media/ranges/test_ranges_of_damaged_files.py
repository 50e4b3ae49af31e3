"""Damaged files: ranges give the pictures of one thread, or say that one thread must read it."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import MediaUnreadable
from shared.media import MediaType
from tests.integration.media.test_grid import moving_pictures
from tests.support.media.by_path import open_media
from tests.support.media.media import (
    H264,
    H264_OPEN,
    HEVC,
    MJPEG,
    MPEG2,
    also,
    truncate,
    write_video,
)
from tests.support.media.ranges import by_one_thread, in_turn, taken
from workers.media.ranges import RangesDisagree

_INDEX_FIRST = {"movflags": "faststart"}
DAMAGED = {
    "open gop.mp4": also(H264_OPEN, gop=20, container_options=_INDEX_FIRST),
    "h264.mkv": also(H264, gop=25),
    "hevc.mp4": also(HEVC, gop=33, container_options=_INDEX_FIRST),
    "mpeg2.mxf": MPEG2,
    "mjpeg.mov": also(MJPEG, container_options=_INDEX_FIRST),
    "fragments.mp4": also(H264, gop=12, container_options={"movflags": "frag_keyframe+empty_moov"}),
}
_TABLES = (b"stts", b"ctts", b"stss", b"stsz", b"stco", b"stsc", b"elst", b"trun", b"tfdt")


def flip(data: bytearray, dice: random.Random) -> None:
    for _ in range(dice.choice((1, 3, 20))):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def overwrite(data: bytearray, dice: random.Random) -> None:
    at, length = dice.randrange(len(data)), dice.choice((4, 100, 5000))
    data[at : at + length] = dice.randbytes(len(data[at : at + length]))


def cut_off(data: bytearray, dice: random.Random) -> None:
    del data[dice.randrange(len(data) // 2, len(data)) :]


def take_out(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(data))
    del data[at : at + dice.choice((1, 188, 4000))]


def damage_tables(data: bytearray, dice: random.Random) -> None:
    """In the index of MP4 and MOV: times that run backwards, key pictures that are none, …"""
    found = [at for name in _TABLES for at in _all(data, name)]
    if not found:
        return flip(data, dice)
    at = dice.choice(found)
    size = int.from_bytes(data[at - 4 : at], "big")
    for _ in range(dice.choice((1, 1, 4))):
        where = at + 12 + dice.randrange(max(1, min(size - 12, len(data) - at - 16)))
        value = dice.choice((0, 1, 5, 100, 2**31 - 1, 2**32 - 1, None))
        if value is None:
            data[where] ^= 1 << dice.randrange(8)
        else:
            data[where - where % 4 : where - where % 4 + 4] = struct.pack(">I", value)
    return None


def _all(data: bytearray, name: bytes) -> list[int]:
    return [found.start() for found in re.finditer(re.escape(name), data)]


HARMS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    flip, overwrite, cut_off, take_out, damage_tables,
)  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_of_damaged_files_ranges_give_the_same_or_nothing(name: str, tmp_path: Path) -> None:
    clip = write_video(tmp_path / name, moving_pictures(175), encoding=DAMAGED[name])
    dice = random.Random(name)
    outcomes = {harm_and_compare(clip, dice, harm) for harm in HARMS for _ in range(6)}
    assert "differs" not in outcomes
    assert outcomes >= {"same", "disagrees"}


def harm_and_compare(
    clip: Path, dice: random.Random, harm: Callable[[bytearray, random.Random], None]
) -> str:
    data = bytearray(clip.read_bytes())
    harm(data, dice)
    harmed = clip.with_name(f"harmed {clip.name}")
    harmed.write_bytes(bytes(data))
    try:
        by_ranges = in_turn(harmed, backwards=dice.random() < 0.5)
    except RangesDisagree:
        return "disagrees"
    except MediaUnreadable:
        return "unreadable"
    if by_ranges is None:
        return "whole"
    by_one = by_one_thread(harmed)
    alike = [picture[:2] for picture in by_ranges.pictures] == [p[:2] for p in by_one.pictures]
    if not alike or by_ranges.warnings != by_one.warnings:
        return "differs"
    unlike = [a[0] for a, b in zip(by_ranges.pictures, by_one.pictures, strict=True) if a != b]
    return "differs" if any(is_settled(harmed, second) for second in unlike) else "same"


def is_settled(clip: Path, second: int) -> bool:
    """Whether a picture is the same whatever was decoded before.

    Where a decoder does not notice damage, what it leaves out shows what was in memory before.
    """
    with open_media(clip, MediaType.VIDEO) as reader:
        alone = taken(reader.grid(second, second + 1))
    return alone == [picture for picture in by_one_thread(clip).pictures if picture[0] == second]


def test_a_file_that_ends_early_is_read_by_one_thread(tmp_path: Path) -> None:
    clip = write_video(
        tmp_path / "a.mp4",
        moving_pictures(300),
        encoding=also(H264, gop=12, container_options={"movflags": "faststart"}),
    )
    truncate(clip, 0.7)
    with pytest.raises(RangesDisagree):
        in_turn(clip)
