"""Weights that are asked for over the network: who fetches which model, and how far it is.

A machine's weights are fetched by one of its own processes that run models, by a lease: nobody
else can write into its MODELS_DIR. So each machine has a record of its own for each model.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from typing import Any, Literal

import msgspec
import redis

from shared.msgspec_decoding import UNDECODABLE
from shared.redis import heartbeats
from shared.redis.clients import key_prefix, translated
from shared.watch.lease import WatcherLease

FetchState = Literal["waiting", "running", "done", "failed"]
LEASE_S = 20.0
_KEPT_S = 86_400.0  # of what has ended
_UNHEARD_S = 30.0  # in which a process that begins may take the lease of its machine


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

    def lease(self, host: str) -> WatcherLease:
        """What the one process has that fetches for a machine."""
        return WatcherLease(self._redis, self._instance, f"models:fetcher:{host}")

    def ask(self, model_key: str, hosts: Iterable[str]) -> None:
        """Have a model fetched on these machines; where that is under way, it stays so."""
        now = round(time.time(), 3)
        known = {(one.host, one.model_key): one for one in self.records()}
        for record in known.values():
            if record.state == "failed" and not _is_news(record, now):
                self._remove(record)
        for host in hosts:
            before = known.get((host, model_key))
            if before is None or not before.is_open:
                waits = f"It waits for a worker of {host}, which takes one after the other."
                self.put(FetchRecord(model_key=model_key, host=host, asked_at=now, message=waits))

    def records(self) -> list[FetchRecord]:
        """All records, those that were asked for last first, as their workers have written them."""
        with translated():
            found: Any = self._redis.hvals(self._key)
        records = [record for raw in found if (record := _decoded(raw))]
        return sorted(records, key=lambda each: (-each.asked_at, each.host, each.model_key))

    def standing(self) -> list[FetchRecord]:
        """As `records`, but of the last day; one whose process is gone has failed, in words."""
        found = [record for record in self.records() if _is_news(record, time.time())]
        open_hosts = {record.host for record in found if record.is_open}
        holders = {host: self.lease(host).holder() for host in open_hosts}
        live = {beat.name for beat in heartbeats.live(self._redis, self._instance)}
        return [_as_it_is(record, holders.get(record.host), live) for record in found]

    def fetched(self, hosts: Collection[str]) -> set[str]:
        """Keys of the models that were fetched onto one of these machines, at whatever time."""
        found = self.records()
        return {one.model_key for one in found if one.state == "done" and one.host in hosts}

    def put(self, record: FetchRecord) -> None:
        field = f"{record.host}/{record.model_key}"
        with translated():
            self._redis.hset(self._key, field, msgspec.json.encode(record))

    def _remove(self, record: FetchRecord) -> None:
        with translated():
            self._redis.hdel(self._key, f"{record.host}/{record.model_key}")


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
    return record.finished_at is None or now - record.finished_at <= _KEPT_S


def _as_it_is(record: FetchRecord, holder: str | None, live: Collection[str]) -> FetchRecord:
    if record.state == "running" and (holder != record.worker or record.worker not in live):
        return lost(record)
    is_unheard = time.time() - record.asked_at > _UNHEARD_S
    if record.state == "waiting" and holder is None and is_unheard:
        return msgspec.structs.replace(
            record,
            state="failed",
            message=f"No worker of {record.host} is there any more that could fetch it. Start one "
            "(`rushes worker query`), and it does.",
        )
    return record


def _decoded(raw: str) -> FetchRecord | None:
    """A record; None for what another version wrote otherwise."""
    try:
        return msgspec.json.decode(raw, type=FetchRecord)
    except UNDECODABLE:
        return None
