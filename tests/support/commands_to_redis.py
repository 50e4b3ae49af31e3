"""The commands that clients send to a Redis, as it tells them: MONITOR."""

from __future__ import annotations

import threading
from typing import Any

import redis

from tests.support.waiting import wait_for


class CommandsToRedis:
    """Hears from its making until `close`. What scripts call within Redis is left out."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url, decode_responses=True)  # waits as long as it takes
        self._heard: list[list[str]] = []
        self._marks = 0
        self._monitor = self._client.monitor()
        self._monitor.__enter__()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def since_last(self) -> list[list[str]]:
        """The words of each command that was sent before this call and was not told of yet."""
        self._marks += 1
        mark = ["ECHO", f"mark-{self._marks}"]
        self._client.execute_command(*mark)
        wait_for(lambda: mark in self._heard, 10, "Redis to tell what was sent")
        at = self._heard.index(mark)
        told, self._heard[: at + 1] = self._heard[:at], []
        return told

    def close(self) -> None:
        self._client.execute_command("ECHO", "end")
        self._thread.join(10)
        self._monitor.__exit__(None, None, None)
        self._client.close()

    def _listen(self) -> None:
        told: dict[str, Any]
        for told in self._monitor.listen():
            if told["client_type"] == "lua":
                continue
            words = told["command"].split(" ")
            if words == ["ECHO", "end"]:
                return
            self._heard.append(words)
