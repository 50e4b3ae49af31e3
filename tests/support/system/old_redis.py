"""A server that speaks as much of Redis's protocol as a check asks: a Redis of an old version."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import BinaryIO


@contextlib.contextmanager
def old_redis(version: str = "5.0.7", knows: str = "INFO") -> Iterator[int]:
    """Its port on loopback. It knows one command, and refuses all else as Redis 5 refuses HELLO."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_accept, args=(server, version, knows), daemon=True).start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)


def _accept(server: socket.socket, version: str, knows: str) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = server.accept()
            threading.Thread(target=_serve, args=(client, version, knows), daemon=True).start()


def _serve(client: socket.socket, version: str, knows: str) -> None:
    info = f"# Server\r\nredis_version:{version}\r\n# Persistence\r\naof_enabled:1\r\n"
    with client, client.makefile("rb") as stream, contextlib.suppress(OSError):
        while (command := _command(stream)) is not None:
            if command[0].upper() == knows.encode():
                client.sendall(f"${len(info)}\r\n{info}\r\n".encode())
            else:
                name = command[0].decode(errors="replace")
                client.sendall(f"-ERR unknown command `{name}`\r\n".encode())


def _command(stream: BinaryIO) -> list[bytes] | None:
    """The words of the next command, None at the end."""
    head = stream.readline()
    if not head.startswith(b"*"):
        return None
    words = []
    for _ in range(int(head[1:])):
        size = int(stream.readline()[1:])
        words.append(stream.read(size + 2)[:-2])
    return words
