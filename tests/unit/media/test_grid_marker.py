"""Which packets the grid wants, by their time stamps alone."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from av.packet import Packet

from workers.media.containers import Clock
from workers.media.gops import GridMarker

CLOCK = Clock(0, Fraction(1, 25))


def packets(times: Iterable[int | None]) -> list[Packet]:
    made = []
    for number, pts in enumerate(times):
        packet = Packet(b"x")
        packet.pts = pts
        packet.is_keyframe = number == 0
        made.append(packet)
    return made


def wanted(times: Iterable[int | None], first: int = 0, last: int | None = None) -> list[int]:
    """Time stamps of the wanted packets; also checks that none is lost or moved."""
    marker = GridMarker(CLOCK, first, last)
    given = packets(times)
    released = [pair for packet in given for pair in marker.push(packet)]
    released += marker.finish()
    assert [packet for packet, _ in released] == given
    return [packet.pts for packet, is_wanted in released if is_wanted]


def reordered(count: int) -> list[int]:
    """I P b b P b b …: each P is decoded before the two pictures shown ahead of it."""
    times = [0]
    for at in range(3, count, 3):
        times += [at, at - 2, at - 1]
    return times


def test_the_first_picture_of_each_second_is_wanted() -> None:
    assert wanted(range(100)) == [0, 25, 50, 75]
    assert sorted(wanted(reordered(100))) == [0, 25, 50, 75]


def test_bounds_are_kept() -> None:
    assert wanted(range(200), first=2, last=5) == [50, 75, 100]


def test_long_gaps_leave_seconds_out() -> None:
    assert wanted([*range(30), *range(1000, 1030)]) == [0, 25, 1000, 1025]


def test_pictures_without_a_time_are_never_wanted() -> None:
    assert wanted([0, None, None, 24, 25, None]) == [0, 25]


def test_one_time_stamp_far_ahead_does_not_hold_up_or_swallow_the_rest() -> None:
    times = list(range(2000))
    times[110] = 900_000
    assert wanted(times) == list(range(0, 2000, 25))


def test_times_that_jump_back_add_no_other_picture_to_a_second() -> None:
    times = wanted([*range(100), *range(130)])
    assert sorted(set(times)) == [0, 25, 50, 75, 100, 125]


def test_a_stream_that_begins_between_keyframes_is_wanted_from_its_first_keyframe_on() -> None:
    marker = GridMarker(CLOCK, 0, None)
    given = packets(range(100))
    given[0].is_keyframe, given[40].is_keyframe = False, True
    released = [pair for packet in given for pair in marker.push(packet)] + list(marker.finish())
    assert [packet.pts for packet, is_wanted in released if is_wanted] == [40, 50, 75]
