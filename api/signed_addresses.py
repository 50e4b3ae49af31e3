"""Signed addresses: whoever has one gets what it stands for, for about an hour, without a key.

So an <img>, a <video> or a link can show it, which send no licence key. What is signed is the thing
and what its key may read. All API processes know the secret; it lies in Redis.
"""

from __future__ import annotations

import secrets
import time
from typing import TypeVar

import msgspec
import redis
from itsdangerous import BadData, URLSafeSerializer

from shared.errors import Missing
from shared.redis.clients import key_prefix

LEAST_S = 3600  # an address holds for so long
_STEP_S = 1800  # and is the same for so long, so that browsers keep what they have fetched
_LONGEST_TOKEN = 20_000  # paths and roots; what is longer was not given by us


class Signed(msgspec.Struct, frozen=True, array_like=True):
    """What an address may stand for; a class of its own is a kind of its own."""


SignedT = TypeVar("SignedT", bound=Signed)


class SignedAddresses:
    """Makes and reads the tokens of such addresses."""

    def __init__(self, client: redis.Redis, instance: str) -> None:
        """`client` must decode responses."""
        self._redis = client
        self._key = f"{key_prefix(instance)}picture-secret"

    def signer(self) -> URLSafeSerializer:
        """One a request: it asks Redis for the secret."""
        secret = self._redis.get(self._key)
        if secret is None:
            self._redis.set(self._key, secrets.token_hex(32), nx=True)
            secret = self._redis.get(self._key)
        return URLSafeSerializer(str(secret))

    def read(self, token: str, kind: type[SignedT]) -> tuple[SignedT, int]:
        """What a token stands for, and for how many seconds still. Raises Missing."""
        try:
            if len(token) > _LONGEST_TOKEN:
                raise BadData("too long")
            expires, raw = self.signer().loads(token, salt=kind.__name__)
            signed = msgspec.convert(raw, kind)
        except (BadData, ValueError, TypeError) as error:
            raise Missing("There is no such address; ask for it again.") from error
        left = int(expires - time.time())
        if left <= 0:
            raise Missing("This address has expired; ask for it again.")
        return signed, left


def token_of(signer: URLSafeSerializer, signed: Signed) -> str:
    """A token that holds for LEAST_S, up to _STEP_S more."""
    expires = (int(time.time()) // _STEP_S + 1) * _STEP_S + LEAST_S
    payload = [expires, msgspec.to_builtins(signed)]
    return str(signer.dumps(payload, salt=type(signed).__name__))
