"""/metrics over HTTP: open, bounded, counted by route and not by path."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.monitoring.request_log import SEARCHES
from shared.domain import ModelKind, ProgressType
from shared.ledger.ledger import Ledger
from shared.redis import heartbeats
from shared.redis.clients import connect
from shared.redis.heartbeats import Heartbeat, HeldModel
from shared.watch.live import FolderLive, WatchState
from shared.watch.options import FileGroup
from tests.support.monitoring.scrape import Scrape
from tests.support.played_worker import claim
from tests.support.private_redis import PrivateRedis
from tests.support.stack import Client, Stack
from tests.support.watch.desk import WatchDesk, watch_desk


@pytest.fixture
def desk(
    client: Client, api_redis: PrivateRedis, media: Path, caches: Path, api_stack: Stack
) -> Iterator[WatchDesk]:
    state_dir = api_stack.folder / "state"
    with watch_desk(client, api_redis.url, media, caches, state_dir) as desk:
        yield desk


def grown(client: Client, before: Scrape, name: str, **labels: str) -> float:
    """By how much a counter has grown; what was not there was 0."""
    now = Scrape.of(client).value(name, **labels)
    was = sum(v for has, v in before.samples(name) if labels.items() <= has.items())
    return now - was


def test_tasks_queues_and_files_are_shown_without_a_key(
    client: Client, api_redis: PrivateRedis, media: Path, caches: Path
) -> None:
    task_id = client.analyze(caches / "m", media / "a.mp4", media / "b.mp4")
    found = Scrape.of(client)
    assert found.value("rushes_redis_up") == 1
    assert found.value("rushes_tasks", state="queued") == 1
    assert found.value("rushes_queue_length", queue="analysis") == 2
    assert found.value("rushes_redis_memory_used_bytes") > 100_000
    ledger = Ledger(connect(api_redis.url), "default")
    for n, path in enumerate(("a.mp4", "b.mp4")):
        lease = claim(ledger, task_id, n, "w", "n")
        assert lease
        ledger.worked(lease, ProgressType.VIDEO, 12.5)
        error = "No." if n else None
        ledger.file_ended(lease, type=ProgressType.VIDEO, index=0, media_path=path, error=error)
        ledger.settle(lease, "done")
    found = Scrape.of(client)
    assert found.value("rushes_tasks", state="completed") == 1
    assert found.value("rushes_tasks_finished_total", kind="analyze", state="completed") == 1
    assert found.value("rushes_files_total", type="video", outcome="done") == 1
    assert found.value("rushes_files_total", type="video", outcome="failed") == 1
    assert found.value("rushes_file_errors_total", fault="file") == 1
    assert found.value("rushes_footage_seconds_total", type="video") == 25


def test_what_never_happened_is_0_so_that_a_rate_has_a_beginning(client: Client) -> None:
    found = Scrape.of(client)
    assert found.value("rushes_footage_seconds_total", type="audio") == 0
    assert found.value("rushes_leases_lost_total") == 0
    assert found.value("rushes_live_workers", kind="analysis") == 0


def test_each_kind_of_search_is_exported_before_its_first(client: Client) -> None:
    found = Scrape.of(client)
    shown = found.samples("rushes_search_duration_seconds_count")
    assert {labels["search"] for labels, _ in shown} == set(SEARCHES)


def test_models_are_shown_by_the_workers_that_hold_them(
    client: Client, api_redis: PrivateRedis
) -> None:
    loaded = HeldModel(ModelKind.VISUAL, "conse-lite0", 100)
    loading = HeldModel(ModelKind.SPEECH, "whisper-base", 30, is_loading=True)
    with connect(api_redis.url) as hearts:
        for pid, held in enumerate(((loaded,), (loaded, loading))):
            beat = Heartbeat(
                name=f"w{pid}", kind="analysis", host="h", pid=pid, started_at=0.0, held=held
            )
            heartbeats.publish(hearts, "default", beat)
    found = Scrape.of(client)
    visual = {"kind": "visual", "model_key": "conse-lite0"}
    speech = {"kind": "speech", "model_key": "whisper-base"}
    assert found.value("rushes_model_loaded", **visual) == 2
    assert found.value("rushes_model_memory_bytes", **visual) == 200
    assert found.value("rushes_model_loaded", **speech) == 0
    assert found.value("rushes_model_loading", **speech) == 1
    assert found.value("rushes_worker_states", kind="analysis", state="idle") == 2


def test_watch_folders_that_are_away_and_their_files_are_counted(desk: WatchDesk) -> None:
    here, away = desk.added("here"), desk.added("away")
    desk.service("start")
    waiting = WatchState.WAITING
    desk.watcher_says(
        waiting,
        folders={
            here["id"]: FolderLive(state=waiting),
            away["id"]: FolderLive(state=waiting, reason="It is gone.", is_unreachable=True),
        },
    )
    desk.watcher_knows(here["id"], "a.mp4", "b.mp4", group=FileGroup.FAILED)
    found = Scrape.of(desk.client)
    assert found.value("rushes_watch_folders_unreachable") == 1
    assert found.value("rushes_watch_folders", state="waiting") == 2
    assert found.value("rushes_watch_files", state="failed") == 2
    assert found.value("rushes_watch_service", state="waiting") == 1
    assert found.value("rushes_watch_service") == 1


def test_requests_count_by_the_template_of_their_route(client: Client) -> None:
    before = Scrape.of(client)
    for name in ("one", "two"):
        client.get(f"/tasks/{name}")
    httpx.get(f"{client.url}/nowhere/at/all")
    client.http.put("/analyze")
    requests = "rushes_http_requests_total"
    route = "/api/v1/tasks/{task_id}"
    assert grown(client, before, requests, method="GET", route=route, status="404") == 2
    assert grown(client, before, requests, route="unmatched", status="404") == 1
    assert grown(client, before, requests, route="/api/v1/analyze", status="405") == 1
    seconds = "rushes_http_request_duration_seconds_count"
    assert grown(client, before, seconds, method="GET", route=route) == 2
    assert not [has for has, _ in Scrape.of(client).samples(requests) if "one" in has["route"]]


def test_errors_count_by_their_kind(client: Client, caches: Path) -> None:
    before = Scrape.of(client)
    client.post("/search/text", query="a", cache_dir="")
    client.post("/search/text", query="a", cache_dir=str(caches / "m"))
    client.get("/tasks/unknown")
    httpx.get(f"{client.url}/nowhere")
    for kind in ("BadInput", "NoWorker", "Missing", "NotFound"):
        assert grown(client, before, "rushes_errors_total", kind=kind) == 1, kind


def test_a_search_is_timed_by_its_kind_when_it_was_answered(client: Client, caches: Path) -> None:
    count, total = (f"rushes_search_duration_seconds_{word}" for word in ("count", "sum"))
    before = Scrape.of(client)
    began = time.monotonic()
    body = {"query": "a", "cache_dir": str(caches / "m"), "media_paths": []}
    client.ok("/search/text", **body)
    client.ok("/search/transcript", **body)
    client.post("/search/text", **{**body, "query": ""})
    took = time.monotonic() - began
    assert grown(client, before, count, search="text") == 1
    assert grown(client, before, count, search="transcript") == 1
    assert 0 < grown(client, before, total) < took
