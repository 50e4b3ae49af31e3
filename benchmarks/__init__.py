"""One line about the machine, for the head of every benchmark's output; what a process used."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

# Before numpy is imported: else its threads, when they are done, spin for 30 ms into what is
# measured next.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")


def describe() -> str:
    """Processor, cores, load and Python, e.g. for a table of results."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{model}, {os.cpu_count()} cores, load {load}, Python {platform.python_version()}"


def cpu_s(pid: int) -> float:
    """CPU seconds of a process so far, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int, what: str = "VmRSS") -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024


def idle_share(pid: int, seconds: float) -> float:
    """CPU of a process over some time, % of one core."""
    before, began = cpu_s(pid), time.monotonic()
    time.sleep(seconds)
    return 100 * (cpu_s(pid) - before) / (time.monotonic() - began)
