"""The worker's side of the query lane: takes requests and sends their answers, over Redis lists."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import msgspec
from opentelemetry import trace

from shared.errors import RedisAway, RushesError
from shared.process import traces
from shared.query.messages import (
    BLOCK_S,
    Failed,
    Lane,
    QueryReply,
    QueryRequest,
    Question,
    Result,
    lane_key,
    request_key,
    withdrawn_key,
)
from shared.redis.clients import connect_blocking

log = logging.getLogger(__name__)

_REPLIES_TTL_S = 60


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """A request whose caller waits for `within_s` more, as it was when the request was taken.

    `reply`, or `drop`, is called once, perhaps in another thread.
    """

    question: Question
    within_s: float
    is_wanted: Callable[[], bool]  # for the thread that took it; False once the caller has gone
    _send: Callable[[Result | Failed], None]
    _span: trace.Span

    def traced(self) -> AbstractContextManager[trace.Span]:
        """Put what is logged in the block into the trace of the request."""
        return trace.use_span(self._span, record_exception=False, set_status_on_exception=False)

    def reply(self, answer: Result | RushesError) -> None:
        """Send the answer, or an error, which the API's side raises again."""
        if isinstance(answer, RushesError):
            traces.fail(self._span, answer)
            self._send(Failed.of(answer))
        else:
            self._send(answer)
        self._span.end()

    def drop(self) -> None:
        """End without an answer, as nobody waits for one."""
        self._span.end()


class LaneConsumer:
    """Takes requests from one lane. One instance per thread: a pop blocks for up to BLOCK_S."""

    def __init__(self, redis_url: str, instance: str, lane: Lane) -> None:
        self._instance = instance
        self._lane = lane
        self._redis = connect_blocking(redis_url, block_s=BLOCK_S)

    def take(self) -> PendingRequest | None:
        """The oldest request whose caller still waits, or None after BLOCK_S. Raises RedisAway."""
        popped: Any = self._redis.brpop([lane_key(self._instance, self._lane)], timeout=BLOCK_S)
        if popped is None:
            return None
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.pttl(key := request_key(self._instance, popped[1]))
            pipe.getdel(key)
            left_ms, raw = pipe.execute()
        if not raw:
            return None
        try:
            request = msgspec.json.decode(raw, type=QueryRequest)
        except msgspec.MsgspecError as error:  # of another version
            log.warning("A question was not understood: %s", error)
            return None
        return PendingRequest(
            request.question,
            min(request.within_s, left_ms / 1000),
            lambda: self._is_wanted(request),
            lambda answer: self._send(request, answer),
            traces.tracer().start_span(
                self._lane, traces.context_of(request.trace), trace.SpanKind.CONSUMER
            ),
        )

    def close(self) -> None:
        self._redis.close()

    def _is_wanted(self, request: QueryRequest) -> bool:
        try:
            return not self._redis.exists(withdrawn_key(self._instance, request.request_id))
        except RedisAway:  # nobody can tell
            return True

    def _send(self, request: QueryRequest, answer: Result | Failed) -> None:
        """Send an answer; one that Redis does not take is lost, and the caller asks again."""
        reply = msgspec.json.encode(QueryReply(request_id=request.request_id, answer=answer))
        try:
            with self._redis.pipeline(transaction=True) as pipe:
                pipe.rpush(request.reply_to, reply)
                pipe.expire(request.reply_to, _REPLIES_TTL_S)
                pipe.execute()
        except RedisAway as error:
            log.warning("An answer was lost: %s", error)
