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

from api.search.codes.codes import Codes
from api.search.codes.files import CodeFiles, DoNotFit, Opened, bytes_of
from api.search.frames.log import VectorSnapshot
from api.search.write_lock import WriteLock
from shared.errors import Unavailable
from shared.process.memory import free_bytes

_log = logging.getLogger(__name__)
WORTH_CODING = 8192  # rows; as many are scanned in a millisecond
_MOST_DIMENSIONS = 2048  # a rotation of more takes too much memory
_GB = 1e9
_AGAIN_AFTER_S = 60.0  # when codes could not be written
_SOON_S = 600.0  # codes that are made anew and given up again within this wait for as long


class CodeStore:
    """Follows the codes of a vector log, whoever makes them. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reading: object = None  # of the journal, and what was opened since
        self._signature: tuple[int, int] | None = None
        self._opened: Opened | None = None
        self._is_short = False  # of memory, as was logged
        self._is_making = False
        self._not_before = 0.0  # time.monotonic
        self._discarded = -_SOON_S  # when codes were last

    def current(self, snapshot: VectorSnapshot) -> Codes | None:
        """Codes that fit the snapshot's rows; more rows may follow that have none."""
        part = snapshot.journal
        if part is None:
            return None
        files = CodeFiles(part.path)
        with self._lock:
            signature = files.signature()
            if self._reading is not part.reading:
                # Lines that were read and then cut off begin another reading.
                self._reading, self._signature, self._opened = part.reading, None, None
            if signature != self._signature:
                self._opened = _opened(files, snapshot, self._opened) if signature else None
                self._signature = signature
                self._tell_of(snapshot)
            return None if self._opened is None else self._opened[1]

    def shortage(self, snapshot: VectorSnapshot) -> str | None:
        """What there is to say where memory has no room for what each search reads."""
        return _shortage(snapshot, self.current(snapshot))

    def _tell_of(self, snapshot: VectorSnapshot) -> None:
        shortage = _shortage(snapshot, self._opened[1]) if self._opened else None
        if shortage and not self._is_short:
            _log.warning("%s: %s", snapshot.journal, shortage)
        self._is_short = bool(shortage)

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
                bits = _bits_for(*snapshot.vectors.shape)
                CodeFiles(path).make(snapshot.vectors, size, bits, is_stopped)
            if not is_stopped() and self.current(snapshot) is None:
                self._not_before = time.monotonic() + _AGAIN_AFTER_S
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


def _shortage(snapshot: VectorSnapshot, codes: Codes | None) -> str | None:
    size, free = codes.size if codes else snapshot.vectors.nbytes, free_bytes()
    if not free or size <= free:
        return None
    return (
        f"A search reads {size / _GB:.1f} GB of codes or embeddings, and memory has room for "
        f"{free / _GB:.1f} GB: it waits for the disk."
    )


def _bits_for(rows: int, dim: int) -> int:
    """As many as memory has room for: codes are kept until there are twice as many rows."""
    free = free_bytes()
    is_roomy = not free or 2 * rows * bytes_of(8, dim) <= free // 4  # others need memory, too
    return 8 if is_roomy or dim % 2 else 4


def _opened(files: CodeFiles, snapshot: VectorSnapshot, known: Opened | None) -> Opened | None:
    try:
        return files.open(snapshot.vectors, known)
    except FileNotFoundError:
        return None  # replaced just now
    except (DoNotFit, OSError) as error:
        _log.info("codes of %s are made anew: %s", snapshot.journal, error)
        return None
