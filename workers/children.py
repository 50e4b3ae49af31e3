"""Disposable processes for native decoding: a crash or hang costs one request, not the service."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import TimeoutError
from concurrent.futures.process import BrokenProcessPool
from typing import Any, ParamSpec, TypeVar

from pebble import ProcessExpired, ProcessPool

from shared.errors import MediaUnreadable

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

MEMORY_BYTES = 4 << 30
MAX_CALLS = 500  # of one child: what native libraries leak ends with it
_OUT_OF_MEMORY = 77  # exit status
_CPU_SLACK_S = 2
_ASK_AGAIN_S = 0.3
_START_S = 20.0  # for a child that is only being started, on a busy machine
start_context: multiprocessing.context.BaseContext = multiprocessing.get_context("spawn")


class Unwanted(Exception):
    """Nobody waits for the result of a call any more."""


def _always() -> bool:
    return True


class Children:
    """A few warm child processes that run picklable functions, one at a time each."""

    def __init__(self, count: int, warm_up: Callable[[], None]) -> None:
        """Have each child run `warm_up` at its start: its module brings the imports along.

        They are started by `start`, or by the first call.
        """
        self._count = count
        self._warm_up = warm_up
        self._lock = threading.Lock()
        self._pool: Any = None

    def start(self) -> None:
        """Start the children, unless a call has done so."""
        self._usable_pool()

    def run(self, limit_s: float, function: Callable[P, T], *args: P.args, **kw: P.kwargs) -> T:
        """The result of `function` in a child process; what it raises there is raised here.

        Raises MediaUnreadable when the child crashes or does not end within `limit_s`.
        """
        return self.run_while(_always, limit_s, function, *args, **kw)

    def run_while(
        self,
        is_wanted: Callable[[], bool],
        limit_s: float,
        function: Callable[P, T],
        *args: P.args,
        **kw: P.kwargs,
    ) -> T:
        """As `run`; `is_wanted` is asked again and again, and the child ends when it says no.

        Raises Unwanted then.
        """
        task = (limit_s, function, args, kw)
        try:
            try:
                result: T = self._once(task, is_wanted)
            except BrokenProcessPool:  # an idle child was killed just now; this call is innocent
                result = self._once(task, is_wanted)
        except TimeoutError:
            raise MediaUnreadable(f"Reading it took longer than {limit_s:g} s.") from None
        except ProcessExpired as error:
            if error.exitcode == _OUT_OF_MEMORY:
                raise MediaUnreadable("Reading it takes more memory than allowed.") from None
            if error.exitcode == -signal.SIGXCPU:
                raise MediaUnreadable("Reading it takes too much processor time.") from None
            log.warning("A child ended with %s while reading a file", error.exitcode)
            raise MediaUnreadable("The decoder crashed while reading it.") from None
        return result

    def close(self) -> None:
        if self._pool is not None:
            self._pool.stop()
            self._pool.join()

    def _once(
        self, task: tuple[float, Callable[..., Any], Any, Any], is_wanted: Callable[[], bool]
    ) -> Any:
        pool, limit_s = self._usable_pool(), task[0]
        future = pool.schedule(_limited, task, timeout=limit_s)
        until = time.monotonic() + limit_s + _START_S
        patience_s = limit_s + _START_S if is_wanted is _always else _ASK_AGAIN_S
        while True:
            try:
                return future.result(timeout=patience_s)
            except TimeoutError:
                if future.done():  # just now, or by the call's own limit
                    return future.result()
            if not is_wanted():
                future.cancel()  # pebble ends the child, and starts another
                raise Unwanted
            if time.monotonic() > until:  # no child has even taken it
                self._give_up(pool)
                raise TimeoutError

    def _usable_pool(self) -> Any:
        """The pool of children, made anew when pebble gave it up (an idle child was killed)."""
        with self._lock:
            if self._pool is None:
                self._pool = self._new_pool()
            pool = self._pool
        if not pool.active:
            self._give_up(pool)
        return self._pool

    def _give_up(self, pool: Any) -> None:
        with self._lock:
            if pool is self._pool:  # else another thread has done it
                log.warning("The child processes are started anew")
                self._pool = self._new_pool()
                pool.stop()

    def _new_pool(self) -> Any:
        pool = ProcessPool(
            max_workers=self._count,
            max_tasks=MAX_CALLS,
            initializer=_prepare_child,
            initargs=(self._warm_up,),
            context=start_context,
        )
        _ = pool.active  # starts the processes now, not at the first call
        return pool


def _prepare_child(warm_up: Callable[[], None]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches the whole group; we decide
    threading.Thread(target=_end_with_parent, name="parent-pipe", daemon=True).start()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError, OSError):  # macOS knows this limit and refuses it
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    warm_up()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()  # waits for the end of a pipe that only the parent holds open
    os._exit(1)


def limit_cpu(seconds: float) -> None:
    """In a child: end it once it has computed for so long from now on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = int(used.ru_utime + used.ru_stime + seconds) + _CPU_SLACK_S
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, resource.RLIM_INFINITY))


def _limited(
    limit_s: float, function: Callable[..., T], args: tuple[Any, ...], kw: dict[str, Any]
) -> T:
    """Run a call in the child, its CPU time limited, should the parent be unable to end it."""
    limit_cpu(limit_s)
    try:
        return function(*args, **kw)
    except MemoryError:  # what fills it may be what earlier calls have left: begin anew
        os._exit(_OUT_OF_MEMORY)
