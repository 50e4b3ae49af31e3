"""A Socket.IO client for tests: the real python-socketio client, its events kept in order."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import requests
import socketio

from tests.support import openapi_agreement
from tests.support.waiting import wait_for

FINAL = ("completed", "cancelled", "failed")
# A thread of a connection that broke off may stay for half a minute, and then says so as an error:
# in the midst of another test.
_UNHEARD = logging.getLogger("tests.engineio")
_UNHEARD.setLevel(logging.CRITICAL)


class Watcher:
    """Joins tasks and keeps every `progress` event."""

    def __init__(
        self,
        url: str,
        *,
        transports: list[str] | None = None,
        key: str | None = None,
        certificate: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """`certificate`: a file with those that are trusted, for an https `url`.

        `headers`: of a WebSocket's handshake, which then has no Origin but theirs.
        """
        self.events: list[dict[str, Any]] = []
        session = requests.Session()
        session.trust_env = False  # else REQUESTS_CA_BUNDLE has the last word
        session.verify = certificate or True
        self._headers = dict(headers or {})
        origin = self._headers.pop("Origin", None)
        self._client = socketio.Client(
            reconnection_delay=0.2,
            reconnection_delay_max=1,
            http_session=session,
            engineio_logger=_UNHEARD,
            websocket_extra_options={"origin": origin, "suppress_origin": origin is None}
            if headers
            else {},
        )
        self._client.on("progress", self.events.append)
        self.refusals: list[Any] = []
        self._client.on("connect_error", self.refusals.append)
        self._url = url
        self._transports = transports or ["websocket"]
        self._auth = {"license_key": key} if key else None

    def __enter__(self) -> Watcher:
        path = f"{urlsplit(self._url).path}/socket.io"  # below what a proxy puts before it
        self._client.connect(
            self._url,
            headers=self._headers,
            transports=self._transports,
            auth=self._auth,
            socketio_path=path,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.disconnect()

    @property
    def is_connected(self) -> bool:
        return self._client.connected

    def call(self, event: str, data: Any = None) -> Any:
        """Emit an event; the server's acknowledgement."""
        return self._client.call(event, data, timeout=10)

    def join(self, task_id: Any) -> Any:
        """Emit `join`; the server's acknowledgement."""
        return self.call("join", task_id)

    def of(self, task_id: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["task_id"] == task_id]

    def until_final(self, task_id: str, timeout_s: float) -> list[dict[str, Any]]:
        """All events of the task, once its final one has come."""

        def ended() -> list[dict[str, Any]] | None:
            events = self.of(task_id)
            return events if events and events[-1]["status"] in FINAL else None

        events = wait_for(ended, timeout_s, f"the final event of {task_id}")
        for event in events:
            openapi_agreement.check_event(event)
        return events
