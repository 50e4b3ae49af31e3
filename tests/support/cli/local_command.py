"""`rushes` as a process that ends by itself, and what it may have left running."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.support.running import processes
from tests.support.stack import free_port, models_dir


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """That of a command whose state lies in `folder`; nothing of ours is inherited."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("RUSHES_")}
    return {
        **inherited,
        "RUSHES_STATE_DIR": str(folder / "state"),
        "RUSHES_MODELS_DIR": str(models_dir()),
        "RUSHES_PORT": str(free_port()),
        **settings,
    }


def rushes(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run `rushes` to its end."""
    words = ["-P", "-m", "cli.main", *arguments]
    return processes.run(words, env=environment(folder, **settings), cwd=folder)


def left_running(folder: Path) -> list[int]:
    """Processes whose environment or command line names the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        except OSError:  # it has ended, or is another user's
            continue
        if os.fsencode(folder) in told and int(process.name) != os.getpid():
            found.append(int(process.name))
    return found
