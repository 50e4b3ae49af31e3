"""Where a watched file is on its way from being found to being analysed, and what may follow."""

from __future__ import annotations

from enum import Enum, auto

from shared.watch.choices import FileGroup


class FilePhase(Enum):
    """Clients see the first six as `pending`."""

    LEFT_OVER = auto()  # pending as an earlier watcher left it; the next walk takes it up
    SETTLING = auto()  # may still be written
    READY = auto()  # waits for its turn
    DUPLICATE = auto()  # waits for the analysis of the same content in another file
    DELAYED = auto()  # waits until its `next_try_at`
    QUEUED = auto()  # a Task has it
    PROCESSED = auto()
    FAILED = auto()
    UNSUPPORTED = auto()
    SKIPPED = auto()


_P = FilePhase
OF_GROUP = {
    FileGroup.PENDING: _P.LEFT_OVER,
    FileGroup.PROCESSED: _P.PROCESSED,
    FileGroup.FAILED: _P.FAILED,
    FileGroup.UNSUPPORTED: _P.UNSUPPORTED,
    FileGroup.SKIPPED: _P.SKIPPED,
}
# Whatever a file was, it may change on the disk, and be reported without being worked on.
_ALWAYS = frozenset({_P.SETTLING, _P.FAILED, _P.UNSUPPORTED, _P.SKIPPED})
_LEGAL = {
    None: _ALWAYS,  # a path that was not known
    _P.LEFT_OVER: _ALWAYS,
    _P.SETTLING: _ALWAYS | {_P.READY, _P.DELAYED},
    _P.READY: _ALWAYS | {_P.READY, _P.DUPLICATE, _P.DELAYED, _P.QUEUED, _P.PROCESSED},
    _P.DUPLICATE: _ALWAYS | {_P.READY},
    _P.DELAYED: _ALWAYS | {_P.READY},
    _P.QUEUED: _ALWAYS | {_P.READY, _P.DELAYED, _P.QUEUED, _P.PROCESSED},
    _P.PROCESSED: _ALWAYS | {_P.READY},  # more is wanted of it now
    _P.FAILED: _ALWAYS | {_P.READY},  # somebody asked for new tries
    _P.UNSUPPORTED: _ALWAYS | {_P.READY},
    _P.SKIPPED: _ALWAYS,
}


def check_transition(path: str, old: FilePhase | None, new: FilePhase) -> None:
    """Raise IllegalTransition. `old` None: the path was not known."""
    if new not in _LEGAL[old]:
        raise IllegalTransition(f"{path}: {old.name if old else 'unknown'} to {new.name}")


class IllegalTransition(Exception):
    """A step that the table of legal ones does not hold: an error of ours."""
