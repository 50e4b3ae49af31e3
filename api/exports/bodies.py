"""Fields that bodies of several exports share."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

CreateDir = Annotated[
    bool,
    Meta(description="Make the folder, inside RUSHES_EXPORT_ROOTS, where it is missing."),
]
