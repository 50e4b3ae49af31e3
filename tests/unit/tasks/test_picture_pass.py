"""A pass over pictures: what one part or one file fails of leaves the others alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from shared.cache.cache_dir import CacheDir, Draft
from shared.domain import AnalyzeSpec, FileSpec, ProgressType, Stage
from shared.errors import MediaChanging, ModelError
from shared.media import MediaType
from tests.support.analysis.bare_context import EndedParts, bare_context
from tests.support.media.media import make_still
from workers.analysis.analyzed_file import AnalysisStep, AnalyzedFile
from workers.analysis.picture_pass import PicturePass
from workers.analysis.stage import PictureStage, Prepared, StageRun
from workers.media.media_reader import MediaReader
from workers.media.pictures import GridFrame

VIDEO, FACES = ProgressType.VIDEO, ProgressType.FACES


class FrameRun(StageRun):
    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._rows = 0

    def prepare(self, frame: GridFrame) -> Prepared[None]:
        return Prepared(None, 0)

    def add(self, second: int, prepared: None) -> None:
        self._rows += 1
        self._draft.file.write(b"frame")

    def publish(self) -> None:
        self._draft.publish(rows=self._rows)


class FrameStage(PictureStage):
    """Makes the frames artefact; `edited` files change while they wait to be published."""

    makes: ClassVar[Stage] = Stage.FRAMES

    def __init__(self, context: Any, spec: AnalyzeSpec) -> None:
        super().__init__(context, spec)
        self.opened: list[int] = []
        self.gathered: list[int] = []
        self.edited: list[Path] = []

    def is_published(self, file: AnalyzedFile) -> bool:
        return file.published(self.makes) is not None

    @contextmanager
    def open(self, file: AnalyzedFile, reader: MediaReader) -> Iterator[StageRun]:
        self.opened.append(file.index)
        with file.draft(self.makes, "", ".pack") as draft:
            yield FrameRun(draft)

    def flush(self) -> None:
        for path in self.edited:
            make_still(path, colour=(1, 2, 3))

    def gather(self, files: Sequence[AnalyzedFile]) -> None:
        self.gathered += [file.index for file in files]


class ModellessStage(FrameStage):
    """Would find faces, if its model could be had."""

    part = FACES
    makes = Stage.FACES

    @contextmanager
    def open(self, file: AnalyzedFile, reader: MediaReader) -> Iterator[StageRun]:
        self.opened.append(file.index)
        raise ModelError("The model cannot be loaded.")
        yield


class World:
    """Two stills of one Item, of which both parts are wanted."""

    def __init__(self, folder: Path) -> None:
        self.cache = CacheDir.open(folder / "cache", create=True)
        self.paths = [make_still(folder / f"{n}.png", colour=(90 * n, 200, 30)) for n in range(2)]
        self.ended = EndedParts()
        self.context = bare_context(folder, self.ended)
        self.spec = AnalyzeSpec(
            cache_dir=str(folder / "cache"),
            files=tuple(
                FileSpec(str(path), str(path), MediaType.IMAGE, (VIDEO, FACES))
                for path in self.paths
            ),
        )
        self.stage = FrameStage(self.context, self.spec)

    def do(self, *more: PictureStage) -> tuple[PicturePass, list[AnalyzedFile]]:
        files = [AnalyzedFile(self.context, self.cache, self.spec, n) for n in range(2)]
        pictures = PicturePass(self.context, self.spec, [self.stage, *more])
        pictures.do(files)
        return pictures, files

    def drafts(self) -> list[Path]:
        return list((self.cache.root.path / "media").rglob("*.tmp"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_part_without_its_model_leaves_the_other_part_to_be_made(world: World) -> None:
    faces = ModellessStage(world.context, world.spec)
    pictures, files = world.do(faces)
    assert {part: error.message for part, error in pictures.broken.items()} == {
        FACES: "The model cannot be loaded."
    }
    assert world.ended.told == [(0, VIDEO, None, False), (1, VIDEO, None, False)]
    assert [file.step for file in files] == [AnalysisStep.PUBLISHED] * 2
    assert all(file.published(Stage.FRAMES) for file in files)
    assert (faces.opened, world.stage.gathered, faces.gathered) == ([0], [0, 1], [])
    assert world.drafts() == []


def test_a_part_without_its_model_leaves_what_is_published_of_the_other(world: World) -> None:
    world.do()
    world.ended.told.clear()
    world.stage.opened.clear()
    faces = ModellessStage(world.context, world.spec)
    pictures, _ = world.do(faces)
    assert list(pictures.broken) == [FACES]
    assert world.ended.told == [(0, VIDEO, None, True), (1, VIDEO, None, True)]
    assert (world.stage.opened, faces.opened) == ([], [0])
    assert world.drafts() == []


def test_a_still_that_changed_before_its_group_is_published_fails_alone(world: World) -> None:
    world.stage.edited = [world.paths[0]]
    _, files = world.do()
    changed = MediaChanging().message
    assert sorted(world.ended.told) == [
        (0, FACES, changed, False),
        (0, VIDEO, changed, False),
        (1, FACES, None, True),
        (1, VIDEO, None, False),
    ]
    assert (files[0].published(Stage.FRAMES), files[0].step) == (None, AnalysisStep.FOUND)
    assert files[1].published(Stage.FRAMES)
    assert world.stage.gathered == [1]
    assert world.drafts() == []
