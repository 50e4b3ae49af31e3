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

EDITS = "edits.claim"  # in the folder of a Collection: who checks an edit and writes it
EDITS_WAIT_S = 2.0  # for one who may write all the same
KEPT_S = 60.0  # of one whose owner was killed; what is done meanwhile takes seconds at the most
_PAUSE_S = 0.01


@contextlib.contextmanager
def claimed(folder: OpenedFolder, claim: str, now: float) -> Iterator[bool]:
    """Whether the caller alone may use the name that a claim stands for. `now`: by the share."""
    began = time.monotonic()
    if not _is_taken(folder, claim, now):
        yield False
        return
    try:
        yield True
    finally:
        _let_go(folder, claim, began)


@contextlib.contextmanager
def turn(path: RootedPath, claim: str, wait_s: float) -> Iterator[bool]:
    """Whether the caller holds the claim in a folder; False where others do for `wait_s` seconds.

    Also False where there is no such folder. Raises OSError and CacheError.
    """
    with contextlib.ExitStack() as at_end:
        try:
            folder = at_end.enter_context(cache_files.folder(path))
            began = _taken_at(folder, claim, wait_s)
        except (FileNotFoundError, NotADirectoryError):
            began = None
        if began is None:
            yield False
            return
        at_end.callback(_let_go, folder, claim, began)
        yield True


def _taken_at(folder: OpenedFolder, claim: str, wait_s: float) -> float | None:
    """When the claim was taken (time.monotonic); None: not within `wait_s` seconds."""
    asked = time.monotonic()
    now: float | None = None
    while True:
        began = time.monotonic()
        if _is_taken(folder, claim, None if now is None else now + began - asked):
            return began
        if began - asked >= wait_s:
            return None
        if now is None:  # it costs a file, so only where somebody else has the claim
            now = cache_files.share_clock(folder)
        time.sleep(_PAUSE_S)


def _is_taken(folder: OpenedFolder, claim: str, now: float | None) -> bool:
    """Take the claim if nobody has it; one that is too old counts as nobody's."""
    if now is not None:
        with contextlib.suppress(FileNotFoundError):
            if folder.status(claim).st_mtime < now - KEPT_S:  # its owner was killed
                # Of several who take it away, one can.
                dead = f".{claim}.{secrets.token_hex(4)}.tmp"
                folder.rename(claim, dead)
                remove(folder, [dead])
    try:
        os.close(folder.create(claim))
    except FileExistsError:
        return False
    return True


def _let_go(folder: OpenedFolder, claim: str, began: float) -> None:
    if time.monotonic() - began < KEPT_S:  # else it may be somebody else's by now
        with contextlib.suppress(OSError):  # what was done under it is done; it grows too old
            remove(folder, [claim])
