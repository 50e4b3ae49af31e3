"""The fault behind a failure: whether the file itself, or something around it, is to blame."""

from __future__ import annotations

from shared.domain import Fault
from shared.errors import (
    CacheError,
    MediaChanging,
    MediaError,
    MediaMissing,
    MediaSilent,
    MediaUnsupported,
    ModelError,
    NotAllowed,
)

# The first that fits.
_FAULTS: tuple[tuple[type[Exception], Fault], ...] = (
    (MediaChanging, Fault.CHANGING),
    (MediaMissing, Fault.MISSING),
    (MediaUnsupported, Fault.UNSUPPORTED),
    (MediaSilent, Fault.NOTHING),
    (MediaError, Fault.FILE),
    (NotAllowed, Fault.FILE),
    (CacheError, Fault.CACHE),
    (ModelError, Fault.MODEL),
)


def fault_of(error: Exception) -> Fault:
    """The Fault of an error; INTERNAL for what is no error of a file, a folder or a model."""
    return next((fault for kind, fault in _FAULTS if isinstance(error, kind)), Fault.INTERNAL)
