"""The index of scenes for the embeddings of one folder and model: taken up, made, or done without.

It is derived data: whatever is wrong with it, searches are exact, and it is made anew. All that
takes time is done beside requests, by one thread that comes after others. Any process
may make it; one at a time does.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from api.search.frames.log import VectorSnapshot
from api.search.index_log import WriteLock
from api.search.scenes.scene_files import SceneFiles, WrongScenes
from api.search.scenes.scene_index import MOST_RESULTS, SceneIndex, installed, missing
from api.search.types import FrameSearch, RowRange
from shared.errors import Unavailable

_log = logging.getLogger(__name__)
WORTH_INDEXING = 4096  # rows; as many are scanned in half a millisecond
_OF_ALL = 128  # a part of all rows that is worth writing the whole index again
_AGAIN_AFTER_S = 60.0  # when it could not be made, or there was nothing to make
_WHILE_OTHERS_S = 5.0  # another process makes it
_NICE = 5  # more would let it be interrupted for long while it has the interpreter


class SceneStore:
    """Follows the index of a vector log, whoever makes it. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reading: object = None
        self._signature: tuple[int, int] | None = None
        self._index: SceneIndex | None = None
        self._is_busy = False
        self._is_impossible = installed() is None
        self._not_before = 0.0  # time.monotonic

    def current(self, snapshot: VectorSnapshot) -> SceneIndex | str:
        """An index of nearly all of the snapshot's rows, or why there is none. Never waits."""
        if self._is_impossible:
            return missing() or ""
        if len(snapshot.rows) < WORTH_INDEXING:
            return "so few frames need no index"
        with self._lock:
            part = snapshot.journal
            index = self._index if part is not None and part.reading is self._reading else None
        if index is None or _left(index, snapshot) > 2 * _worth(snapshot):
            return "the index of this cache_dir is not ready yet"
        return index

    def begin(self, snapshot: VectorSnapshot) -> bool:
        """Whether there is work, so that the caller is to have `bring_up` called."""
        part = snapshot.journal
        if part is None or self._is_impossible or len(snapshot.rows) < WORTH_INDEXING:
            return False
        signature = SceneFiles(part.path).signature()
        with self._lock:
            if self._is_busy or time.monotonic() < self._not_before:
                return False
            is_known = (part.reading, signature) == (self._reading, self._signature)
            if is_known and _left(self._index, snapshot) < _worth(snapshot):
                return False
            self._is_busy = True
        return True

    def bring_up(self, snapshot: VectorSnapshot, is_stopped: Callable[[], bool]) -> None:
        """Take up the index that is there and add what it lacks, unless another process does."""
        assert snapshot.journal is not None
        folder = snapshot.journal.path.parent
        not_before = time.monotonic() + _AGAIN_AFTER_S  # whatever it is that fails
        try:
            if is_stopped():
                return
            if missing():
                self._is_impossible = True
                return
            self._take_up(snapshot)
            has_more = True
            if _left(self._index, snapshot) >= _worth(snapshot):
                with WriteLock(folder / "scenes.lock").held(0):
                    has_more = SceneFiles(snapshot.journal.path).make(snapshot, is_stopped)
                self._take_up(snapshot)
            if has_more:
                not_before = 0.0
        except Unavailable:
            not_before = time.monotonic() + _WHILE_OTHERS_S
        except FileNotFoundError:
            not_before = 0.0  # another generation replaced this one
        except OSError as error:
            _log.warning("the mode fast is not ready for %s: no index: %s", folder, error)
        except Exception:  # noqa: BLE001 - nobody waits for this thread: it would be lost
            _log.exception("the mode fast is not ready for %s", folder)
        finally:
            self._not_before = not_before
            self._is_busy = False

    def _take_up(self, snapshot: VectorSnapshot) -> None:
        assert snapshot.journal is not None
        files = SceneFiles(snapshot.journal.path)
        signature, index = files.signature(), None
        with self._lock:
            if (snapshot.journal.reading, signature) == (self._reading, self._signature):
                return
        if signature is not None:
            try:
                index = files.open(snapshot)
            except (WrongScenes, OSError) as error:
                _log.info("the index of scenes in %s is made anew: %s", snapshot.journal, error)
        with self._lock:
            self._reading, self._signature = snapshot.journal.reading, signature
            self._index = index


def thread_for_leisure() -> ThreadPoolExecutor:
    """A thread that, on Linux, comes after others."""
    return ThreadPoolExecutor(1, "scenes", initializer=_be_nice)


def _be_nice() -> None:
    if hasattr(os, "setpriority") and os.uname().sysname == "Linux":  # there it is one thread's
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def _left(index: SceneIndex | None, snapshot: VectorSnapshot) -> int:
    """Rows that came after the index was made."""
    return len(snapshot.rows) - (index.rows if index else 0)


def _worth(snapshot: VectorSnapshot) -> int:
    return max(WORTH_INDEXING, len(snapshot.rows) // _OF_ALL)


def ranges_for(
    store: SceneStore, snapshot: VectorSnapshot, search: FrameSearch, max_results: int
) -> list[RowRange] | str:
    """Rows that hold nearly all of the best matches, or the reason to look at all of them."""
    if search.frames is not None:
        return "people_filter or spoken needs all frames"
    if search.vectors.exclude is not None and len(search.vectors.exclude):
        return "exclude needs the scores of all frames"
    if search.hashes is not None and not snapshot.files.keys() <= search.hashes:
        return "media_paths or filters leave files out"
    if max_results > MOST_RESULTS:
        return f"max_results is over {MOST_RESULTS}"
    index = store.current(snapshot)
    if isinstance(index, str):
        return index
    return index.ranges(snapshot, search.vectors, max_results)
