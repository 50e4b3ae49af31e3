"""Licence keys: tiers, hashes, and how they survive the loss of Redis."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
import redis

from shared.errors import BadInput, Missing, RedisAway, SettingsError
from shared.redis.clients import connect
from shared.redis.licence_keys import Keys
from shared.rights import KeyScope


def tier_of(keys: Keys, key: str) -> str | None:
    found = keys.find(key)
    return found and found.tier


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect(redis_url) as client:
        yield client


@pytest.fixture
def keys(client: redis.Redis, tmp_path: Path) -> Keys:
    return Keys(client, "test", tmp_path)


def test_a_key_has_the_tier_it_was_made_with(keys: Keys) -> None:
    pro, basic = keys.create("pro", "editor"), keys.create("basic", "intern")
    assert (tier_of(keys, pro), tier_of(keys, basic)) == ("pro", "basic")
    assert tier_of(keys, "unknown") is None
    assert tier_of(keys, "") is None
    assert [record.label for record in keys.list()] == ["editor", "intern"]


def test_keys_from_the_settings_are_pro_without_being_stored(
    client: redis.Redis, tmp_path: Path
) -> None:
    keys = Keys(client, "test", tmp_path, always_pro=("from-settings",))
    assert tier_of(keys, "from-settings") == "pro"
    [record] = keys.list()
    assert (record.label, record.is_from_settings) == ("key 1", True)
    with pytest.raises(BadInput, match="RUSHES_LICENSE_KEYS"):
        keys.revoke(record.id)
    assert not (tmp_path / "keys.json").exists()


def test_keys_of_earlier_versions_have_every_right_and_are_called_by_their_number(
    keys: Keys, tmp_path: Path
) -> None:
    key = keys.create(label="old")
    path = tmp_path / "keys.json"
    kept = json.loads(path.read_text())
    for record in kept["keys"].values():
        for name in ("scopes", "roots", "expires_at"):
            del record[name]
        record["label"] = ""
    with keys._kept.changing() as changing:
        changing.update({name: json.dumps(raw) for name, raw in kept["keys"].items()})
    found = keys.find(key)
    assert found is not None
    assert (found.label, all(found.has(scope) for scope in KeyScope)) == ("key 1", True)


def tier_without_limits(raw: str) -> str:
    """The tier of a record as versions read it that know no limits: only `pro` may come in."""

    class Record(msgspec.Struct, frozen=True, kw_only=True):
        id: str
        tier: Literal["pro", "basic"]
        label: str
        created_at: float

    return msgspec.json.decode(raw, type=Record).tier


LIMITS: list[dict[str, Any]] = [
    {"scopes": frozenset([KeyScope.SEARCH])},
    {"roots": ("/show1",)},
    {"expires_at": time.time() + 60},
]


@pytest.mark.parametrize("limits", LIMITS, ids=lambda limits: next(iter(limits)))
def test_an_earlier_version_refuses_a_limited_key(
    keys: Keys, client: redis.Redis, tmp_path: Path, limits: dict[str, Any]
) -> None:
    key, full = keys.create(label="limited", **limits), keys.create(label="full")
    raws = client.hvals("rushes:test:keys")
    assert sorted(map(tier_without_limits, raws)) == ["basic", "pro"]
    kept = json.loads((tmp_path / "keys.json").read_text())["keys"]
    assert [tier_without_limits(json.dumps(raw)) for raw in kept.values()] == ["basic", "pro"]
    found = keys.find(key)
    assert found is not None
    assert (found.tier, tier_of(keys, full)) == ("pro", "pro")
    assert {name: getattr(found, name) for name in limits} == limits


def test_a_revoked_key_is_unknown(keys: Keys) -> None:
    key, other = keys.create(), keys.create()
    record = keys.list()[0]
    assert keys.revoke(record.id) == record
    assert tier_of(keys, key) is None
    assert tier_of(keys, other) == "pro"
    with pytest.raises(Missing):
        keys.revoke(record.id)


def test_the_key_itself_is_kept_nowhere(keys: Keys, client: redis.Redis, tmp_path: Path) -> None:
    key = keys.create()
    file = tmp_path / "keys.json"
    assert key not in file.read_text()
    assert key not in str(client.hgetall("rushes:test:keys"))
    assert file.stat().st_mode & 0o777 == 0o600


def test_keys_come_back_when_redis_comes_up_empty(
    keys: Keys, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    key = keys.create("basic", "panel")
    client.flushall()
    with caplog.at_level(logging.WARNING):
        assert tier_of(keys, key) == "basic"
    assert "REDIS CAME UP EMPTY: restored the licence keys from" in caplog.text
    assert keys.list()[0].label == "panel"
    assert caplog.text.count("REDIS CAME UP EMPTY") == 1, "once is enough"


def test_a_revoked_key_does_not_come_back(keys: Keys, client: redis.Redis) -> None:
    revoked, kept = keys.create(label="revoked"), keys.create(label="kept")
    keys.revoke(next(record.id for record in keys.list() if record.label == "revoked"))
    client.flushall()
    assert tier_of(keys, revoked) is None
    assert tier_of(keys, kept) == "pro"


def test_the_last_key_revoked_on_another_machine_does_not_come_back(
    client: redis.Redis, tmp_path: Path
) -> None:
    here, there = (Keys(client, "test", tmp_path / name) for name in ("here", "there"))
    key = here.create()
    there.revoke(there.list()[0].id)
    assert tier_of(here, key) is None
    assert here.list() == []


def test_a_new_key_does_not_hide_those_that_redis_lost(keys: Keys, client: redis.Redis) -> None:
    old = keys.create()
    client.flushall()
    new = keys.create()
    assert tier_of(keys, old) == tier_of(keys, new) == "pro"


def test_keys_made_at_the_same_time_are_all_published(
    client: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    def make(_number: int) -> str:
        with connect(redis_url) as own:
            return Keys(own, "test", tmp_path).create()

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(make, range(20)))
    client.flushall()
    keys = Keys(client, "test", tmp_path)
    assert {tier_of(keys, key) for key in made} == {"pro"}
    assert len(keys.list()) == 20


def test_a_damaged_file_is_named_and_left_alone(
    keys: Keys, client: redis.Redis, tmp_path: Path
) -> None:
    file = tmp_path / "keys.json"
    file.write_text("{")
    with pytest.raises(SettingsError, match=r"keys\.json cannot be read"):
        tier_of(keys, "any")
    assert file.read_text() == "{"


def test_no_key_is_judged_while_redis_is_away(redis_url: str, tmp_path: Path) -> None:
    with connect(f"{redis_url}.gone") as client, pytest.raises(RedisAway):
        Keys(client, "test", tmp_path).find("any")
