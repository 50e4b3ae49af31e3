"""RUSHES_DEVICE for torch models: which device, which precision, how large a batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from shared.errors import ModelError


@dataclass(frozen=True, slots=True)
class Device:
    name: str  # torch's: "cpu", "cuda:1", "mps"
    precision: str  # open_clip's: "fp16", "bf16", "fp32"
    batch_size: int


def choose_device(setting: str) -> Device:
    """The device that RUSHES_DEVICE names; auto prefers a GPU. Raises ModelError if absent."""
    name = setting
    if setting == "auto":
        name = "cpu"
        if torch.cuda.is_available():
            name = "cuda"
        elif torch.backends.mps.is_available():
            name = "mps"
    if name.startswith("cuda"):
        index = name.partition(":")[2] or "0"
        if not index.isdigit() or int(index) >= torch.cuda.device_count():
            raise ModelError(f"RUSHES_DEVICE={setting}: torch sees no such CUDA device.")
        return Device(name, "fp16", 64)
    if name == "mps":
        if not torch.backends.mps.is_available():
            raise ModelError("RUSHES_DEVICE=mps: torch sees no Metal device.")
        return Device(name, "fp32", 16)
    if name != "cpu":
        raise ModelError(f"RUSHES_DEVICE={setting} is none of auto, cpu, mps, cuda and cuda:N.")
    return Device("cpu", "bf16" if _multiplies_bf16() else "fp32", 8)


def _multiplies_bf16() -> bool:
    """Whether the CPU has bf16 arithmetic, which halves the time of a transformer there."""
    try:
        return "avx512_bf16" in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False
