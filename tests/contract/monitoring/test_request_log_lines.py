"""The log line of a request: its id, its task, its error, and no key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.socketio_client import Watcher
from tests.support.stack import KEY, Client, Process, Stack
from tests.support.waiting import wait_for


@pytest.fixture(scope="module")
def logging_api(api_stack: Stack) -> tuple[Client, Process]:
    """An API process that logs everything it can, as JSON."""
    client = api_stack.start_api(RUSHES_LOG_FORMAT="json", RUSHES_LOG_LEVEL="DEBUG")
    return client, api_stack.processes[f"api-{len(api_stack.ports) - 1}"]


@pytest.fixture
def api(client: Client, logging_api: tuple[Client, Process]) -> Client:
    """Its client; `client` has emptied Redis."""
    return logging_api[0]


@pytest.fixture
def process(logging_api: tuple[Client, Process]) -> Process:
    return logging_api[1]


def line_of(process: Process, answer: httpx.Response) -> dict[str, Any]:
    """The line of the request that was answered so."""
    request_id = answer.headers["x-request-id"]

    def found() -> dict[str, Any] | None:
        lines = [json.loads(line) for line in process.text().splitlines()]
        ours = [line for line in lines if line.get("request_id") == request_id and "ms" in line]
        return ours[0] if ours else None

    return wait_for(found, 5, f"the log line of request {request_id}")


def test_a_request_says_method_route_status_and_time(api: Client, process: Process) -> None:
    line = line_of(process, api.get("/tasks?secret=query"))
    assert line["level"] == "INFO"
    assert (line["process"], line["pid"]) == ("api", process.popen.pid)
    assert (line["method"], line["route"], line["status"]) == ("GET", "/api/v1/tasks", 200)
    assert 0 < line["ms"] < 5000
    assert line["host"]
    assert "task_id" not in line


def test_the_request_that_submits_a_task_names_it_and_so_do_those_about_it(
    api: Client, process: Process, media: Path, caches: Path
) -> None:
    submitted = api.post(
        "/analyze", cache_dir=str(caches / "l"), visual_media_paths=[str(media / "a.mp4")]
    )
    task_id = submitted.json()["task_id"]
    about = [
        submitted,
        api.get(f"/tasks/{task_id}"),
        api.post("/analyze/cancel", task_id=task_id),
    ]
    for answer in about:
        assert line_of(process, answer)["task_id"] == task_id, answer.request.url


def test_cancelling_whatever_runs_names_the_task_that_was_stopped(
    api: Client, process: Process, media: Path, caches: Path
) -> None:
    task_id = api.analyze(caches / "l", media / "a.mp4")
    assert line_of(process, api.post("/analyze/cancel"))["task_id"] == task_id


def test_an_error_is_named_with_its_message(api: Client, process: Process, caches: Path) -> None:
    refused = api.post("/search/text", query="a", cache_dir=str(caches / "l"))
    line = line_of(process, refused)
    assert (line["level"], line["status"], line["error"]) == ("WARNING", 503, "NoWorker")
    assert refused.json()["message"] in line["message"]
    assert line_of(process, api.post("/analyze"))["error"] == "BadInput"


def test_polled_endpoints_are_logged_at_debug(api: Client, process: Process) -> None:
    assert line_of(process, api.get("/health"))["level"] == "DEBUG"
    assert line_of(process, api.get("/ready"))["level"] == "DEBUG"


@pytest.mark.parametrize("given", ["panel-7", "a" * 128, "8f14e45f:ceea/167a+5a=36.dedd_4b@x"])
def test_a_sane_request_id_of_the_client_is_kept(api: Client, process: Process, given: str) -> None:
    answer = api.http.get("/tasks", headers={"X-Request-Id": given})
    assert answer.headers["x-request-id"] == given
    assert line_of(process, answer)["request_id"] == given


@pytest.mark.parametrize("given", ["", "a b", "a" * 129, 'x"y', "ü".encode(), b"a\tb"])
def test_any_other_one_is_replaced(api: Client, given: str | bytes) -> None:
    headers = [(b"X-Request-Id", given if isinstance(given, bytes) else given.encode())]
    ids = {api.http.get("/tasks", headers=headers).headers["x-request-id"] for _ in range(2)}
    assert len(ids) == 2
    assert all(len(made) == 16 for made in ids)


def test_every_answer_has_an_id_also_where_nothing_is(api: Client) -> None:
    for path in ("/nowhere", "/metrics", "/api/v1/openapi.json"):
        assert httpx.get(f"{api.url}{path}").headers["x-request-id"]


def test_web_views_may_send_and_read_the_id(api: Client) -> None:
    preflight = api.http.options(
        "/tasks", headers={"Origin": "null", "Access-Control-Request-Method": "GET"}
    )
    assert "X-Request-Id" in preflight.headers["access-control-allow-headers"]
    answer = api.http.get("/tasks", headers={"Origin": "null"})
    assert "X-Request-Id" in answer.headers["access-control-expose-headers"]


def test_a_path_that_is_no_task_id_is_no_task(api: Client, process: Process) -> None:
    line = line_of(process, api.get("/tasks/not%0Aa-task"))
    assert "task_id" not in line
    assert line["path"] == "/api/v1/tasks/not\na-task"


def test_no_key_stands_in_any_line(api: Client, process: Process) -> None:
    secret = "sesame-93c1"
    for headers, body in (
        ({"X-License-Key": secret}, {}),
        ({}, {"license_key": secret}),
        ({}, {"license_key": [secret]}),
    ):
        httpx.post(f"{api.url}/api/v1/tasks/x?license_key={secret}", headers=headers, json=body)
        httpx.post(f"{api.url}/api/v1/analyze?k={secret}", headers=headers, json=body)
    last = api.post("/analyze", license_key=secret)
    assert last.status_code == 400
    line_of(process, last)
    text = process.text()
    assert secret not in text
    assert KEY not in text


def test_no_key_of_a_socket_stands_in_any_line(api: Client, process: Process) -> None:
    with Watcher(f"{api.url}?license_key=sesame-93c2", key=KEY) as watcher:
        assert watcher.join("watch-folders")["task_id"] == "watch-folders"
    line_of(process, api.get("/tasks"))
    text = process.text()
    assert KEY not in text
    assert "sesame-93c2" not in text
