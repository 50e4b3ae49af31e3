"""Silero's voice detector on ONNX Runtime, with the network that comes inside faster-whisper."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.errors import ModelError
from workers.models.onnx_sessions import open_session

# What the network was trained on at 16 kHz: frames of 512 samples, each with the 64 before it.
_FRAME, _CONTEXT = 512, 64
_STATE = (1, 1, 128)
_FRAMES_PER_RUN = 1000  # 32 s: bounds the memory of a run, costs nothing
_MEMBER = "assets/silero_vad_v6.onnx"


class SileroDetector:
    """Voice detector of one stream of sound. The network's state goes on from call to call."""

    frame_samples = _FRAME

    def __init__(self, path: Path) -> None:
        self._session = open_session(path, "cpu")
        self._hidden = np.zeros(_STATE, np.float32)
        self._cell = np.zeros(_STATE, np.float32)
        self._before = np.zeros(_CONTEXT, np.float32)

    def probabilities(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        if pcm.ndim != 1 or len(pcm) % _FRAME:
            raise ValueError(f"not whole frames of {_FRAME} samples: shape {pcm.shape}")
        size = _FRAMES_PER_RUN * _FRAME
        runs = [self._run(pcm[first : first + size]) for first in range(0, len(pcm), size)]
        return np.concatenate(runs) if runs else np.empty(0, np.float32)

    def _run(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        frames = pcm.reshape(-1, _FRAME)
        contexts = np.concatenate([self._before[None], frames[:-1, -_CONTEXT:]])
        self._before = frames[-1, -_CONTEXT:].copy()
        rows, self._hidden, self._cell = self._session.run(
            None,
            {
                "input": np.concatenate([contexts, frames], axis=1),
                "h": self._hidden,
                "c": self._cell,
            },
        )
        return np.asarray(rows, np.float32).reshape(-1)


def load_voice_detector() -> SileroDetector:
    """Load the detector for one stream. Raises ModelError if faster-whisper is not all there."""
    found = importlib.util.find_spec("faster_whisper")  # found, not imported
    folders = (found.submodule_search_locations or []) if found else []
    for folder in folders:
        if (path := Path(folder) / _MEMBER).is_file():
            return SileroDetector(path)
    raise ModelError(
        f"Speech needs faster-whisper with its {_MEMBER}, which is not installed here. Install "
        "Rushes with its `lite` extra."
    )
