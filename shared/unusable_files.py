"""What lies where a file was expected, and cannot be read as one."""

from __future__ import annotations

import errno
import os


class UnusableFile(OSError):
    """What cannot be read as a file of its kind, whatever is tried."""


class NotRegularFile(UnusableFile):
    """A device, a pipe or a socket, where a file was expected."""

    def __init__(self, path: str) -> None:
        super().__init__(errno.EINVAL, "It is not a regular file", path)


class FolderNotFile(UnusableFile, IsADirectoryError):
    """A folder, where a file was expected."""

    def __init__(self, path: str) -> None:
        super().__init__(errno.EISDIR, os.strerror(errno.EISDIR), path)


class OversizedFile(UnusableFile):
    """A file that is larger than anything of its kind."""

    def __init__(self, path: str, limit: int) -> None:
        super().__init__(errno.E2BIG, f"It is larger than {limit:,} bytes", path)
