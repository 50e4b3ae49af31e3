"""Weights that are asked for over the network: who fetches which model, and how far it is.

A machine's weights are fetched by one of its own processes that run models: nobody else can write
into its MODELS_DIR. So each machine has a record of its own for each model.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal

import msgspec
import redis

from shared.errors import Busy
from shared.msgspec_decoding import decoded
from shared.redis import heartbeats
from shared.redis.clients import key_prefix

FetchState = Literal["waiting", "running", "done", "failed"]
MOST_OPEN = 20  # models
KEPT_S = 86_400.0  # of what has ended, and of what waits for a machine that is gone
_MOST_KEPT = 200  # that have ended
_UNHEARD_S = 30.0  # in which a process may begin that fetches for its machine
_RUN_MODELS = ("query", "analysis")


# A record becomes another one, unless its worker has written meanwhile. KEYS 1: the records.
# ARGV: field, what it was, what it is.
_REPLACE = """
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
"""


class FetchRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A model that is wanted on a machine."""

    model_key: str
    host: str
    asked_at: float
    state: FetchState = "waiting"
    worker: str = ""  # that fetches it
    bytes: int = 0
    total_bytes: int | None = None
    message: str = ""
    started_at: float | None = None
    finished_at: float | None = None

    @property
    def is_open(self) -> bool:
        return self.state in ("waiting", "running")


class Fetches:
    """The records of one instance. `client` must decode responses. All raise RedisAway."""

    def __init__(self, client: redis.Redis, instance: str) -> None:
        self._redis = client
        self._instance = instance
        self._key = f"{key_prefix(instance)}models:fetches"
        self._replace = client.register_script(_REPLACE)

    def workers(self) -> dict[str, str]:
        """Return the machines of the live workers that run models, by the workers' names."""
        live = heartbeats.live(self._redis, self._instance)
        return {beat.name: beat.host for beat in live if beat.kind in _RUN_MODELS}

    def ask(self, model_key: str, hosts: Iterable[str]) -> None:
        """Have a model fetched on these machines; where that is under way, it stays so.

        Raises Busy where many are under way already.
        """
        now = round(time.time(), 3)
        known = {(one.host, one.model_key): one for one in self._kept(self.workers())}
        under_way = {one.model_key for one in known.values() if one.is_open} - {model_key}
        if len(under_way) >= MOST_OPEN:
            raise Busy(
                f"{len(under_way)} models are being fetched or wait for it: wait until some of "
                "them are there (see /models/fetches), then ask again."
            )
        for host in hosts:
            before = known.get((host, model_key))
            if before is None or not before.is_open:
                waits = f"It waits for a worker of {host}, which takes one after the other."
                self.put(FetchRecord(model_key=model_key, host=host, asked_at=now, message=waits))

    def records(self) -> list[FetchRecord]:
        """All records, those that were asked for last first, as their workers have written them."""
        found: Any = self._redis.hvals(self._key)
        records = [record for raw in found if (record := decoded(raw, FetchRecord))]
        return sorted(records, key=lambda each: (-each.asked_at, each.host, each.model_key))

    def standing(self) -> list[FetchRecord]:
        """As `records`, but of the last day; one whose process is gone has failed, in words."""
        workers = self.workers()
        found = [record for record in self._kept(workers) if _is_news(record, time.time())]
        return [self._as_it_is(record, workers) for record in found]

    def fetched(self, hosts: Collection[str]) -> set[str]:
        """Keys of the models that were fetched onto one of these machines, and lie there still."""
        found = self.records()
        return {one.model_key for one in found if one.state == "done" and one.host in hosts}

    def put(self, record: FetchRecord) -> None:
        field = f"{record.host}/{record.model_key}"
        self._redis.hset(self._key, field, msgspec.json.encode(record))

    def forget(self, *records: FetchRecord) -> None:
        """As if they had never been asked for."""
        fields = [f"{record.host}/{record.model_key}" for record in records]
        if fields:
            self._redis.hdel(self._key, *fields)

    def _kept(self, workers: Mapping[str, str]) -> list[FetchRecord]:
        """As `records`, once what is of no use any more is forgotten."""
        now, hosts, records = time.time(), set(workers.values()), self.records()
        ended = [record for record in records if not record.is_open]
        useless = {record for record in ended if record.state == "failed"} - {
            record for record in ended if _is_news(record, now)
        }
        useless |= {
            record
            for record in records
            if record.is_open and record.host not in hosts and now - record.asked_at > KEPT_S
        }
        useless.update(ended[_MOST_KEPT:])
        self.forget(*useless)
        return [record for record in records if record not in useless]

    def _as_it_is(self, record: FetchRecord, workers: Mapping[str, str]) -> FetchRecord:
        if record.state == "running" and record.worker not in workers:
            ended = lost(record)
            words = [msgspec.json.encode(each) for each in (record, ended)]
            self._replace(keys=[self._key], args=[f"{record.host}/{record.model_key}", *words])
            return ended
        is_unheard = time.time() - record.asked_at > _UNHEARD_S
        if record.state == "waiting" and record.host not in workers.values() and is_unheard:
            return msgspec.structs.replace(
                record,
                state="failed",
                message=f"No worker of {record.host} is there any more that could fetch it. Start "
                "one (`rushes worker query`) within a day, and it does.",
            )
        return record


def lost(record: FetchRecord) -> FetchRecord:
    """A record whose process has ended in the midst."""
    return msgspec.structs.replace(
        record,
        state="failed",
        message=f"The worker of {record.host} that fetched it has ended meanwhile. Fetch it again.",
        finished_at=record.finished_at or round(time.time(), 3),
    )


def _is_news(record: FetchRecord, now: float) -> bool:
    """Whether a fetch is open, or has ended in the last day."""
    return record.finished_at is None or now - record.finished_at <= KEPT_S
