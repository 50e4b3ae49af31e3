"""Stills as clips: one picture held for the time that was asked for."""

from __future__ import annotations

from fractions import Fraction

from av.video.frame import VideoFrame

from shared.errors import MediaError
from shared.exports.clips import ClipCode, ClipSpec
from shared.media import MediaType
from shared.opening import OpenedFile
from workers.export.formats import Depth, Form, PictureCodec, encoded_form, picture_codec
from workers.export.output import ClipFailed
from workers.export.range import Range, plain_seconds
from workers.media.media_reader import grab_frame
from workers.media.pictures import Picture, fit

RATE = Fraction(25)
_LONGEST_SIDE = 3840  # what decoders of video take everywhere
_LONGEST_S = 86_400
_BYTES_A_PIXEL = 0.5
_LEAST_BYTES = 256 * 1024

Planned = tuple[Form, Fraction, Fraction, int, Range, None, None, PictureCodec, tuple[str, ...]]


def plan_still(spec: ClipSpec, file: OpenedFile) -> Planned:
    """Fields of the ClipPlan: form, start, end, bytes, range, no timecodes, codec, warnings."""
    if spec.mode == "copy":
        raise ClipFailed(
            ClipCode.NOT_COPYABLE, 'A still cannot be copied as a clip. Use mode "auto".'
        )
    start, end = plain_seconds(spec.start, "start_time"), plain_seconds(spec.end, "end_time")
    if end <= start:
        raise ClipFailed(
            ClipCode.BAD_RANGE,
            "A still has no length of its own: give an end_time that is after start_time.",
        )
    if end - start > _LONGEST_S:
        raise ClipFailed(ClipCode.BAD_RANGE, "A still is held for a day at the most.")
    frames = max(1, round((end - start) * RATE))
    codec = picture_codec(spec.codec, spec.quality, Depth())
    picture = still_of(file)
    room = int(picture.width * picture.height * _BYTES_A_PIXEL * (1 + frames / 25)) + _LEAST_BYTES
    found = Range(start, start + frames / RATE, 0, frames)
    form = encoded_form(None, spec.container, codec)
    return form, found.start, found.end, room, found, None, None, codec, ()


def still_of(file: OpenedFile) -> Picture:
    """The picture of a still, good while the file is open. Raises ClipFailed."""
    try:
        return grab_frame(file, MediaType.IMAGE, 0)
    except MediaError as error:
        raise ClipFailed(ClipCode.UNREADABLE, error.message) from error


def still_frame(file: OpenedFile) -> VideoFrame:
    """A still as a video frame: upright, with square pixels and even sides."""
    picture = still_of(file)
    width, height = picture.width, picture.height
    if max(width, height) > _LONGEST_SIDE:
        width, height = fit(width, height, _LONGEST_SIDE)
    try:
        rgb = picture.rgb(max(2, width // 2 * 2), max(2, height // 2 * 2))
    except MediaError as error:
        raise ClipFailed(ClipCode.UNREADABLE, error.message) from error
    return VideoFrame.from_ndarray(rgb, format="rgb24")
