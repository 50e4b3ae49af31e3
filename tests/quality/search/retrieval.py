"""Top-k retrieval on labelled queries: scores, misses, and what shuffled vectors would score."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Query:
    text: str
    right: frozenset[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    query: Query
    ranking: list[str]

    @property
    def rank(self) -> int:
        """Of the first right answer, from 1."""
        return 1 + next(i for i, name in enumerate(self.ranking) if name in self.query.right)


def read_queries(file: str) -> list[Query]:
    text = Path(__file__).with_name(file).read_text(encoding="utf-8")
    entries = json.loads(text)["queries"]
    return [Query(entry["text"], frozenset(entry["right"])) for entry in entries]


def rank_all(
    queries: list[Query],
    query_rows: NDArray[np.float32],
    names: list[str],
    picture_rows: NDArray[np.float32],
) -> list[Outcome]:
    scores = query_rows @ picture_rows.T
    return [
        Outcome(query, [names[i] for i in np.argsort(-row)])
        for query, row in zip(queries, scores, strict=True)
    ]


def top(outcomes: list[Outcome], k: int) -> float:
    return sum(outcome.rank <= k for outcome in outcomes) / len(outcomes)
