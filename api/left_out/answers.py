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
    at: Annotated[float, Meta(examples=[1764028800.0])]
    """Since when; Unix seconds."""
    by: Annotated[str, Meta(examples=["Editing 1"])]
    """The label of the key that did it."""
    reason: Annotated[str, Meta(examples=["The file is cut off."])] | None
    """Why it had failed, where that was known."""


class LeftOutPage(Struct, kw_only=True):
    """Files by path."""

    files: list[LeftOutFile]
    """At most `limit`."""
    total: Annotated[int, Meta(ge=0, examples=[1])]
    """Of all pages."""
    next: Annotated[str, Meta(examples=["L2Zvb3RhZ2UvaW5jb21pbmcvQTAwMi5tb3Y"])] | None
    """For `after`: leads to the next page. Null: no more."""
