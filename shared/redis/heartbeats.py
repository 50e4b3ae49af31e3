"""Heartbeats: what every worker process says of itself; and which models all should have loaded."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal

import msgspec
import redis

from shared.domain import ModelKind
from shared.errors import RedisAway
from shared.msgspec_decoding import decoded
from shared.process.process_mark import has_ended, own_mark
from shared.redis.clients import key_prefix

TTL_S = 10.0

WorkerKind = Literal["analysis", "query", "recluster", "export", "watcher"]
WorkerState = Literal["idle", "working", "waiting", "loading"]


class ModelState(msgspec.Struct, frozen=True):
    """What one process says of its model of one kind, the active one where that is wanted there."""

    model_key: str | None = None  # None: not loaded
    is_loading: bool = False  # or about to be loaded
    error: str | None = None  # why the active model cannot be used there, and the fix
    generation: int = 0  # of the DesiredModel that this is about


class HeldModel(msgspec.Struct, frozen=True):
    """A model in a process's memory; `bytes` is what it is expected to take."""

    kind: ModelKind
    model_key: str
    bytes: int
    is_loading: bool = False  # on its way there


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    kind: WorkerKind
    host: str
    pid: int
    started_at: float
    state: WorkerState = "idle"
    message: str = ""  # why it waits, for people
    task_id: str | None = None
    models: dict[ModelKind, ModelState] = {}  # of each kind the needed one, or one in use
    held: tuple[HeldModel, ...] = ()  # all that are loaded or loading
    stats: dict[str, int] = {}  # counters since the start, e.g. model_loads
    process: str = ""  # its mark (shared.process.process_mark)
    roots: tuple[str, ...] | None = None  # those configured that are seen there; None: not said


def first_heartbeat(kind: WorkerKind, state: WorkerState = "idle") -> Heartbeat:
    """The heartbeat of this process at its start, by a name that no other process has."""
    host, pid = socket.gethostname(), os.getpid()
    return Heartbeat(
        name=f"{kind}-{host}-{pid}-{secrets.token_hex(3)}",
        kind=kind,
        host=host,
        pid=pid,
        started_at=time.time(),
        state=state,
        process=own_mark(),
    )


class DesiredModel(msgspec.Struct, frozen=True):
    """The model that was asked for last; a higher generation is newer, also for the same key.

    Generation 0 is what the settings name.
    """

    key: str
    generation: int


def publish(client: redis.Redis, instance: str, heartbeat: Heartbeat, ttl_s: float = TTL_S) -> None:
    """Publish a heartbeat: this process is alive, for `ttl_s`."""
    prefix = key_prefix(instance)
    with client.pipeline() as pipe:
        pipe.sadd(f"{prefix}heartbeats", heartbeat.name)
        pipe.set(_key(prefix, heartbeat.name), msgspec.json.encode(heartbeat), px=int(ttl_s * 1000))
        pipe.execute()


def leave(client: redis.Redis, instance: str, name: str) -> None:
    """Remove the heartbeat of a process that ends; while Redis is away it runs out by itself."""
    prefix = key_prefix(instance)
    with suppress(RedisAway), client.pipeline() as pipe:
        pipe.srem(f"{prefix}heartbeats", name)
        pipe.delete(_key(prefix, name))
        pipe.execute()


def live(client: redis.Redis, instance: str, kind: WorkerKind | None = None) -> list[Heartbeat]:
    """Heartbeats of the processes that are alive, by name."""
    prefix = key_prefix(instance)
    known: Any = client.smembers(f"{prefix}heartbeats")
    names = sorted(known)
    if not names:
        return []
    found: Any = client.mget([_key(prefix, name) for name in names])
    silent = [name for name, raw in zip(names, found, strict=True) if raw is None]
    if silent:
        client.srem(f"{prefix}heartbeats", *silent)
    beats = [decoded(raw, Heartbeat) for raw in found]  # None also while versions take turns
    return [beat for beat in beats if beat and (kind is None or beat.kind == kind)]


@contextmanager
def burying(client: redis.Redis, instance: str) -> Iterator[list[str]]:
    """Names of processes of this machine that have ended; once the block has used them they go."""
    ended = [beat.name for beat in live(client, instance) if has_ended(beat.process)]
    yield ended
    for name in ended:
        leave(client, instance, name)


def desired(client: redis.Redis, instance: str) -> dict[ModelKind, DesiredModel]:
    """The desired model of each kind, loaded between Items; kinds never asked for are absent."""
    found: Any = client.hgetall(f"{key_prefix(instance)}models:desired")
    return {
        kind: DesiredModel(found[kind], int(found[f"{kind}:generation"]))
        for kind in ModelKind
        if kind in found
    }


def desire(client: redis.Redis, instance: str, kind: ModelKind, model_key: str) -> DesiredModel:
    """Ask every worker to load this model."""
    key = f"{key_prefix(instance)}models:desired"
    with client.pipeline() as pipe:
        pipe.hset(key, kind, model_key)
        pipe.hincrby(key, f"{kind}:generation", 1)
        generation = pipe.execute()[1]
    return DesiredModel(model_key, int(generation))


def _key(prefix: str, name: str) -> str:
    return f"{prefix}heartbeat:{name}"
