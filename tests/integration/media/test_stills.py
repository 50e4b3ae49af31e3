"""Still pictures of every kind come out upright, in 8-bit RGB, or fail with a reason."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.errors import MediaUnreadable
from shared.media import MediaType
from tests.support.media.by_path import grab_frame, open_media, open_still
from tests.support.media.heic import make_heic
from tests.support.media.media import RGB, Encoding, make_still, truncate, write_video
from workers.media import stills
from workers.media.pictures import Picture
from workers.media.stills import still_from_bytes

RED, GREEN, BLUE, GREY = (220, 30, 40), (30, 200, 60), (20, 40, 210), (120, 120, 120)


def quarters(width: int = 120, height: int = 80) -> RGB:
    """Red, green over blue, grey."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2], picture[: height // 2, width // 2 :] = RED, GREEN
    picture[height // 2 :, : width // 2], picture[height // 2 :, width // 2 :] = BLUE, GREY
    return picture


def corners(picture: Picture, width: int = 60, height: int = 40) -> RGB:
    rgb = picture.rgb(width, height)
    assert rgb.shape == (height, width, 3)
    assert rgb.dtype == np.uint8
    return rgb[[5, 5, -5, -5], [5, -5, 5, -5]]


def assert_close(got: RGB, want: object, tolerance: int = 12) -> None:
    assert np.abs(got.astype(int) - np.asarray(want, int)).max() <= tolerance, got


@pytest.mark.parametrize(
    "suffix", ["jpg", "png", "webp", "tif", "bmp", "gif", "jp2", "tga", "avif"]
)
def test_formats_are_read(suffix: str, tmp_path: Path) -> None:
    still = make_still(tmp_path / f"a.{suffix}", quarters())
    with open_media(str(still), MediaType.IMAGE) as reader:
        (frame,) = reader.grid()
        assert (frame.second, frame.time_seconds) == (0, 0.0)
        assert (frame.picture.width, frame.picture.height) == (120, 80)
        assert_close(corners(frame.picture), [RED, GREEN, BLUE, GREY], 30)
        assert (reader.probe.width, reader.probe.height) == (120, 80)


@pytest.mark.parametrize("turns", range(4))
def test_heic_is_read_and_turned(turns: int, tmp_path: Path) -> None:
    stored = np.ascontiguousarray(np.rot90(quarters(), -turns))
    heic = make_heic(tmp_path / "IMG_0001.HEIC", stored, turns)
    with open_media(str(heic), MediaType.IMAGE) as reader:
        (frame,) = reader.grid()
        assert (frame.picture.width, frame.picture.height) == (120, 80)
        assert_close(corners(frame.picture), [RED, GREEN, BLUE, GREY], 30)
        assert reader.probe.container == "heif"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_every_orientation_comes_out_upright(suffix: str, orientation: int, tmp_path: Path) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = Image.fromarray(quarters())
    if orientation in undo:
        stored = stored.transpose(undo[orientation])
    still = open_still(str(make_still(tmp_path / f"a.{suffix}", stored, orientation=orientation)))
    assert (still.width, still.height) == (120, 80)
    assert_close(corners(still), [RED, GREEN, BLUE, GREY], 30)
    with Image.open(io.BytesIO(still.thumbnail_jpeg())) as thumbnail:
        assert thumbnail.size == (120, 80)


def test_deep_pictures_keep_their_brightness(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None, :].repeat(20, axis=0)
    want = np.linspace(0, 255, 256)
    for name, image in {
        "grey16.png": Image.fromarray(ramp),
        "grey16.tif": Image.fromarray(ramp),
        "int32.tif": Image.fromarray(ramp.astype(np.int32)),
        "float.tif": Image.fromarray((ramp / 65535).astype(np.float32)),
    }.items():
        image.save(tmp_path / name)
        got = open_still(str(tmp_path / name)).rgb(256, 20)[10, :, 0]
        assert np.abs(got - want).max() <= 2, name


@pytest.mark.parametrize("mode", ["CMYK", "L", "1", "P", "YCbCr", "LAB"])
def test_other_colour_models_become_rgb(mode: str, tmp_path: Path) -> None:
    still = open_still(str(make_still(tmp_path / "a.tif", quarters(), mode=mode)))
    got = corners(still)
    if mode in ("CMYK", "P", "YCbCr"):
        assert_close(got, [RED, GREEN, BLUE, GREY], 45)


def test_transparent_pictures_stand_on_white_or_black_so_that_they_show(tmp_path: Path) -> None:
    for colour, ground in [((20, 30, 40), 255), ((250, 250, 250), 0)]:
        picture = np.zeros((80, 120, 4), np.uint8)
        picture[20:60, 30:90] = (*colour, 255)
        make_still(tmp_path / "a.png", Image.fromarray(picture), mode="RGBA")
        rgb = open_still(str(tmp_path / "a.png")).rgb(120, 80)
        assert_close(rgb[5, 5], [ground] * 3, 2)
        assert_close(rgb[40, 60], colour, 2)
    palette = Image.fromarray(quarters()).quantize(8)
    palette.info["transparency"] = palette.getpixel((100, 60))
    palette.save(tmp_path / "p.png", transparency=palette.getpixel((100, 60)))
    assert_close(open_still(str(tmp_path / "p.png")).rgb(120, 80)[60, 100], [255] * 3, 2)


def test_big_jpegs_are_decoded_small_for_small_uses_and_whole_for_large(tmp_path: Path) -> None:
    still = open_still(str(make_still(tmp_path / "a.jpg", quarters(4000, 3000), quality=90)))
    assert_close(corners(still), [RED, GREEN, BLUE, GREY])
    assert still._loaded.width < 2000
    thumbnail = still.thumbnail_jpeg()
    with Image.open(io.BytesIO(thumbnail)) as image:
        assert image.size == (320, 240)
    assert still.rgb(4000, 3000).shape == (3000, 4000, 3)
    assert still._loaded.width == 4000


def test_thumbnails_are_never_larger_than_the_picture(tmp_path: Path) -> None:
    still = open_still(str(make_still(tmp_path / "a.png", quarters(33, 17))))
    with Image.open(io.BytesIO(still.thumbnail_jpeg())) as image:
        assert image.size == (33, 17)


def test_a_thin_picture_keeps_at_least_one_pixel(tmp_path: Path) -> None:
    still = open_still(str(make_still(tmp_path / "a.png", quarters(5000, 2))))
    with Image.open(io.BytesIO(still.thumbnail_jpeg())) as image:
        assert image.size == (320, 1)


def test_pictures_over_the_limit_are_refused_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_still(tmp_path / "a.png", quarters())
    monkeypatch.setattr(stills, "MAX_PIXELS", 4_000)
    with pytest.raises(MediaUnreadable, match="megapixels"):
        open_still(str(tmp_path / "a.png"))


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "gif"])
@pytest.mark.parametrize("share", [0.02, 0.5])
def test_truncated_pictures_are_refused(suffix: str, share: float, tmp_path: Path) -> None:
    noise = np.random.default_rng(5).integers(0, 255, (200, 300, 3), np.uint8)
    path = truncate(make_still(tmp_path / f"a.{suffix}", noise), share)
    with pytest.raises(MediaUnreadable):
        open_still(str(path)).rgb(100, 100)


@pytest.mark.parametrize("suffix", [".cr2", ".NEF", ".dng"])
def test_camera_raw_is_refused_with_a_way_out(suffix: str, tmp_path: Path) -> None:
    make_still(tmp_path / "a.tif", quarters()).rename(tmp_path / f"a{suffix}")
    with pytest.raises(MediaUnreadable, match=r"raw.*JPEG or TIFF"):
        open_still(str(tmp_path / f"a{suffix}"))


def test_pictures_come_from_bytes_too(tmp_path: Path) -> None:
    data = make_still(tmp_path / "a.jpg", quarters()).read_bytes()
    assert_close(corners(still_from_bytes(data)), [RED, GREEN, BLUE, GREY], 30)
    for bad in (b"", b"not a picture", data[:200]):
        with pytest.raises(MediaUnreadable):
            still_from_bytes(bad).rgb(10, 10)


@pytest.mark.parametrize(
    ("name", "codec", "pixels"), [("a.dpx", "dpx", "rgb24"), ("a.exr", "exr", "gbrpf32le")]
)
def test_film_stills_are_read(name: str, codec: str, pixels: str, tmp_path: Path) -> None:
    encoding = Encoding(codec, pixels=pixels, gop=1, b_frames=0, container="image2pipe")
    path = write_video(tmp_path / name, [quarters()], encoding=encoding)
    picture = grab_frame(str(path), MediaType.IMAGE, 0)
    want = np.array([RED, GREEN, BLUE, GREY])
    if codec == "exr":  # holds linear light
        want = 255 * (1.055 * (want / 255) ** (1 / 2.4) - 0.055)
    assert_close(corners(picture), want, 12)
