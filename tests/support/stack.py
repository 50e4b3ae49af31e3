"""The real stack as processes: API replicas, query worker, analysis workers, on one real Redis."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import httpx

from tests.support.running import processes
from tests.support.running.processes import PROJECT, PythonProcess
from tests.support.waiting import wait_for

__all__ = ["PROJECT"]
KEY = "test-key"
# Bytes that no kind of process needs: when ready they have 0.4, 1.6, 0.9 and 0.5 GiB; threads and
# malloc's arenas take more under load. A query worker allows its children up to 4 GiB.
ADDRESS_SPACE = {"api": 2 << 30, "query": 6 << 30, "analysis": 3 << 30, "export": 3 << 30}
_CHOOSER = random.SystemRandom()  # hypothesis seeds the other one


def free_port() -> int:
    """A port that nobody listens on.

    Not one that the kernel would choose: it might give it to a connection before it is used.
    """
    while True:
        port = _CHOOSER.randrange(10_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def models_dir() -> Path:
    """Where scripts/setup puts the lite weights; a missing folder fails, it never skips."""
    return Path(os.environ.get("RUSHES_MODELS_DIR") or PROJECT / ".rushes" / "models")


@dataclass
class Process:
    name: str
    popen: PythonProcess
    log: Path

    def kill(self, number: int = signal.SIGKILL) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.popen.send_signal(number)

    def end(self, timeout_s: float = 15) -> int:
        self.kill(signal.SIGTERM)
        try:
            return self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            self.popen.wait(5)
            raise AssertionError(f"{self.name} ignored SIGTERM:\n{self.text()[-3000:]}") from None

    @property
    def is_interpreter(self) -> bool:
        """Return True unless the fork server has started it."""
        return isinstance(self.popen, subprocess.Popen)

    def text(self) -> str:
        return self.log.read_text(errors="replace")


class Client:
    """A client of one API process that sends the key with every request."""

    # Called with every answer: tests check it, benchmarks do not.
    on_answer: ClassVar[list[Callable[[httpx.Response], None]]] = []

    def __init__(self, port: int, key: str | None = KEY, host: str = "127.0.0.1") -> None:
        self.url = f"http://{host}:{port}"
        headers = {"X-License-Key": key} if key else {}
        self.http = httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers=headers,
            timeout=30,
            event_hooks={"response": self.on_answer},
        )

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.http.post(path, json=body)

    def get(self, path: str) -> httpx.Response:
        return self.http.get(path)

    def ok(self, path: str, **body: Any) -> Any:
        """POST that must answer 200 or 202; returns the JSON."""
        answer = self.post(path, **body)
        assert answer.status_code in (200, 202), f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def analyze(self, cache_dir: Path, *paths: Path, **more: Any) -> str:
        """Start an analysis of the visual part; returns the task_id."""
        body = {"cache_dir": str(cache_dir), "visual_media_paths": [str(p) for p in paths]}
        return str(self.ok("/analyze", **body, **more)["task_id"])

    def task(self, task_id: str, files: bool = False) -> dict[str, Any]:
        answer = self.get(f"/tasks/{task_id}" + ("?files=true" if files else ""))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def wait_final(self, task_id: str, timeout_s: float = 60) -> dict[str, Any]:
        def final() -> dict[str, Any] | None:
            record = self.task(task_id)
            return record if record["status"] in ("completed", "cancelled", "failed") else None

        return wait_for(final, timeout_s, f"the end of task {task_id}", every_s=0.05)

    def analyzed(self, cache_dir: Path, *paths: Path, **more: Any) -> dict[str, Any]:
        """Analyze to the end; the final record, which must be `completed`."""
        record = self.wait_final(self.analyze(cache_dir, *paths, **more))
        assert record["status"] == "completed", f"{record['status']}: {record['message']}"
        return record


@dataclass
class Stack:
    """Processes with one environment. Names: api-0, query-0, analysis-0 …

    `machines`: for processes that run on another machine, the words that put a command onto it.
    `address_space`: the most bytes of a process by its kind, such as ADDRESS_SPACE: where it takes
    too much, its test fails before the machine swaps.
    """

    folder: Path
    redis_url: str
    settings: dict[str, str] = field(default_factory=dict)
    processes: dict[str, Process] = field(default_factory=dict)
    ports: list[int] = field(default_factory=list)
    clients: dict[tuple[int, str | None], Client] = field(default_factory=dict)
    machines: dict[str, list[str]] = field(default_factory=dict)
    address_space: dict[str, int] = field(default_factory=dict)

    def environment(self, **more: str) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("RUSHES_")}
        return {
            **inherited,
            "RUSHES_REDIS_URL": self.redis_url,
            "RUSHES_STATE_DIR": str(self.folder / "state"),
            "RUSHES_MODELS_DIR": str(models_dir()),
            "RUSHES_LICENSE_KEYS": KEY,
            "PYTHONUNBUFFERED": "1",
            **self.settings,
            **more,
        }

    def start(self, name: str, *command: str, interpreter: bool = False, **more: str) -> Process:
        """Start Python with those words; `interpreter`: without the fork server."""
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            popen = processes.start(
                command,
                env=self.environment(**more),
                stdout=output.fileno(),
                under=self._before(name),
                interpreter=interpreter,
            )
        self.processes[name] = Process(name, popen, log)
        return self.processes[name]

    def _before(self, name: str) -> list[str]:
        """Words that come before the command."""
        words = self.machines.get(name, [])
        if most := self.address_space.get(name.rpartition("-")[0]):
            bounded = ["sh", "-c", 'ulimit -v "$0" && exec "$@"', str(most // 1024)]
            return [*words, *bounded]
        return words

    def start_api(self, module: str = "api", port: int | None = None, **more: str) -> Client:
        port = port or free_port()
        name = f"api-{len(self.ports)}"
        process = self.start(name, "-m", module, RUSHES_PORT=str(port), **more)
        self.ports.append(port)
        client = self._client_of(port)

        def healthy() -> bool:
            assert process.popen.poll() is None, process.text()
            with contextlib.suppress(httpx.TransportError):
                return client.get("/health").status_code == 200
            return False

        wait_for(healthy, 20, "the API's health")
        return client

    def start_worker(self, kind: str, number: int = 0, **more: str) -> Process:
        return self.start(f"{kind}-{number}", "-m", "workers", kind, **more)

    def client(self, number: int = 0, key: str | None = KEY) -> Client:
        """A client of one API process; all are closed with the stack."""
        return self._client_of(self.ports[number], key)

    def _client_of(self, port: int, key: str | None = KEY) -> Client:
        if (port, key) not in self.clients:
            host = self.settings.get("RUSHES_HOST", "127.0.0.1")
            self.clients[port, key] = Client(port, key, host)
        return self.clients[port, key]

    def wait_ready(self, analysis: int, query: int, timeout_s: float = 45) -> None:
        """Until that many workers are alive with their model loaded."""

        def ready() -> bool:
            for process in self.processes.values():
                assert process.popen.poll() is None, f"{process.name} died:\n{process.text()}"
            answer = self.client().get("/ready").json()
            workers = answer.get("workers", {})
            return (
                workers.get("analysis", 0) >= analysis
                and workers.get("query", 0) >= query
                and not answer.get("loading")
            )

        wait_for(ready, timeout_s, "the workers", every_s=0.1)

    def stop(self) -> None:
        """End all processes: at once, but interpreters as a service manager would."""
        for client in self.clients.values():
            client.http.close()
        deadline = time.monotonic() + 12
        for name in sorted(self.processes, reverse=True):
            self.processes[name].kill(
                signal.SIGTERM if self.processes[name].is_interpreter else signal.SIGKILL
            )
        for process in self.processes.values():
            try:
                process.popen.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.popen.wait(5)


@contextlib.contextmanager
def running_stack(
    folder: Path,
    redis_url: str,
    *,
    apis: int = 1,
    query: int = 1,
    analysis: int = 1,
    address_space: dict[str, int] | None = None,
    **settings: str,
) -> Iterator[Stack]:
    """A stack that is ready to work; its logs are printed when the test fails."""
    folder.mkdir(parents=True, exist_ok=True)
    stack = Stack(folder, redis_url, settings, address_space=address_space or {})
    try:
        for number in range(query):
            stack.start_worker("query", number)
        for number in range(analysis):
            stack.start_worker("analysis", number)
        for _ in range(apis):
            stack.start_api()
        if apis and (analysis or query):
            stack.wait_ready(analysis, query)
        yield stack
    except BaseException:
        for process in stack.processes.values():
            print(f"----- {process.name}\n{process.text()[-4000:]}")
        raise
    finally:
        stack.stop()
