"""A Redis hash that also lies in a file of STATE_DIR: what must outlive the loss of Redis."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import redis

from shared.errors import SettingsError, Unavailable, os_errors_as
from shared.msgspec_decoding import UNDECODABLE
from shared.private_files import private, publish
from shared.redis.clients import key_prefix

logger = logging.getLogger(__name__)
T = TypeVar("T")
# KEYS: the hash. ARGV: a field, its JSON as it was read, its new JSON.
_REPLACE = """
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
"""


_warn_once = functools.lru_cache(1000)(logger.warning)  # lists are read every second


def decode_entries(entries: Mapping[str, str], kind: type[T]) -> dict[str, T]:
    """Return the entries, without those that something else has damaged, which are logged."""
    decoded = {}
    for name, raw in entries.items():
        try:
            decoded[name] = msgspec.json.decode(raw, type=kind)
        except UNDECODABLE as error:
            _warn_once("Skipped the damaged %s %r: %s", kind.__name__, name, str(error))
    return decoded


class KeptHash:
    """A hash, field -> JSON. Redis answers; the file is read only when Redis has come up empty.

    `client` must decode responses. `name` is that of the hash and of the field in the file;
    `what` names the entries to people, e.g. "licence keys".
    """

    def __init__(
        self, client: redis.Redis, instance: str, name: str, path: Path, what: str
    ) -> None:
        self._redis = client
        self._field = name
        self._name = f"{key_prefix(instance)}{name}"
        # Redis keeps no empty hash: this tells one whose last entry went from one that was lost.
        self._known = f"{self._name}:known"
        self._path = path
        self._what = what

    def get(self, field: str) -> str | None:
        """JSON of one field, None where there is none."""
        found: Any = self._redis.hget(self._name, field)
        if found is None and self.restore():
            found = self._redis.hget(self._name, field)
        return found or None

    def entry(self, field: str, kind: type[T]) -> T | None:
        """One field, decoded; None where there is none, or a damaged one."""
        raw = self.get(field)
        return decode_entries({field: raw}, kind).get(field) if raw else None

    def entries(self, kind: type[T]) -> dict[str, T]:
        """All fields that are not damaged, decoded."""
        return decode_entries(self.all(), kind)

    def all(self) -> dict[str, str]:
        """All fields with their JSON."""
        self.restore()
        found: Any = self._redis.hgetall(self._name)
        return dict(found)

    @contextlib.contextmanager
    def changing(self) -> Iterator[dict[str, str]]:
        """All fields, to be changed in the block; one block at a time on this machine.

        What the block has changed is written at its end, unless it raises.
        """
        with self._locked():
            self._restore_if_lost()
            found: Any = self._redis.hgetall(self._name)
            fields = dict(found)
            yield fields
            changed = {name: fields[name] for name in fields if found.get(name) != fields[name]}
            removed = [name for name in found if name not in fields]
            if not changed and not removed:
                return
            # The file first: a crash in between must not bring back later what was removed.
            self._publish(fields)
            with self._redis.pipeline() as pipe:
                pipe.set(self._known, 1)
                if changed:
                    pipe.hset(self._name, mapping=changed)
                if removed:
                    pipe.hdel(self._name, *removed)
                pipe.execute()

    def renew_all(self, renew: Callable[[str], str]) -> None:
        """Bring entries of an earlier version into today's form: in Redis, then in the file.

        One that another process changes or removes meanwhile stays as that left it.
        """
        replace = self._redis.register_script(_REPLACE)
        for name, raw in self.all().items():
            if (renewed := renew(raw)) != raw:
                replace(keys=[self._name], args=[name, raw, renewed])
        if not self._path.exists():
            return
        with self._locked():
            kept = self._read()
            entries = {name: renew(raw) for name, raw in kept.items()}
            if entries != kept:
                self._publish(entries)

    def restore(self) -> bool:
        """Bring the fields back from the file when Redis has come up empty; whether it did."""
        if not self._is_lost():
            return False
        with self._locked():
            return self._restore_if_lost()

    def _is_lost(self) -> bool:
        return not self._redis.exists(self._name, self._known) and self._path.exists()

    def _restore_if_lost(self) -> bool:
        if not self._is_lost() or not (fields := self._read()):
            return False
        with self._redis.pipeline() as pipe:
            pipe.set(self._known, 1)
            pipe.hset(self._name, mapping=dict[Any, Any](fields))
            pipe.execute()
        logger.warning(
            "REDIS CAME UP EMPTY: restored the %s from %s. Tasks that it held are lost; "
            "published results are not.",
            self._what,
            self._path,
        )
        return True

    def _read(self) -> dict[str, str]:
        try:
            raw = msgspec.json.decode(self._path.read_bytes(), type=dict[str, Any])
            entries = msgspec.convert(raw[self._field], dict[str, Any])
            return {name: msgspec.json.encode(value).decode() for name, value in entries.items()}
        except (*UNDECODABLE, OSError, KeyError) as error:
            raise SettingsError(
                f"The {self._what} in {self._path} cannot be read ({error}). Restore that file "
                "from a backup, or remove it and make them anew."
            ) from error

    def _publish(self, fields: dict[str, str]) -> None:
        content = {"version": 1, self._field: decode_entries(fields, msgspec.Raw)}
        with os_errors_as(Unavailable, f"Nothing was changed: {self._path} cannot be written"):
            publish(self._path, msgspec.json.format(msgspec.json.encode(content), indent=2))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Lock for one writer at a time, also across processes: the file then holds the newest."""
        with os_errors_as(
            Unavailable, f"Nothing was changed: {self._path.parent} cannot be written"
        ):
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = self._path.with_name(f".{self._path.stem}.lock")
            lock = private(str(path), os.O_WRONLY | os.O_CREAT)
        with os.fdopen(lock, "w"):
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
