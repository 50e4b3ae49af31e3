"""How fast this server works, as its workers measured it: footage, or stills, a second of work.

A second of work is one that a worker process had for it alone: where it does two Items at a time
each gets half. Loading models is not counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import redis

from shared.domain import ProgressType
from shared.redis.clients import key_prefix, translated

Unit = Literal["footage", "stills"]


class WorkKind(NamedTuple):
    """Work that is measured together: parts that are made in one pass, each with its model."""

    unit: Unit
    models: frozenset[tuple[ProgressType, str]]

    @classmethod
    def of(cls, unit: Unit, models: Mapping[ProgressType, str]) -> WorkKind:
        return cls(unit, frozenset(models.items()))

    @property
    def name(self) -> str:
        """Name of the kind in Redis."""
        return " ".join([self.unit, *(f"{part}={key}" for part, key in sorted(self.models))])


class MeasuredSpeed(NamedTuple):
    """What was measured of one kind of work."""

    amount: float  # seconds of footage, or stills
    seconds: float  # of a worker process

    @property
    def speed(self) -> float:
        return self.amount / self.seconds


class Rates:
    """What is known of all kinds of work, as it was read."""

    def __init__(self, known: Mapping[str, MeasuredSpeed]) -> None:
        self._known = known

    @classmethod
    def read(cls, client: redis.Redis, instance: str) -> Rates:
        """`client` must decode responses. Raises RedisAway."""
        with translated():
            found: Any = client.hgetall(f"{key_prefix(instance)}rates")
        measured: dict[str, dict[str, int]] = defaultdict(dict)
        for field, number in found.items():
            name, _, what = field.rpartition("|")
            measured[name][what] = int(number)
        return cls(
            {
                name: MeasuredSpeed(of_it["amount"] / 1000, of_it["ms"] / 1000)
                for name, of_it in measured.items()
                if of_it.get("amount", 0) > 0 and of_it.get("ms", 0) > 0
            }
        )

    def of(self, kind: WorkKind) -> MeasuredSpeed | None:
        """The rate of such work: as measured, else from that of its parts, each by itself, else
        from more that was made in one pass, which is a bit too low. None: nothing tells."""
        if exact := self._known.get(kind.name):
            return exact
        alone = [self._known.get(WorkKind(kind.unit, frozenset({one})).name) for one in kind.models]
        each = [rate for rate in alone if rate]
        if len(each) == len(alone):
            amount = min(rate.amount for rate in each)
            return MeasuredSpeed(amount, sum(amount / rate.speed for rate in each))
        words = set(kind.name.split(" "))
        larger = [rate for name, rate in self._known.items() if words <= set(name.split(" "))]
        return max(larger, key=lambda rate: rate.speed, default=None)
