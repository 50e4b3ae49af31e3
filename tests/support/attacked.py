"""What an attack on an API process does to others: how long they wait, and what memory it takes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.stack import Process, Stack
from tests.support.system.stopwatch import Stopwatch


@dataclass
class Waited:
    """How long the slowest of the questions took."""

    longest_s: float = 0.0
    asked: int = 0


@contextlib.contextmanager
def others_asking(stack: Stack) -> Iterator[Waited]:
    """Meanwhile somebody asks /health again and again, and is answered each time."""
    url, waited = stack.client().url, Waited()
    over, has_asked = threading.Event(), threading.Event()
    wrong: list[object] = []

    def ask() -> None:
        with httpx.Client(timeout=60) as other:
            while not (over.is_set() and waited.asked > 1):
                stopwatch = Stopwatch(stack)
                try:
                    found = other.get(f"{url}/api/v1/health").json()
                except (httpx.HTTPError, ValueError) as error:
                    found = error
                if found != {"status": "ok"}:
                    wrong.append(found)
                waited.longest_s = max(waited.longest_s, stopwatch.seconds())
                waited.asked += 1
                has_asked.set()
                over.wait(0.02)

    asking = threading.Thread(target=ask)
    asking.start()
    has_asked.wait()  # 20 ms later it asks again, under attack
    try:
        yield waited
    finally:
        over.set()
        asking.join()
    assert wrong == []


def resident_mb(process: Process) -> float:
    """Memory that a process has now."""
    pages = int(Path(f"/proc/{process.popen.pid}/statm").read_text().split()[1])
    return pages * 4096 / (1 << 20)


def raw_socket(stack: Stack, sent: bytes) -> socket.socket:
    """A connection to the first API process on which these bytes were sent."""
    connection = socket.create_connection(("127.0.0.1", stack.ports[0]), timeout=30)
    connection.sendall(sent)
    return connection


def head(path: str, *lines: str, method: str = "POST") -> bytes:
    """The head of a request to the API, which has a body unless `lines` say otherwise."""
    return "\r\n".join(
        [f"{method} /api/v1{path} HTTP/1.1", "Host: localhost", *lines, "\r\n"]
    ).encode()


def until_closed(connection: socket.socket) -> bytes:
    """All that the server still says, until it ends the connection."""
    said = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(1 << 16):
            said += piece
    return said
