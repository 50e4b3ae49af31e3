"""The frames artefact: a pack of small JPEGs of the grid, with scenes and probe in its manifest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from shared.cache.cache_dir import Draft
from shared.cache.frame_packs import PackWriter
from shared.domain import Probe, Scene, Stage
from shared.media import MediaType
from workers.analysis.analyzed_file import AnalyzedFile
from workers.analysis.stage import PictureStage, Prepared, StageRun, manifest_fields
from workers.analysis.stages.scenes import SceneCutter
from workers.context import Context
from workers.media.media_reader import MediaReader
from workers.media.pictures import GridFrame

_Small = tuple[bytes, NDArray[np.uint8] | None]  # a thumbnail, and a picture for the scenes


class ThumbnailStage(PictureStage):
    """Publishes Stage.FRAMES; needs no model."""

    def is_published(self, file: AnalyzedFile) -> bool:
        return file.published(Stage.FRAMES) is not None

    @contextmanager
    def open(self, file: AnalyzedFile, reader: MediaReader) -> Iterator[StageRun]:
        with file.draft(Stage.FRAMES, "", ".pack") as draft:
            yield _ThumbnailRun(self.context, draft, reader.probe, reader.warnings)


class _ThumbnailRun(StageRun):
    def __init__(self, context: Context, draft: Draft, probe: Probe, warnings: list[str]) -> None:
        """`warnings` grows while the file is decoded."""
        self._context = context
        self._draft = draft
        self._probe = probe
        self._warnings = warnings
        self._pack = PackWriter(draft.file)
        # A still is one scene; to find that out takes longer than all else that is made of it.
        self._cutter = None if probe.media_type is MediaType.IMAGE else SceneCutter()
        self._seconds: list[int] = []

    def prepare(self, frame: GridFrame) -> Prepared[_Small]:
        picture = frame.picture
        jpeg = picture.thumbnail_jpeg()
        if self._cutter is None:
            return Prepared((jpeg, None), len(jpeg))
        width = SceneCutter.side
        small = picture.rgb(width, max(1, round(picture.height * width / picture.width)))
        return Prepared((jpeg, small), len(jpeg) + small.nbytes)

    def add(self, second: int, prepared: _Small) -> None:
        jpeg, small = prepared
        self._pack.add(second, jpeg)
        if self._cutter is not None and small is not None:
            self._cutter.add(second, small)
        self._seconds.append(second)

    def publish(self) -> None:
        self._pack.finish()
        self._draft.publish(
            scenes=self._cutter.finish() if self._cutter else (Scene(0, 1),),
            probe=self._probe,
            warnings=tuple(self._warnings),
            **manifest_fields(self._context, self._seconds),
        )
