"""One watch folder as its thread has it in hand: its files, what is wanted of them, what hinders.

Every step of a file's way to its end is one method here, which also releases its content.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from msgspec.structs import replace

from shared.domain import AnalyzeSpec, Fault, ModelKind, ProgressType
from shared.ledger.left_out import LeftOutMark
from shared.media import MediaType
from shared.models.vocabulary import most_relevant
from shared.process.logs import bound_task
from shared.watch.files import FolderFacts, WatchedFile
from shared.watch.folders import WatchFolder
from shared.watch.options import FileGroup
from workers.presence.root_identity import identity_of
from workers.watcher.context import WatcherContext
from workers.watcher.folder.file_table import ContentKey, FileTable
from workers.watcher.scan.listing import SHORTEST, FileStat, NameRules, sequence_key

log = logging.getLogger(__name__)

_PARTS = {
    MediaType.VIDEO: (ProgressType.VIDEO, ProgressType.AUDIO, ProgressType.FACES),
    MediaType.IMAGE: (ProgressType.VIDEO, ProgressType.FACES),
    MediaType.AUDIO: (ProgressType.AUDIO,),
}


@dataclass(frozen=True)
class AnalysisProfile:
    """`spec` is what all Items of a Task share; its model keys are "" for what is not wanted."""

    spec: AnalyzeSpec
    language: str | None

    @classmethod
    def of(
        cls, folder: WatchFolder, keys: Mapping[ModelKind, str], audio_streams: str
    ) -> AnalysisProfile:
        collection = folder.cluster_job_name or ""
        spec = AnalyzeSpec(
            cache_dir=folder.cache_dir,
            files=(),
            visual_model=keys[ModelKind.VISUAL] if folder.analyze_visual else "",
            speech_model=keys[ModelKind.SPEECH] if folder.analyze_speech else "",
            face_model=keys[ModelKind.FACES] if folder.analyze_faces else "",
            collection=collection if folder.analyze_faces else "",
            audio_streams=audio_streams,
            roots=folder.key_roots,
            # No part of the signature: what is transcribed stays.
            vocabulary=most_relevant(folder.vocabulary),
            uses_vocabulary=folder.uses_vocabulary,
            speakers=folder.speakers,
            people_of=collection,  # voices, also where no faces are wanted
        )
        return cls(spec, folder.language)

    def parts(self, media_type: MediaType) -> tuple[ProgressType, ...]:
        """What can be made of such a file, and is wanted."""
        keys = {
            ProgressType.VIDEO: self.spec.visual_model,
            ProgressType.AUDIO: self.spec.speech_model,
            ProgressType.FACES: self.spec.face_model,
        }
        return tuple(part for part in _PARTS[media_type] if keys[part])

    def signature(self, media_type: MediaType) -> str:
        """Equal for equal profiles: what was made with another one is looked at again."""
        return self._signatures[media_type]

    @cached_property  # asked for every file of every walk
    def _signatures(self) -> dict[MediaType, str]:
        return {media_type: self._sign(media_type) for media_type in MediaType}

    def _sign(self, media_type: MediaType) -> str:
        spec = self.spec
        speech = f"speech {spec.speech_model} {spec.audio_streams} {self.language or ''}"
        words = {
            ProgressType.VIDEO: f"visual {spec.visual_model}",
            ProgressType.AUDIO: speech,
            ProgressType.FACES: f"faces {spec.face_model} {spec.collection}",
        }
        return "; ".join(words[part].strip() for part in self.parts(media_type))


_PAUSE_SHARE = 6  # times the settling time: renderers write a frame now and then

_Key = tuple[str, str, str]  # directory, and what the names share


@dataclass(slots=True)
class _Arrival:
    stills: int
    last_at: float


class ArrivingStills:
    """Numbered stills of one folder, counted by what their names share."""

    def __init__(
        self, folder: WatchFolder, rules: NameRules, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.clock = clock
        self._are_grouped = folder.image_sequences != "stills"
        self._rules = rules
        self._longest_s = _PAUSE_SHARE * folder.settle_seconds
        self._arrivals: dict[_Key, _Arrival] = {}

    def __len__(self) -> int:
        return len(self._arrivals)

    def note(self, path: str) -> None:
        """A still is new: its neighbours may be frames of the same sequence."""
        if key := self._key(path):
            arrival = self._arrivals.setdefault(key, _Arrival(0, 0.0))
            arrival.stills, arrival.last_at = arrival.stills + 1, self.clock()

    def may_continue(self, path: str, known_since: float) -> bool:
        """Whether a still, known since then (Unix seconds), has neighbours that still arrive."""
        key = self._key(path)
        arrival = self._arrivals.get(key) if key else None
        if key is None or arrival is None or arrival.stills < 2:
            return False
        if self.clock() - arrival.last_at >= self._longest_s:
            del self._arrivals[key]
            return False
        waited_s = abs(time.time() - known_since)
        return waited_s < SHORTEST * self._longest_s  # by then they would be a sequence

    def forget_old(self) -> None:
        """Forget arrivals that are over: a still that comes now belongs to another sequence."""
        oldest = self.clock() - self._longest_s
        self._arrivals = {
            key: arrival for key, arrival in self._arrivals.items() if arrival.last_at > oldest
        }

    def _key(self, path: str) -> _Key | None:
        directory, name = os.path.split(path)
        if not self._are_grouped or self._rules.media_type(name) is not MediaType.IMAGE:
            return None
        shared = sequence_key(name)
        return (directory, *shared) if shared else None


_FIRST_PAUSE_S = 5.0
_LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class _Trip:
    reason: str
    until: float
    pause_s: float
    one_file_first: bool


class CircuitBreaker:
    """Open for a while after each trip; what is tried then shows whether the cause is mended.

    The folder's thread alone changes it; the main thread may read it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._trip: _Trip | None = None

    @property
    def is_open(self) -> bool:
        """Whether no file is worked on."""
        trip = self._trip  # read once: it may be replaced meanwhile
        return trip is not None and self.clock() < trip.until

    @property
    def reason(self) -> str:
        """What must be mended; "" where nothing is known to hinder."""
        trip = self._trip
        return trip.reason if trip else ""

    @property
    def one_file_first(self) -> bool:
        """Whether a single file is tried before all others have their turn."""
        trip = self._trip
        return trip is not None and trip.one_file_first

    def trip(self, reason: str, *, one_file_first: bool) -> bool:
        """Open, for longer each time. False: it was open, many files have met the same."""
        if self.is_open:
            return False
        last = self._trip
        pause_s = min(last.pause_s * 2, _LONGEST_PAUSE_S) if last else _FIRST_PAUSE_S
        one_file_first = one_file_first or self.one_file_first
        self._trip = _Trip(reason, self.clock() + pause_s, pause_s, one_file_first)
        return True

    def succeed(self) -> None:
        """Close after the pause. What succeeds while it is open was done before."""
        if not self.is_open:
            self._trip = None

    def reset(self) -> None:
        """Close at once: somebody says that the cause is mended."""
        self._trip = None


PAUSES_S = (60.0, 300.0)  # before the second and the third try
_TRIES = 3
# Their own faults, in the end: what kills its worker when it is alone in its Item, too.
_OWN = (Fault.FILE, Fault.WORKER, Fault.INTERNAL)


@dataclass(slots=True)
class FolderState:
    """What the folder's thread has to itself, but for `breaker`, `facts` and the counters."""

    folder: WatchFolder
    context: WatcherContext
    table: FileTable
    rules: NameRules
    profile: AnalysisProfile
    facts: FolderFacts
    checkpoint: Callable[[], None]  # raises when the folder's thread is to end
    stills: ArrivingStills
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    processed: int = 0
    last_error: str | None = None
    left_out: Mapping[str, LeftOutMark] = field(default_factory=dict)  # by people
    gone: set[str] = field(default_factory=set)  # queued files that are not in the folder any more

    def media_type(self, path: str) -> MediaType:
        """By the name alone; of a file that counts."""
        return self.rules.media_type(path[path.rfind("/") + 1 :]) or MediaType.VIDEO

    def signature(self, path: str) -> str:
        """What is wanted of a file, in one word."""
        return self.profile.signature(self.media_type(path))

    def content_key(self, file: WatchedFile) -> ContentKey:
        return self.facts.cache_id, file.hash_str

    def forget(self, path: str) -> None:
        """The file is not in the folder any more."""
        self._release(path)
        self.table.forget(path)
        self.gone.discard(path)

    def settle(self, path: str, found: FileStat, reason: str = "") -> None:
        """A file that is new, or other than it was: it has its tries before it."""
        self._release(path)
        file = WatchedFile(FileGroup.PENDING, *found, reason=reason, changed_at=time.time())
        self.table.settle(path, file, time.monotonic())

    def turn_back(self, path: str, file: WatchedFile, reason: str = "") -> None:
        """Pending again, with nothing held against it."""
        self._release(path)
        self.table.make_ready(path, _pending(file, reason))

    def postpone(self, path: str, file: WatchedFile, pause_s: float, reason: str) -> None:
        """Pending again after a pause, with nothing held against it."""
        self._release(path)
        at = time.time() + pause_s
        self.table.delay(path, replace(_pending(file, reason), next_try_at=at))

    def finish(self, path: str, file: WatchedFile, task_id: str, absent: str = "") -> None:
        """Record that all is made, or does not apply.

        `absent`: what the file lacks. `task_id` "": all was there already.
        """
        self._release(path)
        done = replace(
            _pending(file, absent),
            group=FileGroup.PROCESSED,
            task_id=task_id,
            made=self.signature(path),
            tries=0,
            changed_at=time.time(),
        )
        self.table.conclude(path, done)
        self.processed += 1
        self.breaker.succeed()

    def fail(self, path: str, file: WatchedFile, fault: Fault, reason: str) -> None:
        """A fault of the file itself: a pause, then another try, and at last it has failed."""
        self._release(path)
        self.last_error = f"{os.path.basename(path)}: {reason}"
        ended = replace(_pending(file, reason), made=self.signature(path), changed_at=time.time())
        if fault is Fault.UNSUPPORTED:
            self.table.conclude(path, replace(ended, group=FileGroup.UNSUPPORTED))
            return
        is_alone = file.is_alone or self.media_type(path) is not MediaType.IMAGE
        if fault in (Fault.WORKER, Fault.INTERNAL) and not is_alone:
            self.table.make_ready(path, replace(_pending(file, reason), is_alone=True))
            return
        assert fault in _OWN
        tries = file.tries + 1
        if tries >= _TRIES:
            with bound_task(file.task_id or None):
                log.warning("%s has failed: %s", path, reason)
            self.table.conclude(path, replace(ended, group=FileGroup.FAILED, tries=tries))
            return
        at = time.time() + PAUSES_S[tries - 1]
        self.table.delay(path, replace(_pending(file, reason), tries=tries, next_try_at=at))

    def report(self, path: str, found: FileStat, group: FileGroup, reason: str) -> bool:
        """List a file that is not worked on. True: it was not listed so."""
        known = self.table.files.get(path)
        if known and (known.group, known.size, known.mtime_ns) == (group, *found):
            return False
        self._release(path)
        file = WatchedFile(group, *found, reason=reason, changed_at=time.time())
        self.table.conclude(path, file)
        return True

    def do_again(self) -> None:
        """Nothing that was made is taken for granted any more, nor what is being made."""
        for path, file in list(self.table.files.items()):
            if file.is_queued:
                self.table.queue(path, replace(file, made=""))
            elif file.group is FileGroup.PROCESSED:
                self.turn_back(path, file)

    def trip_breaker(self, reason: str, *, one_file_first: bool = True) -> None:
        """Nothing of this folder is worked on for a while, then one file is tried, or all."""
        if reason != self.breaker.reason:
            log.warning("%s waits: %s", self.folder.path, reason)
        if self.breaker.trip(reason, one_file_first=one_file_first):
            self.last_error = reason

    def _release(self, path: str) -> None:
        """No content is being analysed on behalf of this file any more."""
        self.context.content_locks.release(self.folder.id, path)


def _pending(file: WatchedFile, reason: str) -> WatchedFile:
    return replace(
        file,
        group=FileGroup.PENDING,
        reason=reason,
        next_try_at=0.0,
        task_id="",
        is_queued=False,
        made="",
    )


def resume(
    folder: WatchFolder,
    context: WatcherContext,
    facts: FolderFacts,
    files: dict[str, WatchedFile],
    checkpoint: Callable[[], None],
) -> FolderState:
    """Files that workers have are theirs still, and so are their contents."""
    table, rules = FileTable.of(files), NameRules.of(folder, context.settings)
    state = FolderState(
        folder=folder,
        context=context,
        table=table,
        rules=rules,
        profile=AnalysisProfile.of(folder, context.conditions.keys, context.settings.audio_streams),
        facts=facts,
        checkpoint=checkpoint,
        stills=ArrivingStills(folder, rules),
    )
    _follow_move(state)
    queued = {path for paths in table.queued.values() for path in paths}
    context.content_locks.keep_only(folder.id, queued)
    for path in queued:
        key = state.content_key(table.files[path])
        context.content_locks.acquire(key, folder.id, path)
    return state


def _follow_move(state: FolderState) -> None:
    """Look at what is known in the light of a path or cache_dir that the folder was given since."""
    facts, folder = state.facts, state.folder
    if facts.path not in ("", folder.path):
        base = folder.path.rstrip("/") + "/"
        for path in [path for path in state.table.files if not path.startswith(base)]:
            state.forget(path)
        state.facts = replace(state.facts, root=None, last_scan_at=None)
    if facts.cache_dir not in ("", folder.cache_dir):
        state.facts = replace(state.facts, cache_id="")
        state.do_again()
    state.facts = replace(state.facts, path=folder.path, cache_dir=folder.cache_dir)


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
