"""Names of files that one process at a time may hold, on all machines that share a folder."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Iterator

from shared.cache import cache_files
from shared.opening import OpenedFolder, RootedPath
from shared.people.addition_log import remove
from shared.process.periodic import Periodic

EDITS = "edits.claim"  # in the folder of a Collection: who checks an edit and writes it
EDITS_WAIT_S = 2.0  # for one who may write all the same
TURN_KEPT_S = 6.0  # how long a claim counts whose owner was killed
_RENEWED_S = 1.5
_PAUSES_S = (0.01, 0.1)  # the first and the longest


@contextlib.contextmanager
def turn(path: RootedPath, claim: str, wait_s: float) -> Iterator[bool]:
    """Whether the caller holds the claim in a folder; False where others do for `wait_s` seconds.

    Also False where there is no such folder. Raises OSError and CacheError.
    """
    with contextlib.ExitStack() as at_end:
        fd = None
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            folder = at_end.enter_context(cache_files.folder(path))
            fd = _taken_within(folder, claim, wait_s)
        if fd is not None:
            at_end.enter_context(_kept(folder, claim, fd))
        yield fd is not None


def _taken_within(folder: OpenedFolder, claim: str, wait_s: float) -> int | None:
    """Take the claim; None: not within `wait_s` seconds."""
    asked = time.monotonic()
    now: float | None = None
    pause, longest = _PAUSES_S
    while True:
        waited = time.monotonic() - asked
        fd = _taken(folder, claim, None if now is None else now + waited)
        if fd is not None or waited >= wait_s:
            return fd
        if now is None:  # it costs a file, so only where somebody else has the claim
            now = cache_files.share_clock(folder) - waited
        time.sleep(min(pause, max(0.0, wait_s - waited)))
        pause = min(longest, pause * 1.5)


@contextlib.contextmanager
def _kept(folder: OpenedFolder, claim: str, fd: int) -> Iterator[None]:
    """Renew a claim until the end of the block, and give it back if it is still ours."""
    renewed = time.monotonic()

    def renew() -> None:
        # By what is written, as the clock of the share tells how old it is; and to this very file,
        # which others may have taken away.
        nonlocal renewed
        began = time.monotonic()
        with contextlib.suppress(OSError):
            if began - renewed < TURN_KEPT_S:
                os.write(fd, b"\n")
                os.fsync(fd)
                renewed = began

    thread = Periodic("claim", renew, _RENEWED_S, begins_at_once=False)
    thread.start()
    try:
        yield
    finally:
        thread.end()
        os.close(fd)
        if time.monotonic() - renewed < TURN_KEPT_S:
            with contextlib.suppress(OSError):  # what was done under it is done; it grows too old
                remove(folder, [claim])


def _taken(folder: OpenedFolder, claim: str, now: float | None) -> int | None:
    """Take the claim if nobody has it, for writing; one that is too old counts as nobody's."""
    if now is not None:
        with contextlib.suppress(FileNotFoundError):
            if folder.status(claim).st_mtime < now - TURN_KEPT_S:  # its owner was killed
                # Of several who take it away, one can.
                dead = f".{claim}.{secrets.token_hex(4)}.tmp"
                folder.rename(claim, dead)
                remove(folder, [dead])
    try:
        return folder.create(claim)
    except FileExistsError:
        return None
