"""Licence keys: only hashes are kept, in Redis and, against its loss, in STATE_DIR/keys.json."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
import redis

from shared.decoding import UNDECODABLE
from shared.errors import Missing, SettingsError
from shared.redis_clients import key_prefix, translated

logger = logging.getLogger(__name__)

Tier = Literal["pro", "basic"]
_ID_LENGTH = 12


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a key. `id` is the start of its hash and names it to people."""

    id: str
    tier: Tier
    label: str
    created_at: float


class _File(msgspec.Struct):
    keys: dict[str, KeyRecord]
    version: int = 1


class Keys:
    """Keys of one instance. `client` must decode responses; `always_pro` come from settings."""

    def __init__(
        self,
        client: redis.Redis,
        instance: str,
        state_dir: Path,
        always_pro: tuple[str, ...] = (),
    ) -> None:
        self._redis = client
        self._name = f"{key_prefix(instance)}keys"
        self._path = state_dir / "keys.json"
        self._always_pro = frozenset(_hash(key) for key in always_pro)

    def tier_of(self, key: str) -> Tier | None:
        """The tier of a key as a client sends it; None for an unknown one."""
        digest = _hash(key)
        if digest in self._always_pro:
            return "pro"
        with translated():
            found: Any = self._redis.hget(self._name, digest)
        if found is None and self.restore():
            with translated():
                found = self._redis.hget(self._name, digest)
        return msgspec.json.decode(found, type=KeyRecord).tier if found else None

    def create(self, tier: Tier = "pro", label: str = "") -> str:
        """Make a key. It is returned here once and can never be shown again."""
        key = f"rushes-{secrets.token_urlsafe(24)}"
        digest = _hash(key)
        record = KeyRecord(
            id=digest[:_ID_LENGTH], tier=tier, label=label, created_at=round(time.time(), 3)
        )
        self.restore()
        with self._locked(), translated():
            self._redis.hset(self._name, digest, msgspec.json.encode(record))
            self._publish(self._all())
        return key

    def list(self) -> list[KeyRecord]:
        """All keys, oldest first."""
        self.restore()
        with translated():
            return sorted(self._all().values(), key=lambda record: record.created_at)

    def revoke(self, key_id: str) -> KeyRecord:
        """Withdraw the key with this id. Raises Missing."""
        self.restore()
        with self._locked(), translated():
            keys = self._all()
            digest = next((found for found in keys if keys[found].id == key_id), None)
            if digest is None:
                raise Missing(f"There is no key {key_id}.")
            record = keys.pop(digest)
            # The file first: a crash in between must not bring a revoked key back later.
            self._publish(keys)
            self._redis.hdel(self._name, digest)
        return record

    def restore(self) -> bool:
        """Bring keys back from the file when Redis has come up empty. True: it did."""
        with translated():
            if self._redis.exists(self._name) or not self._path.exists():
                return False
        with self._locked():
            keys = self._read()
            if not keys:
                return False
            with translated():
                if self._redis.exists(self._name):
                    return False
                self._redis.hset(
                    self._name,
                    mapping={digest: msgspec.json.encode(keys[digest]) for digest in keys},
                )
        logger.warning(
            "REDIS CAME UP EMPTY: restored %d licence keys from %s. Tasks that it held are lost; "
            "published results are not.",
            len(keys),
            self._path,
        )
        return True

    def _all(self) -> dict[str, KeyRecord]:
        found: Any = self._redis.hgetall(self._name)
        return {digest: msgspec.json.decode(raw, type=KeyRecord) for digest, raw in found.items()}

    def _read(self) -> dict[str, KeyRecord]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_File).keys
        except (*UNDECODABLE, OSError) as error:
            raise SettingsError(
                f"The licence keys in {self._path} cannot be read ({error}). Restore that file "
                "from a backup, or remove it and create new keys."
            ) from error

    def _publish(self, keys: dict[str, KeyRecord]) -> None:
        temporary = self._path.with_name(f".keys.{os.getpid()}.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(_File(keys)), indent=2))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time, also across processes: the file always holds the newest keys."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_name(".keys.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
