"""A checkpoint that is called now and then instead of at every packet."""

from __future__ import annotations

import time
from collections.abc import Callable

CHECKPOINT_EVERY_S = 0.1  # the caller's checkpoint is called about this often


class ThrottledCheckpoint:
    """Calls the checkpoint every CHECKPOINT_EVERY_S at most, the first time at once."""

    def __init__(self, checkpoint: Callable[[], None]) -> None:
        self._checkpoint = checkpoint
        self._next = 0.0

    def __call__(self) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._checkpoint()
            self._next = now + CHECKPOINT_EVERY_S
