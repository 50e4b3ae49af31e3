"""The visual artefact: one unit row a grid frame, embedded in batches on the warm model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
from numpy.typing import NDArray

from shared.cache import CacheDir, Draft
from shared.domain import AnalyzeSpec
from shared.domain import Stage as StageName
from shared.media import MediaType
from workers.analysis.pictures import GridFrame, Picture
from workers.analysis.pipeline import FileInHand, Stage, StageRun
from workers.analysis.stages.rows import manifest_fields
from workers.context import Context
from workers.models.protocols import VisualEmbedder

_STILLS_A_BATCH = 16  # at least: stills arrive by the dozen, and nobody stops within one of them


class Visual(Stage):
    """Publishes Stage.VISUAL of the Item's model, which is lent when the first file needs it."""

    def __init__(self, context: Context, spec: AnalyzeSpec) -> None:
        super().__init__(context, spec)
        self._lent = ExitStack()
        self._batch: _Batch | None = None

    def is_published(self, cache: CacheDir, hash_str: str) -> bool:
        return cache.is_published(hash_str, StageName.VISUAL, self.spec.visual_model)

    @contextmanager
    def open(self, file: FileInHand) -> Iterator[StageRun]:
        if self._batch is None:
            model = self._lent.enter_context(self.context.visual_model(self.spec.visual_model))
            size = model.batch_size
            if file.probe.media_type is MediaType.IMAGE:
                size = max(size, _STILLS_A_BATCH)
            self._batch = _Batch(self.context, model, size)
        with file.cache.draft(
            file.hash_str,
            StageName.VISUAL,
            self.spec.visual_model,
            ".npy",
            self.context.draft_token,
        ) as draft:
            yield _VisualRun(self.context, self._batch, draft)

    def flush(self) -> None:
        if self._batch:
            self._batch.flush()

    def close(self) -> None:
        self._lent.close()


class _Batch:
    """Prepared pictures of one or more files, on their way through the model."""

    def __init__(self, context: Context, model: VisualEmbedder, size: int) -> None:
        self.model = model
        self._context = context
        self._size = size
        self._waiting: list[tuple[NDArray[np.float32], list[NDArray[np.float16]]]] = []

    def add(self, picture: Picture, rows: list[NDArray[np.float16]]) -> None:
        """Its row is appended to `rows` when the batch is full or flushed."""
        scale = self.model.picture_side / min(picture.width, picture.height)
        rgb = picture.rgb(
            max(self.model.picture_side, round(picture.width * scale)),
            max(self.model.picture_side, round(picture.height * scale)),
        )
        self._waiting.append((self.model.prepare(rgb), rows))
        if len(self._waiting) >= self._size:
            self.flush()

    def flush(self) -> None:
        if not self._waiting:
            return
        self._context.checkpoint()
        waiting, self._waiting = self._waiting, []
        vectors = self.model.embed_images(np.stack([prepared for prepared, _ in waiting]))
        for (_, rows), vector in zip(waiting, vectors, strict=True):
            rows.append(vector.astype(np.float16))


class _VisualRun(StageRun):
    def __init__(self, context: Context, batch: _Batch, draft: Draft) -> None:
        self._context = context
        self._batch = batch
        self._draft = draft
        self._rows: list[NDArray[np.float16]] = []
        self._seconds: list[int] = []

    def add(self, frame: GridFrame) -> None:
        self._seconds.append(frame.second)
        self._batch.add(frame.picture, self._rows)

    def publish(self) -> None:
        array = np.stack(self._rows)
        np.lib.format.write_array(self._draft.file, array, allow_pickle=False)
        self._draft.publish(dim=array.shape[1], **manifest_fields(self._context, self._seconds))
