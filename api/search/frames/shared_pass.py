"""Searches that wait for another one's pass over the codes are estimated together in the next.

Memory is what a pass waits for, so one for many queries takes little longer than one for one. Who
comes while nobody scans begins at once: a single client never waits for others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from api.search.frames.estimates import Estimates
from api.search.types import QueryVectors

EstimateMany = Callable[[Sequence[QueryVectors]], list[Estimates]]

_VECTORS = 64  # of a pass, excluded concepts among them
_BYTES = 128 << 20  # of the estimates of a pass


@dataclass(eq=False, slots=True)
class _Waiting:
    query: QueryVectors
    rows: object
    count: int
    turn: threading.Event = field(default_factory=threading.Event)
    batch: list[_Waiting] = field(default_factory=list)  # to be estimated by this one's thread
    found: Estimates | None = None
    error: BaseException | None = None

    @property
    def vectors(self) -> int:
        return 1 + (0 if self.query.exclude is None else len(self.query.exclude))


class SharedPass:
    """Takes turns at scanning, and takes along whoever waits for the same rows."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_scanning = False
        self._waiting: list[_Waiting] = []

    def estimate(
        self, query: QueryVectors, rows: object, count: int, many: EstimateMany
    ) -> Estimates:
        """What `many`, a pass over `count` rows, finds for this query.

        Searches with the same `rows` may share a pass. Raises what `many` raises.
        """
        mine = _Waiting(query, rows, count)
        with self._lock:
            if not self._is_scanning:
                self._is_scanning = True
                mine.batch = [mine]
            else:
                self._waiting.append(mine)
        if not mine.batch:
            mine.turn.wait()
        if mine.batch:
            try:
                self._scan(mine.batch, many)
            finally:  # whatever ends this thread: others wait
                with self._lock:
                    self._pass_on()
        if mine.error is not None:
            raise mine.error
        assert mine.found is not None
        return mine.found

    def _scan(self, batch: list[_Waiting], many: EstimateMany) -> None:
        try:
            found = many([one.query for one in batch])
            for one, estimates in zip(batch, found, strict=True):
                one.found = estimates
        except Exception:  # noqa: BLE001 - whatever it is, it may be one query's alone
            for one in batch:
                _estimate_alone(one, many)
        finally:
            for one in batch[1:]:
                one.turn.set()

    def _pass_on(self) -> None:
        """Let the one that has waited longest scan, with those that it can take along."""
        if not self._waiting:
            self._is_scanning = False
            return
        first = self._waiting[0]
        vectors, most = 0, max(1, _BYTES // (4 * first.count))
        for one in self._waiting:
            fits = one is first or vectors + one.vectors <= _VECTORS
            if one.rows == first.rows and fits:
                first.batch.append(one)
                vectors += one.vectors
            if len(first.batch) >= most:
                break
        self._waiting = [one for one in self._waiting if one not in first.batch]
        first.turn.set()


def _estimate_alone(one: _Waiting, many: EstimateMany) -> None:
    try:
        (one.found,) = many([one.query])
    except Exception as error:  # noqa: BLE001 - its own search raises it
        one.error = error
