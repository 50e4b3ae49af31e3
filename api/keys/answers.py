"""Answers about licence keys, as types; see api.http.answers."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from api.http.answers import Count, Message
from shared.rights import KeyScope, KeyTier

_Moment = Annotated[float, Meta(description="Unix seconds.", examples=[1764028800.0])]


class KeyAnswer(Struct, kw_only=True):
    """A licence key, which itself is never shown."""

    id: Annotated[str, Meta(examples=["9f86d081884c"])]
    """Start of its hash."""
    label: Annotated[str, Meta(examples=["Edit 3"])]
    """What people call it."""
    tier: KeyTier
    scopes: Annotated[list[KeyScope], Meta(examples=[["search", "export"]])]
    """Parts of the API that it may use."""
    roots: Annotated[list[str], Meta(examples=[["/footage/show1"]])] | None
    """Folders in which its paths must lie; null: all of the server's."""
    created_at: _Moment | None
    expires_at: Annotated[_Moment, Meta(examples=[1798761600.0])] | None
    is_from_settings: bool
    """It stands in RUSHES_LICENSE_KEYS, and can be revoked only there."""
    requests: Count
    last_seen_at: _Moment | None
    footage_seconds: Annotated[float, Meta(ge=0, examples=[86_400.0])]
    """Footage that was analyzed for it; pictures, speech and faces count each."""


class KeyList(Struct):
    """All licence keys, those from the settings first, then the oldest."""

    keys: list[KeyAnswer]
    """Each with its rights and its use."""


class NewKey(Struct, kw_only=True):
    """A licence key, shown this once: only its hash is kept."""

    license_key: Annotated[str, Meta(examples=["rushes-5PZkxNMtVRPXq6aVb1x4yJ0Q1mJ8sZ2k"])]
    """The key."""
    key: KeyAnswer


class KeyRevoked(Struct):
    """A licence key is no more."""

    message: Message
