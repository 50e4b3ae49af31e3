"""Libraries that tell their makers of their use are told not to: nothing leaves the machine."""

from __future__ import annotations

import os

# Read by each library once, when it is imported.
_OFF = {
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime from 1.29 on: else an id on disk, and uploads
    "HF_HUB_DISABLE_TELEMETRY": "1",  # huggingface_hub: only counts in requests for weights
    "NO_ALBUMENTATIONS_UPDATE": "1",  # asks for its newest version; insightface may bring it
}


def switch_off() -> None:
    """Switch telemetry off, here and in children. Call it before any model library is imported."""
    os.environ.update(_OFF)
