"""Requests that never come to an end: idle connections, dripping heads, endless heads."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator

import pytest

from tests.support.attacked import head, others_asking, raw_socket, until_closed
from tests.support.socketio_client import Watcher
from tests.support.stack import Client, Stack
from tests.support.waiting import wait_for

IDLE = 4_000
HEAD_S = 10.0


@pytest.fixture(scope="module")
def api(shared_stack: Stack) -> Client:
    """The one API process of the stack."""
    return shared_stack.start_api()


def open_files(stack: Stack) -> int:
    return len(os.listdir(f"/proc/{stack.processes['api-0'].popen.pid}/fd"))


def drips_until_cut_off(connection: socket.socket, drip: bytes) -> None:
    """Send a little again and again, until the server has ended the connection."""
    connection.settimeout(0.2)

    def is_cut_off() -> bool:
        try:
            connection.sendall(drip)
            return connection.recv(1 << 16) == b""
        except TimeoutError:
            return False
        except OSError:
            return True

    wait_for(is_cut_off, 25, "the end of the connection")


@pytest.mark.timeout(180)
def test_thousands_of_idle_connections_are_gone_soon_and_hold_nobody_up(
    api: Client, shared_stack: Stack
) -> None:
    before = open_files(shared_stack)
    partial = head("/analyze")[:-4]
    with contextlib.ExitStack() as held, others_asking(shared_stack):
        for number in range(IDLE):
            held.enter_context(raw_socket(shared_stack, partial if number % 2 else b""))
        wait_for(
            lambda: open_files(shared_stack) < before + 20,
            HEAD_S + 15,
            "the end of idle connections",
            every_s=0.2,
        )


@pytest.mark.parametrize("drip", [b"X-Drip: 1\r\n", b"\r\n"])
def test_a_head_that_drips_is_cut_off(api: Client, shared_stack: Stack, drip: bytes) -> None:
    first = b"" if drip == b"\r\n" else head("/analyze")[:-2]
    began = time.monotonic()
    with raw_socket(shared_stack, first) as connection:
        drips_until_cut_off(connection, drip)
    assert time.monotonic() - began > HEAD_S - 1


def test_what_drips_after_an_answer_is_cut_off(api: Client, shared_stack: Stack) -> None:
    asked = head("/health", "Content-Length: 1000000", method="GET")
    with raw_socket(shared_stack, asked) as connection:
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        drips_until_cut_off(connection, b"a")


def test_the_body_of_a_socket_that_does_not_arrive_ends_it(
    api: Client, shared_stack: Stack
) -> None:
    polling = "/socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
    with contextlib.ExitStack() as held:
        small = [
            held.enter_context(raw_socket(shared_stack, f"{how} {polling}10\r\n\r\n".encode()))
            for how in ("GET", "POST")
        ]
        large = held.enter_context(
            raw_socket(shared_stack, f"POST {polling}70000\r\n\r\n".encode())
        )
        assert until_closed(large).startswith(b"HTTP/1.1 413 ")
        for connection in small:
            assert until_closed(connection).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("endless", ["header", "address", "chunk"])
def test_an_endless_head_is_refused(api: Client, shared_stack: Stack, endless: str) -> None:
    starts = {
        "header": head("/analyze")[:-2] + b"X-Long: ",
        "address": b"GET /api/v1/",
        "chunk": head("/analyze", "X-License-Key: test-key", "Transfer-Encoding: chunked") + b"1;",
    }
    with raw_socket(shared_stack, starts[endless]) as connection:

        def is_refused() -> bool:
            try:
                connection.sendall(b"a" * (1 << 20))
            except OSError:
                return True
            return False

        wait_for(is_refused, 20, "the end of the connection")
        assert until_closed(connection)[:12] in (b"", b"HTTP/1.1 400")
    assert api.get("/health").status_code == 200


def test_connections_that_are_in_use_stay(api: Client) -> None:
    """Longer than any of these limits: Socket.IO by WebSocket and by polling, one upload."""
    with (
        Watcher(api.url) as one,
        Watcher(api.url, transports=["polling"]) as other,
    ):
        until = time.monotonic() + HEAD_S + 5

        def pieces() -> Iterator[bytes]:
            yield b'{"a": "'
            wait_for(lambda: time.monotonic() > until, 60, "the time of all limits", every_s=0.5)
            yield b'"}'

        answer = api.http.post("/analyze", content=pieces())
        assert answer.json()["message"] == "cache_dir is required."
        for watcher in (one, other):
            assert "no task" in watcher.join("0" * 32)["message"]
