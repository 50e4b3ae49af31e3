"""The visual artefact: one unit row a grid frame, embedded in batches on the warm model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from shared.cache.cache_dir import Draft
from shared.domain import AnalyzeSpec, Stage
from shared.media import MediaType
from workers.analysis.analyzed_file import AnalyzedFile
from workers.analysis.stage import PictureStage, StageRun
from workers.analysis.stages.rows import manifest_fields
from workers.context import Context
from workers.media.media_reader import MediaReader
from workers.media.pictures import GridFrame, Picture
from workers.models.protocols import VisualEmbedder

T = TypeVar("T")

_STILLS_A_BATCH = 16  # at least, where an Item has so many


class VisualStage(PictureStage):
    """Publishes Stage.VISUAL of the Item's model, which is lent when the first file needs it."""

    def __init__(self, context: Context, spec: AnalyzeSpec) -> None:
        super().__init__(context, spec)
        self._lent = ExitStack()
        self._batch: _PictureBatch | None = None

    def is_published(self, file: AnalyzedFile) -> bool:
        return file.published(Stage.VISUAL, self.spec.visual_model) is not None

    @contextmanager
    def open(self, file: AnalyzedFile, reader: MediaReader) -> Iterator[StageRun]:
        if self._batch is None:
            model = self._lent.enter_context(self.context.visual_model(self.spec.visual_model))
            are_stills = reader.probe.media_type is MediaType.IMAGE
            self._batch = _PictureBatch(self.context, model, waits_for_all=are_stills)
        with file.draft(Stage.VISUAL, self.spec.visual_model, ".npy") as draft:
            yield _VisualRun(self.context, self._batch, draft)

    def flush(self) -> None:
        if self._batch:
            self._batch.flush()

    def close(self) -> None:
        self._lent.close()


class _PictureBatch:
    """Prepared pictures of one or more files, on their way through the model."""

    def __init__(self, context: Context, model: VisualEmbedder, *, waits_for_all: bool) -> None:
        """`waits_for_all`: for the few dozen stills of an Item, so that no batch is a remnant."""
        self.model = model
        self._context = context
        self._waits_for_all = waits_for_all
        self._waiting: list[tuple[NDArray[np.float32], list[NDArray[np.float16]]]] = []

    def add(self, picture: Picture, rows: list[NDArray[np.float16]]) -> None:
        """Queue a picture, whose row is appended to `rows` when the batch is full or flushed."""
        scale = self.model.picture_side / min(picture.width, picture.height)
        rgb = picture.rgb(
            max(self.model.picture_side, round(picture.width * scale)),
            max(self.model.picture_side, round(picture.height * scale)),
        )
        self._waiting.append((self.model.prepare(rgb), rows))
        if len(self._waiting) >= self.model.batch_size and not self._waits_for_all:
            self.flush()

    def flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for batch in _even_parts(waiting, max(_STILLS_A_BATCH, self.model.batch_size)):
            self._context.checkpoint()
            vectors = self.model.embed_images(np.stack([prepared for prepared, _ in batch]))
            kind = "still" if self._waits_for_all else "video"
            self._context.counts.update({f"{kind}_batches": 1, f"{kind}_pictures": len(batch)})
            for (_, rows), vector in zip(batch, vectors, strict=True):
                rows.append(vector.astype(np.float16))


def _even_parts(waiting: list[T], at_least: int) -> Iterator[list[T]]:
    """Parts of nearly the same size, none smaller than `at_least` where there are so many."""
    count = max(1, len(waiting) // at_least)
    for number in range(count if waiting else 0):
        yield waiting[number * len(waiting) // count : (number + 1) * len(waiting) // count]


class _VisualRun(StageRun):
    def __init__(self, context: Context, batch: _PictureBatch, draft: Draft) -> None:
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
        # Not write_array: numpy writes to a file behind its back, and a full disk goes unnoticed.
        header = np.lib.format.header_data_from_array_1_0(array)
        np.lib.format.write_array_header_1_0(self._draft.file, header)
        self._draft.file.write(array.data)
        self._draft.publish(dim=array.shape[1], **manifest_fields(self._context, self._seconds))
