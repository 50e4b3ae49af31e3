"""What bodies take of their budget is given back, whatever is done with them meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.types import Message

from api.http.body_reading import BodyBudget
from api.http.errors import BodiesFull, TooLarge


def request(*pieces: bytes) -> Request:
    messages: Iterator[Message] = iter(
        {"type": "http.request", "body": piece, "more_body": piece != pieces[-1]}
        for piece in pieces
    )

    async def receive() -> Message:
        return next(messages)

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


def test_what_decoding_cuts_off_a_body_is_given_back_too() -> None:
    async def scenario() -> None:
        budget = BodyBudget.with_header(1)
        for _ in range(20):
            async with budget.body(request(b"\xef\xbb\xbf", b" " * 900_000)) as content:
                del content[: len(content) // 2]

    asyncio.run(scenario())


def test_a_body_may_be_as_large_as_is_said_and_not_a_byte_larger() -> None:
    async def scenario() -> None:
        budget = BodyBudget.with_header(1)
        async with budget.body(request(b"a" * 900_000, b"b" * ((1 << 20) - 900_000))):
            pass
        with pytest.raises(TooLarge):
            async with budget.body(request(b"a" * (1 << 20), b"b")):
                pass

    asyncio.run(scenario())


def test_what_arrived_of_a_body_that_did_not_fit_is_given_back() -> None:
    async def scenario() -> None:
        budget = BodyBudget.with_header(1)
        budget.together = 1 << 20
        for _ in range(8):
            with pytest.raises(BodiesFull):
                async with (
                    budget.body(request(b"a" * 900_000)),
                    budget.body(request(b"b" * 100_000, b"c" * 100_000)),
                ):
                    pass

    asyncio.run(scenario())
