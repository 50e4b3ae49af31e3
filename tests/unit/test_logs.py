"""A log line carries the task id that is bound, in both formats."""

import json
import logging

import pytest

from shared import logs


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
