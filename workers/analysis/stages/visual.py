"""The visual artefact: one unit row a grid frame, embedded in batches on the warm model."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
from numpy.typing import NDArray

from shared.cache.cache_dir import Draft
from shared.domain import AnalyzeSpec, Stage
from shared.media import MediaType
from workers.analysis.analyzed_file import AnalyzedFile
from workers.analysis.stage import ModelBatches, PictureStage, Prepared, StageRun, manifest_fields
from workers.context import Context
from workers.media.media_reader import MediaReader
from workers.media.pictures import GridFrame
from workers.models.protocols import VisualEmbedder


class VisualStage(PictureStage):
    """Publishes Stage.VISUAL of the Item's model, which is lent when the first file needs it."""

    def __init__(self, context: Context, spec: AnalyzeSpec) -> None:
        super().__init__(context, spec)
        self._lent = ExitStack()
        self._model: VisualEmbedder | None = None
        self._batches: ModelBatches | None = None

    def is_published(self, file: AnalyzedFile) -> bool:
        return file.published(Stage.VISUAL, self.spec.visual_model) is not None

    @contextmanager
    def open(self, file: AnalyzedFile, reader: MediaReader) -> Iterator[StageRun]:
        if self._model is None:
            lend = self.context.visual_model(self.spec.visual_model)
            self._model = self._lent.enter_context(lend)
            are_stills = reader.probe.media_type is MediaType.IMAGE
            self._batches = ModelBatches(
                self.context,
                self._model.embed_images,
                self._model.batch_size,
                "still" if are_stills else "video",
                leaves_none=are_stills,
            )
        assert self._batches
        with file.draft(Stage.VISUAL, self.spec.visual_model, ".npy") as draft:
            yield _VisualRun(self.context, self._model, self._batches, draft)

    def flush(self) -> None:
        if self._batches:
            self._batches.flush()

    def close(self) -> None:
        self._lent.close()


class _VisualRun(StageRun):
    in_order = False  # the model never waits for a picture whose turn it is

    def __init__(
        self, context: Context, model: VisualEmbedder, batches: ModelBatches, draft: Draft
    ) -> None:
        self._context = context
        self._model = model
        self._batches = batches
        self._draft = draft
        self._rows: dict[int, NDArray[np.float16]] = {}  # by second

    def prepare(self, frame: GridFrame) -> Prepared[NDArray[np.float32]]:
        picture, side = frame.picture, self._model.picture_side
        scale = side / min(picture.width, picture.height)
        width, height = round(picture.width * scale), round(picture.height * scale)
        prepared = self._model.prepare(picture.rgb(max(side, width), max(side, height)))
        return Prepared(prepared, prepared.nbytes)

    def add(self, second: int, prepared: NDArray[np.float32]) -> None:
        self._batches.add(prepared, functools.partial(self._take_row, second))

    def publish(self) -> None:
        seconds = sorted(self._rows)
        array = np.stack([self._rows[second] for second in seconds])
        # Not write_array: numpy writes to a file behind its back, and a full disk goes unnoticed.
        header = np.lib.format.header_data_from_array_1_0(array)
        np.lib.format.write_array_header_1_0(self._draft.file, header)
        self._draft.file.write(array.data)
        self._draft.publish(dim=array.shape[1], **manifest_fields(self._context, seconds))

    def _take_row(self, second: int, row: NDArray[np.float32]) -> None:
        self._rows[second] = row.astype(np.float16)
