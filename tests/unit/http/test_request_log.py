"""What nobody foresaw is answered, logged once with its request, and counted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import httpx
import pytest
from prometheus_client import generate_latest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from api.http.errors import on_crash
from api.monitoring.request_log import ProcessMetrics, RequestLog
from shared.process import logs, traces

TASK = "8f14e45fceea167a5a36dedd4bea2543"


def served(handler: Callable[[Request], Response]) -> tuple[RequestLog, ProcessMetrics]:
    """An app with one route, /x, behind the middleware."""

    async def handle(request: Request) -> Response:
        logs.task_id_var.set(TASK)
        return handler(request)

    http = Starlette(routes=[Route("/x", handle)], exception_handlers={Exception: on_crash})
    metrics = ProcessMetrics()
    return RequestLog(http, http.routes, metrics), metrics


def asked(app: RequestLog, **headers: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)  # raises what comes out of the app
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
            return await client.get("/x", headers={"X-Request-Id": "req-1", **headers})

    return asyncio.run(ask())


def test_the_trace_of_a_client_is_carried_on_only_while_traces_are_on() -> None:
    carried: list[str] = []

    def note(_request: Request) -> Response:
        carried.append(traces.carried())
        return Response()

    app, _ = served(note)
    asked(app, traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    assert carried == [""]


@pytest.mark.logs_errors
def test_a_crash_is_answered_and_logged_once_with_task_request_and_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def crash(_request: Request) -> Response:
        raise ZeroDivisionError("nobody foresaw it")

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure("api", "INFO", "text")
    app, metrics = served(crash)
    try:
        answer = asked(app)
    finally:
        root.handlers[:], root.level = handlers, level
    assert answer.status_code == 500
    assert answer.json()["error"] == "Internal error"
    assert answer.headers["x-request-id"] == "req-1"
    text = capsys.readouterr().err
    assert text.count("Traceback") == 1
    failed = next(line for line in text.splitlines() if " ERROR " in line)
    assert failed.endswith(f"[task {TASK}] [request req-1]")
    exported = generate_latest(metrics.registry).decode()
    assert 'rushes_errors_total{kind="Unexpected"} 1.0' in exported
    assert 'rushes_http_requests_total{method="GET",route="/x",status="500"} 1.0' in exported


def test_a_client_that_hangs_up_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    def hang_up(_request: Request) -> Response:
        raise ClientDisconnect

    app, metrics = served(hang_up)
    with caplog.at_level(logging.INFO):
        asked(app)
    assert not [record for record in caplog.records if record.levelno > logging.INFO]
    exported = generate_latest(metrics.registry).decode()
    assert 'rushes_http_requests_total{method="GET",route="/x",status="499"} 1.0' in exported
    assert 'rushes_errors_total{kind="Unexpected"} 0.0' in exported
