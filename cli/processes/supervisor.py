"""Keeps child processes alive: starts them again when they end, and ends them in order.

Knows nothing of what they do. A child gets a session of its own and the reading end of a pipe
whose writing end only this process holds, so it notices when this process is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.settings import PARENT_FD

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
AT_ONCE_S = 5.0  # a child that ends sooner after its start ended at once
SHORT_PAUSES = 3  # so many ends at once, all alike, are followed by the first pause
TERM_TO_KILL_S = 10.0


class LifeLine:
    """The pipe that tells children that this process is gone: none inherits its writing end."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()

    def close(self) -> None:
        os.close(self.reading)
        os.close(self.writing)


@dataclass
class _Pauses:
    """How long to wait before a child is started again: longer only if it keeps ending at once."""

    _last_end: str = ""
    _alike: int = 0  # ends at once in a row, all for the same reason

    def after(self, end: str, lived_s: float) -> float:
        if end != self._last_end or lived_s >= AT_ONCE_S:
            self._alike = 0
        self._last_end = end
        self._alike += 1
        return min(FIRST_PAUSE_S * 2.0 ** max(0, self._alike - SHORT_PAUSES), LONGEST_PAUSE_S)


@dataclass
class Child:
    """One process that must always run; `keep` until `stop`."""

    name: str
    command: tuple[str, ...]
    life_line: LifeLine
    environment: Mapping[str, str] = field(default_factory=dict)
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def keep(self) -> None:
        """Run the child, and again whenever it ends, until `stop`. Never gives up."""
        pauses = _Pauses()
        while not self.stopping.is_set():
            began = time.monotonic()
            try:
                end = _how(await self.run_once())
            except OSError as error:  # no memory or no process number left: that passes
                end = f"could not be started ({error})"
            if self.stopping.is_set():
                return
            pause_s = pauses.after(end, time.monotonic() - began)
            log.warning("%s %s; starting it again in %g s", self.name, end, pause_s)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), pause_s)

    async def run_once(self) -> int:
        """Run the child to its end; its exit status. What it leaves in its session is killed."""
        reading = self.life_line.reading
        process = await asyncio.create_subprocess_exec(
            *self.command,
            env={**os.environ, **self.environment, PARENT_FD: str(reading)},
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=(reading,),
            start_new_session=True,
        )
        self.process = process
        self.starts += 1
        log.info("%s runs as process %d", self.name, process.pid)
        if self.stopping.is_set():  # asked to stop while it was being started
            self._signal(signal.SIGTERM)
        status = await process.wait()
        self.kill()
        self.process = None
        return status

    async def stop(self) -> None:
        """End the process by SIGTERM; after 10 s by SIGKILL to its whole session."""
        self.stopping.set()
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + TERM_TO_KILL_S
        while self.process is not None and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        if self.process is not None:
            log.warning("%s did not end in %g s and is killed", self.name, TERM_TO_KILL_S)
            self.kill()
        if self.starts:
            log.info("%s has ended", self.name)

    def kill(self) -> None:
        """Send SIGKILL to everything in the child's session."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)


def _how(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with exit status {status}"
