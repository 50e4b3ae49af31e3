"""One trace from the client's request through the queue to the stages in real workers."""

from __future__ import annotations

import json
import os
import secrets
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.cache.cache_dir import CacheDir
from shared.redis.clients import connect, key_prefix
from tests.support.analysis.desk import Desk
from tests.support.media.media import make_clip, make_still
from tests.support.monitoring.collector import Collector, Span, collecting
from tests.support.people.grouping_desk import ADA, BO, NAME, GroupingDesk, shots
from tests.support.private_redis import PrivateRedis
from tests.support.stack import Client, Process, Stack, free_port, running_stack
from tests.support.waiting import wait_for


@dataclass
class Traced:
    """A stack whose processes all send to one collector. Tests start the workers they need."""

    stack: Stack
    collector: Collector

    @property
    def client(self) -> Client:
        return self.stack.client()

    @contextmanager
    def worker(self, kind: str, number: int = 0, **more: str) -> Iterator[Process]:
        process = self.stack.start_worker(kind, number, **more)
        try:
            yield process
        finally:
            process.end()


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    folder = tmp_path_factory.mktemp("traces")
    server = PrivateRedis(Path(folder))
    server.start()
    try:
        with (
            collecting() as collector,
            running_stack(
                folder / "stack",
                server.url,
                analysis=0,
                RUSHES_TRACES_ENDPOINT=collector.url,
                RUSHES_LOG_FORMAT="json",
                OTEL_BSP_SCHEDULE_DELAY="100",
            ) as stack,
        ):
            yield Traced(stack, collector)
            for name in ("api-0", "query-0"):
                assert stack.processes[name].end() == 0, stack.processes[name].text()
    finally:
        server.stop()


@pytest.fixture
def squares(tmp_path: Path, redis_url: str) -> Iterator[dict[str, str]]:
    """Settings with the face model that the made-up faces of GroupingDesk are of."""
    desk = Desk(tmp_path, redis_url)
    yield desk.squares_env()
    desk.close()


@contextmanager
def a_trace(client: Client) -> Iterator[tuple[str, str]]:
    """Requests in the block belong to a span of the client: its trace's id and its own."""
    trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
    client.http.headers["traceparent"] = f"00-{trace_id}-{span_id}-01"
    try:
        yield trace_id, span_id
    finally:
        del client.http.headers["traceparent"]


def test_an_analysis_hangs_below_the_clients_span(traced: Traced, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", 3)
    missing = tmp_path / "missing.mp4"
    with traced.worker("analysis") as worker:
        with a_trace(traced.client) as (trace_id, client_span):
            task_id = traced.client.analyze(tmp_path / "cache", clip, missing)
        assert traced.client.wait_final(task_id)["status"] == "completed"
        stages = ("hash", "decode and embed", "flush", "publish")
        traced.collector.wait(trace_id, "POST /api/v1/analyze", "analyze item", *stages)
        assert worker.end() == 0  # sends what is left
    spans = traced.collector.of(trace_id)
    request = one(spans, "POST /api/v1/analyze")
    assert request.parent_id == client_span
    assert request.kind == "SPAN_KIND_SERVER"
    assert request.service == "rushes-api"
    assert request.attributes["http.route"] == "/api/v1/analyze"
    assert request.attributes["http.response.status_code"] == 202
    assert request.attributes["rushes.task_id"] == task_id
    items = [span for span in spans if span.name == "analyze item"]
    assert len(items) == 2
    for item in items:
        assert item.parent_id == request.span_id
        assert item.kind == "SPAN_KIND_CONSUMER"
        assert item.service == "rushes-analysis-worker"
        assert item.attributes["rushes.task_id"] == task_id
        assert item.attributes["rushes.outcome"] == "done"
        assert item.attributes["rushes.files"] == 1
    good, bad = sorted(items, key=lambda item: len(item.events))
    assert not good.events
    assert bad.events[0][1]["exception.message"] == "The file does not exist."
    assert {each.name for each in spans if good in traced.collector.ancestors(each)} >= {*stages}


def test_a_text_search_shows_the_query_worker_and_the_log_names_the_trace(
    traced: Traced, tmp_path: Path
) -> None:
    with traced.worker("analysis"):
        still = make_still(tmp_path / "red.jpg")
        traced.client.analyzed(tmp_path / "cache", still)
    with a_trace(traced.client) as (trace_id, client_span):
        traced.client.ok("/search/text", query="a red thing", cache_dir=str(tmp_path / "cache"))
    spans = traced.collector.wait(trace_id, "POST /api/v1/search/text", "embed")
    request, embed = spans["POST /api/v1/search/text"], spans["embed"]
    assert request.parent_id == client_span
    assert (embed.parent_id, embed.service) == (request.span_id, "rushes-query-worker")
    assert request.start_ns <= embed.start_ns <= embed.end_ns <= request.end_ns
    lines = map(json.loads, traced.stack.processes["api-0"].text().splitlines())
    (line,) = [line for line in lines if line.get("trace_id") == trace_id]
    assert "POST /api/v1/search/text 200" in line["message"]
    assert line["request_id"] == request.attributes["rushes.request_id"]


def test_a_refused_request_says_why_and_has_not_failed(traced: Traced) -> None:
    with a_trace(traced.client) as (trace_id, _):
        assert traced.client.post("/search/text", query="a red thing").status_code == 400
    request = traced.collector.wait(trace_id, "POST /api/v1/search/text")[
        "POST /api/v1/search/text"
    ]
    assert not request.has_failed
    assert "cache_dir" in request.events[0][1]["exception.message"]


def test_the_query_workers_error_is_on_its_span(traced: Traced, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"\0" * 5000)
    with a_trace(traced.client) as (trace_id, _):
        traced.client.ok("/media/metadata", media_paths=[str(broken)])
    spans = traced.collector.wait(trace_id, "POST /api/v1/media/metadata", "probe")
    assert spans["probe"].has_failed
    assert spans["probe"].events[0][1]["exception.type"].endswith("MediaUnreadable")
    assert not spans["POST /api/v1/media/metadata"].has_failed


def test_what_another_worker_does_again_hangs_in_the_same_trace(
    traced: Traced, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    told = {"do": "hold", "at": 1, "marker": str(marker), "release": str(tmp_path / "never")}
    first = traced.stack.start(
        "analysis-1",
        "-m",
        "tests.support.programs.analysis_with_a_stage",
        TEST_STAGE=json.dumps(told),
    )
    with a_trace(traced.client) as (trace_id, client_span):
        clip = make_clip(tmp_path / "clip.mp4", 3)
        task_id = traced.client.analyze(tmp_path / "cache", clip)
    wait_for(marker.exists, 30, lambda: f"a worker in the middle of it: {first.text()}")
    os.kill(first.popen.pid, signal.SIGKILL)
    first.popen.wait()
    with connect(traced.stack.redis_url) as client:  # what else takes 9 s
        leases = f"{key_prefix('default')}leases"
        (lease,) = client.zrange(leases, 0, -1)
        client.zadd(leases, {lease: 0})
    with traced.worker("analysis", 2):
        assert traced.client.wait_final(task_id)["status"] == "completed"
    spans = traced.collector.wait(trace_id, "POST /api/v1/analyze", "analyze item")
    assert spans["analyze item"].attributes["rushes.tries"] == 1
    assert spans["analyze item"].parent_id == spans["POST /api/v1/analyze"].span_id
    assert spans["POST /api/v1/analyze"].parent_id == client_span


def test_work_goes_on_where_the_collector_is_away(traced: Traced, tmp_path: Path) -> None:
    away = {
        "RUSHES_TRACES_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "0.3",
    }
    with traced.worker("analysis", 4, **away) as worker:
        for number in range(3):
            still = make_still(tmp_path / f"{number}.jpg", colour=(80 * number, 0, 0))
            traced.client.analyzed(tmp_path / "cache", still)
        assert worker.end() == 0
    assert worker.text().count("Traces do not reach") == 1
    assert "opentelemetry" not in worker.text()


def test_an_export_hangs_below_its_request(traced: Traced, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", 3)
    body = {
        "clips": [{"media_path": str(clip), "start_time": 0, "end_time": 1}],
        "output_dir": str(tmp_path),
    }
    with traced.worker("export"), a_trace(traced.client) as (trace_id, _):

        def is_cut() -> bool:
            return traced.client.post("/export/clips", **body).status_code == 200

        wait_for(is_cut, 30, "an export worker")
    spans = traced.collector.wait(trace_id, "export item", "plan", "cut", "publish")
    item = spans["export item"]
    (request,) = wait_for(lambda: traced.collector.ancestors(item), 10, "the request's span")
    assert request.name == "POST /api/v1/export/clips"
    for stage in ("plan", "cut", "publish"):
        assert item in traced.collector.ancestors(spans[stage])


def test_a_regrouping_hangs_below_its_request(
    traced: Traced, tmp_path: Path, squares: dict[str, str]
) -> None:
    people = GroupingDesk(CacheDir.open(tmp_path / "cache", create=True))
    people.add(1, shots(ADA, BO, each=6))
    with traced.worker("recluster", **squares), a_trace(traced.client) as (trace_id, _):
        body = {"cache_dir": str(tmp_path / "cache"), "cluster_job_name": NAME}
        task_id = traced.client.ok("/faces/recluster", **body)["task_id"]
        assert traced.client.wait_final(task_id)["status"] == "completed"
    path = ("POST /api/v1/faces/recluster", "recluster item", "group faces")
    spans = traced.collector.wait(trace_id, *path, "load faces")
    ancestors = [span.name for span in traced.collector.ancestors(spans["load faces"])]
    assert ancestors == [*reversed(path)]


def test_the_watcher_begins_a_trace_for_each_task_that_it_submits(
    traced: Traced, tmp_path: Path
) -> None:
    media = tmp_path / "media"
    media.mkdir()
    make_still(media / "one.jpg")
    folder = {"path": str(media), "cache_dir": str(tmp_path / "cache"), "settle_seconds": 0.2}
    assert traced.client.http.post("/watch-folders", json=folder).is_success
    traced.client.ok("/watch-folders/service/start")

    def ingested() -> Span | None:
        return next((span for span in traced.collector.spans if span.name == "ingest item"), None)

    with traced.worker("watcher"), traced.worker("analysis", 3):
        item = wait_for(ingested, 30, "the span of an ingested file")
    (root,) = traced.collector.ancestors(item)
    assert (root.name, root.parent_id) == ("submit ingest", "")
    assert root.service == "rushes-watcher"
    assert root.attributes["rushes.task_id"] == item.attributes["rushes.task_id"]


def one(spans: list[Span], name: str) -> Span:
    (found,) = [span for span in spans if span.name == name]
    return found
