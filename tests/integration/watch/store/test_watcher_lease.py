"""The lease of the active watcher, on a real Redis."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from shared.redis.clients import connect
from shared.watch.live import SoleLease
from tests.support.waiting import wait_for


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect(redis_url) as client:
        yield client


@pytest.fixture
def lease(client: redis.Redis) -> SoleLease:
    return SoleLease(client, "default")


def test_one_watcher_at_a_time_is_active_and_a_spare_takes_over(lease: SoleLease) -> None:
    assert not lease.is_held()
    assert lease.acquire("me", ttl_s=60)
    assert lease.acquire("me", ttl_s=60), "it stays"
    assert not lease.acquire("spare", ttl_s=60)
    lease.release("spare")
    assert lease.is_held()
    lease.release("me")
    assert not lease.is_held()
    assert lease.acquire("spare", ttl_s=60)


def test_a_lease_that_is_not_renewed_ends(lease: SoleLease) -> None:
    assert lease.acquire("me", ttl_s=0.05)
    wait_for(lambda: lease.acquire("spare", ttl_s=60), 5, "the end of the lease")
    assert not lease.acquire("me", ttl_s=60)


def test_a_lease_that_was_lost_is_not_renewed(lease: SoleLease, client: redis.Redis) -> None:
    assert not lease.renew("me")
    assert lease.acquire("me", ttl_s=60)
    assert lease.renew("me", ttl_s=60)
    assert not lease.renew("spare")
    client.flushall()
    assert not lease.renew("me")
    assert lease.acquire("spare", ttl_s=60)


def test_of_many_at_once_exactly_one_becomes_active(redis_url: str) -> None:
    def take(n: int) -> bool:
        with connect(redis_url) as client:
            return SoleLease(client, "default").acquire(f"{n}", ttl_s=60)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(16))) == 1
