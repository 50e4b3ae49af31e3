"""What /analysis-data/folders answers."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class KnownFolder(Struct, kw_only=True):
    """A cache folder that this server knows."""

    cache_dir: Annotated[
        str,
        Meta(description="The folder, in the client's form.", examples=["/footage/.rushes"]),
    ]
    online: Annotated[bool, Meta(description="It is there and answers.", examples=[True])]
    files: (
        Annotated[
            int,
            Meta(
                ge=0,
                description="Files that are analyzed into it; null: it is away, or counting takes "
                "too long now. Only the 32 that were used last are counted.",
                examples=[1204],
            ),
        ]
        | None
    ) = None
    hours: (
        Annotated[
            float,
            Meta(ge=0, description="How long they are together; null as above.", examples=[96.5]),
        ]
        | None
    ) = None
    last_used_at: (
        Annotated[
            float,
            Meta(
                description="When it was searched, loaded or analyzed into last, to the hour, in "
                "Unix seconds; null: not that this server knows of.",
                examples=[1764028800.0],
            ),
        ]
        | None
    ) = None


class KnownFolderList(Struct, kw_only=True):
    """Cache folders."""

    folders: Annotated[
        list[KnownFolder], Meta(description="Inside the roots of the key; the last used first.")
    ]
