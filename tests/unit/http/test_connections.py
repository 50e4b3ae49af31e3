"""Clients that do not read their answers."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable

import pytest
import uvicorn
from starlette.responses import Response
from uvicorn.server import ServerState

from api.http import connections
from api.http.connections import LimitedConnection
from tests.support.waiting import wait_for

SIZE = 16 << 20
ASKED = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def served(scenario: Callable[[socket.socket, ServerState], Awaitable[None]], size: int) -> None:
    """Run the scenario on a connection whose answers have this size."""

    async def run() -> None:
        config = uvicorn.Config(Response(b"a" * size), lifespan="off", log_config=None)
        config.load()
        state = ServerState()

        def connection() -> LimitedConnection:
            return LimitedConnection(config=config, server_state=state, app_state={})

        loop = asyncio.get_running_loop()
        async with await loop.create_server(connection, "127.0.0.1", 0) as server:
            with socket.create_connection(server.sockets[0].getsockname()) as client:
                client.setblocking(False)
                await loop.sock_sendall(client, ASKED)
                await scenario(client, state)

    asyncio.run(run())


@pytest.mark.parametrize("rest", [SIZE, 40_000])
def test_who_reads_nothing_of_an_answer_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, rest: int
) -> None:
    """Also where the rest is too small to be noticed while it is written."""
    monkeypatch.setattr(connections, "READER_S", 0.2)

    async def scenario(client: socket.socket, state: ServerState) -> None:
        def is_stuck() -> bool:
            client.send(ASKED)
            return any(one.transport.get_write_buffer_size() for one in state.connections)

        await asyncio.to_thread(wait_for, is_stuck, 20, "an answer that is not read", every_s=0.001)
        await asyncio.to_thread(wait_for, lambda: not state.connections, 20, "the end")

    served(scenario, rest)


def test_who_reads_slowly_gets_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "READER_S", 0.5)

    async def scenario(client: socket.socket, state: ServerState) -> None:
        loop = asyncio.get_running_loop()
        began, read, pace = time.monotonic(), 0, threading.Event()
        while read < SIZE:
            piece = await loop.sock_recv(client, SIZE // 20)
            assert piece
            read += len(piece)
            await asyncio.to_thread(pace.wait, 0.05)
        assert time.monotonic() - began > 2 * connections.READER_S

    served(scenario, SIZE)
