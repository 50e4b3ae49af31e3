"""A network that tells tones apart as the real one does voices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_DIM = 256


class FakeVoices:
    """Each voice is a tone: a frame's row is its loudest step of 100 Hz, a window's is their mean.

    Rows of one voice differ a bit, as real ones do.
    """

    window_frames = 160

    def __init__(self) -> None:
        self.windows = 0
        self.longest = 0

    def mels(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        self.longest = max(self.longest, len(pcm))
        count = len(pcm) // 160
        frames = pcm[: count * 160].reshape(count, 160)
        power = np.abs(np.fft.rfft(frames))[:, 1:41] ** 2
        return np.vstack([power, power[-1:]]).astype(np.float32)

    def embed(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        rows = np.zeros((len(windows), _DIM), np.float32)
        for row, window in zip(rows, windows, strict=True):
            heard = window[window.sum(axis=1) > 1e-6]
            np.add.at(row, heard.argmax(axis=1), 1)
            row += 1e-3
            row /= np.linalg.norm(row)
            self.windows += 1
            grain = np.random.default_rng(self.windows).normal(size=_DIM)
            row += 0.6 * grain.astype(np.float32) / np.linalg.norm(grain)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)
