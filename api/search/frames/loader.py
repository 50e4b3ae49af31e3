"""Brings the merged embeddings up to date with what a CacheDir holds for one model."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor

from api.cache.view import Announced, CacheView
from api.search.frames.artefacts import VisualData, manifest_path, read_visual
from api.search.frames.log import VectorLog, VectorSnapshot, VectorWriter
from api.search.loader import Loader
from shared.opening import RootedPath


class VectorLoader(Loader[str, Announced, VisualData, VectorSnapshot, VectorWriter]):
    """Loads visual artefacts, each named by the hash of its MediaFile."""

    read_at_once = 1  # hours of frames take megabytes

    def __init__(self, view: CacheView, model: str, log: VectorLog, pool: Executor) -> None:
        super().__init__(view, log, pool)
        self._model = model

    def _announced(self) -> Mapping[str, Announced]:
        return self._view.announced(self._model)

    def _correct(self, key: str, source: Announced | None) -> None:
        self._view.correct(key, self._model, source)

    def _held(self, snapshot: VectorSnapshot) -> Mapping[str, Announced]:
        return {file.hash_str: (file.file, file.frames) for file in snapshot.by_start}

    def _read(self, key: str, wait_s: float) -> VisualData | None:
        return read_visual(self._view.cache, key, self._model, wait_s=wait_s)

    def _source_of(self, content: VisualData) -> Announced:
        return content.file, content.frames

    def _add(self, writer: VectorWriter, key: str, content: VisualData) -> str | None:
        dim = content.vectors.shape[1]
        if writer.dim not in (None, dim):
            return f"Its vectors have {dim} dimensions, those of the other files {writer.dim}."
        writer.add(key, content)
        return None

    def _hash(self, key: str) -> str:
        return key

    def _manifest_path(self, key: str) -> RootedPath:
        return manifest_path(self._view.cache, key, self._model)
