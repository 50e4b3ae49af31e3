"""The sentence encoder of the lite model: MiniLM on ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from workers.models.onnx_sessions import open_session

_DIM = 384
_MAX_TOKENS = 128
_BATCH = 32


class SentenceEncoder:
    """Texts to unit rows that are near each other when the texts mean similar things."""

    def __init__(self, folder: Path, device: str) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(_MAX_TOKENS)
        self._tokenizer.enable_padding()
        self._session = open_session(folder / "text.onnx", device)

    def embed(self, texts: list[str]) -> NDArray[np.float32]:
        """n texts -> unit rows [n, 384]."""
        if not texts:
            return np.empty((0, _DIM), np.float32)
        rows = [
            self._embed_batch(texts[first : first + _BATCH])
            for first in range(0, len(texts), _BATCH)
        ]
        return np.concatenate(rows)

    def _embed_batch(self, texts: list[str]) -> NDArray[np.float32]:
        encoded = self._tokenizer.encode_batch(texts)
        feed = {
            "input_ids": np.array([entry.ids for entry in encoded], np.int64),
            "attention_mask": np.array([entry.attention_mask for entry in encoded], np.int64),
        }
        return cast("NDArray[np.float32]", self._session.run(["embeddings"], feed)[0])


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return cast("NDArray[np.float32]", rows / norms)
