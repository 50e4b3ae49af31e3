"""How long an address works whose key was revoked."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from api.http.auth import key_of_address
from api.search.picture_routes import KEY_KEPT_S
from shared.errors import Missing
from shared.redis.licence_keys import KeyRecord

KEY = KeyRecord(id="9f86d081884c", tier="pro", label="Ann", created_at=1.0)


class _Keys:
    """One licence key; counts how often it is read."""

    def __init__(self) -> None:
        self.key: KeyRecord | None = KEY
        self.reads = 0

    def by_id(self, _key_id: str) -> KeyRecord | None:
        self.reads += 1
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
