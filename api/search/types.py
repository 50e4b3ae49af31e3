"""What goes into a search and what comes out. Paths are the server's form."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence, Set
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from api.people.frame_filter import FrameFilter
from api.search.answers import Skipped
from shared.domain import Scene

VectorArray = NDArray[np.float32]
Scores = NDArray[np.float32]
RowRange = tuple[int, int]  # half-open


@dataclass(frozen=True, slots=True)
class QueryVectors:
    """Unit vectors of one search; `exclude` has one row a concept.

    score = cos(picture) + text_weight * cos(query) - 0.5 * max(0, max cos(exclude))
    """

    query: VectorArray | None = None
    picture: VectorArray | None = None
    exclude: VectorArray | None = None
    text_weight: float = 1.0


@dataclass(frozen=True, slots=True)
class FrameSearch:
    """Which frames of a folder are ranked, and by what.

    With `instead` only scenes that are likely to have matches are looked at; where it must be an
    exact search instead, that is called with the reason. `least`: with excluded concepts, no match
    is wanted that has less without them.
    """

    model: str
    vectors: QueryVectors
    hashes: Set[str] | None = None  # of the files; None: all
    frames: FrameFilter | None = None  # None: all
    instead: Callable[[str], None] | None = None
    least: float | None = None


class Hit(msgspec.Struct, frozen=True):
    """One match: grid second `second`, row `row` of its file's embeddings.

    `scene` is half-open on the grid; a still has Scene(0, 0). `path` is where the file was seen:
    the oldest place that opens, else the oldest; None where none is known.
    """

    hash_str: str
    second: int
    row: int
    scene: Scene
    score: float
    base: float  # the score without the excluded concepts
    path: str | None

    @property
    def tier(self) -> int:
        """All frames are found in the same way."""
        return 0

    @property
    def place(self) -> tuple[int]:
        """By which hits of one file are ordered in time."""
        return (self.second,)


@dataclass(frozen=True, slots=True)
class LoadReport:
    """`frames` counts grid frames; `missing` are hashes asked for of which nothing is there.

    `warnings` say what makes searches slow here.
    """

    visual_files: int = 0
    transcription_files: int = 0
    frames: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    missing: Collection[str] = ()
    warnings: Sequence[str] = ()
