"""Answers about what is left out."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from api.http.answers import ClientPath, Count, Message


class LeaveOutAnswer(Struct, kw_only=True):
    """How many marks were set or taken back."""

    message: Message
    changed: Count


class LeftOutFile(Struct, kw_only=True):
    """A file that is left out."""

    media_path: ClientPath
    at: Annotated[float, Meta(description="Since when; Unix seconds.", examples=[1764028800.0])]
    by: Annotated[
        str, Meta(description="The label of the key that did it.", examples=["Editing 1"])
    ]
    reason: (
        Annotated[
            str,
            Meta(
                description="Why it had failed, where that was known.",
                examples=["The file is cut off."],
            ),
        ]
        | None
    )


class LeftOutPage(Struct, kw_only=True):
    """Files by path."""

    files: Annotated[list[LeftOutFile], Meta(description="At most `limit`.")]
    total: Annotated[int, Meta(ge=0, description="Of all pages.", examples=[1])]
    next: (
        Annotated[
            str,
            Meta(
                description="For `after`: leads to the next page. Null: no more.",
                examples=["L2Zvb3RhZ2UvaW5jb21pbmcvQTAwMi5tb3Y"],
            ),
        ]
        | None
    )
