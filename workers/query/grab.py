"""What a request needs of a file: pictures, by time, by path or sent along; what it says of itself.

Runs in child processes: everything here may crash or hang on a bad file.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.domain import Probe
from shared.errors import MediaUnreadable
from shared.media import MediaType, media_type_of, open_media_file
from shared.opening import OpenedFile
from shared.paths import Roots
from shared.query.messages import Probed
from workers.media.budget import check_format
from workers.media.containers import reading_errors
from workers.media.media_reader import MediaReader, grab_frame, open_media
from workers.media.pictures import Picture, fit
from workers.media.probing.probe import probe
from workers.media.stills import still_from_bytes

_SIZE = (64, 36)  # the pictures that are compared
_ACROSS = 4  # pictures: flashes are shorter
# Of the whole change: a cut makes nearly all of it at once (the least of 297 that were measured:
# 0.6), a dissolve a part each time.
_ABRUPT = 0.3
_AS_GOOD = 0.7  # of the best place: another cut,
_QUIET = 0.3  # where half of the places are worth less of it than this

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
        raise MediaUnreadable("Its name does not say that it is media.")
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


def exact_cut(reader: MediaReader, before: int, after: int) -> float | None:
    """Seconds of the first picture of the shot that the grid shows at `after` and not at `before`.

    In a dissolve, of the first that is more like the later shot. None where the pictures of these
    seconds cannot be had.
    """
    found = reader.every(before, after, _SIZE)
    if len(found) < 2 or found[-1][0] < after:
        return None
    return found[place_of_cut(np.stack([picture for _, picture in found]))][0]


def place_of_cut(pictures: NDArray[np.uint8]) -> int:
    """Index of the first picture of the new shot; [2 or more pictures, height, width, 3].

    Each place is worth the least difference of any two of a few pictures across it. So a flash,
    after which the pictures are as before, is no cut, and neither is what moves fast on both sides.
    """
    wide = pictures.astype(np.int16)
    worth = np.full(len(wide), np.inf)
    worth[0] = -1.0  # it follows none
    for apart in range(1, min(_ACROSS, len(wide) - 1) + 1):
        for earlier, change in enumerate(_difference(wide[apart:], wide[:-apart])):
            across = slice(earlier + 1, earlier + apart + 1)
            worth[across] = np.minimum(worth[across], change)
    first, last = wide[:1], wide[-1:]
    best = worth.max()
    if best >= _ABRUPT * _difference(first, last)[0]:
        if np.median(worth[1:]) >= _QUIET * best:  # it stands out from little
            return int(worth.argmax())
        # Of several cuts the last one: behind it is the shot that the grid shows.
        return int(np.flatnonzero(worth >= _AS_GOOD * best)[-1])
    is_later = _difference(wide, last) < _difference(wide, first)
    return int(is_later.argmax())  # the last one is


def _difference(some: NDArray[np.int16], others: NDArray[np.int16]) -> NDArray[np.floating[Any]]:
    """Mean difference of pictures in grey levels."""
    levels: NDArray[np.floating[Any]] = np.abs(some - others).mean(axis=(1, 2, 3))
    return levels


def probe_file(roots: Roots, path: str) -> Probed:
    """Return the facts that the container of a media file states, with warnings."""
    with open_media_file(path, roots) as file:
        found = probe(file, _media_type(file))
    return Probed(**{**msgspec.structs.asdict(found), "warnings": tuple(_warnings(found))})


def _warnings(found: Probe) -> Iterator[str]:
    if found.is_vfr:
        yield "The pictures do not come evenly (VFR); fps is the rate that they are built on."
    if len(found.video_streams) > 1:
        yield (
            f"It holds {len(found.video_streams)} video tracks; the facts are those of the first "
            "in video_streams."
        )
    if found.video_codec and found.rotation is None and found.media_type is not MediaType.IMAGE:
        yield "No picture at its beginning can be decoded: rotation and display size are unknown."
    if found.start_timecode and found.timecode is None:
        yield "Nothing states the rate of the timecode."
    elif found.timecode and found.timecode.rate_source == "derived" and (found.fps or 0) > 31:
        yield "Nothing states what the timecode counts; its rate is taken from the pictures."
