"""What clients choose among for watch folders, in the words of the API."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

Polling = Literal["auto", "always", "never"]
ImageSequences = Literal["skip", "stills"]


class FileGroup(StrEnum):
    """What clients may list files by."""

    PENDING = "pending"
    PROCESSED = "processed"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"
    SKIPPED = "skipped"
