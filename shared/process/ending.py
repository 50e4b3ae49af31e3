"""The end of a process: when its parent ends, however it does, and with its memory left as it is.

`rushes up` hands each child the reading end of a pipe that only it holds open for writing.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

from shared.settings import PARENT_FD

HARD_EXIT_S = 10.0


def _terminate_self() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def watch_parent(
    on_gone: Callable[[], None] = _terminate_self, hard_exit_s: float = HARD_EXIT_S
) -> bool:
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


def end_with(main: Callable[[], int]) -> NoReturn:
    """Run `main` and exit with its status as `sys.exit` does, threads of the process joined.

    Only Python's clearing of modules is left out: 0.3 s of a core for an API process, at each stop.
    """
    try:
        status = main()
    except SystemExit as asked:
        if not isinstance(asked.code, int | None):
            raise  # a sentence for people, which Python itself prints
        status = asked.code or 0
    atexit.register(_leave, status)  # of such hooks the last comes first: ours is the only one
    sys.exit(status)


def _leave(status: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(status)
