"""One watch folder at work, in a thread of its own: a dead share holds up itself alone."""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime

from msgspec.structs import astuple, replace

from shared.errors import CacheError, RedisAway, StoodDown
from shared.ledger.records import NewTask
from shared.watch.board import Ask, FolderLive, WatchState
from shared.watch.files import FileGroup, FolderFacts, WatchedFile
from shared.watch.folders import WatchFolder
from workers.watcher import feeding
from workers.watcher.cache_guard import CacheGone, check_writable, open_known
from workers.watcher.contents import Contents
from workers.watcher.folder_state import FolderState
from workers.watcher.looking.guard import Identity, Unreachable, identity_of, is_same_place
from workers.watcher.looking.lookout import Looked, Lookout
from workers.watcher.looking.names import NameRules
from workers.watcher.looking.place import Strange, check_place, is_emptied, move_in
from workers.watcher.outcomes import Outcomes
from workers.watcher.schedule import is_open
from workers.watcher.sorting import reconsider, sort
from workers.watcher.submitting import Turn, new_task, submit
from workers.watcher.table import Table
from workers.watcher.tools import Tools
from workers.watcher.wanted import Wanted

log = logging.getLogger(__name__)

_BUSY_PAUSE_S = 0.25
_IDLE_PAUSE_S = 2.0
_AFTER_ERROR_S = 5.0
_SILENT_S = 60.0
_SEEN_S = 45.0  # more than the longest hold: what a user answers may have been so that long ago
_ASKING_SHARE = 50  # asking in vain what became of Tasks takes at most this part of the time


class Ended(Exception):
    """The folder's thread is to end: what it has not written is read anew by the next one."""


class FolderRun:
    """Made by the main thread; `step` is called by the folder's own thread alone."""

    def __init__(
        self,
        folder: WatchFolder,
        tools: Tools,
        facts: FolderFacts,
        files: dict[str, WatchedFile],
    ) -> None:
        self.folder = folder
        self.stepped_at = time.monotonic()
        self._tools = tools
        self._wake = threading.Event()
        self._is_ended = False
        self._asks: list[Ask] = []
        self._unreachable = ""
        self._strange_at = self._cache_gone_at = -_SEEN_S  # when that was the reason last
        self._unsure: NewTask | None = None  # whether Redis took it is not known
        self._contents: Contents | None = None
        self._takes_any_cache = False  # a user has said so
        self._lookout = Lookout(folder, tools.settings, self._wake.set)
        self.state = FolderState(
            folder=folder,
            tools=tools,
            table=Table.of(files),
            rules=NameRules.of(folder, tools.settings),
            wanted=self._wishes(),
            facts=facts,
            checkpoint=self._checkpoint,
        )
        self._knows_nothing = not files
        self._noted = facts
        move_in(self.state)
        self._outcomes = Outcomes(self.state)
        self._thread = threading.Thread(target=self._serve, name=f"watch-{folder.id}", daemon=True)
        self.state.own_stops.update(self.state.table.queued)  # an earlier run may have asked
        queued = {path for paths in self.state.table.queued.values() for path in paths}
        tools.claims.begin(folder.id, queued)
        for path in queued:
            key = self.state.content_key(self.state.table.files[path])
            tools.claims.take(key, folder.id, path)

    # Called by the main thread -----------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Ask the thread to end; `is_over` says when it has."""
        self._is_ended = True
        self._wake.set()

    def is_over(self) -> bool:
        return not self._thread.is_alive()

    def ask(self, ask: Ask) -> None:
        self._asks.append(ask)
        self._wake.set()

    def silent_s(self) -> float:
        """For how long the folder has not answered; 0: it does."""
        silent_s = time.monotonic() - self.stepped_at
        return silent_s if silent_s > _SILENT_S and not self._lookout.is_scanning else 0.0

    def live(self) -> FolderLive:
        """What is going on, for clients."""
        state, reason = self._standing()
        scanned = self.state.facts.last_scan_at
        return FolderLive(
            state=state,
            reason=reason,
            is_unreachable=bool(self._unreachable or self.silent_s()),
            current_file=self._outcomes.current_file if state is WatchState.RUNNING else None,
            is_scanning=self._lookout.is_scanning,
            is_polling=self._lookout.is_polling,
            last_scan_at=scanned,
        )

    def _standing(self) -> tuple[WatchState, str]:
        hold = self.state.hold
        if silent_s := self.silent_s():
            return WatchState.WAITING, f"The folder has not answered for {silent_s:.0f} s."
        if self._unreachable:
            return WatchState.WAITING, self._unreachable
        if not self._is_in_hours():
            assert self.folder.schedule
            return WatchState.WAITING, f"Outside its hours, until {self.folder.schedule.start}."
        if hold and (self.state.is_held() or not self.state.table.queued):
            return WatchState.WAITING, hold.reason
        if self._tools.situation.is_paused:
            return WatchState.PAUSED, "A foreground analysis is running."
        if self.state.table.queued or self.state.table.ready:
            return WatchState.RUNNING, ""
        return WatchState.WAITING, ""

    # The folder's thread -----------------------------------------------------------------

    def _serve(self) -> None:
        log.info("%s is watched", self.folder.path)
        while not self._is_ended:
            try:
                pause = self.step()
            except (Ended, StoodDown):
                break
            except RedisAway as error:
                log.debug("%s goes on when Redis is back: %s", self.folder.path, error.message)
                pause = 1.0
            except Exception as error:
                log.exception("%s: an error of ours; the folder is taken up again", self.folder.id)
                self.state.last_error = f"An internal error: {type(error).__name__}: {error}"
                pause = _AFTER_ERROR_S
            self._wake.wait(pause)
            self._wake.clear()
        self._lookout.stop()
        log.info("%s is watched no more", self.folder.path)

    def step(self) -> float:
        """Do what is due; returns the seconds until there may be more to do.

        Raises Ended, StoodDown, RedisAway.
        """
        self.stepped_at = time.monotonic()
        self._answer_asks()
        self._follow_wishes()
        try:
            self._go_round()
            self._unreachable = ""
        except Unreachable as error:
            if isinstance(error, Strange):
                self._strange_at = time.monotonic()
            self._lose(error.reason)
        except CacheGone as error:
            self._contents, self._cache_gone_at = None, time.monotonic()
            self.state.hold_up(error.message)
            self.state.stop_tasks()
        except CacheError as error:
            self.state.hold_up(error.message)
            self.state.stop_tasks()
        self._flush()
        return self._pause()

    def _go_round(self) -> None:
        state = self.state
        if self._unsure:
            self._flush()
            self._submit(self._unsure)
        self._collect()
        self._look_around()
        feeding.settle(state)
        state.table.wake_delayed(time.time())
        state.end_hold()
        feeding.unpark(state)
        if not self._is_in_hours():
            state.stop_tasks()
        elif not state.is_held() and not self._tools.situation.is_paused:
            self._feed()

    def _collect(self) -> None:
        """What came of the files that workers have; where many Tasks tell nothing, less often."""
        began = time.monotonic()
        in_vain = not self._outcomes.collect()
        pause = _ASKING_SHARE * (time.monotonic() - began) if in_vain else 0.0
        self._busy_pause = min(_IDLE_PAUSE_S, max(_BUSY_PAUSE_S, pause))

    def _look_around(self) -> None:
        """Walk the folder, or look at parts of it, when that is due."""
        place = identity_of(self.folder.path)
        check_place(self.state, place)
        root = self.state.facts.root
        if self._unreachable or (root and not is_same_place(Identity(*root), place)):
            self._lookout.walk_soon()
        first = not self._lookout.has_walked
        looked = self._lookout.look(self._checkpoint)
        if looked is None:
            return
        if not is_same_place(place, identity_of(self.folder.path)):
            self._lookout.walk_soon()
            return
        if looked.folders is None and is_emptied(self.state, looked.scan):
            raise Strange(
                f"{self.folder.path} is empty, but {len(self.state.table.files)} files of it are "
                "known. Is its disk mounted? Nothing is forgotten."
            )
        self._sort(looked, place, first)

    def _sort(self, looked: Looked, place: Identity, first: bool) -> None:
        began = time.monotonic()
        surprises = sort(self.state, looked)
        if looked.folders is None:
            if not first:
                self._lookout.also_took(time.monotonic() - began)
            self.state.know(root=astuple(place), last_scan_at=time.time())
            if not first:
                self._lookout.judge_events(surprises)

    def _feed(self) -> None:
        """Give workers what has its turn. Raises CacheError."""
        if not self.state.table.ready:
            return
        contents = self._open_cache()
        if self._knows_nothing:
            contents.read_seen(self.folder.path)
            self._knows_nothing = False
        if self.state.is_on_trial:
            check_writable(contents.cache)
        turns = feeding.take_turns(self.state, contents)
        if turns:
            self._queue(turns)

    def _queue(self, turns: list[Turn]) -> None:
        """First it is noted which Task has them, then the Task is submitted."""
        cache_id = self.state.facts.cache_id
        task = new_task(self._tools, self.folder, cache_id, self.state.wanted, turns)
        for turn in turns:
            wanted = self.state.signature(turn.path)
            queued = replace(turn.file, task_id=task.task_id, is_queued=True, made=wanted)
            self.state.table.queue(turn.path, replace(queued, next_try_at=0.0, reason=""))
        self._unsure = task
        self._flush()
        self._submit(task)

    def _submit(self, task: NewTask) -> None:
        submit(self._tools, task)
        self._unsure = None

    def _open_cache(self) -> Contents:
        """Looked at before every batch. Raises CacheError."""
        known_id = self.state.facts.cache_id
        cache = open_known(self.folder.cache_dir, "" if self._takes_any_cache else known_id)
        self._takes_any_cache = False
        if self._contents is None or self._contents.cache.id != cache.id:
            self._contents = Contents(cache)
        if cache.id != known_id:
            self.state.know(cache_id=cache.id)
            if known_id:
                log.warning("%s is another cache folder than before", self.folder.cache_dir)
                self.state.do_again()
        return self._contents

    def _answer_asks(self) -> None:
        """New tries for what has failed, and a strange place is taken as it is now."""
        while self._asks:
            ask = self._asks.pop(0)
            self.state.hold = None
            self.state.is_on_trial = False
            seen = time.monotonic() - _SEEN_S
            if self._strange_at > seen:
                self.state.know(root=None)
            if self._cache_gone_at > seen:
                self._takes_any_cache = True
            self._contents = None
            self._lookout.walk_soon()
            for path, file in list(self.state.table.files.items()):
                if ask.paths is not None and path not in ask.paths:
                    continue
                again = file.group is FileGroup.FAILED or (
                    file.group is FileGroup.PENDING and file.next_try_at
                )
                if again:
                    self.state.turn_back(path, replace(file, tries=0, hash_str=""))

    def _follow_wishes(self) -> None:
        """Another model may be active now."""
        wanted = self._wishes()
        if wanted != self.state.wanted:
            self.state.wanted = wanted
            reconsider(self.state)

    def _wishes(self) -> Wanted:
        tools = self._tools
        return Wanted.of(self.folder, tools.situation.keys, tools.settings.audio_streams)

    def _lose(self, reason: str) -> None:
        """The folder is not there, or not itself: nothing of it is judged until it is back."""
        if not self._unreachable:
            log.warning("%s waits: %s", self.folder.path, reason)
        self._unreachable = reason
        self.state.last_error = reason
        self._lookout.lose()
        self.state.stop_tasks()

    def _is_in_hours(self) -> bool:
        schedule = self.folder.schedule
        return schedule is None or is_open(schedule, datetime.now())

    def _flush(self) -> None:
        """Write what has changed. Raises Ended, StoodDown, RedisAway."""
        self._checkpoint()
        files, token, facts = self._tools.files, self._tools.token, self.state.facts
        changes = self.state.table.take_changes()
        try:
            if changes and not files.write(token, self.folder.id, changes):
                raise StoodDown
        except RedisAway:
            self.state.table.keep_changes(changes)
            raise
        if facts != self._noted:  # after the files, which may have become others by it
            if not files.note(token, self.folder.id, facts):
                raise StoodDown
            self._noted = facts

    def _checkpoint(self) -> None:
        self.stepped_at = time.monotonic()
        if self._is_ended:
            raise Ended

    def _pause(self) -> float:
        state = self.state
        if self._unreachable:
            return _IDLE_PAUSE_S
        can_feed = not state.is_held() and not self._tools.situation.is_paused
        if state.table.queued or (state.table.ready and can_feed and self._is_in_hours()):
            return self._busy_pause
        pauses = [_IDLE_PAUSE_S, self._lookout.due_in()]
        if (settled := feeding.next_settle_in(state)) is not None:
            pauses.append(settled)
        return max(0.05, min(pauses))
