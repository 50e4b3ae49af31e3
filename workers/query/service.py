"""The query worker: answers at once what a request needs and the API must not do itself.

Lanes never wait for each other: texts go to the thread with the model, pictures and probes are
popped only when one of their child processes is free.
"""

from __future__ import annotations

import base64
import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable

import msgspec
import numpy as np

from shared.errors import BadInput, ModelError, ModelLoading, RedisAway, RushesError
from shared.ledger.totals import LoadCount
from shared.models.model_catalogue import resolve
from shared.models.specs import ModelKind
from shared.paths import Roots
from shared.query.ask import Ask, AskLane, Lane
from shared.redis import heartbeats
from shared.redis.clients import connect
from shared.redis.heartbeats import Heartbeat, WorkerState
from shared.settings import Settings
from workers.desired import Desired
from workers.liveness import STALL_S
from workers.models.pool import ModelPool
from workers.query import grab
from workers.query.children import Children
from workers.query.embed import Embedder, Vectors, Wanted
from workers.query.probe import probe_file

log = logging.getLogger(__name__)

CHILDREN_A_LANE = 2
LIMIT_S = 15.0  # of one probe or picture, however long the caller would wait
_THUMBNAIL_SIDE = 320
_BEAT_S = 2.0
_LOOK_UP_S = 0.3
_REDIS_PAUSE_S = 0.5
_LAST_ANSWERS_S = 4.0  # what takes longer at the end is asked again, or fails with its caller


class QueryService:
    """One process; every lane has its own threads and its own Redis connection."""

    def __init__(
        self, settings: Settings, *, children: int = CHILDREN_A_LANE, limit_s: float = LIMIT_S
    ) -> None:
        assert settings.redis_url, "workers are started with a Redis"
        self._settings = settings
        self._limit_s = limit_s
        self._roots = Roots.media(settings)
        self._client = connect(settings.redis_url)
        self._pool = ModelPool(settings)
        self._load_count = LoadCount(self._client, settings.instance)
        self._desired = Desired(settings, self._client, self._pool)
        self._embedder = Embedder(self._pool)
        self._grabbers = Children(children, grab.warm_up)
        self._probers = Children(children, grab.warm_up)
        self._children = children
        self._asked_for: set[str] = set()
        self._stopping = False
        host = socket.gethostname()
        self._heart = Heartbeat(
            name=f"query-{host}-{os.getpid()}-{secrets.token_hex(3)}",
            kind="query",
            host=host,
            pid=os.getpid(),
            started_at=time.time(),
            state="loading",
        )

    def take_signals(self) -> None:
        """SIGTERM and SIGINT end this worker from now on. Main thread only."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.shut_down())

    def shut_down(self) -> None:
        """Answer what is begun and end. Safe in a signal handler."""
        self._stopping = True

    def serve(self) -> int:
        """Answer asks until a signal ends it; returns the exit status."""
        self._embedder.start()
        threads = self._start_threads()
        while not self._stopping:
            self._load_models()
            time.sleep(_LOOK_UP_S)
        until = time.monotonic() + _LAST_ANSWERS_S
        for thread in threads:
            thread.join(timeout=max(0.0, until - time.monotonic()))
        self._embedder.close()
        self._grabbers.close()
        self._probers.close()
        self._pool.close()
        try:
            heartbeats.leave(self._client, self._settings.instance, self._heart.name)
        except RedisAway:
            log.debug("Redis is away: the heartbeat runs out by itself")
        log.info("Query worker %s has ended", self._heart.name)
        return 0

    def _start_threads(self) -> list[threading.Thread]:
        each: list[tuple[Lane, Callable[[AskLane, Ask], None], int]] = [
            ("embed", self._embed, 1),
            ("grab", self._grab, self._children),
            ("probe", self._probe, self._children),
        ]
        threads = [
            threading.Thread(
                target=self._follow, args=(lane, handle), name=f"lane-{lane}", daemon=True
            )
            for lane, handle, count in each
            for _ in range(count)
        ]
        threads.append(threading.Thread(target=self._beat, name="beat", daemon=True))
        for thread in threads:
            thread.start()
        return threads

    def _load_models(self) -> None:
        """What all workers should have, then what single asks have named."""
        try:
            self._desired.reconcile(lambda message: self._say("loading", message))
        except RedisAway as error:
            log.debug("Redis is away: %s", error)
        for key in tuple(self._asked_for):
            if self._desired.side_of(key) is None:
                self._say("loading", f"Loading the model {key}.")
                self._desired.load(key)
            self._asked_for.discard(key)
        self._say("idle")

    def _follow(self, lane: Lane, handle: Callable[[AskLane, Ask], None]) -> None:
        """One thread of a lane: take, answer, for ever."""
        url = self._settings.redis_url
        assert url
        asks = AskLane(url, self._settings.instance, lane)
        while not self._stopping:
            try:
                ask = asks.take()
            except RedisAway as error:
                log.debug("Redis is away: %s", error)
                time.sleep(_REDIS_PAUSE_S)
                continue
            if ask is None:
                continue
            try:
                with asks.working_on(ask):
                    handle(asks, ask)
            except RushesError as error:
                asks.fail(ask, error)
            except (KeyError, TypeError, ValueError) as error:
                log.exception("An ask of the lane %s was not understood", lane)
                asks.fail(ask, BadInput(f"The question was not understood: {error}"))
            except Exception as error:
                log.exception("An ask of the lane %s failed", lane)
                asks.fail(ask, RushesError(f"An internal error: {type(error).__name__}: {error}"))
        asks.close()

    def _embed(self, asks: AskLane, ask: Ask) -> None:
        key, _ = self._ready_model(ask.payload["model"])
        texts = tuple(str(text) for text in ask.payload["texts"])
        if not texts:
            raise BadInput("There is no text to embed.")
        self._embedder.put(Wanted(key, _reply(asks, ask), texts=texts))

    def _grab(self, asks: AskLane, ask: Ask) -> None:
        wanted, limit_s = ask.payload, min(self._limit_s, ask.within_s)
        seconds = float(wanted.get("seconds", 0.0))
        if "model" not in wanted:
            side = int(wanted.get("long_side", _THUMBNAIL_SIDE))
            jpeg = self._grabbers.run(
                limit_s, grab.jpeg_at, self._roots, wanted["path"], seconds, side
            )
            asks.answer(ask, {"jpeg": base64.b64encode(jpeg).decode()})
            return
        key, side = self._ready_model(wanted["model"])
        if "image_b64" in wanted:
            rgb = self._grabbers.run(limit_s, grab.rgb_of_bytes, wanted["image_b64"], side)
        else:
            path = wanted.get("image_path") or wanted["path"]
            rgb = self._grabbers.run(limit_s, grab.rgb_at, self._roots, path, seconds, side)
        self._embedder.put(Wanted(key, _reply(asks, ask), picture=rgb))

    def _probe(self, asks: AskLane, ask: Ask) -> None:
        limit_s = min(self._limit_s, ask.within_s)
        asks.answer(ask, self._probers.run(limit_s, probe_file, self._roots, ask.payload["path"]))

    def _ready_model(self, wanted: str) -> tuple[str, int]:
        """Key and picture side of a loaded model; else asks for it and raises ModelLoading."""
        key = resolve(self._settings, ModelKind.VISUAL, wanted).key
        side = self._desired.side_of(key)
        if side is not None:
            return key, side
        if error := self._desired.error_of(key):
            raise ModelError(error)
        self._asked_for.add(key)
        raise ModelLoading

    def _say(self, state: WorkerState, message: str = "") -> None:
        self._heart = msgspec.structs.replace(self._heart, state=state, message=message)

    def _beat(self) -> None:
        """Heartbeats; ends the process when the thread with the model hangs in native code."""
        while not self._stopping:
            if self._embedder.busy_s() > STALL_S:
                log.critical("The model has not answered for %.0f s: ending", STALL_S)
                os._exit(1)
            heart = msgspec.structs.replace(
                self._heart, models=self._desired.states(), held=self._pool.held()
            )
            try:
                heartbeats.publish(self._client, self._settings.instance, heart)
                self._load_count.tell(self._pool.loads)
            except RedisAway as error:
                log.debug("Redis is away: %s", error)
            time.sleep(_BEAT_S)


def _reply(asks: AskLane, ask: Ask) -> Callable[[Vectors | RushesError], None]:
    def reply(answer: Vectors | RushesError) -> None:
        if isinstance(answer, RushesError):
            asks.fail(ask, answer)
            return
        rows = np.ascontiguousarray(answer, dtype=np.float32)
        asks.answer(
            ask,
            {
                "vectors": base64.b64encode(rows.tobytes()).decode(),
                "dim": rows.shape[1],
                "rows": rows.shape[0],
            },
        )

    return reply
