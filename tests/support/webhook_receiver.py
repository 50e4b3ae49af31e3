"""A receiver of webhooks on this machine, that answers as a test wants."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

from tests.support.stack import free_port

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Receiver:
    """What was received, each checked against its signature."""

    def __init__(self, port: int = 0) -> None:
        self.port = port or free_port()
        self.secret = SECRET
        self.status = 200
        self.location = ""
        self.refused: set[str] = set()  # types that are answered 400
        self.held: threading.Event | None = None  # answers wait for it
        self.messages: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.paths: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?of=rushes"

    @contextmanager
    def listening(self) -> Iterator[Receiver]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if receiver.held:
                    receiver.held.wait(30)
                receiver.paths.append(self.path)
                status = receiver.status
                if json.loads(body)["type"] in receiver.refused:
                    status = 400
                if status == 200:
                    receiver.messages.append(
                        Webhook(receiver.secret).verify(body, dict(self.headers))
                    )
                    receiver.ids.append(self.headers["webhook-id"])
                self.send_response(status)
                if receiver.location:
                    self.send_header("Location", receiver.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_words: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
