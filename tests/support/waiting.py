"""Waiting for conditions, with a deadline and a sentence when it passes; never for time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_SHARE = 0.04  # of what was waited so far: how late an answer may be seen
_LONGEST_S = 0.1


def wait_for(
    condition: Callable[[], T],
    timeout_s: float,
    what: str | Callable[[], str],
    *,
    every_s: float = 0.01,
) -> T:
    """The first truthy answer of `condition`; fails the test after `timeout_s`, naming `what`.

    Where `what` is a function it is asked at the end. It asks every `every_s` seconds, and more
    seldom after a while: asking takes the processors from what is waited for.
    """
    began = time.monotonic()
    deadline = began + timeout_s
    pause = threading.Event()
    while True:
        answer = condition()
        if answer:
            return answer
        now = time.monotonic()
        if now >= deadline:
            what = what if isinstance(what, str) else what()
            raise AssertionError(f"waited {timeout_s:g} s in vain for {what}; last: {answer!r}")
        pause.wait(max(every_s, min(_SHARE * (now - began), _LONGEST_S)))
