"""A collection with more people than anybody names, as analysis would have made it."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from shared.cache.cache_dir import CacheDir
from tests.support.media.by_path import hash_media
from tests.support.people.people_data import Seen, make_collection

PEOPLE, FACES = 1_000, 100_000
CROWD = "Crowd"  # the collection
_FILES = 20
_SHARE, _SECONDS = PEOPLE // _FILES, FACES // _FILES  # people and faces of a file


def many_people(folder: Path) -> Path:
    """1,000 people with 20 to some 200 faces each, one a second; the cache folder."""
    cache = CacheDir.open(folder / "cache", create=True)
    files: dict[str, list[Seen]] = {}
    crops = [colour_crop(number) for number in range(PEOPLE)]
    owners: dict[str, list[int]] = {}
    for number in range(_FILES):
        path = folder / f"Day {number:02}.mp4"
        path.write_bytes(f"day {number}".encode() * 20)
        hash_str = hash_media(str(path))
        found = path.stat()
        cache.remember_path(hash_str, str(path), found.st_size, found.st_mtime_ns)
        owners[hash_str] = _in_file(number * _SHARE)
        files[hash_str] = [
            Seen(second, 4, 1 + person) for second, person in enumerate(owners[hash_str])
        ]
    make_collection(cache, CROWD, files, crop=lambda hash_str, row: crops[owners[hash_str][row]])
    return folder / "cache"


def _in_file(first: int) -> list[int]:
    """Who is seen in each second; the last one a little longer."""
    counts = [20 + 160 * n // (_SHARE - 1) for n in range(_SHARE)]
    counts[-1] += _SECONDS - sum(counts)
    return [first + n for n, count in enumerate(counts) for _ in range(count)]


def colour_crop(number: int) -> bytes:
    written = io.BytesIO()
    colour = (number % 10 * 25, number // 10 % 10 * 25, number // 100 * 25)
    Image.new("RGB", (160, 160), colour).save(written, "JPEG")
    return written.getvalue()
