"""Files and folders of STATE_DIR: of this user alone, whatever the umask."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_FOLDER, _FILE = 0o700, 0o600
_LEAST_FREE, _FREE_SHARE = 1 << 30, 20  # bytes, and a part: of the disk, for what matters more


def private(path: str, flags: int) -> int:
    """A descriptor, also as an `opener`: a file that this makes is of this user alone."""
    return os.open(path, flags | os.O_CLOEXEC, _FILE)


def make_private(folder: Path) -> None:
    """Make a folder of this user alone, or take one that is there from the others.

    Those above it are made where they are missing, and else left as they are.
    """
    if not folder.parent.exists():
        make_private(folder.parent)
    folder.mkdir(exist_ok=True, mode=_FOLDER)
    if folder.stat().st_mode & 0o077:
        with contextlib.suppress(PermissionError):  # of another user, or a share without modes
            folder.chmod(_FOLDER)


def spare_bytes(folder: Path) -> int:
    """What of its disk files may take that others can be made of; below 0 where it is too full."""
    disk = shutil.disk_usage(folder)
    return disk.free - max(_LEAST_FREE, disk.total // _FREE_SHARE)


def publish(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, in place of what is there. Raises OSError."""
    with replacing(path) as file:
        file.write(content)


@contextlib.contextmanager
def replacing(path: Path, *, is_private: bool = True) -> Iterator[BinaryIO]:
    """Yield a file that takes the place of what is there, durable, at the end of the block.

    Nothing has changed where that fails. Raises OSError.
    """
    temporary = path.with_name(f".{path.name[:50]}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb", opener=private if is_private else None) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:  # whatever ends it, Ctrl-C too: half a file stays nowhere
        temporary.unlink(missing_ok=True)
        raise
