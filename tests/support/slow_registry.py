"""A package registry on this machine that has one file, and sends it as slowly as a test wants."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_PIECE = 1 << 20


class SlowRegistry:
    """Sends the first pieces of the file, and the others once `go_on` is set."""

    def __init__(self, file_name: str, size: int, at_once: int) -> None:
        self.file_name, self.size, self.at_once = file_name, size, at_once
        self.go_on = threading.Event()
        self.url = ""

    @contextmanager
    def listening(self) -> Iterator[SlowRegistry]:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.startswith("/simple/"):
                    page = f'<a href="/files/{registry.file_name}">{registry.file_name}</a>'
                    self._begin("text/html", len(page))
                    self.wfile.write(page.encode())
                    return
                self._begin("application/octet-stream", registry.size)
                for at in range(0, registry.size, _PIECE):
                    if at >= registry.at_once:
                        registry.go_on.wait(30)
                    self.wfile.write(bytes(min(_PIECE, registry.size - at)))

            def _begin(self, media_type: str, length: int) -> None:
                self.send_response(200)
                self.send_header("Content-Type", media_type)
                self.send_header("Content-Length", str(length))
                self.end_headers()

            def log_message(self, *_words: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_words: object) -> None:
                """Who asked has hung up, or was killed."""

        with Server(("127.0.0.1", 0), Handler) as server:
            self.url = f"http://127.0.0.1:{server.server_port}/simple"
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
            thread.start()
            try:
                yield self
            finally:
                self.go_on.set()
                server.shutdown()
