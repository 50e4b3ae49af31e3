"""Traces of one process: what is sent, what a collector that is away costs, and what off means."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from opentelemetry.trace import Span, SpanKind, get_current_span

from shared.errors import SettingsError
from shared.process import logs, traces
from shared.settings import Settings
from tests.support.monitoring.collector import Collector, collecting
from tests.support.stack import free_port
from tests.support.system.stopwatch import Stopwatch
from tests.support.waiting import wait_for

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CARRIED = f"00-{TRACE}-{PARENT}-01 vendor=some thing,other=1"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture
def tracing(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], Collector]]:
    """Traces of this process are on; the function ends them and gives the collector."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=studio")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    traces.start(Settings(traces_endpoint=collector.url), "test")

    def ended() -> Collector:
        traces.shut_down()
        return collector

    yield ended
    traces.shut_down()


def span(
    name: str, parent: str = "", kind: SpanKind = SpanKind.SERVER
) -> AbstractContextManager[Span]:
    return traces.tracer().start_as_current_span(name, traces.context_of(parent), kind)


def test_a_span_continues_what_was_carried_and_is_carried_on(
    tracing: Callable[[], Collector],
) -> None:
    with span("outer", CARRIED, SpanKind.CONSUMER):
        carried = traces.carried()
        with traces.stage("inner", {"rushes.form": "mov"}):
            get_current_span().set_attribute("rushes.path", "/a.mov")
    assert traces.carried() == ""
    spans = {span.name: span for span in tracing().spans}
    outer, inner = spans["outer"], spans["inner"]
    assert (outer.trace_id, outer.parent_id) == (TRACE, PARENT)
    assert (inner.trace_id, inner.parent_id) == (TRACE, outer.span_id)
    assert outer.kind == "SPAN_KIND_CONSUMER"
    assert outer.tracestate == "vendor=some thing,other=1"
    assert carried == f"00-{TRACE}-{outer.span_id}-01 {outer.tracestate}"
    assert inner.attributes == {"rushes.form": "mov", "rushes.path": "/a.mov"}


@pytest.mark.parametrize("carried", ["", "nonsense", f"00-{TRACE}-zz-01", f"00-{'0' * 32}-1-01"])
def test_what_cannot_be_read_begins_a_new_trace(
    tracing: Callable[[], Collector], carried: str
) -> None:
    with span("root", carried):
        pass
    (root,) = tracing().spans
    assert root.parent_id == ""
    assert len(root.trace_id) == 32


def test_a_stage_makes_no_span_where_none_is_active(tracing: Callable[[], Collector]) -> None:
    with traces.stage("alone"):
        assert traces.carried() == ""
    assert tracing().spans == []


def test_errors_are_recorded_and_fail_the_span_only_where_they_end_it(
    tracing: Callable[[], Collector],
) -> None:
    with span("item") as item:
        item.record_exception(OSError("one file"), {"rushes.path": "/a.mov"})
        with span("whole") as whole:
            traces.fail(whole, OSError("all of it"))
        with pytest.raises(ValueError, match="broken"), traces.stage("decode"):
            raise ValueError("broken")
    spans = {span.name: span for span in tracing().spans}
    assert not spans["item"].has_failed
    ((name, attributes),) = spans["item"].events
    assert name == "exception"
    assert attributes["exception.message"] == "one file"
    assert attributes["rushes.path"] == "/a.mov"
    assert spans["whole"].has_failed
    assert spans["whole"].events[0][1]["exception.message"] == "all of it"
    assert spans["decode"].has_failed
    assert spans["decode"].events[0][1]["exception.type"] == "ValueError"


def test_the_standard_variables_count(tracing: Callable[[], Collector]) -> None:
    with span("one"):
        pass
    (one,) = tracing().spans
    assert tracing().headers[0]["x-tenant"] == "studio"
    assert one.resource["deployment.environment.name"] == "test"
    assert one.resource["service.name"] == "rushes-test"
    assert one.resource["service.namespace"] == "rushes"


def test_a_sampler_that_takes_nothing_sends_nothing(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    traces.start(Settings(traces_endpoint=collector.url), "test")
    with span("one"):
        assert not int(traces.carried()[-2:], 16) & 1  # told to whoever continues it
    traces.shut_down()
    assert collector.spans == []


def test_log_lines_name_the_trace_of_the_active_span_only(
    tracing: Callable[[], Collector], capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        logs.configure("test", "INFO", "json")
        with span("one", CARRIED):
            logging.getLogger("here").info("within")
        logging.getLogger("here").info("without")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    within, without = map(json.loads, capsys.readouterr().err.splitlines())
    assert within["trace_id"] == TRACE
    assert "trace_id" not in without


def test_a_collector_that_is_away_is_told_of_once_and_when_it_is_back(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    port = free_port()
    traces.start(Settings(traces_endpoint=f"http://127.0.0.1:{port}"), "test")

    def trace_until(done: Callable[[], object], what: str) -> None:
        def traced() -> object:
            with span("one"):
                return done()

        wait_for(traced, 10, what, every_s=0.05)

    def said(words: str) -> int:
        return sum(words in record.getMessage() for record in caplog.records)

    trace_until(lambda: said("Traces do not reach"), "the warning")
    began = time.monotonic()
    trace_until(lambda: time.monotonic() > began + 0.5, "more that is lost")
    with collecting(port) as collector:
        trace_until(lambda: said("again") and collector.spans, "spans at the collector")
        traces.shut_down()
    assert said("Traces do not reach") == 1
    assert len(caplog.records) == 2, [record.getMessage() for record in caplog.records]


def test_the_end_waits_2_s_at_most_for_a_collector_that_takes_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        traces.start(Settings(traces_endpoint=f"http://127.0.0.1:{port}"), "test")
        with span("one"):
            pass
        stopwatch = Stopwatch()
        traces.shut_down()
        assert stopwatch.seconds() < 4


OFF = """
import sys
{first}
import api.app, workers.start, workers.watcher.service
from shared.process import traces
from shared.settings import Settings
settings = Settings(redis_url="redis://127.0.0.1:1")
traces.start(settings, "api")
api.app.create_app(settings)
with traces.tracer().start_as_current_span("request") as request, traces.stage("stage"):
    assert not request.is_recording()
    assert traces.carried() == ""
print([name for name, module in sys.modules.items() if module and name.startswith({names})])
"""
WITHOUT_THE_EXTRA = (
    "sys.modules['opentelemetry.sdk'] = sys.modules['opentelemetry.exporter'] = None"
)
# redis-py imports the metrics of OpenTelemetry by itself, wherever they are installed.
NAMES = ("opentelemetry.exporter", "opentelemetry.sdk.trace", "shared.process.trace_export")


@pytest.mark.parametrize("first", ["", WITHOUT_THE_EXTRA])
def test_off_imports_no_tracer_and_needs_no_extra(first: str) -> None:
    program = OFF.format(first=first, names=NAMES)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


@pytest.mark.parametrize("command", [["api"], ["workers", "analysis"], ["workers", "watcher"]])
def test_without_the_extra_the_setting_ends_a_process_with_the_cure(command: list[str]) -> None:
    program = (
        f"import runpy, sys; {WITHOUT_THE_EXTRA}; sys.argv = sys.argv[1:]; "
        "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *command],
        env={
            "RUSHES_TRACES_ENDPOINT": "http://127.0.0.1:4318",
            "RUSHES_REDIS_URL": "redis://127.0.0.1:1",
            "RUSHES_PORT": str(free_port()),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    assert "pip install 'rushes[traces]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_wrong_number_for_the_exporter_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "99999")  # more than the queue holds
    with pytest.raises(SettingsError, match=r"^A variable OTEL_\* is wrong \(max_export_batch"):
        traces.start(Settings(traces_endpoint="http://127.0.0.1:4318"), "test")
    with traces.tracer().start_as_current_span("one") as one:
        assert not one.is_recording()
