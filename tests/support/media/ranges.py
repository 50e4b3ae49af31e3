"""A grid read by ranges, as threads of a worker do it, in a form that compares bit by bit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from shared.media import MediaType
from tests.support.media.by_path import open_media
from workers.decode_pool import DecodePool
from workers.media.media_reader import MediaReader
from workers.media.pictures import GridFrame
from workers.media.ranges import GridRange

LENGTH = 2  # seconds of a range, so that short clips have several
PLAN = DecodePool(4, LENGTH).plan

Taken = tuple[int, float, bytes, bytes]  # second, own time, thumbnail, RGB


@dataclass(frozen=True)
class Reading:
    """What a whole reading gave."""

    pictures: list[Taken]
    warnings: list[str]


def by_one_thread(path: Path, last: int | None = None) -> Reading:
    with open_media(path, MediaType.VIDEO) as reader:
        pictures = taken(reader.grid(0, last))
        return Reading(pictures, reader.warnings)


def in_turn(path: Path, last: int | None = None, *, backwards: bool = False) -> Reading | None:
    """By one range reader; None where the file is not read by ranges."""
    return _by_ranges(path, last, lambda reader, ranges: _in_turn(reader, ranges, backwards))


def side_by_side(path: Path, last: int | None = None) -> Reading | None:
    """By four threads at once; None where the file is not read by ranges."""
    return _by_ranges(path, last, _side_by_side)


def taken(frames: Iterable[GridFrame]) -> list[Taken]:
    return [
        (
            frame.second,
            frame.time_seconds,
            frame.picture.thumbnail_jpeg(),
            frame.picture.rgb(64, 48).tobytes(),
        )
        for frame in frames
    ]


def nothing() -> None:
    """A checkpoint."""


def _by_ranges(
    path: Path,
    last: int | None,
    read: Callable[[MediaReader, list[GridRange]], tuple[list[list[Taken]], float]],
) -> Reading | None:
    with open_media(path, MediaType.VIDEO) as reader:
        ranges = reader.ranges(0, last, PLAN)
        if not ranges:
            return None
        parts, last_seen = read(reader, ranges)
        reader.ranges_were_read(last, last_seen)
        return Reading([picture for part in parts for picture in part], reader.warnings)


def _in_turn(
    reader: MediaReader, ranges: list[GridRange], backwards: bool
) -> tuple[list[list[Taken]], float]:
    own = reader.range_reader()
    try:
        order = ranges[::-1] if backwards else ranges
        parts = [taken(own.read(range_, nothing)) for range_ in order]
        return parts[::-1] if backwards else parts, own.last_seen
    finally:
        own.close()


def _side_by_side(
    reader: MediaReader, ranges: list[GridRange], threads: int = 4
) -> tuple[list[list[Taken]], float]:
    readers = [reader.range_reader() for _ in range(threads)]

    def share(number: int) -> list[list[Taken]]:
        return [taken(readers[number].read(r, nothing)) for r in ranges[number::threads]]

    try:
        with ThreadPoolExecutor(threads) as pool:
            shares = list(pool.map(share, range(threads)))
        parts = [shares[at % threads][at // threads] for at in range(len(ranges))]
        return parts, max(own.last_seen for own in readers)
    finally:
        for own in readers:
            own.close()
