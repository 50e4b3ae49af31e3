"""Logging, configured once per process; the task id is bound, never repeated by callers."""

from __future__ import annotations

import contextlib
import contextvars
import datetime
import json
import logging
import sys
from collections.abc import Iterator

from shared import traces

task_id_var: contextvars.ContextVar[str | None] = contextvars.ContextVar("task_id", default=None)


@contextlib.contextmanager
def bound_task(task_id: str | None) -> Iterator[None]:
    """Every log record inside carries this task id."""
    token = task_id_var.set(task_id)
    try:
        yield
    finally:
        task_id_var.reset(token)


class _BindTask(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.task_id = task_id_var.get()
        record.trace_id = traces.trace_id()
        return True


class _JsonFormatter(logging.Formatter):
    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        entry = {
            "time": when.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if task_id := getattr(record, "task_id", None):
            entry["task_id"] = task_id
        if trace_id := getattr(record, "trace_id", None):
            entry["trace_id"] = trace_id
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


class _TextFormatter(logging.Formatter):
    def __init__(self, process: str) -> None:
        super().__init__(f"%(asctime)s {process} %(levelname)s %(name)s: %(message)s%(task)s")

    def format(self, record: logging.LogRecord) -> str:
        task_id = getattr(record, "task_id", None)
        record.task = f" [task {task_id}]" if task_id else ""
        return super().format(record)


def configure(process: str, level: str, log_format: str) -> None:
    """Log to stderr as `text` or `json`; `process` names this process in every line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_BindTask())
    handler.setFormatter(
        _JsonFormatter(process) if log_format == "json" else _TextFormatter(process)
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("rq.worker", "httpx", "httpcore", "engineio", "socketio", "PIL"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
