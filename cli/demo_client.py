"""The public API as the demo uses it: HTTP by httpx, progress by the python-socketio client."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import socketio
from socketio.exceptions import SocketIOError
from socketio.exceptions import TimeoutError as NothingYet

from shared.errors import RushesError

FINAL = ("completed", "cancelled", "failed")
SILENCE_S = 120.0  # without any progress event: something is wrong
_REJOIN_S = 10.0
_LOADING_S = 60.0  # how long a search waits for a model that loads

Event = dict[str, Any]
Match = dict[str, Any]


class DemoFailed(RushesError):
    """The demo did not come to its end."""


class DemoClient:
    """One key, one server, one cache_dir."""

    def __init__(self, url: str, key: str, cache_dir: Path) -> None:
        self._url, self._key, self._cache_dir = url.rstrip("/"), key, str(cache_dir)
        self._http = httpx.Client(
            base_url=f"{self._url}/api/v1",
            headers={"X-License-Key": key},
            timeout=60,
            trust_env=False,  # a proxy for the internet is none for this machine
        )

    def close(self) -> None:
        self._http.close()

    def analyze(self, paths: list[Path], force: bool) -> Iterator[Event]:
        """Start a Task over the files and give its progress events to the last one."""
        task_id = self._post(
            "/analyze",
            {"visual_media_paths": [str(path) for path in paths], "force": force},
        )["task_id"]
        try:
            with socketio.SimpleClient() as socket:
                socket.connect(self._url, transports=["websocket"], auth={"license_key": self._key})
                yield from _events(socket, task_id)
        except SocketIOError as error:
            raise DemoFailed(f"Socket.IO at {self._url} failed: {error}.") from error

    def load(self) -> dict[str, Any]:
        return self._post("/analysis-data/load", {})

    def loaded_model(self) -> str:
        answer = self._checked(self._http.get("/models/loaded"))
        return str(answer["visual"]["model_key"])

    def search(self, endpoint: str, **body: Any) -> list[Match]:
        """Matches, best first. A model that is still loading is waited for."""
        matches: list[Match] = self._post(f"/search/{endpoint}", body)["matches"]
        return matches

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        deadline = time.monotonic() + _LOADING_S
        while True:
            try:
                answer = self._http.post(path, json={"cache_dir": self._cache_dir, **body})
            except httpx.HTTPError as error:
                raise DemoFailed(f"{self._url} does not answer: {error}.") from error
            if answer.status_code != 503 or time.monotonic() > deadline:
                return self._checked(answer)
            time.sleep(min(float(answer.headers.get("Retry-After", 1)), 5))

    def _checked(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise DemoFailed(f"{answer.url} answered {answer.status_code} without a JSON object.")
        if answer.is_error:
            raise DemoFailed(
                f"{answer.url.path} answered {answer.status_code}: {body.get('message')}"
            )
        return body


def _events(socket: socketio.SimpleClient, task_id: str) -> Iterator[Event]:
    """Events of one Task. Joining replays its newest state, so nothing is lost by joining late."""
    heard = time.monotonic()
    joined = False
    while True:
        if not joined:
            refusal = socket.call("join", task_id, timeout=30)
            if isinstance(refusal, dict) and "error" in refusal:
                raise DemoFailed(f"joining the task's room failed: {refusal.get('message')}")
            joined = True
        try:
            name, *payload = socket.receive(timeout=_REJOIN_S)
        except NothingYet:
            if time.monotonic() - heard > SILENCE_S:
                raise DemoFailed(f"no progress for {SILENCE_S:g} s") from None
            joined = False  # the connection may be a new one, which is in no room
            continue
        if name != "progress" or payload[0]["task_id"] != task_id:
            continue
        heard = time.monotonic()
        yield payload[0]
        if payload[0]["status"] in FINAL:
            return
