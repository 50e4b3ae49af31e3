"""The request body of a calibration by labels."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from api.http.bodies import CacheDir, Keyed, MediaPath
from shared.query.bounds import LONGEST_QUERY

MOST_LABELS = 10_000
MOST_QUERIES = 500  # each is a search


class Label(Struct, kw_only=True):
    """A right answer to a query: a file, or a part of it."""

    query: Annotated[
        str, Meta(min_length=1, max_length=LONGEST_QUERY, examples=["a red car in the rain"])
    ]
    """What is looked for."""
    media_path: MediaPath
    start_seconds: Annotated[float, Meta(ge=0, examples=[12.5])] = 0.0
    """Where what is right begins."""
    end_seconds: Annotated[float, Meta(ge=0, examples=[21.0])] | None = None
    """Where it ends; left out: with the file."""


class CalibrateBody(Keyed, kw_only=True):
    """Queries with all their right answers among the media of a folder."""

    cache_dir: CacheDir
    labels: Annotated[
        list[Label],
        Meta(
            max_length=MOST_LABELS,
            description=f"One for each right answer, of at most {MOST_QUERIES} queries.",
            examples=[[{"query": "a red car", "media_path": "/footage/day1/A001.mov"}]],
        ),
    ] = []
    forget: bool = False
    """Forget what labels said of the model instead."""
