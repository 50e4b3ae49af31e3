"""How long an address works whose key was revoked."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from api.http.auth import key_of_address
from api.search.picture_routes import KEY_KEPT_S
from shared.errors import Missing, RedisAway
from shared.redis.licence_keys import KeyRecord

KEY = KeyRecord(id="9f86d081884c", tier="pro", label="Ann", created_at=1.0)


class _Keys:
    """One licence key; counts how often it is read."""

    def __init__(self) -> None:
        self.key: KeyRecord | None = KEY
        self.reads = 0
        self.while_reading: Callable[[], object] = lambda: None

    def by_id(self, _key_id: str) -> KeyRecord | None:
        self.reads += 1
        self.while_reading()
        return self.key


@pytest.fixture
def services() -> Any:
    return SimpleNamespace(keys=_Keys(), keys_of_addresses={})


def test_a_frame_is_shown_for_a_minute_at_most_once_its_key_is_revoked(
    services: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for _ in range(100):
        assert key_of_address(services, KEY.id, KEY_KEPT_S) is KEY
    assert services.keys.reads == 1
    services.keys.key = None
    now += 59
    assert key_of_address(services, KEY.id, KEY_KEPT_S) is KEY
    with pytest.raises(Missing):
        key_of_address(services, KEY.id)  # of an original, which is looked at each time
    with pytest.raises(Missing):
        key_of_address(services, KEY.id, KEY_KEPT_S)
    services.keys.key = KEY
    now += 60
    assert key_of_address(services, KEY.id, KEY_KEPT_S) is KEY
    services.keys.key = None
    now += 60
    with pytest.raises(Missing):
        key_of_address(services, KEY.id, KEY_KEPT_S)


def test_frames_that_are_asked_for_at_once_read_their_key_once(services: Any) -> None:
    is_reading = Event()
    services.keys.while_reading = lambda: is_reading.wait(10)
    with ThreadPoolExecutor(8) as pool:
        keys = [pool.submit(key_of_address, services, KEY.id, KEY_KEPT_S) for _ in range(8)]
        is_reading.set()
        assert [key.result() for key in keys] == [KEY] * 8
    assert services.keys.reads == 1


def test_a_redis_that_is_away_is_asked_again_after_two_seconds(
    services: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_away() -> None:
        raise RedisAway

    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    services.keys.while_reading = is_away
    for _ in range(3):
        with pytest.raises(RedisAway):
            key_of_address(services, KEY.id, KEY_KEPT_S)
    assert services.keys.reads == 1
    services.keys.while_reading = lambda: None
    now += 2
    assert key_of_address(services, KEY.id, KEY_KEPT_S) is KEY
