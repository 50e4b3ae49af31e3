"""What /analysis-data/folders answers."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class KnownFolder(Struct, kw_only=True):
    """A cache folder that this server knows."""

    cache_dir: Annotated[str, Meta(examples=["/footage/.rushes"])]
    """The folder, in the client's form."""
    online: Annotated[bool, Meta(examples=[True])]
    """It is there and answers."""
    files: Annotated[int, Meta(ge=0, examples=[1204])] | None = None
    """Files that are analyzed into it; null: it is away, or counting takes too long now. Only the
    32 that were used last are counted."""
    hours: Annotated[float, Meta(ge=0, examples=[96.5])] | None = None
    """How long they are together; null as above."""
    last_used_at: Annotated[float, Meta(examples=[1764028800.0])] | None = None
    """When it was searched, loaded or analyzed into last, to the hour, in Unix seconds; null: not
    that this server knows of."""


class KnownFolderList(Struct, kw_only=True):
    """Cache folders."""

    folders: list[KnownFolder]
    """Inside the roots of the key; the last used first."""
