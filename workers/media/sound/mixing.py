"""Several rows of sound down to one, whatever they hold: channels of a stream, streams of a file.

Neither a sum nor a mean will do: the mean of eight channels of which one talks is 18 dB down,
the sum of eight equal ones is clipped, and both are silence for a voice recorded in anti-phase.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]  # [rows, samples]

_PIECE_S = 0.25  # weights change so often, in ramps
_MEMORY_S = 1.0  # over which loudness and likeness are measured
_SILENT = 1e-10  # mean square, -100 dB
_ANTI_PHASE = -0.5  # correlation with the loudest row at which a row is turned round
_TURNED_BACK = -0.2


class Mixer:
    """Sums rows, turns anti-phase ones round, and keeps the level of the loudest row."""

    def __init__(self, rate: int) -> None:
        self._piece = max(1, round(rate * _PIECE_S))
        self._memory = rate * _MEMORY_S
        self._likeness: NDArray[np.float64] | None = None  # [rows, rows] mean products
        self._weights: NDArray[np.float32] | None = None

    def mix(self, rows: Rows) -> NDArray[np.float32]:
        """[rows, samples], the samples that follow those of the last call -> [samples]."""
        if len(rows) == 1:
            return np.asarray(rows[0])
        pieces = (
            self._mixed(rows[:, at : at + self._piece])
            for at in range(0, rows.shape[1], self._piece)
        )
        return np.concatenate([*pieces, np.empty(0, np.float32)])

    def _mixed(self, rows: Rows) -> NDArray[np.float32]:
        before = self._weights
        after = self._next_weights(rows)
        self._weights = after
        if before is None or np.abs(after - before).max() < 1e-3:
            return after @ rows
        ramp = np.linspace(0, 1, rows.shape[1], dtype=np.float32)
        return (before @ rows) * (1 - ramp) + (after @ rows) * ramp

    def _next_weights(self, rows: Rows) -> NDArray[np.float32]:
        count, samples = rows.shape
        products = (rows @ rows.T).astype(np.float64) / samples
        kept = 0.0 if self._likeness is None else math.exp(-samples / self._memory)
        likeness = products if self._likeness is None else self._likeness
        self._likeness = likeness = likeness * kept + products * (1 - kept)
        power = likeness.diagonal()
        loudest = int(power.argmax())
        if power[loudest] < _SILENT:
            return np.ones(count, np.float32) if self._weights is None else self._weights
        signs = self._signs(likeness[loudest] / np.sqrt(power * power[loudest] + 1e-30), loudest)
        total = signs @ likeness @ signs
        gain = min(1.0, math.sqrt(power[loudest] / max(total, 1e-30)))
        return (signs * gain).astype(np.float32)

    def _signs(self, correlation: NDArray[np.float64], loudest: int) -> NDArray[np.float64]:
        if self._weights is None:
            return np.where(correlation < _ANTI_PHASE, -1.0, 1.0)
        was = np.sign(self._weights)
        turned = was * was[loudest] < 0
        signs = np.where(correlation < np.where(turned, _TURNED_BACK, _ANTI_PHASE), -1.0, 1.0)
        return -signs if signs @ was < 0 else signs  # never through zero for a new loudest row
