"""Logging, configured once per process; task and request are bound, never repeated by callers.

A record may bring `extra={"fields": {...}}`: keys of its own in JSON lines, left out of text.
"""

from __future__ import annotations

import contextlib
import contextvars
import datetime
import json
import logging
import re
import socket
import sys
from collections.abc import Iterator
from typing import Any

from opentelemetry import trace

from shared.printable import COMMANDS, printable

task_id_var: contextvars.ContextVar[str | None] = contextvars.ContextVar("task_id", default=None)
request_id_var: contextvars.ContextVar[str | None] = contextvars.ContextVar(
    "request_id", default=None
)

_BOUND = ("task_id", "request_id", "trace_id")
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]*@")  # in a URL: the password of a Redis


@contextlib.contextmanager
def bound_task(task_id: str | None) -> Iterator[None]:
    """Every log record inside carries this task id."""
    token = task_id_var.set(task_id)
    try:
        yield
    finally:
        task_id_var.reset(token)


@contextlib.contextmanager
def bound_request(request_id: str) -> Iterator[None]:
    """Every log record inside carries this request id, and the task id that a handler binds."""
    token = request_id_var.set(request_id)
    try:
        with bound_task(None):
            yield
    finally:
        request_id_var.reset(token)


class _Bind(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.task_id = task_id_var.get()
        record.request_id = request_id_var.get()
        span = trace.get_current_span().get_span_context()
        record.trace_id = trace.format_trace_id(span.trace_id) if span.is_valid else None
        return True


class _JsonFormatter(logging.Formatter):
    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process
        self._host = socket.gethostname()

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        entry = {
            "time": when.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "process": self._process,
            "pid": record.process,
            "host": self._host,
            "logger": record.name,
            "message": _without_credentials(record.getMessage()),
            **getattr(record, "fields", {}),
        }
        for name in _BOUND:
            if value := getattr(record, name, None):
                entry[name] = value
        if record.exc_info:
            entry["exception"] = _without_credentials(self.formatException(record.exc_info))
        line = json.dumps(entry, ensure_ascii=False, default=str)
        return COMMANDS.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


class _TextFormatter(logging.Formatter):
    """One line a record, whatever a path in it holds; only tracebacks have more, indented."""

    def __init__(self, process: str) -> None:
        super().__init__(f"%(asctime)s {process} %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = printable(super().formatMessage(record))
        for name in ("task_id", "request_id"):
            if value := getattr(record, name, None):
                line += f" [{name.removesuffix('_id')} {value}]"
        return line

    def formatException(self, ei: Any) -> str:
        lines = super().formatException(ei).split("\n")
        return "\n".join(f"  {printable(line)}" for line in lines)

    def format(self, record: logging.LogRecord) -> str:
        return _without_credentials(super().format(record))


def configure(process: str, level: str, log_format: str) -> None:
    """Log to stderr as `text` or `json`; `process` names this process in every line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_Bind())
    handler.setFormatter(
        _JsonFormatter(process) if log_format == "json" else _TextFormatter(process)
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("httpx", "httpcore", "engineio", "socketio", "PIL"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


def _without_credentials(text: str) -> str:
    return _CREDENTIALS.sub("***@", text)
