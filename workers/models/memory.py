"""Memory that models may take, and that each takes: estimates, for the pool's budget."""

from __future__ import annotations

import sys

from shared.models.specs import ModelSpec
from shared.process.memory import total_bytes
from shared.settings import Settings

_UNKNOWN_MODEL_BYTES = 2_000_000_000
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
    return total_bytes() // 2
