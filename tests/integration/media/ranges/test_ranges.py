"""Ranges of a file, read side by side, give the very pictures of one thread, or say they cannot."""

from __future__ import annotations

import re
import struct
from fractions import Fraction
from pathlib import Path

import pytest

from shared.errors import Cancelled
from shared.media import MediaType
from tests.integration.media.test_grid import TIMED, moving_pictures
from tests.support.media.by_path import open_media
from tests.support.media.media import (
    H264,
    H264_OPEN,
    HEVC,
    MPEG4,
    PRORES,
    Encoding,
    also,
    cut_with_edit_list,
    make_clip,
    write_video,
)
from tests.support.media.ranges import PLAN, by_one_thread, in_turn, nothing, side_by_side
from workers.decode_pool import DecodePool
from workers.media.ranges import RangesDisagree

COUNT = 12 * 25  # pictures of a clip

# Containers without an index that a seek is sure by, codecs whose key pictures may not stand
# alone, and what no cheap way reads.
WHOLE = frozenset(
    (
        "h264.ts", "h264.flv", "open gop 33.ts", "hevc.ts", "mpeg2.ts", "mpeg2.mpg",
        "h264 interlaced.ts", "starts at 5.ts", "mpeg4.mp4", "vp8 hidden pictures.webm", "wmv.wmv",
        "fast.mp4",
    )
)  # fmt: skip

MORE = {
    "fragments.mp4": also(H264, gop=12, container_options={"movflags": "frag_keyframe+empty_moov"}),
    "fragments with an index.mp4": also(
        H264, gop=12, container_options={"movflags": "frag_keyframe+dash+global_sidx"}
    ),
    "with sound.mov": also(H264, gop=25, tone_hz=440),
    "starts late.mp4": also(H264_OPEN, gop=25, start_s=5),
    "dnxhd.mxf": Encoding(
        "dnxhd", pixels="yuv422p", gop=1, b_frames=0, options={"profile": "dnxhr_sq"}
    ),
    "pyramid.mp4": also(H264, gop=60, b_frames=7, options={"x264-params": "b-pyramid=normal"}),
}


@pytest.mark.parametrize("name", [*(name for name in TIMED if name not in WHOLE), *MORE])
def test_ranges_give_the_very_pictures_of_one_thread(name: str, tmp_path: Path) -> None:
    encoding = TIMED.get(name) or MORE[name]
    size = (320, 192) if "dnxhd" in name else (160, 96)
    count = max(round(8 * encoding.fps), encoding.gop + 50)  # of several ranges and GOPs
    clip = write_video(tmp_path / name, moving_pictures(count, size), encoding=encoding)
    assert_ranges_give_the_same(clip)


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_other_files_are_read_whole(name: str, tmp_path: Path) -> None:
    clip = write_video(tmp_path / name, moving_pictures(COUNT), encoding=TIMED[name])
    with open_media(clip, MediaType.VIDEO) as reader:
        assert reader.ranges(0, None, PLAN) == []
        assert [frame.second for frame in reader.grid()] == list(by_seconds(clip))


@pytest.mark.parametrize("name", ["h264.avi", "h264.mxf", "mpeg4.avi"])
def test_files_whose_pictures_are_counted_are_read_whole(name: str, tmp_path: Path) -> None:
    encoding = MPEG4 if name == "mpeg4.avi" else H264
    clip = write_video(tmp_path / name, moving_pictures(COUNT), encoding=encoding)
    assert in_turn(clip) is None


@pytest.mark.parametrize("name", ["vfr.mp4", "vfr.mkv", "vfr.mov"])
def test_pictures_with_times_of_their_own_come_alike(name: str, tmp_path: Path) -> None:
    clip = write_video(
        tmp_path / name,
        moving_pictures(COUNT),
        times=lambda number: number * 0.04 + (number // 10) * 0.31,
        encoding=also(H264_OPEN, gop=40),
    )
    assert_ranges_give_the_same(clip)


def test_seconds_without_a_picture_are_missed_alike(tmp_path: Path) -> None:
    for name, encoding in (("gap.mp4", also(H264, gop=10)), ("gap.mov", PRORES)):
        clip = write_video(
            tmp_path / name,
            moving_pictures(100),
            times=lambda number: number * 0.04 + (7.5 if number >= 50 else 0),
            encoding=encoding,
        )
        assert_ranges_give_the_same(clip)


@pytest.mark.parametrize("encoding", [H264, H264_OPEN, also(HEVC, gop=33)])
def test_pictures_cut_off_by_an_edit_list_are_left_out_alike(
    encoding: Encoding, tmp_path: Path
) -> None:
    whole = write_video(tmp_path / "whole.mp4", moving_pictures(COUNT), encoding=encoding)
    assert_ranges_give_the_same(cut_with_edit_list(whole, tmp_path / "cut.mp4", 1.32))


def test_ranges_end_where_the_grid_is_to_end(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "a.mp4", moving_pictures(COUNT), encoding=also(H264, gop=12))
    assert_ranges_give_the_same(clip, last=7)
    with open_media(clip, MediaType.VIDEO) as reader:
        ranges = reader.ranges(0, 7, PLAN)
        assert [(part.first, part.last) for part in ranges] == [(0, 2), (2, 4), (4, 7)]
        assert reader.ranges(1, 7, PLAN) == [], "of a part that begins later: one"


def test_a_short_file_is_read_whole(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 59, size=(64, 48), encoding=also(H264, fps=2))
    with open_media(clip, MediaType.VIDEO) as reader:
        assert reader.ranges(0, None, DecodePool(4).plan) == []
        assert not reader._source.is_used, "asking costs nothing"
    clip = make_clip(tmp_path / "b.mp4", 130, size=(64, 48), encoding=also(H264, fps=2, gop=20))
    with open_media(clip, MediaType.VIDEO) as reader:
        assert len(reader.ranges(0, None, DecodePool(4).plan)) > 4


def test_the_end_that_is_missing_is_warned_of_alike(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "a.mkv", moving_pictures(COUNT), encoding=H264)
    data = bytearray(clip.read_bytes())
    at = data.index(b"\x44\x89\x88") + 3  # the segment's length in milliseconds
    data[at : at + 8] = struct.pack(">d", 15_000.0)
    clip.write_bytes(bytes(data))
    warnings = by_one_thread(clip).warnings
    assert warnings == ["The pictures end at 12 s of 15 s; the file may be incomplete."]
    assert_ranges_give_the_same(clip)


def test_a_checkpoint_ends_a_range(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "a.mp4", moving_pictures(COUNT), encoding=also(H264, gop=12))

    def checkpoint() -> None:
        raise Cancelled

    with open_media(clip, MediaType.VIDEO) as reader:
        ranges = reader.ranges(0, None, PLAN)
        own = reader.range_reader()
        with pytest.raises(Cancelled):
            next(own.read(ranges[1], checkpoint))
        assert next(own.read(ranges[2], nothing)).second == 4, "it goes on with others"
        own.close()


def test_pictures_whose_parameters_change_on_the_way_are_read_by_one_thread(tmp_path: Path) -> None:
    """A later key picture does not tell them again; only who began before knows them."""
    clip = write_video(
        tmp_path / "a.mp4",
        moving_pictures(COUNT),
        encoding=also(H264, gop=25, options={"x264-params": "repeat-headers=1"}),
    )
    assert_ranges_give_the_same(clip)
    data = bytearray(clip.read_bytes())
    sets = [found.start() for found in re.finditer(rb"\x00\x00\x00.\x68", data, re.DOTALL)]
    data[sets[len(sets) // 2] + 5] ^= 0x10
    clip.write_bytes(bytes(data))
    with pytest.raises(RangesDisagree, match="parameters"):
        in_turn(clip)


def by_seconds(clip: Path) -> list[int]:
    return [picture[0] for picture in by_one_thread(clip).pictures]


def assert_ranges_give_the_same(clip: Path, last: int | None = None) -> None:
    want = by_one_thread(clip, last)
    for got in (in_turn(clip, last), in_turn(clip, last, backwards=True), side_by_side(clip, last)):
        assert got is not None, "it is not read by ranges"
        assert [picture[:2] for picture in got.pictures] == [p[:2] for p in want.pictures]
        assert got == want


def test_frame_rates_need_not_fit_seconds(tmp_path: Path) -> None:
    rate = Fraction(30000, 1001)
    clip = write_video(
        tmp_path / "a.mkv", moving_pictures(330), encoding=also(HEVC, gop=29, fps=rate)
    )
    assert_ranges_give_the_same(clip)
