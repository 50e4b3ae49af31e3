"""The query lane: questions of the API that a query worker answers at once, over Redis lists.

An ask is pure, so it may be asked twice; its payload expires with its deadline, so that nobody
works for a caller who has gone. Errors travel as their class name and message.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import msgspec
import redis
import redis.asyncio

from shared.errors import NoWorker, RedisAway, RushesError
from shared.process import traces
from shared.process.async_tasks import end
from shared.redis import heartbeats
from shared.redis.clients import connect, connect_async, connect_blocking, key_prefix, translated

log = logging.getLogger(__name__)

Lane = Literal["embed", "grab", "probe"]
LANES: tuple[Lane, ...] = ("embed", "grab", "probe")
MAX_WAITING = 1000
BLOCK_S = 1.0
_ANSWERS_TTL_S = 60
_RECHECK_WORKERS_S = 1.0
_LONGEST_PAUSE_S = 1.0
_AT_ONCE = 32  # commands, far more than one loop can have under way


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One question as it lies in Redis."""

    ask_id: str
    reply_to: str
    within_s: float
    payload: dict[str, Any]
    trace: str = ""  # the asking span (traces.carried)


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    ask_id: str
    result: dict[str, Any]


class Asker:
    """API side, one per process: `async with Asker(url, instance) as asker`, then `ask`."""

    def __init__(self, redis_url: str, instance: str) -> None:
        self._prefix = key_prefix(instance)
        self._instance = instance
        self._replies = f"{self._prefix}answers:{secrets.token_hex(8)}"
        self._redis = connect_async(redis_url)
        self._turn = asyncio.Semaphore(_AT_ONCE)  # the pool refuses the 101st connection
        self._blocking = connect_async(redis_url, socket_timeout_s=BLOCK_S + 5)
        self._heartbeats = connect(redis_url)
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._workers_seen_at = float("-inf")

    async def __aenter__(self) -> Asker:
        self._reader = asyncio.create_task(self._read_answers(), name="ask-answers")
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._reader:
            await end(self._reader)
        for future in self._waiting.values():
            future.cancel()
        await self._redis.aclose()
        await self._blocking.aclose()
        self._heartbeats.close()

    async def ask(self, lane: Lane, payload: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        """The worker's answer. Raises what the worker raised, or NoWorker, or RedisAway."""
        if lane == "embed" and "texts" not in payload:
            lane = "grab"  # its picture must be decoded first, and never before somebody's text
        await self._check_lane(lane)
        ask = Ask(
            ask_id=secrets.token_hex(8),
            reply_to=self._replies,
            within_s=timeout_s,
            payload=payload,
            trace=traces.carried(),
        )
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[ask.ask_id] = future
        try:
            result = await self._wait(lane, ask, future)
        finally:
            del self._waiting[ask.ask_id]
        if "error" in result:
            raise _rebuilt(result)
        return result

    async def _wait(
        self, lane: Lane, ask: Ask, future: asyncio.Future[dict[str, Any]]
    ) -> dict[str, Any]:
        half = ask.within_s / 2
        await self._send(lane, ask)
        try:
            return await asyncio.wait_for(asyncio.shield(future), half)
        except TimeoutError:
            await self._send(lane, msgspec.structs.replace(ask, within_s=half))
        try:
            return await asyncio.wait_for(future, half)
        except TimeoutError:
            raise NoWorker(
                f"No query worker answered within {ask.within_s:g} s; retry shortly."
            ) from None

    async def _send(self, lane: Lane, ask: Ask) -> None:
        async with self._turn:
            with translated():
                pipe = self._redis.pipeline(transaction=True)
                pipe.set(
                    _payload_key(self._prefix, ask.ask_id),
                    msgspec.json.encode(ask),
                    px=max(1, int(ask.within_s * 1000)),
                )
                pipe.lpush(_lane_key(self._prefix, lane), ask.ask_id)
                await pipe.execute()

    async def _check_lane(self, lane: Lane) -> None:
        async with self._turn:
            with translated():
                waiting = await self._redis.llen(_lane_key(self._prefix, lane))
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

    async def _read_answers(self) -> None:
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
                answer = msgspec.json.decode(popped[1], type=_Answer)
            except msgspec.MsgspecError as error:
                log.warning("An answer was not understood: %s", error)
                continue
            future = self._waiting.get(answer.ask_id)
            if future and not future.done():
                future.set_result(answer.result)


class AskLane:
    """Worker side of one lane. One instance per thread: a pop blocks for up to BLOCK_S."""

    def __init__(self, redis_url: str, instance: str, lane: Lane) -> None:
        self._prefix = key_prefix(instance)
        self._key = _lane_key(self._prefix, lane)
        self._lane = lane
        self._spans: dict[int, traces.OpenSpan] = {}  # of asks in hand, each until its answer
        self._redis = connect_blocking(redis_url, block_s=BLOCK_S)

    def take(self) -> Ask | None:
        """The oldest ask whose caller still waits, or None after BLOCK_S. Raises RedisAway."""
        with translated():
            popped: Any = self._redis.brpop([self._key], timeout=BLOCK_S)
            if popped is None:
                return None
            raw = self._redis.getdel(_payload_key(self._prefix, popped[1]))
        try:
            return self._in_hand(msgspec.json.decode(raw, type=Ask)) if raw else None
        except msgspec.MsgspecError as error:  # of another version, while one replaces the other
            log.warning("A question was not understood: %s", error)
            return None

    def working_on(self, ask: Ask) -> AbstractContextManager[object]:
        """What is logged in the block belongs to the trace of the ask."""
        span = self._spans.get(id(ask))
        return span.active() if span else nullcontext()

    def answer(self, ask: Ask, result: dict[str, Any]) -> None:
        """Send the result. An answer that Redis does not take is lost; the caller asks again."""
        answer = msgspec.json.encode(_Answer(ask_id=ask.ask_id, result=result))
        try:
            with translated(), self._redis.pipeline(transaction=True) as pipe:
                pipe.rpush(ask.reply_to, answer)
                pipe.expire(ask.reply_to, _ANSWERS_TTL_S)
                pipe.execute()
        except RedisAway as error:
            log.warning("An answer was lost: %s", error)
        if span := self._spans.pop(id(ask), None):
            span.end()

    def fail(self, ask: Ask, error: RushesError) -> None:
        """Send an error, which the API side raises again."""
        if span := self._spans.pop(id(ask), None):
            span.end(error)
        self.answer(ask, {"error": type(error).__name__, "message": error.message})

    def close(self) -> None:
        self._redis.close()

    def _in_hand(self, ask: Ask) -> Ask:
        if span := traces.begin(self._lane, ask.trace):
            self._spans[id(ask)] = span
        return ask


def _lane_key(prefix: str, lane: Lane) -> str:
    return f"{prefix}asks:{lane}"


def _payload_key(prefix: str, ask_id: str) -> str:
    return f"{prefix}ask:{ask_id}"


def _rebuilt(result: dict[str, Any]) -> RushesError:
    kinds: dict[str, type[RushesError]] = {}
    waiting: list[type[RushesError]] = [RushesError]
    while waiting:
        kind = waiting.pop()
        kinds[kind.__name__] = kind
        waiting += kind.__subclasses__()
    return kinds.get(result["error"], RushesError)(result.get("message"))
