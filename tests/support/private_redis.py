"""A redis-server that belongs to a test run, or to one test."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cli.processes import redis_binary
from shared.errors import RedisAway
from shared.redis.clients import connect
from tests.support.waiting import wait_for


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
        self._command += ["--pidfile", str(folder / "redis.pid")]
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
        except RedisAway:
            return False


@contextlib.contextmanager
def private_redis(*, append_only: bool = False) -> Iterator[PrivateRedis]:
    """One that runs, for a fixture of a module; a short path, since sockets fail beyond 104."""
    with tempfile.TemporaryDirectory(prefix="rr-") as folder:
        server = PrivateRedis(Path(folder), append_only=append_only)
        server.start()
        try:
            yield server
        finally:
            server.stop()
