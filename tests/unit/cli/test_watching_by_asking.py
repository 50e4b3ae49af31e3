"""Watch folders followed where nothing but plain HTTP comes through."""

from __future__ import annotations

import http.server
import json
import threading

from cli.api_client import ApiClient

STATUS = {"state": "waiting", "files_pending": 0}


class OnlyHttp(http.server.BaseHTTPRequestHandler):
    """A proxy that knows no WebSocket, before a server whose status is STATUS."""

    def do_GET(self) -> None:
        is_status = self.path == "/api/v1/watch-folders/service/status"
        self.send_response(200 if is_status else 400)
        self.end_headers()
        if is_status:
            self.wfile.write(json.dumps(STATUS).encode())

    def log_message(self, *_: object) -> None:
        pass


def test_without_socket_io_the_status_is_asked_for() -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), OnlyHttp) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = ApiClient(f"127.0.0.1:{server.server_port}", "key")
        try:
            assert next(client.follow_watching()) == STATUS
        finally:
            client.close()
            server.shutdown()
