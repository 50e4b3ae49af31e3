"""Licence keys: only hashes are kept, in Redis and, against its loss, in STATE_DIR/keys.json."""

from __future__ import annotations

import hashlib
import secrets
import time
from pathlib import Path
from typing import Literal

import msgspec
import redis

from shared.errors import Missing
from shared.redis.kept_hash import KeptHash

Tier = Literal["pro", "basic"]
_ID_LENGTH = 12


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A licence key without the key. `id` is the start of its hash and names it to people."""

    id: str
    tier: Tier
    label: str
    created_at: float


class Keys:
    """Licence keys of one instance. `client` must decode responses; `always_pro`: from settings."""

    def __init__(
        self,
        client: redis.Redis,
        instance: str,
        state_dir: Path,
        always_pro: tuple[str, ...] = (),
    ) -> None:
        self._kept = KeptHash(client, instance, "keys", state_dir / "keys.json", "licence keys")
        self._always_pro = frozenset(_hash(key) for key in always_pro)

    def find(self, key: str) -> KeyRecord | None:
        """The record of a licence key as a client sends it; None for an unknown one."""
        digest = _hash(key)
        if digest in self._always_pro:
            return KeyRecord(id=digest[:_ID_LENGTH], tier="pro", label="", created_at=0.0)
        found = self._kept.get(digest)
        return _record(found) if found else None

    def create(self, tier: Tier = "pro", label: str = "") -> str:
        """Make a licence key. It is returned here once and can never be shown again."""
        key = f"rushes-{secrets.token_urlsafe(24)}"
        digest = _hash(key)
        record = KeyRecord(
            id=digest[:_ID_LENGTH], tier=tier, label=label, created_at=round(time.time(), 3)
        )
        with self._kept.changing() as keys:
            keys[digest] = msgspec.json.encode(record).decode()
        return key

    def list(self) -> list[KeyRecord]:
        """Records of all licence keys, oldest first."""
        records = map(_record, self._kept.all().values())
        return sorted(records, key=lambda record: record.created_at)

    def revoke(self, key_id: str) -> KeyRecord:
        """Withdraw the licence key with this id. Raises Missing."""
        with self._kept.changing() as keys:
            for digest, raw in keys.items():
                if (record := _record(raw)).id == key_id:
                    del keys[digest]
                    return record
            raise Missing(f"There is no key {key_id}.")


def _record(raw: str) -> KeyRecord:
    return msgspec.json.decode(raw, type=KeyRecord)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
