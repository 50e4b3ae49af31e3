"""From `rushes up` to /ready, against another revision of Rushes in turns: wall and CPU seconds.

    scripts/bench start [--against 819eccd] [--rounds 7]

Both run with the packages of this environment and the same weights, each time with a new STATE_DIR.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from benchmarks import describe
from tests.support.stack import free_port

HERE = Path(__file__).resolve().parent.parent
_LONGEST_S = 120
_POLL_S = 0.01


def started(tree: Path, models: Path) -> tuple[float, float]:
    """(wall, CPU) seconds until all that `rushes up` starts is ready, and it has ended again."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="rushes-start-") as folder:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("RUSHES_")}
        environment = {
            **inherited,
            "PYTHONPATH": str(tree),
            "RUSHES_STATE_DIR": folder,
            "RUSHES_MODELS_DIR": str(models),
            "RUSHES_PORT": str(port),
        }
        before = _cpu_of_children()
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "up"],
            cwd=tree,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_until_ready(f"http://127.0.0.1:{port}/api/v1/ready", began + _LONGEST_S)
            wall = time.monotonic() - began
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        return wall, _cpu_of_children() - before


def _wait_until_ready(url: str, deadline: float) -> None:
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                found = json.load(answer)
            if found["workers"].get("analysis") and not found["loading"]:
                return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(_POLL_S)
    raise SystemExit(f"{url} was not ready within {_LONGEST_S} s")


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--against", default="819eccd", help="a revision of this repository")
    asked.add_argument("--rounds", type=int, default=7)
    given = asked.parse_args()
    models = Path(os.environ.get("RUSHES_MODELS_DIR", HERE / ".rushes" / "models"))
    print(describe())
    with tempfile.TemporaryDirectory(prefix="rushes-tree-") as folder:
        other = Path(folder) / "tree"
        git = ["git", "-C", str(HERE), "worktree"]
        subprocess.run([*git, "add", "--detach", "-f", other, given.against], check=True,
                       capture_output=True)  # fmt: skip
        try:
            found: dict[str, list[tuple[float, float]]] = {given.against: [], "this tree": []}
            for _ in range(given.rounds):
                found[given.against].append(started(other, models))
                found["this tree"].append(started(HERE, models))
        finally:
            subprocess.run([*git, "remove", "--force", other], check=True, capture_output=True)
    medians = {name: [statistics.median(each) for each in zip(*runs, strict=True)]
               for name, runs in found.items()}  # fmt: skip
    for name, (wall, cpu) in medians.items():
        print(f"{name:>10}: {wall:5.2f} s to /ready, {cpu:5.2f} CPU s to the end")
    ratio = medians["this tree"][0] / medians[given.against][0]
    print(f"ratio of medians: {ratio:.2f} (target <= 0.65)")


if __name__ == "__main__":
    main()
