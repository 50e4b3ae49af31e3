"""A thread for native calls that take long, so that whoever waits for one can leave it at a stop.

A native call cannot be interrupted. Left alone it runs out here, and what comes after it (such as
giving its model back) follows in order.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")

_LOOK_EVERY_S = 0.1


class NativeCalls:
    """Runs native calls of any threads, in turn. Its own starts with the first call and dies with
    the process.

    A daemon, unlike an executor's threads: a process that ends need not wait for a call.
    """

    def __init__(self) -> None:
        self._todo: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def begin(self, function: Callable[[], T]) -> Future[T]:
        """Run `function` once all calls before it have ended; `result` waits for that."""
        future: Future[T] = Future()
        context = contextvars.copy_context()  # its log records name the Task, too
        self._do(lambda: _fulfil(future, lambda: context.run(function)))
        return future

    def result(self, future: Future[T], checkpoint: Callable[[], None]) -> T:
        """What the function of `begin` returned or raised.

        `checkpoint` is called about every 0.1 s; what it raises ends the waiting. A function
        that has not begun by then never does.
        """
        try:
            while not wait([future], _LOOK_EVERY_S).done:
                checkpoint()
        except BaseException:  # `checkpoint` raises Cancelled and its like, which are no Exceptions
            future.cancel()
            raise
        return future.result()

    def afterwards(self, function: Callable[[], object]) -> None:
        """Run the function when all calls so far have ended, and do not wait for that."""
        self._do(function)

    def have_ended(self, within_s: float) -> bool:
        """Whether all calls so far end within this time."""
        ended = threading.Event()
        if self._thread is None:
            return True
        self._do(ended.set)
        return ended.wait(within_s)

    def _do(self, step: Callable[[], object]) -> None:
        self._todo.put(step)
        with self._starting:
            if self._thread is not None:
                return
            self._thread = threading.Thread(target=self._run, name="native-calls", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                self._todo.get()()
            except Exception:
                # Without this thread every later call would wait for ever.
                log.exception("What had to follow a native call failed")


def _fulfil(future: Future[T], function: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function())
    except BaseException as error:  # noqa: BLE001  raised where the result is waited for
        future.set_exception(error)
