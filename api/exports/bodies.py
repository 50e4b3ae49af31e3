"""Fields that bodies of several exports share."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

CreateDir = Annotated[
    bool,
    Meta(description="Make the folder, inside RUSHES_EXPORT_ROOTS, where it is missing."),
]
ExactCutsWanted = Annotated[
    bool,
    Meta(
        description="A start_time or end_time that is the full second at which a scene begins, as "
        "analyzed into `cache_dir`, is taken as the exact place of that cut."
    ),
]
