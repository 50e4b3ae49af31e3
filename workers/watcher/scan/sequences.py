"""Numbered sequences of stills: frames of one shot, which nobody wants as hundreds of pictures."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

SHORTEST = 24
_NUMBERED = re.compile(r"(.*?)([0-9]+)([^0-9]*)", re.DOTALL)


class StillSequence(NamedTuple):
    """Consecutive stills of one folder. `name` stands for all: `shot.[0001-0240].dpx`."""

    name: str
    stills: tuple[str, ...]


class _NamePattern(NamedTuple):
    """What the names of one sequence share; `width` 1: not padded with zeros."""

    before: str
    after: str
    width: int


def sequence_key(name: str) -> tuple[str, str] | None:
    """What the names of all stills of one shot share; None for a name without a number."""
    stem, dot, extension = name.rpartition(".")
    found = _NUMBERED.fullmatch(stem)
    return (found[1], found[3] + dot + extension) if found else None


def sequences_in(names: Iterable[str]) -> list[StillSequence]:
    """Sequences of at least 24 stills. `names`: of stills in one folder, each once."""
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in names:
        stem, dot, extension = name.rpartition(".")
        found = _NUMBERED.fullmatch(stem)
        if found:
            alike[found[1], found[3] + dot + extension].append(found[2])
    return [
        sequence
        for (before, after), numbers in alike.items()
        if len(numbers) >= SHORTEST
        for width, padded in _by_padding(numbers).items()
        for sequence in _runs(_NamePattern(before, after, width), padded)
    ]


def _by_padding(numbers: list[str]) -> dict[int, list[int]]:
    """The numbers by the width to which they are padded.

    `1000` may follow `0999` or `999`, and `10000` may follow `9999` of a width of 4: a number
    without leading zeros goes to the widest padding that can have written it.
    """
    widths = sorted({len(number) for number in numbers if _is_padded(number)}, reverse=True)
    padded: dict[int, list[int]] = defaultdict(list)
    for number in numbers:
        if _is_padded(number):
            width = len(number)
        else:
            width = next((width for width in widths if width <= len(number)), 1)
        padded[width].append(int(number))
    return padded


def _is_padded(number: str) -> bool:
    return len(number) > 1 and number.startswith("0")


def _runs(shot: _NamePattern, numbers: list[int]) -> Iterator[StillSequence]:
    run: list[int] = []
    for number in [*sorted(numbers), None]:
        if run and number != run[-1] + 1:
            if len(run) >= SHORTEST:
                yield _sequence(shot, run)
            run = []
        if number is not None:
            run.append(number)


def _sequence(shot: _NamePattern, run: list[int]) -> StillSequence:
    texts = [str(number).zfill(shot.width) for number in run]
    name = f"{shot.before}[{texts[0]}-{texts[-1]}]{shot.after}"
    return StillSequence(name, tuple(f"{shot.before}{text}{shot.after}" for text in texts))
