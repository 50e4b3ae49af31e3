"""Pictures come from decode threads in order of time, and memory is bounded."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from shared.errors import Cancelled
from tests.support.waiting import wait_for
from workers.analysis.stage import FrameStream, Prepared, PreparedFrame
from workers.decode_pool import Cores, DecodePool
from workers.media.pictures import GridFrame

KB = 1 << 10
_LONG_S = 20


@dataclass
class Film:
    """Parts of a few seconds; a part waits until `opened` names it."""

    parts: int
    length: int
    opened: list[threading.Event] = field(default_factory=list)
    begun: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.opened = [threading.Event() for _ in range(self.parts)]

    def part(self, number: int) -> Callable[[Callable[[], None]], Iterator[GridFrame]]:
        def read(checkpoint: Callable[[], None]) -> Iterator[GridFrame]:
            self.begun.append(number)
            while not self.opened[number].wait(0.01):
                checkpoint()
            for second in range(number * self.length, (number + 1) * self.length):
                yield GridFrame(second, float(second), _NoPicture())

        return read

    def stream(self, pool: DecodePool, size: int = KB) -> FrameStream:
        parts = [self.part(number) for number in range(self.parts)]
        cores = Cores(pool.threads).enter()
        return FrameStream(pool, cores, parts, lambda _: {0: Prepared(None, size)}, lambda: None)


class _NoPicture:
    width = height = 1

    def rgb(self, width: int, height: int) -> Any:
        return np.zeros((height, width, 3), np.uint8)

    def thumbnail_jpeg(self, long_side: int = 0) -> bytes:
        return b""


@pytest.fixture
def pool() -> Iterator[DecodePool]:
    pool = DecodePool(3)
    yield pool
    pool.close()


def keep(frame: PreparedFrame) -> PreparedFrame:
    """All of it waits for its turn."""
    return frame


def nothing() -> None:
    return


def test_frames_come_in_order_however_the_parts_end(pool: DecodePool) -> None:
    film = Film(7, 5)
    for part in (2, 0, 1, 5, 4, 3, 6):
        film.opened[part].set()
    came: list[int] = []
    in_order: list[int] = []

    def as_it_comes(frame: PreparedFrame) -> PreparedFrame:
        came.append(frame.second)
        return frame

    with film.stream(pool) as stream:
        stream.take(as_it_comes, lambda frame: in_order.append(frame.second), nothing)
    assert in_order == list(range(35))
    assert sorted(came) == in_order
    assert pool.room.taken == 0


def test_what_comes_early_is_given_at_once(pool: DecodePool) -> None:
    film = Film(2, 3)
    film.opened[1].set()
    came: list[int] = []
    in_order: list[int] = []

    def as_it_comes(frame: PreparedFrame) -> PreparedFrame:
        came.append(frame.second)
        if came == [3, 4, 5]:
            assert in_order == []
            film.opened[0].set()
        return frame

    with film.stream(pool) as stream:
        stream.take(as_it_comes, lambda frame: in_order.append(frame.second), nothing)
    assert came == [3, 4, 5, 0, 1, 2]
    assert in_order == list(range(6))


def test_decoders_wait_where_there_is_no_room_but_the_part_whose_turn_it_is_goes_on(
    pool: DecodePool,
) -> None:
    film = Film(3, 40)
    frame_size = 8 << 20
    film.opened[1].set()
    film.opened[2].set()
    most: list[int] = []
    in_order: list[int] = []

    def look(frame: PreparedFrame) -> PreparedFrame:
        most.append(pool.room.taken)
        return frame

    with film.stream(pool, frame_size) as stream:
        full = 10 * frame_size  # 80 MiB, by three threads
        wait_for(lambda: pool.room.taken >= full, _LONG_S, "room to be full")
        film.opened[0].set()
        stream.take(look, lambda frame: in_order.append(frame.second), nothing)
    assert in_order == list(range(120))
    # Two threads may have found room at once, and four frames of the first part go on.
    assert max(most) <= full + 6 * frame_size


def test_no_part_is_begun_long_before_its_turn(pool: DecodePool) -> None:
    film = Film(50, 2)
    for part in range(1, 50):
        film.opened[part].set()
    in_order: list[int] = []
    with film.stream(pool) as stream:
        wait_for(lambda: len(film.begun) == 6, _LONG_S, "twice as many parts as threads")
        film.opened[0].set()
        stream.take(keep, lambda frame: in_order.append(frame.second), nothing)
    assert in_order == list(range(100))


def test_what_ends_a_part_is_raised_and_the_others_end(pool: DecodePool) -> None:
    film = Film(3, 4)
    film.opened[0].set()

    def broken(_checkpoint: Callable[[], None]) -> Iterator[GridFrame]:
        raise ValueError("It is broken.")
        yield

    parts = [film.part(0), broken, film.part(2)]  # the last one waits
    cores = Cores(pool.threads).enter()
    stream = FrameStream(pool, cores, parts, lambda _: {0: Prepared(None, KB)}, nothing)
    with pytest.raises(ValueError, match="It is broken"), stream:
        stream.take(keep, lambda _: None, nothing)
    assert pool.room.taken == 0


def test_a_still_that_waits_for_another_ones_memory_does_not_count_as_at_work(
    pool: DecodePool,
) -> None:
    """Else one that hangs would never be found out: both are of one Item."""
    advanced = threading.Event()
    stills = [Film(1, 1), Film(1, 1)]
    large = 600 << 20
    of_item = Cores(pool.threads).enter()

    def stream(still: Film, has_advanced: Callable[[], None]) -> FrameStream:
        parts = [still.part(0)]
        return FrameStream(
            pool, of_item, parts, lambda _: {0: Prepared(None, KB)}, has_advanced, large
        )

    with stream(stills[0], nothing) as first:
        wait_for(lambda: stills[0].begun, _LONG_S, "the first one to be decoded")
        with stream(stills[1], advanced.set) as second:
            assert not advanced.wait(0.5)
            assert stills[1].begun == []
            stills[0].opened[0].set()
            first.take(keep, lambda _: None, nothing)
            assert advanced.wait(_LONG_S), "one that gives its memory back does not hang"
            stills[1].opened[0].set()
            second.take(keep, lambda _: None, nothing)
    assert (pool.stills.taken, pool.room.taken) == (0, 0)


def test_stills_of_cameras_are_decoded_side_by_side(pool: DecodePool) -> None:
    camera = 3 * 45_000_000
    with contextlib.ExitStack() as held:
        for _ in range(pool.threads):
            held.enter_context(pool.stills.holding(camera, pytest.fail, contextlib.nullcontext))


def test_a_stop_is_heard_while_no_picture_comes(pool: DecodePool) -> None:
    film = Film(2, 4)

    def heed() -> None:
        raise Cancelled

    with pytest.raises(Cancelled), film.stream(pool) as stream:
        stream.take(keep, lambda _: None, heed)
    assert pool.room.taken == 0


def test_a_stop_is_heard_while_another_item_has_all_threads(pool: DecodePool) -> None:
    """And who waits for a thread is not taken for hung."""
    other, film = Film(3, 1), Film(2, 1)
    advanced: list[bool] = []
    looks: list[bool] = []

    def heed() -> None:
        looks.append(True)
        if len(looks) == 3:
            raise Cancelled

    with other.stream(pool):
        wait_for(lambda: len(other.begun) == 3, _LONG_S, "all threads to be taken")
        parts = [film.part(0), film.part(1)]
        mine = FrameStream(
            pool,
            Cores(3).enter(),
            parts,
            lambda _: {0: Prepared(None, KB)},
            lambda: advanced.append(True),
        )
        with pytest.raises(Cancelled), mine:
            mine.take(keep, lambda _: None, heed)
    assert len(advanced) == 3
    assert film.begun == []
