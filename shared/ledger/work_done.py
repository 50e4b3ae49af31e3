"""How much of its footage a Task has worked through, how fast, and how many files have failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import redis

from shared.msgspec_decoding import UNDECODABLE
from shared.redis.clients import key_prefix, translated

_LAST_MS = 180_000  # a pace that was noted longer ago is none of the last minutes
_SAMPLES = msgspec.json.Decoder(list[tuple[float, float]])


class _AnySpec(msgspec.Struct):
    """Of an Item's spec, whichever kind its Task is of."""

    cache_dir: str = ""


class WorkDone(NamedTuple):
    """`rate`: seconds of footage a second. None: not known. `cache_dir` is in the server's form."""

    rate: float | None
    footage_seconds: float | None
    failed_files: int
    cache_dir: str


def work_done(client: redis.Redis, instance: str, task_ids: Sequence[str]) -> list[WorkDone]:
    """Of each Task, in one round trip. `client` must decode responses."""
    prefix = key_prefix(instance)
    with translated(), client.pipeline(transaction=False) as pipe:
        for task_id in task_ids:
            pipe.hmget(f"{prefix}task:{task_id}", ["footage_ms", "pace", "updated", "finished"])
            pipe.hkeys(f"{prefix}failures:{task_id}")
            pipe.hget(f"{prefix}item:{task_id}:0", "spec")
        answers: list[Any] = pipe.execute()
    return [
        WorkDone(
            rate=_rate(pace, updated) if not finished else None,
            footage_seconds=int(footage) / 1000 if footage else None,
            failed_files=len({field.rpartition(":")[0] for field in failures}),
            cache_dir=_cache_dir(spec),
        )
        for (footage, pace, updated, finished), failures, spec in zip(
            answers[::3], answers[1::3], answers[2::3], strict=True
        )
    ]


def _rate(raw: str | None, updated: str | None) -> float | None:
    try:
        samples = _SAMPLES.decode(raw or "[]")
    except UNDECODABLE:
        return None
    if len(samples) < 2 or float(updated or 0) - samples[-1][0] > _LAST_MS:
        return None
    (began, before), (until, done) = samples[0], samples[-1]
    return round((done - before) / (until - began), 2) if until > began else None


def _cache_dir(raw: str | None) -> str:
    """Empty where there is none, or another version wrote what this one does not understand."""
    try:
        return msgspec.json.decode(raw, type=_AnySpec).cache_dir if raw else ""
    except UNDECODABLE:
        return ""
