"""What tells voices apart gives what the library gives that it was trained with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from tests.support.lite_models import voice_model
from workers.models.protocols import SAMPLE_RATE, VoiceEmbedder
from workers.models.weights.convert import voice_network

# Of `glides`: mels of librosa 0.11 (every 20th row) and rows of torch 2.15 with Resemblyzer's
# weights, of two windows.
_GOLDEN = np.load(Path(__file__).parent / "voices_golden.npz")


@pytest.fixture(scope="module")
def model() -> VoiceEmbedder:
    return voice_model()


def glides() -> NDArray[np.float32]:
    """Two seconds of a buzz whose pitch and loudness rise and fall."""
    at = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    angle = 2 * np.pi * (120 * at + 20 * np.sin(2 * np.pi * at))
    buzz = np.sum([np.sin(n * angle) / n for n in range(1, 20)], axis=0)
    return (0.05 * buzz * (1 + np.sin(2 * np.pi * 4 * at))).astype(np.float32)


def test_mels_are_librosas(model: VoiceEmbedder) -> None:
    mels = model.mels(glides())
    assert mels.shape == (201, 40)
    largest = _GOLDEN["mels"].max()
    np.testing.assert_allclose(mels[::20], _GOLDEN["mels"], atol=1e-6 * largest, rtol=1e-4)


def test_rows_are_torchs(model: VoiceEmbedder) -> None:
    mels, frames = model.mels(glides()), model.window_frames
    rows = model.embed(np.stack([mels[:frames], mels[41 : 41 + frames]]))
    cosines = (rows * _GOLDEN["rows"]).sum(axis=1)
    assert (cosines > 0.995).all(), "but for the weights' being whole numbers"
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_a_window_alone_has_the_row_that_it_has_among_many(model: VoiceEmbedder) -> None:
    mels, frames = model.mels(np.tile(glides(), 40)), model.window_frames
    windows = np.stack([mels[at : at + frames] for at in range(0, 7000, 97)])
    rows = model.embed(windows)
    assert len(rows) == len(windows) > 32
    alone = model.embed(windows[70:71])[0]
    assert alone @ rows[70] > 0.999, "numbers are rounded by what all windows of a batch have"


def test_silence_has_a_row_and_no_window_has_none(model: VoiceEmbedder) -> None:
    silent = model.mels(np.zeros(2 * SAMPLE_RATE, np.float32))[None, : model.window_frames]
    assert np.isfinite(model.embed(silent)).all()
    assert model.embed(silent[:0]).shape == (0, 256)


def test_the_network_that_is_built_counts_as_its_weights_say() -> None:
    rng = np.random.default_rng(3)
    channels, hidden, dim = 5, 8, 6
    weights = {"linear.weight": rng.normal(size=(dim, hidden)), "linear.bias": np.ones(dim)}
    for layer in range(3):
        width = channels if layer == 0 else hidden
        for name, shape in (
            ("weight_ih", (4 * hidden, width)),
            ("weight_hh", (4 * hidden, hidden)),
            ("bias_ih", (4 * hidden,)),
            ("bias_hh", (4 * hidden,)),
        ):
            weights[f"lstm.{name}_l{layer}"] = rng.normal(size=shape)
    weights = {name: value.astype(np.float32) for name, value in weights.items()}
    windows = rng.normal(size=(4, 7, channels)).astype(np.float32)
    session = ort.InferenceSession(voice_network(weights).SerializeToString())
    [rows] = session.run(["rows"], {"mels": windows})
    x = windows
    for layer in range(3):
        x = _lstm(x, {name: weights[f"lstm.{name}_l{layer}"] for name in _PARTS})
    ends = np.maximum(x[:, -1] @ weights["linear.weight"].T + 1, 0)
    np.testing.assert_allclose(rows, ends / np.linalg.norm(ends, axis=1)[:, None], atol=1e-5)


_PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def _lstm(x: NDArray[np.float32], weights: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """All outputs of an LSTM as torch's documentation writes it: gates i, f, g, o."""
    state = cell = np.zeros((len(x), weights["weight_hh"].shape[1]))
    outputs = []
    for step in range(x.shape[1]):
        gates = x[:, step] @ weights["weight_ih"].T + state @ weights["weight_hh"].T
        i, f, g, o = np.split(gates + weights["bias_ih"] + weights["bias_hh"], 4, axis=1)
        cell = cell / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        state = np.tanh(cell) / (1 + np.exp(-o))
        outputs.append(state)
    return np.stack(outputs, axis=1).astype(np.float32)
