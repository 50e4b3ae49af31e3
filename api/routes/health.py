"""Is the server there: /api/v1/health for clients, /ready and /metrics for operators."""

from __future__ import annotations

from collections import Counter as Counted
from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.answers import Health, Readiness
from api.endpoint import Call, Endpoint
from api.services import Services
from shared import heartbeats
from shared.ask import LANES
from shared.errors import RedisAway
from shared.redis_clients import key_prefix, translated

QUEUES = ("analysis", "recluster", "export")


async def health(_call: Call[None]) -> Health:
    """Exactly `{"status": "ok"}`."""
    return Health()


async def ready(call: Call[None]) -> Readiness:
    """Redis answers; else 503."""
    return await run_in_threadpool(_readiness, call.services)


def _readiness(services: Services) -> Readiness:
    live = heartbeats.live(services.redis, services.settings.instance)
    return Readiness(
        ready=True,
        workers=dict(Counted(beat.kind for beat in live)),
        loading=any(beat.state == "loading" for beat in live),
    )


def metrics_routes(services: Services) -> list[Route]:
    """/metrics, at the root of the port, unless RUSHES_METRICS=off."""
    if not services.settings.metrics:
        return []
    registry = CollectorRegistry()
    registry.register(_Gauges(services))

    async def metrics(_request: Request) -> Response:
        text = await run_in_threadpool(generate_latest, registry)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    return [Route("/metrics", metrics)]


class _Gauges(Collector):
    """Read from Redis when scraped, so that every API process shows the same numbers."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def describe(self) -> list[Metric]:
        return []  # registering must not ask Redis

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("rushes_redis_up", "Whether Redis answers.")
        try:
            found = list(self._read())
        except RedisAway:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from found

    def _read(self) -> Iterator[Metric]:
        services = self._services
        tasks = GaugeMetricFamily(
            "rushes_tasks", "Remembered tasks (at most 1,000) by state.", labels=["state"]
        )
        for state, count in Counted(r.status.value for r in services.ledger.recent(1000)).items():
            tasks.add_metric([state], count)
        yield tasks
        queues = GaugeMetricFamily(
            "rushes_queue_length", "Bells and asks that wait for a worker.", labels=["queue"]
        )
        for name in QUEUES:
            queues.add_metric([name], services.bells.waiting(name))
        prefix = key_prefix(services.settings.instance)
        for lane in LANES:
            with translated():
                waiting = int(services.redis.llen(f"{prefix}asks:{lane}"))
            queues.add_metric([f"ask:{lane}"], waiting)
        yield queues
        workers = GaugeMetricFamily(
            "rushes_live_workers", "Workers whose heart beats.", labels=["kind"]
        )
        live = heartbeats.live(services.redis, services.settings.instance)
        for kind, count in Counted(beat.kind for beat in live).items():
            workers.add_metric([kind], count)
        yield workers


ENDPOINTS = (
    Endpoint(
        "GET",
        "/health",
        health,
        tag="Health",
        summary="Is the server there?",
        operation_id="get_health",
        answer=Health,
        needs_key=False,
        answer_example={"status": "ok"},
    ),
    Endpoint(
        "GET",
        "/ready",
        ready,
        tag="Health",
        summary="Can it accept work?",
        operation_id="get_readiness",
        answer=Readiness,
        errors={RedisAway: "Redis does not answer; nothing was accepted. Retry shortly."},
        needs_key=False,
        answer_example={
            "ready": True,
            "workers": {"query": 1, "analysis": 2, "recluster": 1, "watcher": 1},
            "loading": False,
        },
    ),
)
