"""Pictures gathered into batches for a model, which works in a thread of its own meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from workers.context import Context

T = TypeVar("T")

_STILLS_A_BATCH = 16  # at least, where an Item has so many

_Row = NDArray[np.float32]
_Waiting = tuple[NDArray[Any], Callable[[_Row], None]]


class ModelBatches:
    """Prepared pictures of one or more files, on their way through a model.

    One batch is in the model while the next one is gathered.
    """

    def __init__(
        self,
        context: Context,
        embed: Callable[[NDArray[Any]], _Row],
        size: int,
        counted_as: str,
        *,
        leaves_none: bool = False,
    ) -> None:
        """`embed`: [n, ...] -> [n, dim]. `size`: pictures in a batch.

        `leaves_none`: for the few dozen stills of an Item, so that no batch is a remnant: one
        is begun only where enough for another wait behind it.
        """
        self._context = context
        self._embed = embed
        self._size = max(1, size)
        self._even_size = max(_STILLS_A_BATCH, size)
        self._counted_as = counted_as
        self._leaves_none = leaves_none
        self._waiting: list[_Waiting] = []
        self._in_model: tuple[Future[_Row], list[_Waiting]] | None = None

    def add(self, prepared: NDArray[Any], take_row: Callable[[_Row], None]) -> None:
        """Queue a picture, whose row `take_row` gets in this thread, by `flush` at the latest."""
        self._waiting.append((prepared, take_row))
        size = self._even_size if self._leaves_none else self._size
        if len(self._waiting) >= (2 * size if self._leaves_none else size):
            self._begin(size)

    def flush(self) -> None:
        """Bring everything through the model."""
        for batch in [*even_parts(self._waiting, self._even_size)]:
            self._begin(len(batch))
        self._end()

    def _begin(self, size: int) -> None:
        """Give the model the next ones; where that is ended before, they go on waiting."""
        self._end()
        self._context.checkpoint()
        batch, self._waiting = self._waiting[:size], self._waiting[size:]
        pictures = np.stack([picture for picture, _ in batch])
        self._in_model = self._context.bench.batches.begin(lambda: self._embed(pictures)), batch

    def _end(self) -> None:
        """Wait for the batch that is in the model."""
        if self._in_model is None:
            return
        future, batch = self._in_model
        try:
            rows = self._context.bench.batches.result(future, self._context.signals.raise_if_set)
        finally:  # where only one file's time is over, the rows of others are still wanted
            if future.done():
                self._in_model = None
            if future.cancelled():
                self._waiting[:0] = batch
        kind = self._counted_as
        self._context.counts.update({f"{kind}_batches": 1, f"{kind}_pictures": len(batch)})
        for (_, take_row), row in zip(batch, rows, strict=True):
            take_row(row)


def even_parts(waiting: list[T], at_least: int) -> Iterator[list[T]]:
    """Parts of nearly the same size, none smaller than `at_least` where there are so many."""
    count = max(1, len(waiting) // at_least)
    for number in range(count if waiting else 0):
        yield waiting[number * len(waiting) // count : (number + 1) * len(waiting) // count]
