"""Video pictures: upright, in display aspect, in the right colours; their thumbnails too."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.media import MediaType
from tests.support.media.by_path import open_media
from tests.support.media.media import (
    H264,
    HEVC,
    PRORES,
    RGB,
    Encoding,
    also,
    read_bar_code,
    with_bar_code,
    write_video,
)
from workers.media.pictures import fit

COLOURS = [(200, 40, 40), (40, 180, 60), (40, 60, 200), (128, 128, 128), (230, 230, 230)]


def bands(width: int, height: int) -> RGB:
    """One vertical band for each colour."""
    picture = np.empty((height, width, 3), np.uint8)
    for index, colour in enumerate(COLOURS):
        picture[:, index * width // 5 : (index + 1) * width // 5] = colour
    return picture


def middles(rgb: RGB) -> RGB:
    height, width = rgb.shape[:2]
    return rgb[height // 2, [int((i + 0.5) * width / 5) for i in range(5)]]


def jpeg(data: bytes) -> RGB:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("size", [(640, 360), (322, 182), (1280, 720)])
def test_pictures_and_thumbnails_agree_in_colour(
    pixels: str, size: tuple[int, int], tmp_path: Path
) -> None:
    clip = write_video(
        tmp_path / "a.mkv", [bands(*size)] * 3, encoding=also(HEVC, pixels=pixels, b_frames=0)
    )
    with open_media(str(clip), MediaType.VIDEO) as reader:
        for frame in reader.grid():
            small = middles(frame.picture.rgb(320, 180))
            thumbnail = middles(jpeg(frame.picture.thumbnail_jpeg()))
    assert np.abs(small.astype(int) - thumbnail).max() <= 8


def test_colours_are_those_that_were_filmed(tmp_path: Path) -> None:
    for name, encoding in {
        "full range.mov": Encoding("mjpeg", pixels="yuvj420p", gop=1, b_frames=0),
        "rgb.mkv": Encoding("ffv1", pixels="bgr0", gop=1, b_frames=0),
        "prores.mov": PRORES,
        "h264.mp4": H264,
    }.items():
        clip = write_video(tmp_path / name, [bands(320, 180)] * 3, encoding=encoding)
        with open_media(str(clip), MediaType.VIDEO) as reader:
            for frame in reader.grid():
                for got in (frame.picture.rgb(320, 180), jpeg(frame.picture.thumbnail_jpeg())):
                    assert np.abs(middles(got).astype(int) - COLOURS).max() <= 10, name


@pytest.mark.parametrize("rotation", [90, 180, 270])
@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_turned_clips_come_out_upright(rotation: int, suffix: str, tmp_path: Path) -> None:
    pictures = [with_bar_code((90, 20, 20), (180, 320), number) for number in range(30)]
    clip = write_video(tmp_path / f"a.{suffix}", pictures, encoding=also(H264, rotation=rotation))
    with open_media(str(clip), MediaType.VIDEO) as reader:
        frames = [
            (frame.picture.width, frame.picture.height, frame.picture.rgb(180, 320),
             jpeg(frame.picture.thumbnail_jpeg()))
            for frame in reader.grid()
        ]  # fmt: skip
        assert reader.probe.rotation == (360 - rotation) % 360
        assert (reader.probe.width, reader.probe.height) == (
            (180, 320) if rotation == 180 else (320, 180)
        )
    for number, (width, height, rgb, thumbnail) in zip((0, 25), frames, strict=True):
        assert (width, height) == (180, 320)
        assert thumbnail.shape == (320, 180, 3)
        assert read_bar_code(rgb) == read_bar_code(thumbnail) == number


def test_pictures_are_stretched_to_display_aspect(tmp_path: Path) -> None:
    encoding = also(H264, aspect=Fraction(64, 45))
    clip = write_video(tmp_path / "pal.mp4", [bands(720, 576)] * 2, encoding=encoding)
    with open_media(str(clip), MediaType.VIDEO) as reader:
        (frame,) = reader.grid()
        assert (frame.picture.width, frame.picture.height) == (1024, 576)
        assert jpeg(frame.picture.thumbnail_jpeg()).shape == (180, 320, 3)
        assert reader.probe.pixel_aspect == "64/45"


@pytest.mark.parametrize("size", [(321, 179), (33, 17), (1, 1), (500, 2)])
def test_odd_sizes_work(size: tuple[int, int], tmp_path: Path) -> None:
    encoding = Encoding("ffv1", pixels="bgr0", gop=1, b_frames=0)
    clip = write_video(tmp_path / "a.mkv", [bands(*size)], encoding=encoding)
    with open_media(str(clip), MediaType.VIDEO) as reader:
        (frame,) = reader.grid()
        assert jpeg(frame.picture.thumbnail_jpeg()).shape[:2] == fit(*size, 320)[::-1]
        assert frame.picture.rgb(7, 5).shape == (5, 7, 3)


def test_pictures_outlive_the_reader_of_a_grab(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "a.mp4", [bands(320, 180)] * 30)
    with open_media(str(clip), MediaType.VIDEO) as reader:
        picture = reader.shown_at(1)
    assert np.abs(middles(picture.rgb(320, 180)).astype(int) - COLOURS).max() <= 10
