"""Which of the files that are ready are analysed now; those that cost no analysis are done here."""

from __future__ import annotations

import logging
import time
from itertools import islice

from msgspec.structs import replace

from shared.domain import Fault
from shared.errors import CacheError, MediaChanging, MediaError, MediaMissing, NotAllowed
from shared.ledger.left_out import mark_of
from shared.watch.options import FileGroup
from workers.presence.root_identity import identity_of, is_fault_of_file
from workers.watcher.folder.cache_lookup import CacheLookup
from workers.watcher.folder.state import AWAY_PAUSE_S, FolderState, stat_of
from workers.watcher.folder.submission import AdmittedFile
from workers.watcher.scan.findings import FileStat

log = logging.getLogger(__name__)

IN_FLIGHT = 128  # files of a folder that workers have, or will have next
_LOOKS_AT_ONCE = 2000
_JUDGING_S = 2.0  # then what came of earlier files is looked at


def admit(state: FolderState, cache: CacheLookup) -> list[AdmittedFile]:
    """Files to be analysed now. Raises CacheError."""
    in_flight = sum(map(len, state.table.queued.values()))
    if in_flight > IN_FLIGHT // 2:
        return []  # files travel together: enough is on its way
    room = (1 if state.breaker.one_file_first else IN_FLIGHT) - in_flight
    admitted: list[AdmittedFile] = []
    until = time.monotonic() + _JUDGING_S
    for path in list(islice(state.table.ready, _LOOKS_AT_ONCE)) if room > 0 else ():
        state.checkpoint()
        if len(admitted) >= room or time.monotonic() > until:
            break
        try:
            if file := _judge(state, cache, path):
                admitted.append(file)
        except CacheError:
            if not admitted:
                raise
            break  # what came before it has its turn
    return admitted


def free_duplicates(state: FolderState) -> None:
    """Copies whose content is not being analysed any more have their turn."""
    for key in list(state.table.duplicates):  # few, however many files wait
        if not state.context.content_locks.is_held(key):
            for path in list(state.table.duplicates[key]):
                state.table.make_ready(path, state.table.files[path])


def _judge(state: FolderState, cache: CacheLookup, path: str) -> AdmittedFile | None:
    """The file, if its content has to be analysed on its behalf. Raises CacheError."""
    file = state.table.files[path]
    status = stat_of(state, path)
    if status is None:
        return None
    found = FileStat(status.st_size, status.st_mtime_ns)
    if found != (file.size, file.mtime_ns):
        state.settle(path, found)
        return None
    try:
        return _admitted(state, cache, path, found)
    except (MediaChanging, MediaMissing, FileNotFoundError):
        state.settle(path, found)
    except NotAllowed:  # a link that leads elsewhere by now; a look finds it if it comes back
        state.forget(path)
    except MediaError as error:
        identity_of(state.folder.path)  # a root that fails is no fault of the file
        cause = error.__cause__
        if isinstance(cause, OSError) and not is_fault_of_file(cause):
            state.postpone(path, file, AWAY_PAUSE_S, error.message)
        else:
            state.fail(path, file, Fault.FILE, error.message)
    except CacheError:
        state.turn_back(path, file)  # behind the others: perhaps it is its own folder alone
        raise
    except OSError as error:
        identity_of(state.folder.path)
        state.postpone(path, file, AWAY_PAUSE_S, f"It cannot be looked at: {error.strerror}")
    except Exception as error:  # of ours: it is held against this file, not the folder
        log.exception("%s: an error of ours", path)
        state.fail(path, file, Fault.INTERNAL, f"An internal error: {type(error).__name__}")
    return None


def _admitted(
    state: FolderState, cache: CacheLookup, path: str, found: FileStat
) -> AdmittedFile | None:
    """The file; None: it is left out, a copy is being analysed, or all of it is made already."""
    if mark := mark_of(state.left_out, path):  # since it was found
        state.report(path, found, FileGroup.SKIPPED, mark.words)
        return None
    file = state.table.files[path]
    hash_str = file.hash_str or cache.hash_of(path, found)
    file = replace(file, hash_str=hash_str)
    key = state.content_key(file)
    if not state.context.content_locks.acquire(key, state.folder.id, path):
        state.table.hold_duplicate(path, file, key)
        return None
    parts = state.profile.parts(state.media_type(path))
    if not cache.is_made(hash_str, path, parts, state.profile):
        return path, file
    cache.add_path(hash_str, path, found)
    state.finish(path, file, task_id="")
    return None
