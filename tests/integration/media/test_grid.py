"""The grid shows exactly the picture of each second, in every container and codec."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from shared.errors import Cancelled
from shared.media import MediaType
from tests.support.media.by_path import open_media
from tests.support.media.media import (
    H264,
    H264_INTERLACED,
    H264_OPEN,
    HEVC,
    MJPEG,
    MPEG2,
    MPEG2_INTERLACED,
    MPEG4,
    PRORES,
    RGB,
    Encoding,
    also,
    cut_with_edit_list,
    make_clip,
    read_bar_code,
    with_bar_code,
    write_video,
)
from workers.media import grid as grid_ways
from workers.media.frames import Scaler, VideoPicture
from workers.media.gops import VideoPacket
from workers.media.grid import VideoSource, timed_packets

SIZE = (160, 96)
SECONDS = 6
COUNT = SECONDS * 25


@functools.lru_cache(maxsize=2)
def moving_pictures(count: int = COUNT, size: tuple[int, int] = SIZE) -> tuple[RGB, ...]:
    """Bar codes over drifting noise, so that pictures lean on each other and all differ."""
    return tuple(_moving_pictures(count, size))


def _moving_pictures(count: int, size: tuple[int, int]) -> Iterator[RGB]:
    noise = np.random.default_rng(3).integers(40, 200, (size[1], size[0], 3), np.uint8)
    noise = noise.repeat(4, axis=0).repeat(4, axis=1)[: size[1], : size[0]]
    for number in range(count):
        picture = with_bar_code((0, 0, 0), size, number)
        half = size[1] // 2
        picture[half:] = np.roll(noise, (number // 3, number), axis=(0, 1))[half:]
        yield picture


def by_decoding_everything(path: Path) -> list[tuple[int, float, RGB]]:
    """The plain way: decode all, take the first picture of each second by its own time."""
    shown = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for frame in container.decode(stream):
            seconds = (frame.pts - (stream.start_time or 0)) * stream.time_base
            if seconds >= 0 and (not shown or math.floor(seconds) > shown[-1][0]):
                picture = VideoPicture(frame, Scaler(), Fraction(1))
                shown.append((math.floor(seconds), float(seconds), whole(picture)))
    return shown


def whole(picture: VideoPicture) -> RGB:
    return picture.rgb(picture.width, picture.height)


def grid_of(path: Path, **bounds: int) -> list[tuple[int, float, RGB]]:
    with open_media(str(path), MediaType.VIDEO) as reader:
        shown = [(f.second, f.time_seconds, whole(f.picture)) for f in reader.grid(**bounds)]
        assert reader.warnings == []
    return shown


def assert_same(got: list[tuple[int, float, RGB]], want: list[tuple[int, float, RGB]]) -> None:
    assert [g[:2] for g in got] == [w[:2] for w in want]
    for (second, _, ours), (_, _, theirs) in zip(got, want, strict=True):
        assert np.array_equal(ours, theirs), f"second {second} differs"


TIMED = {
    "h264.mp4": H264,
    "h264 short gop.mov": also(H264, gop=12),
    "h264 long gop.mp4": also(H264, gop=250),
    "h264 no b.mkv": also(H264, b_frames=0),
    "h264.mkv": H264,
    "h264.ts": H264,
    "h264.flv": H264,
    "open gop.mp4": H264_OPEN,
    "open gop 12.mp4": also(H264_OPEN, gop=12),
    "open gop 33.ts": also(H264_OPEN, gop=33),
    "open gop 40.mkv": also(H264_OPEN, gop=40),
    "hevc.mp4": HEVC,
    "hevc 33.mkv": also(HEVC, gop=33),
    "hevc.ts": also(HEVC, gop=20),
    "mpeg2.ts": MPEG2,
    "mpeg2.mxf": MPEG2,
    "mpeg2 interlaced.mxf": MPEG2_INTERLACED,
    "mpeg2.mpg": MPEG2,
    "h264 interlaced.mp4": H264_INTERLACED,
    "h264 interlaced.ts": H264_INTERLACED,
    "mpeg4.mp4": MPEG4,
    "starts at 5.ts": also(H264, start_s=5),
    "starts at 5.mkv": also(H264_OPEN, start_s=5),
    "turned.mp4": also(H264, rotation=90),
    "upside down.mov": also(H264, rotation=180),
    "ntsc.mp4": also(H264, fps=Fraction(30000, 1001), tone_hz=440),
    "film.mkv": also(H264, fps=Fraction(24000, 1001)),
    "ten bit.mp4": also(HEVC, pixels="yuv420p10le"),
    "444.mp4": also(H264, pixels="yuv444p"),
    "prores.mov": PRORES,
    "motion jpeg.mov": MJPEG,
    "all intra.mp4": also(H264, gop=1, b_frames=0),
    "vp9.webm": Encoding("libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8"}),
    "vp8 hidden pictures.webm": Encoding(
        "libvpx",
        options={
            "deadline": "realtime",
            "cpu-used": "8",
            "auto-alt-ref": "1",
            "lag-in-frames": "10",
        },
    ),
    "wmv.wmv": Encoding("wmv2", b_frames=0),
    "one picture a second.mp4": also(H264, fps=1),
    "slow.mp4": also(H264, fps=Fraction(5, 2)),
    "fast.mp4": also(H264, fps=120, gop=240),
}


@pytest.mark.parametrize("name", TIMED)
def test_the_grid_is_bit_identical_to_decoding_every_picture(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    clip = write_video(tmp_path / name, moving_pictures(), encoding=TIMED[name])
    want = by_decoding_everything(clip)
    assert_same(grid_of(clip), want)
    assert_same(grid_of(clip, first=3, last=5), [shot for shot in want if 3 <= shot[0] < 5])
    assert "another way" not in caplog.text
    rate = TIMED[name].fps
    numbers = [math.ceil(second * rate) for second in range(COUNT)]
    assert [read_bar_code(shot[2]) for shot in want] == [n for n in numbers if n < COUNT]


def test_the_grid_is_bit_identical_where_pictures_have_their_own_times(tmp_path: Path) -> None:
    def uneven(number: int) -> float:
        return number * 0.04 + (number // 10) * 0.31

    for name in ("vfr.mp4", "vfr.mkv", "vfr.mov", "vfr.ts"):
        clip = write_video(tmp_path / name, moving_pictures(), times=uneven)
        want = by_decoding_everything(clip)
        assert_same(grid_of(clip), want)
        assert_same(grid_of(clip, first=4, last=8), [shot for shot in want if 4 <= shot[0] < 8])


def test_seconds_in_which_no_picture_begins_have_none(tmp_path: Path) -> None:
    clip = write_video(
        tmp_path / "gap.mp4",
        moving_pictures(100),
        times=lambda n: n * 0.04 + (7.5 if n >= 50 else 0),
    )
    got = grid_of(clip)
    assert_same(got, by_decoding_everything(clip))
    assert [shot[0] for shot in got] == [0, 1, 9, 10, 11]
    assert_same(grid_of(clip, first=5, last=10), got[2:3])


@pytest.mark.parametrize("encoding", [H264, H264_OPEN, also(H264, gop=250)])
def test_pictures_cut_off_by_an_edit_list_are_not_shown(encoding: Encoding, tmp_path: Path) -> None:
    whole_clip = write_video(tmp_path / "whole.mp4", moving_pictures(), encoding=encoding)
    cut = cut_with_edit_list(whole_clip, tmp_path / "cut.mp4", 1.32)
    got = grid_of(cut)
    assert_same(got, by_decoding_everything(cut))
    assert_same(grid_of(cut, first=1, last=4), got[1:4])
    assert [read_bar_code(shot[2]) for shot in got] == [33, 58, 83, 108, 133]


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("mpeg4.avi", MPEG4),
        ("h264.avi", H264),
        ("motion jpeg.avi", MJPEG),
        ("h264.mxf", H264),
        ("raw.h264", also(H264, container="h264")),
        ("raw.hevc", also(HEVC, container="hevc")),
        ("raw.m2v", also(MPEG2, container="mpeg2video")),
        ("raw.mjpeg", also(MJPEG, container="mjpeg")),
    ],
)
def test_where_times_are_guesses_pictures_are_counted(
    name: str, encoding: Encoding, tmp_path: Path
) -> None:
    clip = write_video(tmp_path / name, moving_pictures(), encoding=encoding)
    got = grid_of(clip)
    assert [(shot[0], read_bar_code(shot[2])) for shot in got] == [
        (second, 25 * second) for second in range(SECONDS)
    ]
    assert_same(grid_of(clip, first=3, last=5), got[3:5])


@pytest.mark.parametrize(
    ("name", "encoding"), [("h264.mp4", also(H264, gop=12)), ("h264.ts", H264_OPEN)]
)
def test_a_part_of_the_grid_is_gone_to_at_once(
    name: str, encoding: Encoding, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_clip(tmp_path / name, 30, size=SIZE, encoding=encoding)
    read: list[float] = []
    monkeypatch.setattr(grid_ways, "timed_packets", lambda source: seen(source, read))
    assert [shot[0] for shot in grid_of(clip, first=25, last=27)] == [25, 26]
    assert 20 < min(read) < 25 < max(read) < 29


def seen(source: VideoSource, times: list[float]) -> Iterator[VideoPacket]:
    for packet in timed_packets(source):
        if packet.pts is not None:
            times.append(source.clock.seconds(packet.pts))
        yield packet


def test_a_stream_cut_in_the_middle_of_a_gop_begins_at_its_first_keyframe(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "whole.ts", 6, size=SIZE, encoding=also(H264, gop=40))
    data = clip.read_bytes()
    half = len(data) // 188 // 3 * 188
    clip.write_bytes(data[:376] + data[half:])
    with open_media(str(clip), MediaType.VIDEO) as reader:
        codes = [read_bar_code(whole(frame.picture)) for frame in reader.grid()]
    assert codes
    assert codes == sorted(codes)


def test_a_clip_within_one_gop_holds_few_packets_at_a_time(tmp_path: Path) -> None:
    """Memory does not grow with the length of a GOP: pictures come before it has been read."""
    clip = make_clip(tmp_path / "endless.mp4", 40, size=SIZE, encoding=also(H264, gop=100_000))
    with open_media(str(clip), MediaType.VIDEO) as reader:
        grid = reader.grid()
        assert next(grid).second == 0
        assert next(grid).second == 1
        assert reader._source.last_seen < 5


def test_cancelling_inside_a_long_gop_ends_at_once(tmp_path: Path) -> None:
    size = (1280, 720)
    noise = np.random.default_rng(1).integers(0, 255, (900, 1500, 3), np.uint8)
    pictures = (noise[n : n + size[1], 2 * n : 2 * n + size[0]] for n in range(60))
    clip = write_video(tmp_path / "long.mp4", pictures, encoding=also(H264, fps=1, gop=1000))
    began = 0.0

    def checkpoint() -> None:
        nonlocal began
        if began:
            raise Cancelled
        began = time.process_time()

    with open_media(str(clip), MediaType.VIDEO) as reader, pytest.raises(Cancelled):
        for _ in reader.grid(checkpoint=checkpoint):
            pass
    assert 0 < time.process_time() - began < 1
    assert reader._container is None, "the file has been closed"


def test_the_checkpoint_is_called_many_times_a_second(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 20, size=(640, 360), encoding=also(H264, gop=500))
    calls: list[float] = []
    with open_media(str(clip), MediaType.VIDEO) as reader:
        for _ in reader.grid(checkpoint=lambda: calls.append(time.process_time())):
            pass
    calls.append(time.process_time())
    assert max(np.diff(calls)) < 0.3
