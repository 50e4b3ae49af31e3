"""Fixtures for every test: a private real Redis, and no ERROR record goes unnoticed."""

from __future__ import annotations

import logging
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from cli.processes import redis_binary
from shared.process import telemetry
from shared.redis.clients import connect
from tests.support import agreement
from tests.support.stack import Client
from tests.support.waiting import wait_for

pytest_plugins = ["tests.support.running.minutes", "tests.support.running.side_by_side"]


def pytest_configure() -> None:
    telemetry.switch_off()
    Client.on_answer.append(agreement.check)


class PrivateRedis:
    """A real redis-server on a unix socket. A missing binary is an error.

    `append_only`: keep the data over stop and start, else start empty.
    """

    def __init__(self, folder: Path, *, append_only: bool = False) -> None:
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self._command = [str(redis_binary.find()), "--port", "0", "--unixsocket", str(self.socket)]
        kept = "yes" if append_only else "no"
        self._command += ["--save", "", "--appendonly", kept, "--maxmemory-policy", "noeviction"]
        self._command += ["--dir", str(folder), "--logfile", str(folder / "redis.log")]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL)
        wait_for(self._answers, 10, "the private redis-server")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def freeze(self) -> None:
        """Let it answer nothing while it keeps its data and its connections."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def flush(self) -> None:
        with connect(self.url) as client:
            client.flushall()

    def _answers(self) -> bool:
        try:
            with connect(self.url) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@pytest.fixture(scope="session")
def _shared_redis() -> Iterator[PrivateRedis]:
    # A short path: sockets fail beyond about 104 characters, and pytest's own folders are long.
    with tempfile.TemporaryDirectory(prefix="rr-") as folder:
        server = PrivateRedis(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def redis_url(_shared_redis: PrivateRedis) -> str:
    """URL of a real, empty Redis."""
    _shared_redis.flush()
    return _shared_redis.url


@pytest.fixture
def own_redis() -> Iterator[PrivateRedis]:
    """A real Redis of this test alone, that it may stop and start again."""
    with tempfile.TemporaryDirectory(prefix="rr-") as folder:
        server = PrivateRedis(Path(folder))
        server.start()
        yield server
        server.stop()


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(f"{record.name}: {record.getMessage()}")


@pytest.fixture(autouse=True)
def no_error_records(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that logs at ERROR, unless it is marked `logs_errors`."""
    handler = _Errors()
    logging.getLogger().addHandler(handler)
    yield
    logging.getLogger().removeHandler(handler)
    if handler.seen and request.node.get_closest_marker("logs_errors") is None:
        pytest.fail("logged at ERROR: " + "; ".join(handler.seen))
