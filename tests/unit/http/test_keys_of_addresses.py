"""How long an address works whose key was revoked."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any, cast

import pytest

from api.http.auth import Access
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
def keys() -> _Keys:
    return _Keys()


@pytest.fixture
def access(keys: _Keys) -> Access:
    return Access(cast(Any, keys), cast(Any, None), cast(Any, None))


def test_a_frame_is_shown_for_a_minute_at_most_once_its_key_is_revoked(
    access: Access, keys: _Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for _ in range(100):
        assert access.key_of_address(KEY.id, KEY_KEPT_S) is KEY
    assert keys.reads == 1
    keys.key = None
    now += 59
    assert access.key_of_address(KEY.id, KEY_KEPT_S) is KEY
    with pytest.raises(Missing):
        access.key_of_address(KEY.id)  # of an original, which is looked at each time
    with pytest.raises(Missing):
        access.key_of_address(KEY.id, KEY_KEPT_S)
    keys.key = KEY
    now += 60
    assert access.key_of_address(KEY.id, KEY_KEPT_S) is KEY
    keys.key = None
    now += 60
    with pytest.raises(Missing):
        access.key_of_address(KEY.id, KEY_KEPT_S)


def test_frames_that_are_asked_for_at_once_read_their_key_once(access: Access, keys: _Keys) -> None:
    is_reading = Event()
    keys.while_reading = lambda: is_reading.wait(10)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(access.key_of_address, KEY.id, KEY_KEPT_S) for _ in range(8)]
        is_reading.set()
        assert [one.result() for one in asked] == [KEY] * 8
    assert keys.reads == 1


def test_a_redis_that_is_away_is_asked_again_after_two_seconds(
    access: Access, keys: _Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_away() -> None:
        raise RedisAway

    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    keys.while_reading = is_away
    for _ in range(3):
        with pytest.raises(RedisAway):
            access.key_of_address(KEY.id, KEY_KEPT_S)
    assert keys.reads == 1
    keys.while_reading = lambda: None
    now += 2
    assert access.key_of_address(KEY.id, KEY_KEPT_S) is KEY
