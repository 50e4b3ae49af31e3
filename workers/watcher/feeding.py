"""From files that are still being written to files whose turn has come."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Iterator
from itertools import islice

from msgspec.structs import replace

from shared.domain import Fault
from shared.errors import CacheError, MediaChanging, MediaError, MediaMissing
from workers.watcher.contents import Contents
from workers.watcher.folder_state import FolderState
from workers.watcher.looking.guard import identity_of, is_its_own
from workers.watcher.looking.scan import Found
from workers.watcher.looking.writers import open_for_writing
from workers.watcher.submitting import Turn
from workers.watcher.table import Look

log = logging.getLogger(__name__)

IN_FLIGHT = 128  # files of a folder that workers have, or will have next
_LOOKS_AT_ONCE = 2000
_JUDGING_S = 2.0  # then what came of earlier files is looked at
_WRITTEN_PAUSE_S = 0.5  # at least, until a file that is open for writing is looked at again
_AWAY_PAUSE_S = 60.0
_OF_ITS_NAME = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP)
_WRITING = "It is still being written."
_ARRIVING = "It may be a frame of a sequence that is still arriving."


def settle(state: FolderState) -> None:
    """Look for the second time at files whose first look is long enough ago."""
    due = list(_due(state))
    still: dict[str, os.stat_result] = {}
    for path in due:
        state.checkpoint()
        look = state.table.settling[path]
        found = _stat(state, path)
        if found is None:
            continue
        if Found(found.st_size, found.st_mtime_ns) != look.found:
            state.settle(path, Found(found.st_size, found.st_mtime_ns))
        else:
            still[path] = found
    written = open_for_writing({(found.st_dev, found.st_ino) for found in still.values()})
    for path, found in still.items():
        file = state.table.files[path]
        is_written = (found.st_dev, found.st_ino) in written
        if is_written or state.may_be_a_frame(path):
            reason = _WRITING if is_written else _ARRIVING
            if file.reason != reason:
                file = replace(file, reason=reason)
            pause = max(0.0, _WRITTEN_PAUSE_S - state.folder.settle_seconds)
            look = Look(Found(found.st_size, found.st_mtime_ns), time.monotonic() + pause)
            state.table.settle(path, file, look)
        else:
            state.table.make_ready(path, replace(file, reason=""))
    if not state.table.settling and state.shots:
        state.forget_shots()


def next_settle_in(state: FolderState) -> float | None:
    """Seconds until the next second look is due; None: no file is settling."""
    first = next(iter(state.table.settling.values()), None)
    if first is None:
        return None
    return max(0.0, first.since + state.folder.settle_seconds - time.monotonic())


def take_turns(state: FolderState, contents: Contents) -> list[Turn]:
    """Files to be analysed now. Those that cost no analysis are done with here.

    Raises CacheError.
    """
    in_flight = state.table.in_flight()
    if in_flight > IN_FLIGHT // 2:
        return []  # files travel together: enough is on its way
    room = (1 if state.is_on_trial else IN_FLIGHT) - in_flight
    turns: list[Turn] = []
    until = time.monotonic() + _JUDGING_S
    for path in list(islice(state.table.ready, _LOOKS_AT_ONCE)) if room > 0 else ():
        state.checkpoint()
        if len(turns) >= room or time.monotonic() > until:
            break
        try:
            if turn := _judge(state, contents, path):
                turns.append(turn)
        except CacheError:
            if not turns:
                raise
            break  # what came before it has its turn
    return turns


def unpark(state: FolderState) -> None:
    """Copies whose content is not being analysed any more have their turn."""
    claims = state.tools.claims
    for key in list(state.table.copies):  # few, however many files wait
        if not claims.is_taken(key):
            for path in list(state.table.copies[key]):
                state.table.make_ready(path, state.table.files[path])


def _due(state: FolderState) -> Iterator[str]:
    until = time.monotonic() - state.folder.settle_seconds
    for path, look in islice(state.table.settling.items(), _LOOKS_AT_ONCE):
        if look.since > until:
            return  # the oldest come first
        yield path


def _judge(state: FolderState, contents: Contents, path: str) -> Turn | None:
    """Whether its content has to be analysed on its behalf. Raises CacheError."""
    file = state.table.files[path]
    status = _stat(state, path)
    if status is None:
        return None
    found = Found(status.st_size, status.st_mtime_ns)
    if found != (file.size, file.mtime_ns):
        state.release(path)
        state.settle(path, found)
        return None
    try:
        return _turn(state, contents, path, found)
    except (MediaChanging, MediaMissing, FileNotFoundError):
        state.release(path)
        state.settle(path, found)
    except MediaError as error:
        identity_of(state.folder.path)  # a root that fails is no fault of the file
        cause = error.__cause__
        if isinstance(cause, OSError) and not is_its_own(cause):
            state.postpone(path, file, _AWAY_PAUSE_S, error.message)
        else:
            state.fail(path, file, Fault.FILE, error.message)
    except CacheError:
        state.turn_back(path, file)  # behind the others: perhaps it is its own folder alone
        raise
    except OSError as error:
        identity_of(state.folder.path)
        state.postpone(path, file, _AWAY_PAUSE_S, f"It cannot be looked at: {error.strerror}")
    except Exception as error:
        log.exception("%s: an error of ours", path)
        state.fail(path, file, Fault.INTERNAL, f"An internal error: {type(error).__name__}")
    return None


def _turn(state: FolderState, contents: Contents, path: str, found: Found) -> Turn | None:
    """None: a copy of it is being analysed, or all of it is made already."""
    file = state.table.files[path]
    hash_str = file.hash_str or contents.hash_of(path, found)
    file = replace(file, hash_str=hash_str)
    key = state.content_key(file)
    if not state.tools.claims.take(key, state.folder.id, path):
        state.table.park(path, file, key)
        return None
    media_type = state.media_type(path)
    parts = state.wanted.parts(media_type)
    if not contents.is_made(hash_str, path, parts, state.wanted):
        return Turn(path, file, media_type)
    contents.add_path(hash_str, path, found)
    state.finish(path, file, task_id="")
    return None


def _stat(state: FolderState, path: str) -> os.stat_result | None:
    """None: it is dealt with. Raises Unreachable where the whole folder is to blame."""
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
            state.postpone(path, file, _AWAY_PAUSE_S, reason)
    return None
