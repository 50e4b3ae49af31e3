"""Decoded video frames as upright pictures in display aspect and honest colours."""

from __future__ import annotations

from fractions import Fraction
from typing import cast

import numpy as np
import simplejpeg
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from shared.cache.frame_packs import THUMBNAIL_SIDE
from workers.media.pictures import THUMBNAIL_QUALITY, encode_rgb, fit

_HD_HEIGHT = 720  # from here on, untagged pictures are taken as BT.709, below as BT.601


class Scaler:
    """Keeps one native scaler per output size, so that a file sets each up once."""

    def __init__(self) -> None:
        self._scalers: dict[tuple[int, int, str], VideoReformatter] = {}

    def scale(self, frame: VideoFrame, width: int, height: int, pixels: str) -> VideoFrame:
        """The frame at this size as full-range `rgb24` or `yuvj420p` (BT.601, as JPEG wants)."""
        scaler = self._scalers.setdefault((width, height, pixels), VideoReformatter())
        matrix = None if frame.format.is_rgb else matrix_of(frame)
        return scaler.reformat(
            frame,
            width,
            height,
            pixels,
            src_colorspace=matrix,
            dst_colorspace=Colorspace.ITU601 if pixels == "yuvj420p" else None,
            src_color_range=frame.color_range or range_of(frame),
            dst_color_range=ColorRange.JPEG,
            interpolation=Interpolation.AREA,
            threads=1,
        )


def matrix_of(frame: VideoFrame) -> int:
    """The frame's own matrix, else the usual one for its height."""
    tagged = {
        1: Colorspace.ITU709,
        4: Colorspace.FCC,
        5: Colorspace.ITU601,
        6: Colorspace.ITU601,
        7: Colorspace.SMPTE240M,
        9: Colorspace.BT2020,
        10: Colorspace.BT2020,
    }.get(frame.colorspace)
    if tagged is not None:
        return tagged
    return Colorspace.ITU709 if frame.height >= _HD_HEIGHT else Colorspace.ITU601


def range_of(frame: VideoFrame) -> ColorRange:
    """The range of a frame that states none, by its pixels."""
    full = frame.format.is_rgb or frame.format.name.startswith("yuvj")
    return ColorRange.JPEG if full else ColorRange.MPEG


class VideoPicture:
    """One frame; sizes are upright and in display aspect."""

    def __init__(self, frame: VideoFrame, scaler: Scaler, aspect: Fraction) -> None:
        self._frame = frame
        self._scaler = scaler
        self.rotation = upright_rotation(frame)
        size = display_size(frame.width, frame.height, aspect, self.rotation)
        self.width, self.height = size

    def rgb(self, width: int, height: int) -> NDArray[np.uint8]:
        """[height, width, 3], upright; scaled first, turned after."""
        if self.rotation in (90, 270):
            width, height = height, width
        scaled = self._scaler.scale(self._frame, width, height, "rgb24").to_ndarray()
        turned = np.rot90(cast(NDArray[np.uint8], scaled), -self.rotation // 90)
        return np.ascontiguousarray(turned)

    def thumbnail_jpeg(self, long_side: int = THUMBNAIL_SIDE) -> bytes:
        width, height = fit(self.width, self.height, long_side)
        if width % 2 or height % 2:
            return encode_rgb(self.rgb(width, height))
        if self.rotation in (90, 270):
            width, height = height, width
        scaled = self._scaler.scale(self._frame, width, height, "yuvj420p")
        planes = (
            np.ascontiguousarray(np.rot90(_plane(scaled, index), -self.rotation // 90))
            for index in range(3)
        )
        jpeg: bytes = simplejpeg.encode_jpeg_yuv_planes(*planes, quality=THUMBNAIL_QUALITY)
        return jpeg


def upright_rotation(frame: VideoFrame) -> int:
    """Clockwise degrees to apply: 0, 90, 180 or 270 (PyAV counts counter-clockwise)."""
    return round(-frame.rotation / 90) % 4 * 90


def display_size(width: int, height: int, aspect: Fraction, rotation: int) -> tuple[int, int]:
    """Upright size with square pixels, for which only the stored width changes."""
    wide = max(1, round(width * aspect))
    return (height, wide) if rotation in (90, 270) else (wide, height)


def _plane(frame: VideoFrame, index: int) -> NDArray[np.uint8]:
    plane = frame.planes[index]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width]
