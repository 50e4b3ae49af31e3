"""Who opens a file that nobody was to open, and who connects where nobody was to connect."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_IN_OPEN = 0x20
_EVENT = struct.Struct("iIII")


class Canaries:
    """Files of which every opening is seen, by whatever process of this machine. Linux alone."""

    def __init__(self, paths: Iterable[Path]) -> None:
        library = ctypes.CDLL(ctypes.util.find_library("c") or "libc.so.6", use_errno=True)
        self._fd = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self._fd >= 0, os.strerror(ctypes.get_errno())
        self._names: dict[int, str] = {}
        for path in paths:
            watch = library.inotify_add_watch(self._fd, os.fsencode(path), _IN_OPEN)
            assert watch >= 0, os.strerror(ctypes.get_errno())
            self._names[watch] = path.name

    def opened(self) -> list[str]:
        """Names of those that were opened since the last time they were asked for."""
        try:
            events = os.read(self._fd, 1 << 16)
        except BlockingIOError:
            return []
        found, at = [], 0
        while at < len(events):
            watch, _, _, length = _EVENT.unpack_from(events, at)
            found.append(self._names[watch])
            at += _EVENT.size + length
        return found

    def close(self) -> None:
        os.close(self._fd)


class Listener:
    """Serves a film to whoever connects, and counts them."""

    def __init__(self, film: Path) -> None:
        content, self.connections = film.read_bytes(), 0
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def setup(self) -> None:
                listener.connections += 1
                super().setup()

            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.address}/{film.name}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def ears(canaries: Iterable[Path], film: Path) -> Iterator[tuple[Canaries, Listener]]:
    watched, listener = Canaries(canaries), Listener(film)
    try:
        yield watched, listener
    finally:
        watched.close()
        listener.close()
