"""The frames artefact: a pack of small JPEGs of the grid, with scenes and probe in its manifest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared.cache.cache_dir import Draft
from shared.cache.frame_packs import PackWriter
from shared.domain import Stage as StageName
from workers.analysis.item_files import FoundFile
from workers.analysis.pipeline import FileInHand, Stage, StageRun
from workers.analysis.stages.rows import manifest_fields
from workers.analysis.stages.scenes import SceneCutter
from workers.context import Context
from workers.media.pictures import GridFrame


class Thumbnails(Stage):
    """Publishes Stage.FRAMES; needs no model."""

    def is_published(self, file: FoundFile) -> bool:
        return file.has(StageName.FRAMES)

    @contextmanager
    def open(self, file: FileInHand) -> Iterator[StageRun]:
        with file.cache.draft(
            file.hash_str, StageName.FRAMES, "", ".pack", self.context.draft_token
        ) as draft:
            yield _FramesRun(self.context, file, draft)


class _FramesRun(StageRun):
    def __init__(self, context: Context, file: FileInHand, draft: Draft) -> None:
        self._context = context
        self._file = file
        self._draft = draft
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
            probe=self._file.probe,
            warnings=tuple(self._file.warnings),
            **manifest_fields(self._context, self._seconds),
        )
