"""One watch folder as its thread has it in hand: its files, its wishes, and what holds it up."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from shared.domain import Fault
from shared.errors import Missing
from shared.media import MediaType
from shared.process.logs import bound_task
from shared.watch.files import FileGroup, FolderFacts, WatchedFile
from shared.watch.folders import WatchFolder
from workers.watcher.looking.names import NameRules
from workers.watcher.looking.scan import Found
from workers.watcher.looking.sequences import SHORTEST, shot_of
from workers.watcher.table import PAUSES_S, TRIES, ContentKey, Look, Table
from workers.watcher.tools import Tools
from workers.watcher.wanted import Wanted

log = logging.getLogger(__name__)

_SHOT_SETTLES = 6  # times the settling time: renderers write a frame now and then
_FIRST_HOLD_S = 5.0
_LONGEST_HOLD_S = 30.0
# Their own faults, in the end: what kills its worker when it is alone in its Item, too.
_OWN = (Fault.FILE, Fault.WORKER, Fault.INTERNAL)


@dataclass(slots=True)
class Hold:
    """Something around the files that must be mended first. Times are monotonic seconds."""

    reason: str
    until: float
    pause_s: float


@dataclass(slots=True)
class Shot:
    """Numbered stills that have come one by one: frames of a sequence, perhaps."""

    stills: int
    last_at: float  # monotonic seconds


ShotKey = tuple[str, str, str]  # folder, and what the names share


@dataclass(slots=True)
class FolderState:
    """Used by the folder's thread alone, but for `hold`, `facts` and the counters."""

    folder: WatchFolder
    tools: Tools
    table: Table
    rules: NameRules
    wanted: Wanted
    facts: FolderFacts
    checkpoint: Callable[[], None]  # raises when the folder's thread is to end
    hold: Hold | None = None
    is_on_trial: bool = False  # after a hold: one file first
    processed: int = 0
    last_error: str | None = None
    shots: dict[ShotKey, Shot] = field(default_factory=dict)
    own_stops: set[str] = field(default_factory=set)  # Tasks that we have asked to stop
    gone: set[str] = field(default_factory=set)  # queued files that are not in the folder any more

    def media_type(self, path: str) -> MediaType:
        """By its name; of a file that counts."""
        return self.rules.media_type(path[path.rfind("/") + 1 :]) or MediaType.VIDEO

    def signature(self, path: str) -> str:
        return self.wanted.signature(self.media_type(path))

    def content_key(self, file: WatchedFile) -> ContentKey:
        return self.facts.cache_id, file.hash_str

    def shot_key(self, path: str) -> ShotKey | None:
        """Of a still with a number, where sequences are not wanted as stills."""
        if self.folder.image_sequences == "stills" or (
            self.media_type(path) is not MediaType.IMAGE
        ):
            return None
        shot = shot_of(os.path.basename(path))
        return (os.path.dirname(path), *shot) if shot else None

    def note_shot(self, path: str) -> None:
        """A still is new: its neighbours may be frames of the same sequence."""
        if key := self.shot_key(path):
            shot = self.shots.setdefault(key, Shot(0, 0.0))
            shot.stills, shot.last_at = shot.stills + 1, time.monotonic()

    def may_be_a_frame(self, path: str) -> bool:
        """Whether it belongs to numbered stills that are still arriving."""
        key = self.shot_key(path)
        shot = self.shots.get(key) if key else None
        if key is None or shot is None or shot.stills < 2:
            return False
        longest_s = _SHOT_SETTLES * self.folder.settle_seconds
        if time.monotonic() - shot.last_at >= longest_s:
            del self.shots[key]
            return False
        waited_s = abs(time.time() - self.table.files[path].changed_at)
        return waited_s < SHORTEST * longest_s  # by then they would be a sequence

    def forget_shots(self) -> None:
        """Those of which nothing has come for so long that what comes is another one."""
        oldest = time.monotonic() - _SHOT_SETTLES * self.folder.settle_seconds
        self.shots = {key: shot for key, shot in self.shots.items() if shot.last_at > oldest}

    def release(self, path: str) -> None:
        """Its content is not being analysed on its behalf any more."""
        self.tools.claims.release(self.folder.id, path)

    def forget(self, path: str) -> None:
        """It is not in the folder any more."""
        self.release(path)
        self.table.forget(path)
        self.gone.discard(path)

    def settle(self, path: str, found: Found, reason: str = "") -> None:
        """A file that is new, or other than it was: it has its tries before it."""
        file = WatchedFile(
            FileGroup.PENDING, found.size, found.mtime_ns, reason=reason, changed_at=time.time()
        )
        self.table.settle(path, file, Look(found, time.monotonic()))

    def turn_back(self, path: str, file: WatchedFile, reason: str = "") -> None:
        """Pending again, with nothing held against it."""
        self.release(path)
        self.table.make_ready(path, _pending(file, reason))

    def postpone(self, path: str, file: WatchedFile, pause_s: float, reason: str) -> None:
        """Pending again after a pause, with nothing held against it."""
        self.release(path)
        at = time.time() + pause_s
        self.table.delay(path, replace(_pending(file, reason), next_try_at=at))

    def finish(self, path: str, file: WatchedFile, task_id: str) -> None:
        """All that is wanted of it is made; `task_id` "": it was there already."""
        self.release(path)
        done = replace(
            _pending(file, ""),
            group=FileGroup.PROCESSED,
            task_id=task_id,
            made=self.signature(path),
            tries=0,
            changed_at=time.time(),
        )
        self.table.put(path, done)
        self.processed += 1
        if not self.is_held():  # else it was done before
            self.hold, self.is_on_trial = None, False

    def fail(self, path: str, file: WatchedFile, fault: Fault, reason: str) -> None:
        """A fault of the file itself: a pause, then another try, and at last it has failed."""
        self.release(path)
        self.last_error = f"{os.path.basename(path)}: {reason}"
        ended = replace(_pending(file, reason), made=self.signature(path), changed_at=time.time())
        if fault is Fault.UNSUPPORTED:
            self.table.put(path, replace(ended, group=FileGroup.UNSUPPORTED))
            return
        is_alone = file.is_alone or self.media_type(path) is not MediaType.IMAGE
        if fault in (Fault.WORKER, Fault.INTERNAL) and not is_alone:
            self.table.make_ready(path, replace(_pending(file, reason), is_alone=True))
            return
        assert fault in _OWN
        tries = file.tries + 1
        if tries >= TRIES:
            with bound_task(file.task_id or None):
                log.warning("%s has failed: %s", path, reason)
            self.table.put(path, replace(ended, group=FileGroup.FAILED, tries=tries))
            return
        at = time.time() + PAUSES_S[tries - 1]
        self.table.delay(path, replace(_pending(file, reason), tries=tries, next_try_at=at))

    def know(self, **facts: Any) -> None:
        """Remember something of the folder as a whole."""
        self.facts = replace(self.facts, **facts)

    def do_again(self) -> None:
        """Nothing that was made is taken for granted any more, nor what is being made."""
        for path, file in list(self.table.files.items()):
            if file.is_queued:
                self.table.queue(path, replace(file, made=""))
            elif file.group is FileGroup.PROCESSED:
                self.turn_back(path, file)

    def hold_up(self, reason: str, *, is_trial: bool = True) -> None:
        """Nothing of this folder is worked on for a while, then one file is tried, or all."""
        pause = min(self.hold.pause_s * 2, _LONGEST_HOLD_S) if self.hold else _FIRST_HOLD_S
        if self.hold is None or self.hold.reason != reason:
            log.warning("%s waits: %s", self.folder.path, reason)
        if self.is_held():
            return  # many files have met the same
        self.last_error = reason
        self.hold = Hold(reason, time.monotonic() + pause, pause)
        self.is_on_trial = self.is_on_trial or is_trial

    def is_held(self) -> bool:
        hold = self.hold  # asked by the main thread, too
        return hold is not None and time.monotonic() < hold.until

    def end_hold(self) -> None:
        """Once no file waits for it any more, nobody needs to know of it."""
        if self.hold and not self.is_held() and self.table.is_idle():
            self.hold, self.is_on_trial = None, False

    def stop_tasks(self) -> None:
        """Ask all open Tasks of this folder to stop; their files are pending again then."""
        for task_id in set(self.table.queued) - self.own_stops:
            with contextlib.suppress(Missing):  # not submitted yet, or lost
                self.tools.ledger.stop(task_id)
            self.own_stops.add(task_id)


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
