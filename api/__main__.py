"""`python -m api`: the HTTP and Socket.IO process."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from types import FrameType

import uvicorn

from api.app import create_app
from api.http.connections import LimitedConnection
from api.realtime.server import LARGEST_MESSAGE
from shared.errors import SettingsError
from shared.process import logs, traces
from shared.process.ending import end_with, watch_parent
from shared.process.listening import listen
from shared.settings import Settings

log = logging.getLogger(__name__)
# Of a connection without a request. Pools of httpx keep one for 5 s, those of aiohttp for 15:
# what they send while it is being closed is lost.
KEPT_S = 20
GRACE_S = 1  # for open requests and sockets when the process is asked to end
_END_S = 1.8  # after that it ends, whatever hangs in a thread of it
_LAST_SPANS = threading.Lock()  # while they are sent


def main() -> int:
    """Exit status: 2 for a wrong setting or a port that cannot be had, 1 when the start fails."""
    try:
        settings = Settings.from_env()
        logs.configure("api", settings.log_level, settings.log_format)
        logging.getLogger("uvicorn.error").addFilter(_holds_no_secret)
        sockets = listen(settings)  # before anything else is started
        traces.start(settings, "api")
        app = create_app(settings)
    except SettingsError as error:
        print(f"rushes api: {error.message}", file=sys.stderr)
        return 2
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            headers=[("X-Content-Type-Options", "nosniff")],
            http=LimitedConnection,
            ws_max_size=LARGEST_MESSAGE,
            timeout_keep_alive=KEPT_S,
            timeout_graceful_shutdown=GRACE_S,
        )
    )
    # uvicorn raises the signal that ended it once more: being asked to end is no failure.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    watch_parent()
    try:
        server.run(sockets)
    finally:
        _send_last_spans()
    return 0 if server.started else 1


class _Server(uvicorn.Server):
    """Ends in time: a thread in a folder that hangs cannot be ended, and would be waited for."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self.should_exit:
            end = threading.Timer(_END_S, _end_hard)
            end.daemon = True
            end.start()
        super().handle_exit(sig, frame)


def _end_hard() -> None:
    _send_last_spans()
    log.warning("Ending without what still runs, perhaps in a folder that does not answer.")
    os._exit(0)


def _send_last_spans() -> None:
    with _LAST_SPANS:
        traces.shut_down()


def _holds_no_secret(record: logging.LogRecord) -> bool:
    """Whether a record is safe: of a WebSocket uvicorn logs the query string, at DEBUG headers."""
    is_news = record.levelno == logging.INFO and "WebSocket" not in str(record.msg)
    return is_news or record.levelno > logging.INFO


if __name__ == "__main__":
    end_with(main)
