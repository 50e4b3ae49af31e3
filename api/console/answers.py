"""Answers about sessions of the console, as types; see api.http.answers."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from api.http.answers import Message
from shared.rights import KeyScope

_Moment = Annotated[float, Meta(description="Unix seconds.", examples=[1764028800.0])]


def _folders(what: str, example: str) -> Meta:
    return Meta(
        description=f"{what}, as the client knows them, no wider than the key's; null: every "
        "absolute path.",
        examples=[[example]],
    )


class ConsoleSession(Struct, kw_only=True):
    """Who is signed in, and what the licence key behind it may do."""

    key_id: Annotated[str, Meta(examples=["9f86d081884c"])]
    """Id of the licence key."""
    label: Annotated[str, Meta(examples=["Edit 3"])]
    """What people call it."""
    scopes: Annotated[list[KeyScope], Meta(examples=[["search", "export"]])]
    """Parts of the API that it may use."""
    roots: Annotated[list[str], Meta(examples=[["/footage/show1"]])] | None
    """Folders in which its paths must lie; null: all of the server's."""
    key_expires_at: Annotated[_Moment, Meta(examples=[1798761600.0])] | None
    media_roots: Annotated[list[str], _folders("Folders with media", "/footage/show1")] | None
    cache_roots: Annotated[list[str], _folders("Folders of cache_dirs", "/footage/show1")] | None
    export_roots: Annotated[list[str], _folders("Folders of exports", "/footage/show1")] | None
    version: Annotated[str, Meta(examples=["0.1.0"])]
    """Of the server."""


class ConsoleLink(Struct):
    """A link that signs a browser in, once."""

    url: Annotated[
        str,
        Meta(examples=["http://127.0.0.1:6699/#link=PBr0xEBnjBrmDpXJ1WZwhPzQ3l2gYtC4H6aT7sKdVfM"]),
    ]
    """To be opened in a browser; what signs in stands behind the `#`."""
    expires_at: _Moment


class SessionOver(Struct):
    """Nobody is signed in any more."""

    message: Message
