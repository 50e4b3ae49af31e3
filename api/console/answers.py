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

    key_id: Annotated[str, Meta(description="Id of the licence key.", examples=["9f86d081884c"])]
    label: Annotated[str, Meta(description="What people call it.", examples=["Edit 3"])]
    scopes: Annotated[list[KeyScope], Meta(description="Parts of the API that it may use.")]
    roots: (
        Annotated[
            list[str],
            Meta(
                description="Folders in which its paths must lie; null: all of the server's.",
                examples=[["/footage/show1"]],
            ),
        ]
        | None
    )
    key_expires_at: _Moment | None
    media_roots: Annotated[list[str], _folders("Folders with media", "/footage/show1")] | None
    cache_roots: Annotated[list[str], _folders("Folders of cache_dirs", "/footage/show1")] | None
    export_roots: Annotated[list[str], _folders("Folders of exports", "/footage/show1")] | None
    version: Annotated[str, Meta(description="Of the server.", examples=["0.1.0"])]


class ConsoleLink(Struct):
    """A link that signs a browser in, once."""

    url: Annotated[
        str,
        Meta(
            description="To be opened in a browser; what signs in stands behind the `#`.",
            examples=["http://127.0.0.1:6699/#link=PBr0xEBnjBrmDpXJ1WZwhPzQ3l2gYtC4H6aT7sKdVfM"],
        ),
    ]
    expires_at: _Moment


class SessionOver(Struct):
    """Nobody is signed in any more."""

    message: Message
