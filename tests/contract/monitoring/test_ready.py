"""GET /ready: what must be there, what is missing and how to start it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import httpx
import pytest
import redis

from shared.redis import heartbeats
from shared.redis.clients import connect
from shared.redis.heartbeats import Heartbeat, WorkerKind, WorkerState
from tests.support.private_redis import PrivateRedis
from tests.support.stack import Client


@pytest.fixture
def hearts(client: Client, api_redis: PrivateRedis) -> Iterator[redis.Redis]:
    """The Redis that the API reads; `client` has emptied it."""
    with connect(api_redis.url) as found:
        yield found


def beat(hearts: redis.Redis, kind: WorkerKind, number: int = 0, state: WorkerState = "idle"):
    heart = Heartbeat(
        name=f"{kind}-{number}", kind=kind, host="h", pid=number, started_at=0.0, state=state
    )
    heartbeats.publish(hearts, "default", heart)


def test_without_workers_it_is_503_and_says_which_to_start(client: Client) -> None:
    answer = client.get("/ready")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json() == {
        "error": "Not ready",
        "message": "No query and no analysis worker is running. Start `rushes worker query` and "
        "`rushes worker analysis`.",
        "ready": False,
        "checks": {"redis": True, "query_worker": False, "analysis_worker": False},
        "workers": {},
        "loading": False,
    }


def test_with_a_query_and_an_analysis_worker_it_is_ready_and_counts_them(
    client: Client, hearts: redis.Redis
) -> None:
    beat(hearts, "analysis", 0)
    beat(hearts, "analysis", 1, state="loading")
    assert client.get("/ready").status_code == 503
    beat(hearts, "query")
    answer = client.get("/ready")
    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "checks": {"redis": True, "query_worker": True, "analysis_worker": True},
        "workers": {"analysis": 2, "query": 1},
        "loading": True,
    }


@pytest.mark.parametrize("kind", get_args(WorkerKind))
def test_any_kind_of_worker_can_be_required_alone(
    client: Client, hearts: redis.Redis, kind: WorkerKind
) -> None:
    missing = client.get(f"/ready?require={kind}")
    command = "`rushes watcher`" if kind == "watcher" else f"`rushes worker {kind}`"
    assert missing.status_code == 503
    assert missing.json()["message"].endswith(f"is running. Start {command}.")
    beat(hearts, kind)
    assert client.get(f"/ready?require=redis,{kind}").json()["ready"] is True


def test_a_load_balancer_may_require_redis_alone(client: Client) -> None:
    answer = client.get("/ready?require=redis")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    assert answer.json()["checks"]["analysis_worker"] is False


@pytest.mark.parametrize("words", ["gpu", "redis,gpu", "Redis", "query analysis"])
def test_an_unknown_word_is_400_and_named(client: Client, words: str) -> None:
    answer = client.get(f"/ready?require={words}")
    assert answer.status_code == 400
    assert repr(words.removeprefix("redis,")) in answer.json()["message"]


@pytest.mark.parametrize("words", ["", ",", " , "])
def test_nothing_required_means_the_usual(client: Client, words: str) -> None:
    assert client.get(f"/ready?require={words}").status_code == 503


def test_without_redis_nothing_is_ready_and_metrics_say_so(
    client: Client, api_redis: PrivateRedis
) -> None:
    api_redis.freeze()
    try:
        answer = client.get("/ready?require=analysis")
        metrics = httpx.get(f"{client.url}/metrics")
    finally:
        api_redis.thaw()
    assert answer.status_code == 503
    assert "Redis does not answer" in answer.json()["message"]
    assert answer.json()["checks"]["redis"] is False
    assert metrics.status_code == 200
    assert "\nrushes_redis_up 0.0\n" in metrics.text
    assert "\nrushes_http_requests_total{" in metrics.text
    assert "rushes_tasks{" not in metrics.text
