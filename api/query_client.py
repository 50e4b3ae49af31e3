"""The API's side of the query lane: asks questions of query workers and waits for their answers.

Questions are pure: one that stays unanswered for half its time is asked once more, unless it is of
a lane whose answers take that long.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from contextlib import suppress
from typing import cast

import msgspec
import redis
import redis.asyncio

from api.async_tasks import end
from shared.errors import NoWorker, RedisAway
from shared.process import traces
from shared.query.messages import (
    BLOCK_S,
    Answer,
    Asking,
    Failed,
    Lane,
    QueryReply,
    QueryRequest,
    Question,
    ReplyT,
    lane_key,
    replies_key,
    request_key,
    withdrawn_key,
)
from shared.redis import heartbeats
from shared.redis.clients import connect, connect_async, translated

log = logging.getLogger(__name__)

MAX_WAITING = 1000
TIMEOUT_S = 20.0  # a worker gives up on a file after 15 s
_ASKED_ONCE = (Lane.PREVIEW,)  # what takes long and waits in line is not done twice
_WITHDRAWN_S = 60  # longer than any work goes on for somebody who has gone
_RECHECK_WORKERS_S = 1.0
_LONGEST_PAUSE_S = 1.0
_AT_ONCE = 32  # commands, far more than one loop can have under way


class QueryClient:
    """One per process: `async with QueryClient(url, instance) as client`, then `ask`."""

    def __init__(self, redis_url: str, instance: str) -> None:
        self._instance = instance
        self._replies = replies_key(instance, secrets.token_hex(8))
        self._redis = connect_async(redis_url)
        self._turn = asyncio.Semaphore(_AT_ONCE)  # the pool refuses the 101st connection
        self._blocking = connect_async(redis_url, socket_timeout_s=BLOCK_S + 5)
        self._heartbeats = connect(redis_url)
        self._waiting: dict[str, asyncio.Future[Answer]] = {}
        self._withdrawing: set[asyncio.Task[None]] = set()
        self._reader: asyncio.Task[None] | None = None
        self._workers_seen_at = float("-inf")

    async def __aenter__(self) -> QueryClient:
        self._reader = asyncio.create_task(self._read_replies(), name="query-replies")
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._reader:
            await end(self._reader)
        for future in self._waiting.values():
            future.cancel()
        await asyncio.gather(*self._withdrawing)
        await self._redis.aclose()
        await self._blocking.aclose()
        self._heartbeats.close()

    async def ask(
        self, lane: Lane, question: Asking[ReplyT], timeout_s: float = TIMEOUT_S
    ) -> ReplyT:
        """The worker's answer. Raises what the worker raised, or NoWorker, or RedisAway.

        Who is cancelled withdraws the question: a worker that has not begun leaves it.
        """
        await self._check_lane(lane)
        request = QueryRequest(
            request_id=secrets.token_hex(8),
            reply_to=self._replies,
            within_s=timeout_s,
            question=cast(Question, question),
            trace=traces.carried(),
        )
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[request.request_id] = future
        try:
            answer = await self._wait(lane, request, future)
        except asyncio.CancelledError:
            if self._reader and not self._reader.done():  # else this process ends
                task = asyncio.create_task(self._withdraw(request.request_id))
                self._withdrawing.add(task)
                task.add_done_callback(self._withdrawing.discard)
            raise
        finally:
            del self._waiting[request.request_id]
        if isinstance(answer, Failed):
            raise answer.as_error()
        return cast(ReplyT, answer)

    async def _wait(
        self, lane: Lane, request: QueryRequest, future: asyncio.Future[Answer]
    ) -> Answer:
        half = request.within_s / 2
        await self._send(lane, request)
        left_s = request.within_s
        if lane not in _ASKED_ONCE:
            left_s = half
            try:
                return await asyncio.wait_for(asyncio.shield(future), half)
            except TimeoutError:
                await self._send(lane, msgspec.structs.replace(request, within_s=half))
        try:
            return await asyncio.wait_for(future, left_s)
        except TimeoutError:
            raise NoWorker(
                f"No query worker answered within {request.within_s:g} s; retry shortly."
            ) from None

    async def _send(self, lane: Lane, request: QueryRequest) -> None:
        async with self._turn:
            with translated():
                pipe = self._redis.pipeline(transaction=True)
                pipe.set(
                    request_key(self._instance, request.request_id),
                    msgspec.json.encode(request),
                    px=max(1, int(request.within_s * 1000)),
                )
                pipe.lpush(lane_key(self._instance, lane), request.request_id)
                await pipe.execute()

    async def _withdraw(self, request_id: str) -> None:
        with suppress(RedisAway), translated():
            pipe = self._redis.pipeline(transaction=True)
            pipe.delete(request_key(self._instance, request_id))
            pipe.set(withdrawn_key(self._instance, request_id), 1, ex=_WITHDRAWN_S)
            await pipe.execute()

    async def _check_lane(self, lane: Lane) -> None:
        async with self._turn:
            with translated():
                waiting = await self._redis.llen(lane_key(self._instance, lane))
        if waiting > MAX_WAITING:
            raise NoWorker(f"{waiting} questions are waiting for a query worker; retry shortly.")
        now = time.monotonic()
        if now - self._workers_seen_at < _RECHECK_WORKERS_S:
            return
        with translated():
            found = await asyncio.to_thread(
                heartbeats.live, self._heartbeats, self._instance, "query"
            )
        if not found:
            raise NoWorker
        self._workers_seen_at = now

    async def _read_replies(self) -> None:
        """Resolve futures by id, for ever; a Redis that is away is waited for."""
        pause_s = 0.05
        while True:
            try:
                popped = await self._blocking.blpop([self._replies], timeout=BLOCK_S)
                pause_s = 0.05
            except (redis.RedisError, OSError) as error:
                log.debug("Answers cannot be read: %s", error)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
                continue
            if popped is None:
                continue
            try:
                reply = msgspec.json.decode(popped[1], type=QueryReply)
            except msgspec.MsgspecError as error:
                log.warning("An answer was not understood: %s", error)
                continue
            future = self._waiting.get(reply.request_id)
            if future and not future.done():
                future.set_result(reply.answer)
