"""The lite visual model: EfficientNet-Lite0 names what it sees, MiniLM places the names (ConSE)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer

from shared.models.specs import ModelSpec
from workers.models.onnx_sessions import open_session
from workers.models.turns import Turns

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


_ARTICLE = r"(?:an?|the|some|my)\s+"
_MEDIUM = (
    r"(?:photo(?:graph)?|picture|image|video|clip|movie|footage|shot|still|frame|snapshot|"
    r"close[- ]?up|view|scene)s?"
)
_PREFIX = re.compile(
    rf"^(?:show\s+me\s+|find\s+(?:me\s+)?|search\s+(?:for\s+)?)?(?:{_ARTICLE})?"
    rf"(?:(?:good|close|wide|old|colou?r|black[- ]and[- ]white)\s+)?{_MEDIUM}\s+"
    r"(?:of|showing|with|containing|that\s+shows?)\s+",
    re.IGNORECASE,
)
_LEADING_ARTICLE = re.compile(rf"^{_ARTICLE}", re.IGNORECASE)

_SIDE = 224


class ConseEmbedder:
    """ConSE: a picture is the mean of its classes' names, weighted by a power of probability.

    Names and queries are centred on the mean name, so that what all texts share says nothing.
    """

    batch_size = 8
    picture_side = _SIDE

    def __init__(self, spec: ModelSpec, folder: Path, device: str) -> None:
        self.spec = spec
        self._session = open_session(folder / "image.onnx", device)
        self._sentences = SentenceEncoder(folder, device)
        self._names = np.load(folder / "classes.npy")
        self._mean = self._names.mean(axis=0)
        self._turns = Turns()

    def warmup(self) -> None:
        self.embed_images(np.zeros((1, 3, _SIDE, _SIDE), np.float32))
        self.embed_texts(["warm-up"])

    def prepare(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The whole picture, squeezed into the square: nothing at its edges is lost."""
        if rgb.shape[:2] != (_SIDE, _SIDE):
            picture = Image.fromarray(rgb).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
            rgb = np.asarray(picture)
        scaled = rgb.astype(np.float32) * (2 / 255) - 1
        return np.ascontiguousarray(scaled.transpose(2, 0, 1))

    def embed_images(self, prepared: NDArray[np.float32]) -> NDArray[np.float32]:
        with self._turns:
            rows = self._session.run(["embeddings"], {"pixels": prepared})[0]
        return cast("NDArray[np.float32]", rows)

    def embed_sentences(self, texts: list[str]) -> NDArray[np.float32]:
        with self._turns:
            return self._sentences.embed(texts)

    def familiarity(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """The greatest cosine of a text with a class's name, before both were centred.

        A row is text - mean, scaled to 1: so the text, of length 1 itself, is found again.
        """
        along = rows @ self._mean
        scale = np.sqrt(along**2 + 1 - self._mean @ self._mean) - along
        texts = self._mean + scale[:, None] * rows
        return cast("NDArray[np.float32]", (texts @ self._names.T).max(axis=1))

    def embed_texts(self, texts: list[str]) -> NDArray[np.float32]:
        return unit(self.embed_sentences([strip_prompt(text) for text in texts]) - self._mean)


def strip_prompt(text: str) -> str:
    """A query without its prompt: "A photo of a dog." -> "dog"; unchanged if nothing is left."""
    stripped = " ".join(text.split()).strip(" .!?\"'")
    before = None
    while before != stripped:
        before = stripped
        stripped = _PREFIX.sub("", stripped, count=1)
    return _LEADING_ARTICLE.sub("", stripped) or text
