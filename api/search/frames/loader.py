"""Brings the merged embeddings up to date with what a CacheDir holds for one model."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from pathlib import Path

from api.cache.view import Announced, CacheView
from api.search.frames.artefacts import manifest_path, read_visual
from api.search.frames.log import VectorLog, VectorSnapshot, VectorWriter
from api.search.loader import Loader
from shared.errors import CacheError


class VectorLoader(Loader[str, Announced, VectorSnapshot, VectorWriter]):
    """Loads visual artefacts, each named by the hash of its MediaFile."""

    def __init__(self, view: CacheView, model: str, log: VectorLog, pool: Executor) -> None:
        super().__init__(view, log, pool)
        self._model = model

    def _announced(self) -> Mapping[str, Announced]:
        return self._view.announced(self._model)

    def _held(self, snapshot: VectorSnapshot) -> Mapping[str, Announced]:
        return {file.hash_str: (file.file, file.frames) for file in snapshot.by_start}

    def _load(
        self, writer: VectorWriter, todo: Mapping[str, Announced], deadline: float
    ) -> Iterator[tuple[str, str]]:
        for hash_str in todo:
            if reason := self._merge(writer, hash_str, deadline):
                yield hash_str, reason

    def _merge(self, writer: VectorWriter, hash_str: str, deadline: float) -> str | None:
        """Take up one artefact; returns why it cannot be used."""
        wait_s = deadline - time.monotonic()
        try:
            data = read_visual(self._view.cache, hash_str, self._model, wait_s=wait_s)
        except CacheError as error:
            writer.remove(hash_str)
            return error.message
        if data is None:
            self._forget(writer, hash_str)
            return None
        self._view.correct(hash_str, self._model, (data.file, data.frames))
        known = writer.files.get(hash_str)
        if known is not None and (known.file, known.frames) == (data.file, data.frames):
            return None
        dim = data.vectors.shape[1]
        if writer.dim not in (None, dim):
            return f"Its vectors have {dim} dimensions, those of the other files {writer.dim}."
        writer.add(hash_str, data)
        return None

    def _forget(self, writer: VectorWriter, key: str) -> None:
        self._view.correct(key, self._model, None)
        writer.remove(key)

    def _hash(self, key: str) -> str:
        return key

    def _manifest_path(self, key: str) -> Path:
        return manifest_path(self._view.cache, key, self._model)
