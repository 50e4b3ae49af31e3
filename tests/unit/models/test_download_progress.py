"""A download says how far it has come: each tenth of it, in lines that a log can hold."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from shared.models.download_progress import progress
from tests.support.waiting import wait_for

MEGABYTE = 1_000_000


def arrive(path: Path, steps: list[int], seen: Callable[[int], bool]) -> None:
    """A file that grows to so many megabytes, one after the other, once each has been seen."""
    for megabytes in steps:
        with path.open("ab") as file:
            file.truncate(megabytes * MEGABYTE)
        wait_for(lambda megabytes=megabytes: seen(megabytes), 5, f"news of {megabytes} MB")


def test_each_tenth_is_told_once_with_bytes_and_percent(tmp_path: Path) -> None:
    said: list[str] = []
    with progress("a model", tmp_path, 200 * MEGABYTE, said.append, every_s=0.001):
        arrive(
            tmp_path / "part", [20, 50, 200], lambda n: any(f": {n} of" in line for line in said)
        )
        (tmp_path / "copy").write_bytes(b"as pip makes one")
    assert said == [
        "a model: 20 of 200 MB (10 %)",
        "a model: 50 of 200 MB (25 %)",
        "a model: 200 of 200 MB (100 %)",
    ]


def test_what_comes_in_small_pieces_is_told_ten_times(tmp_path: Path) -> None:
    said: list[str] = []
    with progress("a model", tmp_path, 100 * MEGABYTE, said.append, every_s=0.001):
        arrive(tmp_path / "part", [*range(101)], lambda n: len(said) >= n // 10)
    assert [line.partition("(")[2] for line in said] == [f"{n}0 %)" for n in range(1, 11)]


def test_what_an_earlier_try_has_left_counts_up_to_the_end(tmp_path: Path) -> None:
    (tmp_path / "done").touch()
    os.truncate(tmp_path / "done", 150 * MEGABYTE)
    said: list[str] = []
    with progress("a model", tmp_path, 200 * MEGABYTE, said.append, every_s=0.001):
        arrive(tmp_path / "rest", [0, 50], lambda n: bool(said) and (n == 0 or len(said) == 2))
    assert said == ["a model: 150 of 200 MB (75 %)", "a model: 200 of 200 MB (100 %)"]


def test_the_end_is_told_however_rarely_it_is_looked_at(tmp_path: Path) -> None:
    said: list[str] = []
    with progress("a model", tmp_path, MEGABYTE, said.append, every_s=3600):
        (tmp_path / "part").write_bytes(bytes(MEGABYTE))
    assert said == ["a model: 1 of 1 MB (100 %)"]


def test_holes_of_a_file_under_way_have_not_arrived(tmp_path: Path) -> None:
    said: list[str] = []
    with (
        progress("a model", tmp_path, 10 * MEGABYTE, said.append, every_s=3600),
        (tmp_path / "weights.incomplete").open("wb") as file,
    ):
        file.write(bytes(5 * MEGABYTE))
        file.truncate(10 * MEGABYTE)
        os.fsync(file.fileno())
    assert [line.partition("(")[2] for line in said] == ["50 %)"]


def test_where_the_size_is_not_known_bytes_alone_are_told(tmp_path: Path) -> None:
    said: list[str] = []
    with progress("a model", tmp_path, None, said.append, every_s=0.001):
        arrive(tmp_path / "part", [1, 150, 230], lambda n: n < 100 or f"a model: {n} MB" in said)
    assert said == ["a model: 150 MB", "a model: 230 MB"]
