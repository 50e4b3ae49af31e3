"""Signed addresses of the pictures of hits: whoever has one sees that picture for about an hour.

So an <img> can show it, which sends no licence key. What is signed is the frame and what its key
may read. All API processes know the secret; it lies in Redis.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

import msgspec
import redis
from itsdangerous import BadData, URLSafeSerializer

from shared.redis.clients import key_prefix, translated

LEAST_S = 3600  # an address holds for so long
_STEP_S = 1800  # and is the same for so long, so that browsers keep what they have fetched
_SALT = "frame-picture"


class PictureGone(Exception):
    """An address that was never given, or that has expired. The text is for people."""


@dataclass(frozen=True, slots=True)
class SignedFrame:
    """A stored frame, and the roots of the licence key that found it; None: all."""

    cache_dir: str
    hash_str: str
    second: int
    roots: tuple[str, ...] | None


class PictureAddresses:
    """Makes and reads the tokens of such addresses."""

    def __init__(self, client: redis.Redis, instance: str) -> None:
        """`client` must decode responses."""
        self._redis = client
        self._key = f"{key_prefix(instance)}picture-secret"

    def signer(self) -> URLSafeSerializer:
        """One a request: it asks Redis for the secret."""
        with translated():
            secret = self._redis.get(self._key)
            if secret is None:
                self._redis.set(self._key, secrets.token_hex(32), nx=True)
                secret = self._redis.get(self._key)
        return URLSafeSerializer(str(secret), salt=_SALT)

    def frame_of(self, token: str) -> tuple[SignedFrame, int]:
        """What a token stands for, and for how many seconds still. Raises PictureGone."""
        try:
            *parts, expires = self.signer().loads(token)
            frame = msgspec.convert(dict(zip(_FIELDS, parts, strict=True)), SignedFrame)
        except (BadData, ValueError, TypeError) as error:
            raise PictureGone("There is no such picture; search again.") from error
        left = int(expires - time.time())
        if left <= 0:
            raise PictureGone("The address of this picture has expired; search again.")
        return frame, left


_FIELDS = tuple(SignedFrame.__slots__)


def token_of(signer: URLSafeSerializer, frame: SignedFrame) -> str:
    """A token that holds for LEAST_S, up to _STEP_S more."""
    expires = (int(time.time()) // _STEP_S + 1) * _STEP_S + LEAST_S
    return str(signer.dumps([*(getattr(frame, name) for name in _FIELDS), expires]))
