"""What all processes of an instance share, read from Redis at each scrape: every API process shows
the same numbers, and they outlive every process.

Names and meanings stand in docs/operate/monitoring.md.
"""

from __future__ import annotations

from collections import Counter as Counted
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, get_args

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.monitoring.request_log import ProcessMetrics
from api.watch import status
from api.watch.status import WatchOverview, WatchServices
from shared.domain import Fault, ModelKind, ProgressType, TaskKind, TaskState
from shared.errors import RedisAway
from shared.ledger import ledger
from shared.ledger.ledger import queue_key
from shared.ledger.records import WaitCode
from shared.query.messages import Lane, lane_key
from shared.redis import heartbeats
from shared.redis.heartbeats import Heartbeat, WorkerKind, WorkerState
from shared.watch.live import WatchState
from shared.watch.options import FileGroup

QUEUES = ("analysis", "recluster", "export")
FOOTAGE = (ProgressType.VIDEO, ProgressType.AUDIO, ProgressType.FACES)
OUTCOMES = ("done", "skipped", "failed")
_FINAL = tuple(state for state in TaskState if state.is_final)

Labelled = Mapping[tuple[str, ...], float]


class SharedMetrics(Collector):
    """Asks Redis when scraped, a dozen times at most, however many Tasks there are."""

    def __init__(self, services: WatchServices) -> None:
        self._services = services

    def describe(self) -> list[Metric]:
        return []  # registering must not ask Redis

    def collect(self) -> Iterator[Metric]:
        """What Redis knows; without it only that it is away."""
        try:
            found = _SharedState.read(self._services)
        except RedisAway:
            yield _gauge("redis_up", "Whether Redis answers.", (), {(): 0})
            return
        yield _gauge("redis_up", "Whether Redis answers.", (), {(): 1})
        yield from _of_redis(found)
        yield from _of_tasks(found)
        yield from _of_files(found.totals)
        yield from _of_workers(found.live)
        yield from _of_models(found)
        yield from _of_watching(found.watch)


@dataclass(frozen=True, slots=True)
class _SharedState:
    totals: dict[ledger.TotalName, int]
    states: dict[TaskState, int]
    waits: dict[WaitCode, int]
    waiting: dict[str, int]  # by queue or lane
    memory: dict[str, Any]
    live: list[Heartbeat]
    watch: WatchOverview

    @classmethod
    def read(cls, services: WatchServices) -> _SharedState:
        instance = services.settings.instance
        keys = {name: queue_key(instance, name) for name in QUEUES}
        keys |= {f"ask:{lane}": lane_key(instance, lane) for lane in Lane}
        with services.redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(ledger.totals_key(instance))
            pipe.info("memory")
            for key in keys.values():
                pipe.llen(key)
            counted, memory, *lengths = pipe.execute()
        states, waits = services.ledger.task_states()
        return cls(
            totals=ledger.totals_by_name(counted),
            states=states,
            waits=waits,
            waiting=dict(zip(keys, lengths, strict=True)),
            memory=memory,
            live=heartbeats.live(services.redis, instance),
            watch=status.overview(services),
        )


def _of_redis(found: _SharedState) -> Iterator[Metric]:
    used, most = found.memory["used_memory"], found.memory.get("maxmemory", 0)
    yield _gauge("redis_memory_used_bytes", "Memory that Redis uses.", (), {(): used})
    yield _gauge("redis_memory_max_bytes", "maxmemory of Redis; 0: it has none.", (), {(): most})


def _of_tasks(found: _SharedState) -> Iterator[Metric]:
    yield _gauge(
        "tasks",
        "Remembered tasks (at most 1,000) by state.",
        ("state",),
        {(state,): found.states.get(state, 0) for state in TaskState},
    )
    yield _gauge(
        "tasks_waiting",
        "Tasks that wait for their turn, a model, a root or a worker.",
        ("reason",),
        {(code,): number for code, number in found.waits.items()},
    )
    yield _gauge(
        "queue_length",
        "Jobs and questions that wait for a worker.",
        ("queue",),
        {(queue,): length for queue, length in found.waiting.items()},
    )
    ended = _picked(found.totals, "tasks", product(TaskKind, _FINAL))
    yield _counter("tasks_finished", "Tasks that have ended.", ("kind", "state"), ended)
    failed = _picked(found.totals, "item_errors", ((fault,) for fault in Fault))
    yield _counter("item_errors", "Tries of Items that failed as a whole.", ("fault",), failed)
    lost = _picked(found.totals, "leases_lost", [()])
    yield _counter("leases_lost", "Items taken from workers that died.", (), lost)


def _of_files(counted: Mapping[ledger.TotalName, int]) -> Iterator[Metric]:
    worked = _picked(counted, "footage_ms", ((kind,) for kind in FOOTAGE))
    yield _counter(
        "footage_seconds",
        "Seconds of footage worked through; a still has none.",
        ("type",),
        {labels: milliseconds / 1000 for labels, milliseconds in worked.items()},
    )
    ended = _picked(counted, "files", product(ProgressType, OUTCOMES))
    yield _counter("files", "Files that have ended.", ("type", "outcome"), ended)
    failed = _picked(counted, "file_errors", ((fault,) for fault in Fault))
    yield _counter("file_errors", "Files that failed.", ("fault",), failed)


def _of_workers(live: Iterable[Heartbeat]) -> Iterator[Metric]:
    states = Counted((beat.kind, beat.state) for beat in live)
    kinds, all_states = get_args(WorkerKind), get_args(WorkerState)
    yield _gauge(
        "live_workers",
        "Workers whose heart beats.",
        ("kind",),
        {(kind,): sum(states[kind, state] for state in all_states) for kind in kinds},
    )
    yield _gauge(
        "worker_states",
        "Workers whose heart beats, by what they do.",
        ("kind", "state"),
        {labels: states[labels] for labels in product(kinds, all_states)},
    )


def _of_models(found: _SharedState) -> Iterator[Metric]:
    loaded: Counted[tuple[str, ...]] = Counted()
    loading: Counted[tuple[str, ...]] = Counted()
    taken: Counted[tuple[str, ...]] = Counted()
    for model in (model for beat in found.live for model in beat.held):
        labels = (model.kind.value, model.model_key)
        loaded[labels] += not model.is_loading
        loading[labels] += model.is_loading
        taken[labels] += model.bytes
    names = ("kind", "model_key")
    yield _gauge("model_loaded", "Live workers that hold the model.", names, loaded)
    yield _gauge("model_loading", "Live workers that are loading the model.", names, loading)
    yield _gauge(
        "model_memory_bytes", "Memory that it is expected to take, all workers.", names, taken
    )
    loads = _picked(found.totals, "model_loads", ((kind,) for kind in ModelKind))
    yield _counter("model_loads", "Models that were loaded.", ("kind",), loads)


def _of_watching(watch: WatchOverview) -> Iterator[Metric]:
    yield _gauge(
        "watch_service",
        "1 for the state that the watch service is in.",
        ("state",),
        {(state,): float(state is watch.state) for state in WatchState},
    )
    yield _gauge(
        "watch_folders",
        "Watch folders by state.",
        ("state",),
        {(state,): watch.folders[state] for state in WatchState},
    )
    yield _gauge(
        "watch_folders_unreachable",
        "Watch folders that cannot be looked at.",
        (),
        {(): watch.unreachable},
    )
    yield _gauge(
        "watch_files",
        "Files of watch folders.",
        ("state",),
        {(group,): watch.files[group] for group in FileGroup},
    )


def _picked(
    counted: Mapping[ledger.TotalName, int], what: str, labels: Iterable[tuple[str, ...]]
) -> dict[tuple[str, ...], float]:
    """Every one of these, also what never happened: a rate needs a beginning."""
    return {of: counted.get((what, *map(str, of)), 0) for of in labels}


def _gauge(name: str, text: str, labels: tuple[str, ...], values: Labelled) -> Metric:
    return _filled(GaugeMetricFamily(f"rushes_{name}", text, labels=labels), values)


def _counter(name: str, text: str, labels: tuple[str, ...], values: Labelled) -> Metric:
    return _filled(CounterMetricFamily(f"rushes_{name}", text, labels=labels), values)


def _filled(family: Any, values: Labelled) -> Metric:
    for labels, value in values.items():
        family.add_metric([str(label) for label in labels], value)
    metric: Metric = family
    return metric


def routes(services: WatchServices, own: ProcessMetrics) -> list[Route]:
    """None with RUSHES_METRICS=off."""
    if not services.settings.metrics:
        return []
    own.registry.register(SharedMetrics(services))

    async def metrics(_request: Request) -> Response:
        text = await run_in_threadpool(generate_latest, own.registry)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    return [Route("/metrics", metrics)]
