"""Rows that tell voices apart: Resemblyzer's network on ONNX Runtime, with mels from numpy."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from workers.models.onnx_sessions import open_session
from workers.models.protocols import SAMPLE_RATE

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
