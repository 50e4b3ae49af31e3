"""One call of a model at a time, in the order in which its users ask."""

from __future__ import annotations

import threading
from collections import deque


class Turns:
    """A lock that goes to whoever has waited longest.

    A threading.Lock may be taken again and again by who has just given it back, while another
    waits until its stall timer runs out.
    """

    def __init__(self) -> None:
        self.ended = 0  # turns; whoever waits knows by it that there is no hang
        self._guard = threading.Lock()
        self._line: deque[threading.Event] = deque()  # the first has its turn

    def join(self) -> threading.Event:
        """A place in line, which is set once its turn has come; `leave` gives it back."""
        turn = threading.Event()
        with self._guard:
            self._line.append(turn)
            if len(self._line) == 1:
                turn.set()
        return turn

    def leave(self, turn: threading.Event) -> None:
        """Give up a place that `join` gave, whether its turn has come or not."""
        with self._guard:
            was_first = self._line[0] is turn
            self._line.remove(turn)
            if was_first:
                self.ended += 1
                if self._line:
                    self._line[0].set()

    def __enter__(self) -> None:
        self.join().wait()

    def __exit__(self, *_: object) -> None:
        self.leave(self._line[0])
