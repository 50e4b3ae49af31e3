"""Rows that tell voices apart: Resemblyzer's network on ONNX Runtime, with mels from numpy."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from shared.errors import ModelError
from workers.models.onnx_sessions import open_session
from workers.models.protocols import SAMPLE_RATE

# What the network was trained on at 16 kHz: frames of 512 samples, each with the 64 before it.
_DETECTED, _CONTEXT = 512, 64  # samples of a frame, and of what is before it
_STATE = (1, 1, 128)
_FRAMES_PER_RUN = 1000  # 32 s: bounds the memory of a run, costs nothing
_MEMBER = "assets/silero_vad_v6.onnx"

# What the network was trained on: windows of 160 frames, each 25 ms of sound, every 10 ms.
_HOP = SAMPLE_RATE // 100
FRAMES = 160
_FRAME = SAMPLE_RATE // 40
_CHANNELS = 40
_BATCH = 32  # costs least from 16 to 32
_MEL_AT_ONCE = 2000  # frames, that stay in the processor's cache
# librosa's scale of mels (Slaney's): straight up to 1000 Hz, then 27 a factor of 6.4.
_STRAIGHT_HZ, _MEL_HZ, _LOG_STEP = 1000.0, 200 / 3, float(np.log(6.4)) / 27


class GE2EVoices:
    """A VoiceEmbedder: GE2E's three LSTMs, trained to bring windows of one voice together."""

    window_frames = FRAMES

    def __init__(self, path: Path, device: str) -> None:
        self._session = open_session(path, device)
        self._window = np.hanning(_FRAME + 1)[:-1].astype(np.float32)
        self._filters = _mel_filters()

    def mels(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sound -> mel power [t, 40], a frame around every 10 ms, the first around its begin."""
        count = len(pcm) // _HOP + 1
        padded = np.pad(pcm, _FRAME // 2)
        frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::_HOP][:count]
        rows = np.empty((len(frames), _CHANNELS), np.float32)
        for at in range(0, len(frames), _MEL_AT_ONCE):
            spectrum = np.fft.rfft(frames[at : at + _MEL_AT_ONCE] * self._window)
            power = spectrum.real**2 + spectrum.imag**2
            rows[at : at + _MEL_AT_ONCE] = power @ self._filters
        return rows

    def embed(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Windows of mels [n, 160, 40] -> unit rows [n, 256]."""
        batches = [windows[at : at + _BATCH] for at in range(0, len(windows), _BATCH)]
        rows = [self._session.run(["rows"], {"mels": batch})[0] for batch in batches]
        return np.concatenate(rows) if rows else np.empty((0, 256), np.float32)


def _mel_filters() -> NDArray[np.float32]:
    """[bins of the spectrum, 40]: triangles of like area, overlapping by half."""
    bins = np.fft.rfftfreq(_FRAME, 1 / SAMPLE_RATE)
    edges = _hertz(np.linspace(0, _mel(SAMPLE_RATE / 2), _CHANNELS + 2))
    rising = (bins[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0, np.minimum(rising, falling))
    return cast(
        "NDArray[np.float32]", (triangles * 2 / (edges[2:] - edges[:-2])).astype(np.float32)
    )


def _mel(hertz: float) -> float:
    return _STRAIGHT_HZ / _MEL_HZ + float(np.log(hertz / _STRAIGHT_HZ)) / _LOG_STEP


def _hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    straight = _STRAIGHT_HZ / _MEL_HZ
    curved = _STRAIGHT_HZ * np.exp(_LOG_STEP * (mels - straight))
    return np.where(mels < straight, mels * _MEL_HZ, curved)


class SileroDetector:
    """Voice detector of one stream of sound. The network's state goes on from call to call."""

    frame_samples = _DETECTED

    def __init__(self, path: Path) -> None:
        self._session = open_session(path, "cpu")
        self._hidden = np.zeros(_STATE, np.float32)
        self._cell = np.zeros(_STATE, np.float32)
        self._before = np.zeros(_CONTEXT, np.float32)

    def probabilities(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        if pcm.ndim != 1 or len(pcm) % _DETECTED:
            raise ValueError(f"not whole frames of {_DETECTED} samples: shape {pcm.shape}")
        size = _FRAMES_PER_RUN * _DETECTED
        runs = [self._run(pcm[first : first + size]) for first in range(0, len(pcm), size)]
        return np.concatenate(runs) if runs else np.empty(0, np.float32)

    def _run(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        frames = pcm.reshape(-1, _DETECTED)
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
