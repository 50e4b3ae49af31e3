"""Licence keys, as hashes in Redis and, against its loss, in STATE_DIR/keys.json; their uses."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import redis

from shared.errors import BadInput, Missing
from shared.redis.clients import key_prefix
from shared.redis.kept_hash import KeptHash, decode_entries
from shared.rights import KeyScope

Tier = Literal["pro", "basic"]
_ID_LENGTH = 12
_NUMBERED = re.compile(r"key (\d{1,9})")
_LIMITS = ("scopes", "roots", "expires_at")


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A licence key without the key. `id` is the start of its hash and names it to people.

    Keys of earlier versions have every right. These versions read `tier` alone: a limited key is
    stored as basic, which they refuse, and `limited_tier` is its tier. In memory it is unset.
    """

    id: str
    tier: Tier
    label: str
    created_at: float
    scopes: frozenset[KeyScope] | None = None  # None: every one, those of later versions too
    roots: tuple[str, ...] | None = None  # as paths.bind_root; None: all that the server may use
    expires_at: float | None = None
    limited_tier: Tier | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        tier = self.limited_tier or self.tier
        scopes = self.scopes if tier == "pro" else frozenset()
        for name, value in (("tier", tier), ("scopes", scopes), ("limited_tier", msgspec.UNSET)):
            msgspec.structs.force_setattr(self, name, value)

    @property
    def is_from_settings(self) -> bool:
        return self.created_at == 0

    def has(self, scope: KeyScope) -> bool:
        return self.scopes is None or scope in self.scopes


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
        self._always_pro = {
            digest: KeyRecord(
                id=digest[:_ID_LENGTH], tier="pro", label=f"key {number}", created_at=0.0
            )
            for number, digest in enumerate(map(_hash, always_pro), 1)
        }

    def find(self, key: str) -> KeyRecord | None:
        """The record of a licence key as a client sends it; None for an unknown one."""
        digest = _hash(key)
        if digest in self._always_pro:
            return self._always_pro[digest]
        record = self._kept.entry(digest, KeyRecord)
        if record is None or record.label:
            return record
        return next((key for key in self.list() if key.id == digest[:_ID_LENGTH]), None)

    def by_id(self, key_id: str) -> KeyRecord | None:
        """The record of the licence key with this id; None where it is no more."""
        return next((key for key in self.list() if key.id == key_id), None)

    def create(
        self,
        tier: Tier = "pro",
        label: str = "",
        *,
        scopes: frozenset[KeyScope] | None = None,
        roots: tuple[str, ...] | None = None,
        expires_at: float | None = None,
    ) -> str:
        """Make a licence key. It is returned here once and can never be shown again.

        Without a label it is called by its number.
        """
        key = f"rushes-{secrets.token_urlsafe(24)}"
        digest = _hash(key)
        with self._kept.changing() as keys:
            record = KeyRecord(
                id=digest[:_ID_LENGTH],
                tier=tier,
                label=label or self._free_label(decode_entries(keys, KeyRecord).values()),
                created_at=round(time.time(), 3),
                scopes=scopes,
                roots=roots,
                expires_at=expires_at,
            )
            keys[digest] = _json(record)
        return key

    def list(self) -> list[KeyRecord]:
        """Records of all licence keys: those from the settings, then the oldest first."""
        records = self._kept.entries(KeyRecord).values()
        kept = sorted(records, key=lambda key: key.created_at)
        # Those of earlier versions may have no label: they are called by their number.
        first = len(self._always_pro) + 1
        named = [
            key if key.label else msgspec.structs.replace(key, label=f"key {number}")
            for number, key in enumerate(kept, first)
        ]
        return [*self._always_pro.values(), *named]

    def _free_label(self, kept: Iterable[KeyRecord]) -> str:
        """The number after the highest that a key is called by, or would be."""
        records = [*self._always_pro.values(), *kept]
        numbers = [int(found[1]) for key in records if (found := _NUMBERED.fullmatch(key.label))]
        return f"key {max([len(records), *numbers]) + 1}"

    def revoke(self, key_id: str) -> KeyRecord:
        """Withdraw the licence key with this id. Raises Missing, and BadInput for the settings'."""
        if any(record.id == key_id for record in self._always_pro.values()):
            raise BadInput(f"The key {key_id} stands in RUSHES_LICENSE_KEYS: take it out there.")
        with self._kept.changing() as keys:
            for digest, record in decode_entries(keys, KeyRecord).items():
                if record.id == key_id:
                    del keys[digest]
                    return record
            raise Missing(f"There is no key {key_id}.")


def _json(record: KeyRecord) -> str:
    fields = msgspec.to_builtins(record)
    if record.tier == "pro" and any(fields.get(name) is not None for name in _LIMITS):
        fields |= {"tier": "basic", "limited_tier": "pro"}
    return msgspec.json.encode(fields).decode()


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


class KeyUse(msgspec.Struct, frozen=True):
    """Since the key was made, or since Redis was empty."""

    requests: int = 0
    last_seen_at: float | None = None
    footage_seconds: float = 0.0  # that were analyzed for it, each kind of analysis by itself


class KeyUses:
    """Uses of the keys of one instance. The ledger counts footage (count_footage.lua)."""

    def __init__(self, client: redis.Redis, instance: str) -> None:
        self._redis = client
        self._prefix = f"{key_prefix(instance)}key-use:"

    def add(self, requests: Mapping[str, int], seen_at: Mapping[str, float]) -> None:
        """Count requests, by key id. Raises RedisAway."""
        with self._redis.pipeline(transaction=False) as pipe:
            for key_id, count in requests.items():
                pipe.hincrby(self._prefix + key_id, "requests", count)
                pipe.hset(self._prefix + key_id, "seen", round(seen_at[key_id], 3))
            pipe.execute()

    def of(self, key_ids: Sequence[str]) -> list[KeyUse]:
        """The uses of keys, in order. Raises RedisAway."""
        with self._redis.pipeline(transaction=False) as pipe:
            for key_id in key_ids:
                pipe.hmget(self._prefix + key_id, "requests", "seen", "footage_ms")
            found: list[Any] = pipe.execute()
        return [
            KeyUse(int(count or 0), float(seen) if seen else None, int(footage or 0) / 1000)
            for count, seen, footage in found
        ]

    def forget(self, key_id: str) -> None:
        """Drop what is known of a key that is no more. Raises RedisAway."""
        self._redis.delete(self._prefix + key_id)
