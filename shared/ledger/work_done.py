"""How much of its footage a Task has worked through, how fast, and how many files have failed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import redis

from shared.msgspec_decoding import decoded
from shared.redis.clients import key_prefix

_LAST_MS = 180_000  # a pace that was noted longer ago is none of the last minutes
_FIELDS = ["footage_ms", "pace", "finished", "failed_files"]


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
    with client.pipeline(transaction=False) as pipe:
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
            cache_dir=(decoded(spec, _AnySpec) or _AnySpec()).cache_dir,
        )
        for (footage, pace, finished, failed), parts, spec in zip(
            answers[::3], answers[1::3], answers[2::3], strict=True
        )
    ]


def _rate(raw: str | None, now_ms: float) -> float | None:
    """Footage a second by samples; a pace fades from the last one on, until that is too old."""
    samples = decoded(raw, list[tuple[float, float]]) or []
    if len(samples) < 2 or now_ms - samples[-1][0] > _LAST_MS:
        return None
    (began, before), (ended, done) = samples[0], samples[-1]
    until = max(ended, now_ms)
    return round((done - before) / (until - began), 2) if until > began else None
