"""Numbered stills are one sequence when 24 or more of them follow each other."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from workers.watcher.scan.listing import sequences_in


def stills(form: str, numbers: Iterable[int]) -> list[str]:
    return [form % number for number in numbers]


def found(names: Iterable[str]) -> dict[str, int]:
    return {sequence.name: len(sequence.stills) for sequence in sequences_in(names)}


def test_24_stills_are_a_sequence_and_23_are_not() -> None:
    assert found(stills("shot.%04d.dpx", range(1, 25))) == {"shot.[0001-0024].dpx": 24}
    assert found(stills("shot.%04d.dpx", range(1, 24))) == {}


def test_a_sequence_names_its_stills_as_they_are() -> None:
    names = stills("a_%d_beauty.EXR", range(98, 130))
    (sequence,) = sequences_in(reversed(names))
    assert sequence.name == "a_[98-129]_beauty.EXR"
    assert sequence.stills == tuple(names)


def test_a_gap_divides_a_sequence() -> None:
    names = stills("s%05d.jpg", [*range(30), *range(31, 41), *range(50, 80)])
    assert found(names) == {"s[00000-00029].jpg": 30, "s[00050-00079].jpg": 30}


def test_two_shots_in_one_folder_are_two_sequences() -> None:
    names = stills("a.%04d.tif", range(30)) + stills("b.%04d.tif", range(40))
    assert found(names) == {"a.[0000-0029].tif": 30, "b.[0000-0039].tif": 40}


def test_only_the_last_number_counts() -> None:
    assert found(stills("r2_v3.%03d.png", range(24))) == {"r2_v3.[000-023].png": 24}
    assert found([f"r{number}_v3.png" for number in range(24)]) == {}


def test_the_extension_must_be_the_same_in_the_same_case() -> None:
    assert found(stills("a.%03d.dpx", range(12)) + stills("a.%03d.DPX", range(12, 24))) == {}
    assert found(stills("a.%03d.dpx", range(12)) + stills("a.%03d.exr", range(12, 24))) == {}


@pytest.mark.parametrize(("one", "other"), [("a%03d.dpx", "a%d.dpx"), ("a%03d.dpx", "a%04d.dpx")])
def test_numbers_padded_in_two_ways_are_not_one_sequence(one: str, other: str) -> None:
    assert found(stills(one, range(1, 13)) + stills(other, range(13, 26))) == {}


def test_unpadded_numbers_count_on_past_ten() -> None:
    assert found(stills("a%d.dpx", range(1, 121))) == {"a[1-120].dpx": 120}


def test_padded_numbers_may_outgrow_their_width() -> None:
    assert found(stills("a%04d.dpx", range(990, 1020))) == {"a[0990-1019].dpx": 30}
    assert found(stills("a%02d.dpx", range(90, 120))) == {"a[90-119].dpx": 30}
    assert found(stills("a%02d.dpx", range(1, 120))) == {"a[01-119].dpx": 119}


def test_names_without_a_number_are_no_sequence() -> None:
    assert found([*(f"{chr(97 + index)}.png" for index in range(26)), "png", ".png"]) == {}


def test_digits_of_other_scripts_are_text() -> None:
    assert found(["a\u0661.png", "a\u0662.png", *stills("b²%02d.png", range(24))]) == {
        "b²[00-23].png": 24
    }
