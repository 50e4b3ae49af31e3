"""The sentence encoder of the lite model: MiniLM on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from workers.models.onnx_sessions import open_session

_DIM = 384
_MAX_TOKENS = 128
_BATCH = 32
_STRETCH = 1.5  # times the tokens of the shortest text of a batch; costs least from 1.25 to 2


class SentenceEncoder:
    """Texts to unit rows that are near each other when the texts mean similar things."""

    def __init__(self, folder: Path, device: str) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(_MAX_TOKENS)
        self._tokenizer.no_padding()
        self._session = open_session(folder / "text.onnx", device)

    def embed(self, texts: list[str]) -> NDArray[np.float32]:
        """n texts -> unit rows [n, 384]."""
        tokens = [entry.ids for entry in self._tokenizer.encode_batch(texts)]
        rows = np.empty((len(texts), _DIM), np.float32)
        for batch in _of_like_length(tokens):
            rows[batch] = self._embed_batch([tokens[number] for number in batch])
        return rows

    def _embed_batch(self, tokens: list[list[int]]) -> NDArray[np.float32]:
        ids = np.zeros((len(tokens), max(map(len, tokens))), np.int64)
        mask = np.zeros_like(ids)
        for row, text in enumerate(tokens):
            ids[row, : len(text)] = text
            mask[row, : len(text)] = 1
        feed = {"input_ids": ids, "attention_mask": mask}
        return cast("NDArray[np.float32]", self._session.run(["embeddings"], feed)[0])


def _of_like_length(tokens: list[list[int]]) -> Iterator[list[int]]:
    """Numbers of texts in batches of like length, for all of a batch are padded to its longest.

    Beside a text of forty words, short ones would take longer together than each alone.
    """
    order = sorted(range(len(tokens)), key=lambda number: len(tokens[number]))
    while order:
        most = _STRETCH * len(tokens[order[0]])
        batch = [number for number in order[:_BATCH] if len(tokens[number]) <= most]
        yield batch
        order = order[len(batch) :]


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return cast("NDArray[np.float32]", rows / norms)
