"""Work on the things of a request ends with its client."""

from __future__ import annotations

import asyncio

import pytest
from anyio.lowlevel import checkpoint
from starlette.requests import ClientDisconnect

from api.http.concurrency import AT_ONCE, map_concurrently


def test_results_come_in_order_a_few_at_a_time() -> None:
    under_way = most = 0

    async def double(number: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await checkpoint()
        under_way -= 1
        return 2 * number

    assert asyncio.run(map_concurrently(double, range(100))) == [2 * n for n in range(100)]
    assert most == AT_ONCE
    assert asyncio.run(map_concurrently(double, [])) == []


def test_nothing_more_is_done_for_a_client_who_has_left() -> None:
    done: list[int] = []

    async def work(number: int) -> None:
        done.append(number)
        await checkpoint()

    async def is_gone() -> bool:
        return len(done) >= 40

    with pytest.raises(ClientDisconnect):
        asyncio.run(map_concurrently(work, range(100_000), is_gone))
    assert len(done) < 40 + AT_ONCE
