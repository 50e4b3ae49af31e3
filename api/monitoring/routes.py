"""Is the server there: /api/v1/health for clients, /ready for load balancers and operators."""

from __future__ import annotations

from collections import Counter as Counted
from typing import get_args

from starlette.concurrency import run_in_threadpool

from api.http.bodies import LONGEST_WORD
from api.http.endpoint import Call, Endpoint, Parameter, Reply
from api.monitoring.answers import Health, NotReady, Readiness, ReadyChecks
from api.services import Services
from shared.errors import BadInput, RedisAway
from shared.redis import heartbeats
from shared.redis.heartbeats import Heartbeat, WorkerKind

_KINDS: tuple[str, ...] = get_args(WorkerKind)
_REDIS = "redis"
_USUAL = (_REDIS, "query", "analysis")


async def get_health(_call: Call[None]) -> Health:
    """Exactly `{"status": "ok"}`."""
    return Health()


async def get_readiness(call: Call[None]) -> Readiness | Reply:
    """200 when all that is required is there, else 503 with the same fields. Raises BadInput."""
    required = _required(call.query.get("require", ""))
    live = await run_in_threadpool(_live, call.services)
    there = {beat.kind for beat in live or ()}
    has_redis = live is not None
    missing = [name for name in required if name not in ({_REDIS, *there} if has_redis else ())]
    checks = ReadyChecks(
        redis=has_redis, query_worker="query" in there, analysis_worker="analysis" in there
    )
    workers: dict[str, int] = dict(Counted(str(beat.kind) for beat in live or ()))
    loading = any(beat.state == "loading" for beat in live or ())
    if not missing:
        return Readiness(ready=True, checks=checks, workers=workers, loading=loading)
    said = _said(missing, has_redis=has_redis)
    return Reply(
        503,
        NotReady(
            error="Not ready",
            message=said,
            ready=False,
            checks=checks,
            workers=workers,
            loading=loading,
        ),
    )


def _required(words: str) -> tuple[str, ...]:
    """What must be there. Raises BadInput, naming the first word that means nothing."""
    names = tuple(dict.fromkeys(word.strip() for word in words.split(",") if word.strip()))
    for name in names:
        if name not in (_REDIS, *_KINDS):
            known = ", ".join((_REDIS, *_KINDS))
            raise BadInput(f"require: {name!r} is unknown; name some of {known}.")
    return names or _USUAL


def _live(services: Services) -> list[Heartbeat] | None:
    """The workers that are alive; None while Redis is away."""
    try:
        return heartbeats.live(services.redis, services.settings.instance)
    except RedisAway:
        return None


def _said(missing: list[str], *, has_redis: bool) -> str:
    if not has_redis:
        return "Redis does not answer. Start it, or mend RUSHES_REDIS_URL."
    kinds = " and no ".join(missing)
    commands = " and ".join(
        "`rushes watcher`" if kind == "watcher" else f"`rushes worker {kind}`" for kind in missing
    )
    which = " worker" if missing != ["watcher"] else ""
    return f"No {kinds}{which} is running. Start {commands}."


ENDPOINTS = (
    Endpoint(
        "GET",
        "/health",
        get_health,
        tag="Health",
        summary="Is the server there?",
        answer=Health,
        needs_key=False,
        answer_example={"status": "ok"},
    ),
    Endpoint(
        "GET",
        "/ready",
        get_readiness,
        tag="Health",
        summary="Can it work?",
        description="For load balancers and start scripts. Without workers requests are still "
        "accepted: tasks wait for them, searches answer 503. A load balancer in front of several "
        "API processes asks `?require=redis`.",
        answer=Readiness,
        also={503: NotReady},
        also_examples={
            503: {
                "error": "Not ready",
                "message": "No analysis worker is running. Start `rushes worker analysis`.",
                "ready": False,
                "checks": {"redis": True, "query_worker": True, "analysis_worker": False},
                "workers": {"query": 1, "watcher": 1},
                "loading": False,
            }
        },
        errors={BadInput: "require: 'gpu' is unknown; name some of redis, analysis, query."},
        query=(
            Parameter(
                "require",
                "Comma-separated: what must be there. `redis`, `query`, `analysis`, `recluster`, "
                "`export`, `watcher`; by default the first three.",
                {"type": "string", "maxLength": LONGEST_WORD},
                "redis",
            ),
        ),
        needs_key=False,
        answer_example={
            "ready": True,
            "checks": {"redis": True, "query_worker": True, "analysis_worker": True},
            "workers": {"query": 1, "analysis": 2, "recluster": 1, "watcher": 1},
            "loading": False,
        },
    ),
)
