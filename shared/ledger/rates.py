"""How fast this server works, as its workers measured it: footage, or stills, a second of work.

A second of work is one that a worker process had for it alone: where it does two Items at a time
each gets half. Loading models is not counted.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec
import redis

from shared.domain import ProgressType
from shared.msgspec_decoding import UNDECODABLE
from shared.redis.clients import key_prefix, translated

_LAST_MS = 180_000  # a pace that was noted longer ago is none of the last minutes
_FIELDS = ["footage_ms", "pace", "finished", "failed_files"]
_SAMPLES = msgspec.json.Decoder(list[tuple[float, float]])

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


class _AnySpec(msgspec.Struct):
    """Of an Item's spec, whichever kind its Task is of."""

    cache_dir: str = ""


class WorkDone(NamedTuple):
    """`rate`: seconds of footage a second. None: not known. `cache_dir` is in the server's form."""

    rate: float | None
    footage_seconds: float | None
    failed_files: int
    cache_dir: str


def work_done(
    client: redis.Redis, instance: str, task_ids: Sequence[str], now: float | None = None
) -> list[WorkDone]:
    """Of each Task, in one round trip, at `now` (Unix seconds). `client` must decode responses."""
    now_ms = (time.time() if now is None else now) * 1000
    prefix = key_prefix(instance)
    with translated(), client.pipeline(transaction=False) as pipe:
        for task_id in task_ids:
            pipe.hmget(f"{prefix}task:{task_id}", _FIELDS)
            pipe.hlen(f"{prefix}failures:{task_id}")
            pipe.hget(f"{prefix}item:{task_id}:0", "spec")
        answers: list[Any] = pipe.execute()
    return [
        WorkDone(
            rate=_rate(pace, now_ms) if not finished else None,
            footage_seconds=int(footage) / 1000 if footage else None,
            # Parts of files, where the version that began the Task did not count the files.
            failed_files=int(parts if failed is None else failed),
            cache_dir=_cache_dir(spec),
        )
        for (footage, pace, finished, failed), parts, spec in zip(
            answers[::3], answers[1::3], answers[2::3], strict=True
        )
    ]


def _rate(raw: str | None, now_ms: float) -> float | None:
    """Footage a second by samples; a pace fades from the last one on, until that is too old."""
    try:
        samples = _SAMPLES.decode(raw or "[]")
    except UNDECODABLE:
        return None
    if len(samples) < 2 or now_ms - samples[-1][0] > _LAST_MS:
        return None
    (began, before), (ended, done) = samples[0], samples[-1]
    until = max(ended, now_ms)
    return round((done - before) / (until - began), 2) if until > began else None


def _cache_dir(raw: str | None) -> str:
    """Empty where there is none, or another version wrote what this one does not understand."""
    try:
        return msgspec.json.decode(raw, type=_AnySpec).cache_dir if raw else ""
    except UNDECODABLE:
        return ""
