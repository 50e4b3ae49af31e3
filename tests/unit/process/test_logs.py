"""A log line carries the task id that is bound, in both formats."""

import json
import logging
import os
import socket

import pytest

from shared.process import logs


@pytest.fixture(autouse=True)
def _restore_root_logger():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_json_line_names_process_and_task(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("worker", "INFO", "json")
    with logs.bound_task("abc"):
        logging.getLogger("x").info("file %s done", "ü.mp4")
    logging.getLogger("x").info("idle")
    bound, unbound = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (bound["task_id"], bound["process"], bound["message"]) == (
        "abc",
        "worker",
        "file ü.mp4 done",
    )
    assert "task_id" not in unbound


def test_a_text_line_ends_with_the_task(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("api", "WARNING", "text")
    with logs.bound_task("abc"):
        logging.getLogger("x").info("hidden by the level")
        logging.getLogger("x").warning("seen")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].endswith("x: seen [task abc]")


def test_a_line_names_the_request_and_the_process(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("api", "INFO", "json")
    with logs.bound_request("req-1"), logs.bound_task("abc"):
        logging.getLogger("x").info("said", extra={"fields": {"status": 200}})
    logging.getLogger("x").info("later")
    said, later = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (said["request_id"], said["task_id"], said["status"]) == ("req-1", "abc", 200)
    assert (said["pid"], said["host"]) == (os.getpid(), socket.gethostname())
    assert later.keys() == {"time", "level", "process", "pid", "host", "logger", "message"}


def test_a_request_begins_without_the_task_of_an_earlier_one() -> None:
    with logs.bound_request("1"):
        logs.task_id_var.set("abc")
    with logs.bound_request("2"):
        assert logs.task_id_var.get() is None


@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.logs_errors
def test_an_error_has_its_task_and_its_cause(
    capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    logs.configure("analysis", "INFO", log_format)
    with logs.bound_task("abc"):
        try:
            raise ValueError("what went wrong")
        except ValueError:
            logging.getLogger("x").exception("Item 3 failed")
    text = capsys.readouterr().err
    assert "abc" in text
    assert "ValueError: what went wrong" in text
    if log_format == "json":
        assert len(text.splitlines()) == 1


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_line_break_in_a_path_makes_no_second_line(
    capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    logs.configure("api", "INFO", log_format)
    logging.getLogger("x").info("%s failed", "/m/a\n2030-01-01 api ERROR x: forged\u2028\x1b[31m")
    text = capsys.readouterr().err
    assert len(text.splitlines()) == 1
    assert "\x1b" not in text


@pytest.mark.logs_errors
def test_a_line_break_in_an_error_makes_no_line_that_looks_like_a_record(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("api", "INFO", "text")
    try:
        raise ValueError("a\n2030-01-01 api ERROR x: forged\r2030-01-01 again\x1b[31m")
    except ValueError:
        logging.getLogger("x").exception("it failed")
    text = capsys.readouterr().err
    assert [line for line in text.splitlines() if not line.startswith("  ")] == [
        text.splitlines()[0]
    ]
    assert "forged" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.logs_errors
def test_the_password_of_a_redis_is_not_logged(
    capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    logs.configure("api", "INFO", log_format)
    log = logging.getLogger("x")
    log.info("cannot reach redis://:sesame@redis:6379/0 or rediss://me:sesame@host/1")
    try:
        raise OSError("no route to redis://:sesame@redis:6379/0")
    except OSError:
        log.exception("it failed")
    text = capsys.readouterr().err
    assert "sesame" not in text
    assert "redis://***@redis:6379/0" in text
