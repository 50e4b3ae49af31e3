"""The codes for the embeddings of one folder and model: taken up, made, or done without.

Codes are derived data: whatever is wrong with them, searches go on with the stored rows, and codes
are made anew. Any process may make them; one at a time does.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable

from api.search.frames.code_files import CodeFiles, DoNotFit
from api.search.frames.int8_codes import Int8Codes
from api.search.frames.log import VectorSnapshot
from api.search.write_lock import WriteLock
from shared.errors import Unavailable

_log = logging.getLogger(__name__)
WORTH_CODING = 8192  # rows; as many are scanned in a millisecond
_MOST_DIMENSIONS = 2048  # a rotation of more takes too much memory
_AGAIN_AFTER_S = 60.0  # when codes could not be written
_SOON_S = 600.0  # codes that are made anew and given up again within this wait for as long


class CodeStore:
    """Follows the codes of a vector log, whoever makes them. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: tuple[object, Int8Codes | None] = (None, None)
        self._is_making = False
        self._not_before = 0.0  # time.monotonic
        self._discarded = -_SOON_S  # when codes were last

    def current(self, snapshot: VectorSnapshot) -> Int8Codes | None:
        """Codes that fit the snapshot's rows; more rows may follow that have none."""
        part = snapshot.journal
        if part is None:
            return None
        files = CodeFiles(part.path)
        with self._lock:
            signature = files.signature()
            # Lines that were read and then cut off begin another reading.
            key = (part.reading, signature)
            if key != self._known[0]:
                self._known = (key, _opened(files, snapshot) if signature else None)
            return self._known[1]

    def begin(self, snapshot: VectorSnapshot) -> bool:
        """Whether so many rows have no codes that the caller is to call `make` now."""
        codes = self.current(snapshot)
        left = len(snapshot.vectors) - (codes.count if codes else 0)
        if left < WORTH_CODING or snapshot.dim > _MOST_DIMENSIONS:
            return False
        with self._lock:
            if self._is_making or time.monotonic() < self._not_before:
                return False
            self._is_making = True
        return True

    def make(self, snapshot: VectorSnapshot, is_stopped: Callable[[], bool]) -> None:
        """Make codes for the rows that have none, unless another process is at it."""
        assert snapshot.journal is not None
        path, size = snapshot.journal.path, snapshot.journal.size
        try:
            with WriteLock(path.with_name("codes.lock")).held(0):
                CodeFiles(path).make(snapshot.vectors, size, is_stopped)
        except Unavailable:
            self._not_before = time.monotonic() + 1
        except FileNotFoundError:
            pass  # another generation replaced this one
        except OSError as error:
            self._not_before = time.monotonic() + _AGAIN_AFTER_S
            _log.warning(
                "searches of %s are slower than they could be: no codes could be written: %s",
                path.parent,
                error,
            )
        except Exception:  # noqa: BLE001 - nobody waits for this thread: it would be lost
            self._not_before = time.monotonic() + _AGAIN_AFTER_S
            _log.exception("no codes could be made for %s", path.parent)
        finally:
            self._is_making = False

    def discard(self, snapshot: VectorSnapshot) -> None:
        """Give up codes whose bounds did not hold."""
        if snapshot.journal is not None:
            now = time.monotonic()
            if now - self._discarded < _SOON_S:  # they do not hold here, however often
                self._not_before = now + _SOON_S
            self._discarded = now
            _log.warning("codes in %s did not fit; made anew", snapshot.journal.path.parent)
            with contextlib.suppress(OSError):  # then they are found wrong again
                CodeFiles(snapshot.journal.path).discard()


def _opened(files: CodeFiles, snapshot: VectorSnapshot) -> Int8Codes | None:
    try:
        return files.open(snapshot.vectors)[1]
    except FileNotFoundError:
        return None  # replaced just now
    except (DoNotFit, OSError) as error:
        _log.info("codes of %s are made anew: %s", snapshot.journal, error)
        return None
