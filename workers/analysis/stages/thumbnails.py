"""The frames artefact: a pack of small JPEGs of the grid, with scenes and probe in its manifest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared.cache.cache_dir import Draft
from shared.cache.frame_packs import PackWriter
from shared.domain import Probe, Stage
from workers.analysis.analyzed_file import AnalyzedFile
from workers.analysis.stage import PictureStage, StageRun
from workers.analysis.stages.rows import manifest_fields
from workers.analysis.stages.scenes import SceneCutter
from workers.context import Context
from workers.media.media_reader import MediaReader
from workers.media.pictures import GridFrame


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
        self._cutter = SceneCutter()
        self._seconds: list[int] = []

    def add(self, frame: GridFrame) -> None:
        picture = frame.picture
        self._pack.add(frame.second, picture.thumbnail_jpeg())
        width = SceneCutter.side
        height = max(1, round(picture.height * width / picture.width))
        self._cutter.add(frame.second, picture.rgb(width, height))
        self._seconds.append(frame.second)

    def publish(self) -> None:
        self._pack.finish()
        self._draft.publish(
            scenes=self._cutter.finish(),
            probe=self._probe,
            warnings=tuple(self._warnings),
            **manifest_fields(self._context, self._seconds),
        )
