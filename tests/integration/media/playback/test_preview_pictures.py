"""A preview shows, at any time, the picture that the original shows then."""

from __future__ import annotations

import io
import math
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from shared.errors import MediaUnreadable
from shared.media import MediaType
from tests.support.media import previews
from tests.support.media.by_path import grab_frame
from tests.support.media.media import (
    FILES,
    H264,
    PRORES,
    Encoding,
    also,
    make_clip,
    read_bar_code,
    write_sound,
)
from tests.support.media.media_kinds import HDR10, uneven

SIZE = (320, 180)
LENGTH = 6
KINDS = [
    *FILES,
    ("turned.mp4", also(H264, rotation=90)),
    ("ntsc.mp4", also(H264, fps=Fraction(30000, 1001))),
    ("hdr10.mov", HDR10),
]


def numbers(path: Path, segment: int) -> list[tuple[Fraction, int]]:
    """Each picture of a segment: its time, and which one of the original it is."""
    mp4 = previews.segment(path, segment, LENGTH)
    return [(s.seconds, read_bar_code(s.rgb)) for s in previews.pictures(mp4, segment)]


@pytest.mark.parametrize(("name", "encoding"), KINDS, ids=[name for name, _ in KINDS])
def test_each_picture_has_the_time_of_the_original(
    name: str, encoding: Encoding, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / name, LENGTH, size=SIZE, encoding=encoding)
    rate = Fraction(encoding.fps)
    shown = numbers(clip, 1)
    assert shown[0] == (4, math.floor(4 * rate)), "also one that began before"
    for seconds, number in shown[1:]:
        assert abs(seconds - number / rate) < Fraction(1, 1000)
    assert [number for _, number in shown] == [*range(math.floor(4 * rate), math.ceil(6 * rate))]


def test_pictures_that_come_unevenly_keep_their_times(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 5, size=SIZE, times=uneven)
    shown = numbers(clip, 0) + numbers(clip, 1)
    began_before = next(at for at, number in shown if at == 4)
    for seconds, number in shown:
        expected = Fraction(uneven(number)).limit_denominator(90_000)
        assert seconds == expected or (seconds == began_before and expected < 4)
    assert {number for _, number in shown} == set(range(125)), "the pauses make it 6.4 s long"


def test_the_picture_of_a_hit_is_that_of_the_original(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mov", LENGTH, size=SIZE, encoding=PRORES)
    shown = previews.pictures(previews.segment(clip, 1, LENGTH), 1)
    for seconds in (4.0, 4.49, 5.03, 5.999):
        picture = grab_frame(str(clip), MediaType.VIDEO, seconds)
        wanted = picture.rgb(picture.width, picture.height).astype(float)
        found = next(s for s in reversed(shown) if s.seconds <= seconds + 1e-6)
        error = float(np.mean((found.rgb - wanted) ** 2))
        assert 10 * math.log10(255**2 / error) > 30


def test_a_large_picture_becomes_540_lines_upright_with_square_pixels(tmp_path: Path) -> None:
    for name, encoding, size in (
        ("wide.mp4", H264, (960, 540)),
        ("tall.mp4", also(H264, rotation=90), (304, 540)),
        ("square.mov", also(H264, aspect=Fraction(4, 3)), (1280, 540)),
    ):
        stored = (1080, 1920) if name == "tall.mp4" else (1920, 1080)
        clip = make_clip(tmp_path / name, 0.2, size=stored, encoding=encoding)
        with av.open(io.BytesIO(previews.segment(clip, 0, 0.2))) as mp4:
            video = mp4.streams.video[0]
            assert (video.width, video.height) == size
            assert video.codec_context.profile == "High"


def test_a_segment_is_one_fragment_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", LENGTH, size=SIZE, encoding=also(H264, tone_hz=440))
    mp4 = previews.segment(clip, 1, LENGTH, sound=True)
    assert boxes(mp4) == ["ftyp", "moov", "moof", "mdat"]
    with av.open(io.BytesIO(mp4)) as opened:
        packets = [p for p in opened.demux(opened.streams.video[0]) if p.size]
        assert packets[0].is_keyframe
        assert all(p.pts == p.dts for p in packets)
        last = packets[-1]
        assert (last.pts + last.duration) * last.time_base == 2


def test_what_lies_beyond_the_last_picture_is_that_picture(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 3, size=SIZE)
    assert [n for _, n in numbers(clip, 1)] == [74]


def test_a_file_without_pictures_says_so(tmp_path: Path) -> None:
    wav = write_sound(tmp_path / "a.wav", 5)
    with pytest.raises(MediaUnreadable, match="no video"):
        previews.segment(wav, 0, 5)


def boxes(mp4: bytes) -> list[str]:
    found, at = [], 0
    while at < len(mp4):
        length, name = struct.unpack(">I4s", mp4[at : at + 8])
        found.append(name.decode())
        at += length
    return found
