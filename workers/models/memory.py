"""Memory that models may take, and that each takes: estimates, for the pool's budget."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from shared.models.specs import ModelSpec
from shared.settings import Settings

_UNKNOWN_MODEL_BYTES = 2_000_000_000
_CGROUP = Path("/sys/fs/cgroup")  # in a container its own
_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")  # of cgroups 2 and 1
_OVERHEAD = 1.5  # activations and the library's own copies, beside the weights


def model_bytes(spec: ModelSpec) -> int:
    """Bytes that a loaded model is expected to take."""
    return int((spec.size_bytes or _UNKNOWN_MODEL_BYTES) * _OVERHEAD)


def memory_budget(settings: Settings) -> int:
    """RUSHES_MODEL_MEMORY_MB in bytes; unset: three quarters of the GPU or half of the RAM."""
    if settings.model_memory_mb is not None:
        return settings.model_memory_mb * 1_000_000
    torch = sys.modules.get("torch")
    on_gpu = settings.device.startswith(("auto", "cuda"))
    if on_gpu and torch is not None and torch.cuda.is_available():
        return int(torch.cuda.get_device_properties(0).total_memory * 3 // 4)
    return ram_bytes() // 2


def ram_bytes(cgroup: Path = _CGROUP) -> int:
    """Bytes of memory of this machine, or that this container may take of it."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in _LIMITS:
        with contextlib.suppress(OSError, ValueError):  # there is none: no file, or `max`
            found = min(found, int((cgroup / name).read_text()))
    return found
