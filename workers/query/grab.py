"""Single pictures for a request: what is shown at a time, a still by path, or bytes from a client.

Runs in child processes: everything here may crash or hang on a bad file.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from shared.errors import MediaUnreadable
from shared.media import MediaType, media_type_of, open_media_file
from shared.opening import OpenedFile
from shared.paths import Roots
from workers.media.budget import check_format
from workers.media.containers import reading_errors
from workers.media.exact_cuts import exact_cut
from workers.media.media_reader import grab_frame, open_media
from workers.media.pictures import Picture, fit
from workers.media.stills import still_from_bytes

TURN_S = 1.0  # of a stretch, from its first picture on; then others may have a picture
_LONGEST_TURN_S = 5.0  # with what had to be read before the first one


def warm_up() -> None:
    """Prepare a child at its start: the decoder is imported before the first request."""


def jpeg_at(roots: Roots, path: str, seconds: float, long_side: int) -> bytes:
    """JPEG of the picture shown at a time of a media file, with this long side."""
    with open_media_file(path, roots) as file, reading_errors():
        return _shown(file, seconds).thumbnail_jpeg(long_side)


def jpegs_within(
    roots: Roots, path: str, seconds: tuple[int, int], long_side: int
) -> tuple[list[tuple[int, bytes]], int]:
    """JPEGs of a file's grid from one second to before another, each with its second.

    Also the second to go on from: the end, or an earlier one when the turn is over.
    """
    first, end = seconds
    until = time.monotonic() + _LONGEST_TURN_S
    found = []
    with (
        open_media_file(path, roots) as file,
        reading_errors(),
        open_media(file, _media_type(file)) as reader,
    ):
        for frame in reader.grid(first, end):
            found.append((frame.second, frame.picture.thumbnail_jpeg(long_side)))
            if time.monotonic() > until:
                return found, frame.second + 1
            until = min(until, time.monotonic() + TURN_S)
    return found, end


def cuts_between(roots: Roots, path: str, pairs: tuple[tuple[int, int], ...]) -> list[float | None]:
    """Exact seconds of the first cuts, each between two seconds of the grid; all if time allows."""
    until = time.monotonic() + TURN_S
    found: list[float | None] = []
    with open_media_file(path, roots) as file, open_media(file, _media_type(file)) as reader:
        for before, after in pairs:
            found.append(exact_cut(reader, before, after))
            if time.monotonic() > until:
                break
    return found


def rgb_at(roots: Roots, path: str, seconds: float, short_side: int) -> NDArray[np.uint8]:
    """RGB of the picture shown at a time of a media file, with this short side, for a model."""
    with open_media_file(path, roots) as file:
        return _for_model(_shown(file, seconds), short_side)


def rgb_within(roots: Roots, path: str, long_side: int) -> NDArray[np.uint8]:
    """RGB of a picture file, of at most this long side, in which faces are looked for."""
    with open_media_file(path, roots) as file:
        return _within(_shown(file, 0.0), long_side)


def rgb_of_picture(picture: bytes, long_side: int) -> NDArray[np.uint8]:
    """RGB of a picture that came with the request, as `rgb_within`."""
    return _within(still_from_bytes(picture), long_side)


def rgb_of_bytes(image: bytes, short_side: int) -> NDArray[np.uint8]:
    """RGB of a picture that came with the request, with this short side, for a model."""
    return _for_model(still_from_bytes(image), short_side)


def _shown(file: OpenedFile, seconds: float) -> Picture:
    return grab_frame(file, _media_type(file), seconds)


def _media_type(file: OpenedFile) -> MediaType:
    check_format(file.path)
    media_type = media_type_of(file.path)
    if media_type is None:
        raise MediaUnreadable("Its name does not say that it is a picture or a video.")
    return media_type


def _within(picture: Picture, long_side: int) -> NDArray[np.uint8]:
    with reading_errors():
        return picture.rgb(*fit(picture.width, picture.height, long_side))


def _for_model(picture: Picture, short_side: int) -> NDArray[np.uint8]:
    scale = short_side / min(picture.width, picture.height)
    with reading_errors():
        return picture.rgb(
            max(short_side, round(picture.width * scale)),
            max(short_side, round(picture.height * scale)),
        )
