"""`rushes up` as a process, on a folder of its own."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.running import processes
from tests.support.running.processes import PythonProcess
from tests.support.stack import free_port, models_dir
from tests.support.waiting import wait_for

READY_S = 60


@dataclass
class Up:
    """One `rushes up` on a folder of its own."""

    state_dir: Path
    port: int
    log: Path
    process: PythonProcess

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for_line(self, pattern: str, times: int = 1) -> None:
        def seen() -> bool:
            assert self.process.poll() is None, self.text()
            return len(re.findall(pattern, self.text())) >= times

        wait_for(seen, READY_S, f"{pattern!r} in the log")

    def pid_of(self, name: str) -> int:
        """Process number of the newest start of a child."""
        return int(re.findall(rf"{name} runs as process (\d+)", self.text())[-1])

    def session_members(self) -> list[int]:
        """Every living process in a session of one of the children."""
        sessions = set(re.findall(r"runs as process (\d+)", self.text()))
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[3] in sessions and fields[0] != "Z":
                found.append(int(stat.parent.name))
        return found


def environment(folder: Path, **settings: str) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("RUSHES_")}
    return {
        **inherited,
        "RUSHES_STATE_DIR": str(folder / "state dir"),
        "RUSHES_MODELS_DIR": str(models_dir()),
        "RUSHES_WORKERS": "1",  # else by the machine
        **settings,
    }


def command(*arguments: str, module: str = "cli.main") -> list[str]:
    return ["-P", "-m", module, *arguments]


def start(
    folder: Path,
    stdout: int | None = None,
    under: Sequence[str] = (),
    module: str = "cli.main",
    **settings: str,
) -> Up:
    """`under`: the words of a program that becomes it."""
    port = free_port()
    log = folder / "up.log"
    with log.open("ab") as output:
        process = processes.start(
            command("up", module=module),
            cwd=folder,
            env=environment(folder, RUSHES_PORT=str(port), **settings),
            stdout=output.fileno() if stdout is None else stdout,
            stderr=output.fileno(),
            under=under,
            interpreter=True,
        )
    return Up(folder / "state dir", port, log, process)


def end(up: Up) -> None:
    if up.process.poll() is None:
        up.process.send_signal(signal.SIGTERM)
        up.process.wait(30)
