"""Brings a merged array up to date with what the CacheDir holds for one model."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor

from api.cache.view import Announced, CacheView
from api.search.frames.artefacts import manifest_path, read_visual
from api.search.frames.merged import Merged, MergedArray, Snapshot, Writer
from shared.cache.cache_dir import LISTING_WAIT_S
from shared.errors import CacheError


class LoadedModel:
    """The visual data of one CacheDir and model. Safe for threads and replicas."""

    def __init__(self, view: CacheView, model: str, array: MergedArray) -> None:
        self._view = view
        self._model = model
        self._array = array
        self._lock = threading.Lock()
        self._merged_at: tuple[int, str] | None = None
        self._unusable: dict[str, tuple[Announced, str]] = {}

    def snapshot(self) -> Snapshot:
        return self._array.snapshot()

    def unusable(self) -> dict[str, str]:
        """Reasons by hash."""
        with self._lock:
            return {hash_str: reason for hash_str, (_, reason) in self._unusable.items()}

    def bring_up(self, wait_s: float, *, retry: bool) -> None:
        """Merge what was announced and is not merged yet; cheap when nothing was.

        `retry`: try again what was unusable. Raises Unavailable after waiting for `wait_s`.
        """
        version = self._view.version
        with self._lock:
            if retry:
                self._unusable.clear()
            elif self._merged_at == (version, self._array.snapshot().generation):
                return
        if self._todo(self._array.snapshot().files):
            with self._array.writing(wait_s) as writer:
                deadline = time.monotonic() + LISTING_WAIT_S  # for all denied files together
                # Another thread or replica may have done it while we waited.
                for hash_str, announced in self._todo(writer.files).items():
                    reason = self._merge(writer, hash_str, deadline)
                    if reason:
                        with self._lock:
                            self._unusable[hash_str] = (announced, reason)
        with self._lock:
            self._merged_at = (version, self._array.snapshot().generation)

    def deleted(self, hashes: Iterable[str], pool: Executor) -> set[str]:
        """Those whose artefact was deleted, in a folder that is still there."""
        hashes = list(hashes)
        paths = [manifest_path(self._view.cache, hash_str, self._model) for hash_str in hashes]
        there = pool.map(os.path.exists, paths)
        missing = {h for h, exists in zip(hashes, there, strict=True) if not exists}
        # A share that vanished just now deletes nothing.
        return missing if missing and self._view.cache.is_there() else set()

    def remove(self, hashes: Iterable[str], wait_s: float) -> None:
        with self._array.writing(wait_s) as writer:
            for hash_str in hashes:
                self._view.correct(hash_str, self._model, None)
                writer.remove(hash_str)

    def _todo(self, merged: Mapping[str, Merged]) -> dict[str, Announced]:
        with self._lock:
            unusable = dict(self._unusable)
        todo = {}
        for hash_str, announced in self._view.announced(self._model).items():
            known = merged.get(hash_str)
            if known is not None and (known.file, known.frames) == announced:
                continue
            if hash_str in unusable and unusable[hash_str][0] == announced:
                continue
            todo[hash_str] = announced
        return todo

    def _merge(self, writer: Writer, hash_str: str, deadline: float) -> str | None:
        """Take up one artefact; returns why it cannot be used."""
        wait_s = deadline - time.monotonic()
        try:
            data = read_visual(self._view.cache, hash_str, self._model, wait_s=wait_s)
        except CacheError as error:
            writer.remove(hash_str)
            return error.message
        if data is None:
            self._view.correct(hash_str, self._model, None)
            writer.remove(hash_str)
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
