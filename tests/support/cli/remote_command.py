"""The real `rushes` command as a process that knows a server's address and key, no more."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.running import processes

RUSHES = Path(sys.executable).with_name("rushes")
_SCRIPT = "import sys; sys.argv[0] = 'rushes'; from cli.main import run; sys.exit(run())"
_WORDS = ("-P", "-c", _SCRIPT)  # what pip has written there


@dataclass
class Command:
    """Runs `rushes`. Its environment leads to no STATE_DIR and no Redis, only to the server."""

    server: str
    key: str | None
    folder: Path  # an empty one: where it runs, and its HOME
    more: dict[str, str] = field(default_factory=dict)

    def environment(self, **more: str) -> dict[str, str]:
        key = {"RUSHES_KEY": self.key} if self.key else {}
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "RUSHES_SERVER": self.server,
            "RUSHES_REDIS_URL": "unix:///nowhere/redis.sock",
            **key,
            **self.more,
            **more,
        }

    def run(
        self, *arguments: str | Path, status: int = 0, stdin: bytes = b"", **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end with pipes; fails where it ends with another status."""
        result = processes.run(
            [*_WORDS, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment(**more),
            stdin=stdin,
        )
        assert result.returncode == status, f"{result.args} ended with {result}"
        assert "Traceback" not in result.stderr, result.stderr
        return result

    def json(self, *arguments: str | Path, status: int = 0, **more: str) -> Any:
        """What it prints with --json, which must be all that it prints."""
        result = self.run(*arguments, "--json", status=status, **more)
        assert result.stderr == ""
        return json.loads(result.stdout)

    def refused(self, *arguments: str | Path, status: int = 1, **more: str) -> str:
        """The one sentence on stderr that it ends with."""
        result = self.run(*arguments, status=status, **more)
        assert result.stdout == ""
        sentence = result.stderr.splitlines()[-1]
        assert sentence.startswith("rushes: "), result.stderr
        return sentence.removeprefix("rushes: ")

    def on_terminal(self, *arguments: str | Path, **more: str) -> Terminal:
        """Start it on a terminal of 100 columns and 50 lines."""
        size = {"COLUMNS": "100", "LINES": "50"}
        return Terminal(
            [*_WORDS, *map(str, arguments)], self.folder, self.environment(**size, **more)
        )


class Terminal:
    """A process on a pseudo-terminal; what it prints is kept in `text`."""

    def __init__(self, command: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
        self._leader, follower = pty.openpty()
        self.process = processes.start(
            command, cwd=folder, env=environment, stdin=follower, stdout=follower
        )
        os.close(follower)
        self._printed = b""

    @property
    def text(self) -> str:
        return self._printed.decode(errors="replace")

    def shows(self, words: str, timeout_s: float = 30) -> None:
        """Read until it has printed that."""
        deadline = time.monotonic() + timeout_s
        while words not in self.text:
            left = deadline - time.monotonic()
            assert left > 0, f"{words!r} was not printed: {self.text!r}"
            assert self._read(left), f"it ended without {words!r}: {self.text!r}"

    def type(self, text: str) -> None:
        os.write(self._leader, text.encode())

    def end(self, timeout_s: float = 60) -> int:
        """Read to its end; its exit status."""
        deadline = time.monotonic() + timeout_s
        while self._read(deadline - time.monotonic()):
            assert time.monotonic() < deadline, f"it does not end: {self.text!r}"
        return self.process.wait(10)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._leader)

    def _read(self, timeout_s: float) -> bool:
        """Whether there may be more: Linux answers EIO once the other end is closed."""
        if select.select([self._leader], [], [], max(0.0, timeout_s))[0]:
            with contextlib.suppress(OSError):
                piece = os.read(self._leader, 65_536)
                self._printed += piece
                return bool(piece)
            return False
        return True
