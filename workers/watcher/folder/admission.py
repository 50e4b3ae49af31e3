"""From files that may still be written to a Task that workers share: settle, admit, submit."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice

from msgspec.structs import replace
from opentelemetry.trace import SpanKind

from shared.domain import Fault, FileSpec, TaskKind
from shared.errors import CacheError, MediaChanging, MediaError, MediaMissing, NotAllowed, RedisAway
from shared.ledger.left_out import mark_of
from shared.ledger.records import ItemJob, NewTask, Sender, analyze_items
from shared.printable import printable
from shared.process import traces
from shared.process.logs import bound_task
from shared.watch.files import WatchedFile
from shared.watch.options import FileGroup
from workers.presence.root_identity import identity_of, is_fault_of_file
from workers.watcher.folder.mount_guard import CacheLookup
from workers.watcher.folder.state import AWAY_PAUSE_S, FolderState, stat_of
from workers.watcher.scan.listing import FileStat

log = logging.getLogger(__name__)

_PROCESSES = "/proc"

_WRITTEN_PAUSE_S = 0.5  # at least, until a file that is open for writing is looked at again
_WRITING = "It is still being written."
_ARRIVING = "It may be a frame of a sequence that is still arriving."


def settle(state: FolderState) -> None:
    """Look for the second time at files whose first look is long enough ago."""
    unchanged: dict[str, os.stat_result] = {}
    for path in list(_due(state)):
        state.checkpoint()
        status = stat_of(state, path)
        if status is None:
            continue
        file, found = state.table.files[path], FileStat(status.st_size, status.st_mtime_ns)
        if found != (file.size, file.mtime_ns):
            state.settle(path, found)
        else:
            unchanged[path] = status
    written = open_for_writing({(status.st_dev, status.st_ino) for status in unchanged.values()})
    for path, status in unchanged.items():
        _judge_settled(state, path, (status.st_dev, status.st_ino) in written)
    if not state.table.settling and len(state.stills):
        state.stills.forget_old()


def next_settle_in(state: FolderState) -> float | None:
    """Seconds until the next second look is due; None: no file is settling."""
    first = next(iter(state.table.settling.values()), None)
    if first is None:
        return None
    return max(0.0, first + state.folder.settle_seconds - time.monotonic())


def _judge_settled(state: FolderState, path: str, is_written: bool) -> None:
    file = state.table.files[path]
    if not is_written and not state.stills.may_continue(path, file.changed_at):
        state.table.make_ready(path, replace(file, reason=""))
        return
    reason = _WRITING if is_written else _ARRIVING
    if file.reason != reason:
        file = replace(file, reason=reason)
    pause = max(0.0, _WRITTEN_PAUSE_S - state.folder.settle_seconds)
    state.table.settle(path, file, time.monotonic() + pause)


def _due(state: FolderState) -> Iterator[str]:
    until = time.monotonic() - state.folder.settle_seconds
    for path, seen_at in islice(state.table.settling.items(), _LOOKS_AT_ONCE):
        if seen_at > until:
            return  # the oldest come first
        yield path


def open_for_writing(files: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """Of these (device, inode) pairs; none where there is no /proc.

    Processes of other users are seen only by root. One look visits every descriptor on the
    machine, so ask once for many files. No file is touched but those that may be asked for: a
    file on a share that is down, open in some other process, would hold us up.
    """
    wanted = set(files)
    inodes = {inode for _, inode in wanted}
    found: set[tuple[int, int]] = set()
    if not wanted:
        return found
    for process in _entries(_PROCESSES):
        if not process.rpartition("/")[2].isdigit():
            continue
        for descriptor in _entries(f"{process}/fd"):
            try:
                if _is_file(descriptor) and _writes(descriptor, inodes):
                    status = os.stat(descriptor)  # of the open file, whatever its name is by now
                    found.add((status.st_dev, status.st_ino))
            except (OSError, ValueError, KeyError):
                continue  # closed meanwhile, or not ours to see
    return found & wanted


def _entries(folder: str) -> list[str]:
    try:
        return [f"{folder}/{name}" for name in os.listdir(folder)]
    except OSError:
        return []


def _is_file(descriptor: str) -> bool:
    target = os.readlink(descriptor)
    return target.startswith("/") and not target.startswith(("/dev/", "/proc/", "/sys/"))


def _writes(descriptor: str, inodes: set[int]) -> bool:
    """Whether one is open for writing and, where the kernel says so (5.14), one of the inodes."""
    process, _, number = descriptor.rpartition("/fd/")
    with open(f"{process}/fdinfo/{number}", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file if line.startswith(("flags:", "ino:")))
    if int(fields["flags"], 8) & os.O_ACCMODE == os.O_RDONLY:
        return False
    return "ino" not in fields or int(fields["ino"]) in inodes


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


AdmittedFile = tuple[str, WatchedFile]  # whose turn has come, with its path


class Submitter:
    """Notes which Task has the files, then submits the Task.

    Whatever ends in between, the next watcher knows where they are. Raises NotLeader, RedisAway.
    """

    def __init__(self, state: FolderState, flush: Callable[[], None]) -> None:
        self._state = state
        self._flush = flush
        self._unsure: NewTask | None = None  # whether Redis took it is not known

    def submit(self, files: Sequence[AdmittedFile]) -> None:
        state, table = self._state, self._state.table
        task = self._task(files)
        for path, file in files:
            queued = replace(
                file,
                task_id=task.task_id,
                is_queued=True,
                made=state.signature(path),
                next_try_at=0.0,
                reason="",
            )
            table.queue(path, queued)
        self._unsure = task
        self.submit_unsure()

    def submit_unsure(self) -> None:
        """Submit again what Redis may not have taken, which is harmless."""
        if self._unsure:
            self._flush()
            self._enter(self._unsure)
            self._unsure = None

    def _task(self, files: Sequence[AdmittedFile]) -> NewTask:
        """Stills share Items, unless one is suspected of killing workers."""
        state = self._state
        common = replace(state.profile.spec, cache_id=state.facts.cache_id)
        together = [self._work(path) for path, file in files if not file.is_alone]
        items = analyze_items(together, common)
        for path, file in files:
            if file.is_alone:
                items += analyze_items([self._work(path)], common)
        name = os.path.basename(state.folder.path)
        message = f"From the watch folder {name}: waiting for a worker."
        leader = state.context.token
        sender = Sender(label=f"watch folder {printable(name)}")
        return NewTask(
            kind=TaskKind.INGEST, items=items, leader=leader, message=message, sender=sender
        )

    def _work(self, path: str) -> FileSpec:
        state = self._state
        media_type = state.media_type(path)
        return FileSpec(
            path=path,
            client_path=state.context.client_path(path, state.folder),
            media_type=media_type,
            wants=state.profile.parts(media_type),
            language=state.profile.language,
        )

    def _enter(self, task: NewTask) -> None:
        context = self._state.context
        with traces.tracer().start_as_current_span(
            "submit ingest", kind=SpanKind.PRODUCER, attributes={"rushes.items": len(task.items)}
        ):
            context.ledger.submit(task)
        jobs = [ItemJob(task.task_id, n, task.queue, front=False) for n in range(len(task.items))]
        with bound_task(task.task_id):
            log.info("%s Items: %d.", task.message, len(jobs))
            try:
                context.jobs.enqueue(jobs)
            except RedisAway as error:  # it is accepted, and the sweep enqueues lost jobs
                log.warning("its jobs are enqueued later: %s", error.message)
