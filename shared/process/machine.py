"""What this machine gives analysis, and by that how many workers and decode threads it has.

On a GPU one worker keeps the model busy, and all cores but two decode for it. On the CPU a worker's
model and speech take a core of their own, so that several workers share the cores.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from dataclasses import dataclass
from importlib import metadata
from math import ceil
from pathlib import Path

from shared.process import memory
from shared.settings import MOST_THREADS, Settings

WORKER_BYTES = 3_000_000_000  # of a worker with the default models warm, and of what it decodes
_THREAD_BYTES = 400_000_000  # a decoder of 4K in ten bits keeps 16 pictures of 25 MB
_CORES_A_WORKER = 2  # one for its models, one that decodes
_CORES_BESIDE_GPU = 2  # of the worker's own threads, and of the API
_BY_ONNX = "conse-"  # keys of visual models that ONNX Runtime runs, others torch
_GPU = Path("/dev/nvidiactl")


@dataclass(frozen=True, slots=True)
class Machine:
    """Cores and memory that this process may use, and whether models run on a GPU."""

    cores: int
    memory_bytes: int
    has_gpu: bool

    def workers(self) -> int:
        """Analysis workers by default."""
        return 1 if self.has_gpu else max(1, min(self.cores // _CORES_A_WORKER, self.room()))

    def decode_threads(self, workers: int) -> int:
        """Decode threads by default, of each of so many workers."""
        shared_out = self.cores - _CORES_BESIDE_GPU if self.has_gpu else self.cores
        room = self.memory_bytes // (workers * _THREAD_BYTES)
        return max(1, min(ceil(shared_out / workers), room, MOST_THREADS))

    def room(self) -> int:
        """Workers that the memory has room for."""
        return self.memory_bytes // WORKER_BYTES

    def __str__(self) -> str:
        cores = f"{self.cores} core{'' if self.cores == 1 else 's'}"
        size = in_gb(self.memory_bytes)
        if not self.has_gpu and self.room() < self.cores // _CORES_A_WORKER:
            size += f" ({in_gb(WORKER_BYTES)} a worker)"
        return f"{cores}, {size}, {'a GPU' if self.has_gpu else 'no GPU'}"


def this_machine(settings: Settings) -> Machine:
    """This machine as its limits leave it to us: affinity, quotas of CPU and memory."""
    return Machine(_cores(), memory.total_bytes(), has_gpu(settings))


def analysis_workers(settings: Settings) -> int:
    """Analysis workers that `rushes up` starts: RUSHES_WORKERS, or what the machine is good for."""
    return settings.workers or this_machine(settings).workers()


def decode_threads(settings: Settings, workers: int | None = None) -> int:
    """Decode threads of each analysis worker: RUSHES_DECODE_THREADS, or its share of the cores.

    It is shared with so many workers, by default RUSHES_WORKERS; where that is unset a worker takes
    itself for the only one, as it cannot know of others.
    """
    if settings.decode_threads is not None:
        return settings.decode_threads
    return this_machine(settings).decode_threads(workers or settings.workers or 1)


def in_words(settings: Settings) -> str:
    """What `rushes up` starts and why: "1 analysis worker with 2 decode threads: 2 cores, …"."""
    workers = analysis_workers(settings)
    threads = decode_threads(settings, workers)
    shown = f"{_count(workers, 'analysis worker')} with {_count(threads, 'decode thread')}"
    said = [
        f"RUSHES_{name}={value}"
        for name, value in (
            ("WORKERS", settings.workers),
            ("DECODE_THREADS", settings.decode_threads),
        )
        if value is not None
    ]
    each = " each" if workers > 1 else ""
    return f"{shown}{each}: {', '.join([*said, str(this_machine(settings))])}"


def in_gb(size: int) -> str:
    """Bytes as people read them: "24 GB"."""
    return f"{size / 1e9:.0f} GB"


def has_gpu(settings: Settings) -> bool:
    """Whether the visual model of the settings runs on a GPU here.

    Looks at what is installed and imports nothing.
    """
    if settings.device != "auto":
        return settings.device != "cpu"
    if settings.visual_model.startswith(_BY_ONNX):
        return _GPU.exists() and bool(_version("onnxruntime-gpu"))
    torch = _version("torch")
    if sys.platform == "darwin":
        return bool(torch) and platform.machine() == "arm64"
    return _GPU.exists() and bool(torch) and "+cpu" not in torch


def _version(distribution: str) -> str:
    """ "" where it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _cores() -> int:
    """Cores that we may run on, a part of one counted as one."""
    if sys.platform == "linux":
        found = len(os.sched_getaffinity(0))
    else:
        found = os.cpu_count() or 1
    for folder in memory.around("cpu"):
        with contextlib.suppress(OSError, ValueError):  # no limit: no file, or `max`
            quota, period = map(int, (folder / "cpu.max").read_text().split())
            found = min(found, ceil(quota / period))
        with contextlib.suppress(OSError, ValueError):
            quota = int((folder / "cpu.cfs_quota_us").read_text())
            period = int((folder / "cpu.cfs_period_us").read_text())
            found = min(found, ceil(quota / period)) if quota > 0 else found
    return max(1, found)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
