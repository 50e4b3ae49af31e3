"""A file that cannot be looked at: whether it is to blame, its directory, or the whole folder."""

from __future__ import annotations

import errno
import os

from shared.domain import Fault
from workers.presence.root_identity import identity_of
from workers.watcher.folder.state import FolderState

AWAY_PAUSE_S = 60.0
_OF_ITS_NAME = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP)


def stat_of(state: FolderState, path: str) -> os.stat_result | None:
    """A stat; None: the file is dealt with. Raises Unreachable where the folder is to blame."""
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        identity_of(state.folder.path)
        state.forget(path)
    except OSError as error:
        identity_of(state.folder.path)
        file, reason = state.table.files[path], f"The file cannot be read: {error.strerror}"
        if error.errno in _OF_ITS_NAME:
            state.fail(path, file, Fault.FILE, reason)
        else:  # its directory does not answer
            state.postpone(path, file, AWAY_PAUSE_S, reason)
    return None
