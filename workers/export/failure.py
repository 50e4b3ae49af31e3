"""ClipFailed: why a clip cannot be exported."""

from __future__ import annotations

import errno

from shared.errors import RushesError
from shared.exports.clips import ClipCode

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)


class ClipFailed(RushesError):
    """The clip cannot be exported."""

    def __init__(self, code: ClipCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def writing_failed(error: OSError) -> ClipFailed:
    """A ClipFailed for an OSError while a clip was written, as a sentence with the cure."""
    if error.errno in _FULL:
        return ClipFailed(
            ClipCode.DISK_FULL,
            "The disk is full. Free some space and try again; nothing was left behind.",
        )
    if error.errno in _REFUSED:
        return ClipFailed(
            ClipCode.NOT_WRITABLE, "The server has no permission to write into the folder."
        )
    reason = error.strerror or str(error)
    return ClipFailed(ClipCode.NOT_WRITABLE, f"The clip cannot be written: {reason}.")
