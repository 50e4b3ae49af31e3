"""However many threads decode a film, what is published of it is the same."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import numpy as np

from tests.integration.media.test_grid import TIMED, moving_pictures
from tests.support.analysis.in_process import PICTURES, InProcess, Made
from tests.support.fake_models import paint_face
from tests.support.media.media import H264, RGB, also, truncate, write_video
from tests.support.running.long_form import by_form
from workers.decode_pool import CoresOfItem, DecodePool

# The pictures themselves are compared for every container in tests/integration/media/ranges.
SOME = (
    *("h264.mp4", "h264 no b.mkv", "open gop.mp4", "open gop 33.ts", "hevc.mp4", "mpeg2.mxf"),
    *("h264 interlaced.ts", "starts at 5.ts", "turned.mp4", "ntsc.mp4", "444.mp4", "prores.mov"),
)
RANGE_S = 2
COUNT = 7 * 25  # pictures of a film
BY_ONE = "It was decoded by one thread"


def film_pictures() -> Iterator[RGB]:
    """Moving pictures, with somebody in them for some time."""
    for number, picture in enumerate(moving_pictures(COUNT, (160, 96))):
        if number % 75 > 20:
            paint_face(picture, number // 75, (60, 20, 40))
        yield picture


def made_by(folder: Path, redis_url: str, films: list[Path], threads: int) -> list[Made]:
    """Of each film, analyzed together in a CacheDir of their own."""
    here = InProcess(folder / str(threads), redis_url)
    decoders = DecodePool(threads, RANGE_S)
    try:
        here.analyze(films, decoders)
        assert decoders.room.taken == 0
        return [here.made_of(film) for film in films]
    finally:
        decoders.close()
        here.close()


def assert_alike(one: Made, several: Made, name: str) -> None:
    assert several.seen == one.seen, name
    assert several.pack == one.pack, name
    assert several.faces == one.faces, name
    np.testing.assert_allclose(several.rows, one.rows, atol=1e-3, err_msg=name)


def test_four_threads_make_of_a_film_in_any_container_what_one_makes(
    tmp_path: Path, redis_url: str
) -> None:
    films = [
        write_video(tmp_path / name, film_pictures(), encoding=TIMED[name])
        for name in by_form(short=SOME, long=tuple(TIMED))
    ]
    by_one = made_by(tmp_path, redis_url, films, 1)
    by_four = made_by(tmp_path, redis_url, films, 4)
    for film, one, four in zip(films, by_one, by_four, strict=True):
        assert_alike(one, four, film.name)
        assert four.warnings == one.warnings, film.name


def test_a_film_that_was_tried_before_is_decoded_by_one_thread(
    tmp_path: Path, redis_url: str
) -> None:
    """It may have ended its worker, and several threads make that likelier."""
    film = write_video(tmp_path / "a.mp4", film_pictures(), encoding=also(H264, gop=12))
    for tries in (0, 1):
        parts = parts_begun(tmp_path / str(tries), redis_url, film, tries)
        assert parts == 1 if tries else parts > 1


def parts_begun(folder: Path, redis_url: str, film: Path, tries: int) -> int:
    """How many parts of a film were given to four threads."""
    parts: list[Callable[[], None]] = []

    class Counting(DecodePool):
        def submit(self, function: Callable[[], None], cores: CoresOfItem) -> Future[None]:
            parts.append(function)
            return super().submit(function, cores)

    here, decoders = InProcess(folder, redis_url), Counting(4, RANGE_S)
    try:
        here.do(here.desk.submit([film], wants=PICTURES), decoders, tries=tries)
    finally:
        decoders.close()
        here.close()
    return len(parts)


def test_a_false_length_changes_nothing(tmp_path: Path, redis_url: str) -> None:
    film = write_video(tmp_path / "a.mkv", film_pictures(), encoding=also(H264, gop=12))
    data = bytearray(film.read_bytes())
    at = data.index(b"\x44\x89\x88") + 3  # the segment's length in milliseconds
    data[at : at + 8] = struct.pack(">d", 5e15)
    film.write_bytes(data)
    (one,), (four,) = (made_by(tmp_path, redis_url, [film], threads) for threads in (1, 4))
    assert_alike(one, four, film.name)
    assert four.warnings == one.warnings


def test_damaged_films_are_decoded_by_one_thread_which_is_said(
    tmp_path: Path, redis_url: str
) -> None:
    whole = write_video(
        tmp_path / "whole.mp4",
        film_pictures(),
        encoding=also(H264, gop=12, container_options={"movflags": "faststart"}),
    ).read_bytes()
    films = []
    for seed in range(12):
        chance = random.Random(seed)
        data = bytearray(whole)
        for _ in range(chance.choice((1, 3, 30))):
            data[chance.randrange(len(data) // 4, len(data))] ^= 1 << chance.randrange(8)
        films.append(tmp_path / f"{seed}.mp4")
        films[-1].write_bytes(data)
    films.append(tmp_path / "cut.mp4")
    films[-1].write_bytes(whole)
    truncate(films[-1], 0.6)
    by_one = made_by(tmp_path, redis_url, films, 1)
    by_four = made_by(tmp_path, redis_url, films, 4)
    told = 0
    for film, one, four in zip(films, by_one, by_four, strict=True):
        assert_alike(one, four, film.name)
        more = [each for each in four.warnings if each not in one.warnings]
        assert len(more) <= 1, more
        assert all(each.startswith(BY_ONE) for each in more)
        told += len(more)
    assert told >= 3
