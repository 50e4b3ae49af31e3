"""Facts of all files as columns, so that a filter of ten thousand is a comparison of arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api.search.filtering.facts import FileFacts

Mask = NDArray[np.bool_]  # [files]
Numbers = NDArray[np.float64]  # [files], NaN where a fact is not known


@dataclass(frozen=True, slots=True)
class FactColumns:
    """Files are numbered as in `hashes`; `codecs` and `languages` say which files have each."""

    hashes: tuple[str, ...]
    seconds: Numbers
    rate: Numbers
    width: Numbers
    height: Numbers
    sound: Numbers
    recorded: Numbers
    codecs: Mapping[str, list[int]]
    languages: Mapping[str, list[int]]

    @classmethod
    def of(cls, files: Mapping[str, FileFacts]) -> FactColumns:
        codecs: dict[str, list[int]] = {}
        languages: dict[str, list[int]] = {}
        for n, facts in enumerate(files.values()):
            for codec in facts.codecs:
                codecs.setdefault(codec, []).append(n)
            for language in facts.languages:
                languages.setdefault(language, []).append(n)
        rows = [
            (f.seconds, f.rate, *(f.size or (None, None)), f.sound, f.recorded)
            for f in files.values()
        ]
        seconds, rate, width, height, sound, recorded = (
            np.array(rows, dtype=np.float64).reshape(len(rows), 6).T.copy()
        )
        return cls(tuple(files), seconds, rate, width, height, sound, recorded, codecs, languages)

    def among(self, files: list[int]) -> Mask:
        mask = np.zeros(len(self.hashes), dtype=bool)
        mask[files] = True
        return mask

    def left(self, masks: list[Mask]) -> set[str]:
        """Hashes of the files that are in all of these."""
        return {self.hashes[n] for n in np.flatnonzero(np.logical_and.reduce(masks)).tolist()}


def within(
    values: Numbers, low: float | None, high: float | None, slack: float = 0.0
) -> Iterator[Mask]:
    """Which values are known and lie between the bounds, both counted."""
    yield ~np.isnan(values)
    if low is not None:
        yield values >= low - slack
    if high is not None:
        yield values <= high + slack
