"""A child's side of the pipe to its parent: when the parent dies, however it dies, we end too.

`rushes up` hands each child the reading end of a pipe that only it holds open for writing.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

from shared.settings import PARENT_FD

HARD_EXIT_S = 10.0


def _terminate_self() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def watch(on_gone: Callable[[], None] = _terminate_self, hard_exit_s: float = HARD_EXIT_S) -> bool:
    """Start the watching thread; False where no parent asked for it (started by hand).

    Call once in `__main__`, after the SIGTERM handler is installed: `on_gone` sends SIGTERM to
    this process, and what has not ended `hard_exit_s` later is ended hard.
    """
    number = os.environ.pop(PARENT_FD, None)  # grandchildren do not get the descriptor
    if number is None:
        return False
    descriptor = int(number)
    os.set_inheritable(descriptor, False)

    def wait_for_the_end() -> None:
        while os.read(descriptor, 1):  # nobody writes: this returns b"" when the parent is gone
            pass
        timer = threading.Timer(hard_exit_s, os._exit, args=(1,))
        timer.daemon = True
        timer.start()
        on_gone()

    threading.Thread(target=wait_for_the_end, name="parent-pipe", daemon=True).start()
    return True
