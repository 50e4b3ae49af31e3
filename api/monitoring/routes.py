"""Is the server there: /api/v1/health for clients, /ready for load balancers and operators."""

from __future__ import annotations

from collections import Counter as Counted
from collections.abc import Sequence
from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct

from api.http.endpoint import Call, Endpoint, Reply
from api.http.parameters import text_parameter
from api.http.services import CoreServices
from api.monitoring.missing import missing_workers, unseen_roots, unusable_models
from shared.errors import BadInput, RedisAway
from shared.models.model_catalogue import active_models, needed_models
from shared.redis import heartbeats
from shared.redis.heartbeats import Heartbeat, WorkerKind

_KINDS: tuple[str, ...] = get_args(WorkerKind)
_REDIS, _MODELS, _ROOTS = "redis", "models", "roots"
_STRICT = (_MODELS, _ROOTS)
_USUAL = (_REDIS, "query", "analysis")
_KNOWN = (_REDIS, *_KINDS, *_STRICT)
_REQUIRE = text_parameter(
    "require",
    "Comma-separated: what must be there. `redis`, `query`, `analysis`, `recluster`, "
    "`export`, `watcher`; by default the first three. `models` and `roots` ask for "
    "those three as well.",
    "redis",
)


class Health(Struct):
    """The server answers."""

    status: Annotated[Literal["ok"], Meta(examples=["ok"])] = "ok"
    """Always ok."""


class ReadyChecks(Struct, kw_only=True):
    """What was looked at."""

    redis: Annotated[bool, Meta(examples=[True])]
    """Redis answers."""
    query_worker: Annotated[bool, Meta(examples=[True])]
    """A query worker is alive."""
    analysis_worker: Annotated[bool, Meta(examples=[True])]
    """An analysis worker is alive."""


class Readiness(Struct, kw_only=True):
    """All that is required is there."""

    ready: Annotated[bool, Meta(examples=[True])]
    """All that is required is there."""
    checks: ReadyChecks
    workers: Annotated[dict[str, int], Meta(examples=[{"query": 1, "analysis": 2}])]
    """Live workers by kind."""
    loading: bool
    """A worker is still loading its model."""


class NotReady(Readiness, kw_only=True):
    """Something that is required is missing."""

    error: Annotated[str, Meta(examples=["Not ready"])]
    """Short label."""
    message: Annotated[
        str, Meta(examples=["No analysis worker is running. Start `rushes worker analysis`."])
    ]
    """What is missing, a sentence each, and how to mend it."""


async def get_health(_call: Call[None]) -> Health:
    """Is the server there?"""
    return Health()


def get_readiness(call: Call[None], services: CoreServices) -> Readiness | Reply:
    """Can the server work?

    For load balancers and start scripts. Without workers requests are still accepted: tasks
    wait for them, searches answer 503. A load balancer in front of several API processes asks
    `?require=redis`. A start script asks `?require=models,roots`, which is strict: 503 also for
    an active model that cannot be used and a root of the settings that no worker sees. A model
    that is still loading is none of these.
    """
    required = _required(_REQUIRE.read(call.query))
    live, missing = _look(services, required)
    there = {beat.kind for beat in live or ()}
    checks = ReadyChecks(
        redis=live is not None, query_worker="query" in there, analysis_worker="analysis" in there
    )
    workers: dict[str, int] = dict(Counted(str(beat.kind) for beat in live or ()))
    loading = any(beat.state == "loading" for beat in live or ())
    if not missing:
        return Readiness(ready=True, checks=checks, workers=workers, loading=loading)
    return Reply(
        503,
        NotReady(
            error="Not ready",
            message=" ".join(missing),
            ready=False,
            checks=checks,
            workers=workers,
            loading=loading,
        ),
    )


def _required(words: str) -> tuple[str, ...]:
    """What must be there. Raises BadInput, naming the first word that means nothing.

    Models and roots are known through workers, so these ask for the usual as well.
    """
    names = tuple(dict.fromkeys(word.strip() for word in words.split(",") if word.strip()))
    for name in names:
        if name not in _KNOWN:
            raise BadInput(f"require: {name!r} is unknown; name some of {', '.join(_KNOWN)}.")
    if not names or set(names) & set(_STRICT):
        return tuple(dict.fromkeys((*_USUAL, *names)))
    return names


def _look(
    services: CoreServices, required: Sequence[str]
) -> tuple[list[Heartbeat] | None, list[str]]:
    """The workers that are alive, None while Redis is away; and sentences on what is missing."""
    settings = services.settings
    try:
        live = heartbeats.live(services.redis, settings.instance)
        active = active_models(services.redis, settings) if _MODELS in required else {}
    except RedisAway:
        return None, ["Redis does not answer. Start it, or mend RUSHES_REDIS_URL."]
    there = {beat.kind for beat in live}
    absent = [name for name in required if name in _KINDS and name not in there]
    missing = [missing_workers(absent)] if absent else []
    missing += unusable_models(services, needed_models(active), live)
    if _ROOTS in required and live:  # without any worker, that is what is missing
        missing += unseen_roots(settings, live)
    return live, missing


ENDPOINTS = (
    Endpoint("GET /health", get_health, "Health", needs_key=False),
    Endpoint(
        "GET /ready",
        get_readiness,
        "Health",
        also={
            503: (
                NotReady,
                {
                    "error": "Not ready",
                    "message": "No analysis worker is running. Start `rushes worker analysis`.",
                    "ready": False,
                    "checks": {"redis": True, "query_worker": True, "analysis_worker": False},
                    "workers": {"query": 1, "watcher": 1},
                    "loading": False,
                },
            )
        },
        errors={
            BadInput: "require: 'gpu' is unknown; name some of redis, analysis, models, roots."
        },
        query=(_REQUIRE,),
        needs_key=False,
    ),
)
