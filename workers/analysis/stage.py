"""The interface of analysis stages: what is made of the pictures of files, and of their sound.

A new stage of pictures is a PictureStage in workers/analysis/stages/ and a place in the list of
workers/start.py; the pipeline decodes each file once for all of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol

from shared.domain import AnalyzeSpec, ProgressType
from workers.analysis.analyzed_file import AnalyzedFile
from workers.analysis.frame_stream import Prepared
from workers.context import Context
from workers.media.media_reader import MediaReader
from workers.media.pictures import GridFrame

LEFT_FOR_PUBLISHING = 0.02  # of a file's progress


class StageRun(ABC):
    """What one stage makes of one file."""

    in_order: ClassVar[bool] = True  # whether `add` wants the seconds to ascend

    @abstractmethod
    def prepare(self, frame: GridFrame) -> Prepared[Any]:
        """What `add` needs of a picture, which is gone afterwards.

        Called in decode threads, for several frames at once and in any order: it may change
        nothing that others see.
        """

    @abstractmethod
    def add(self, second: int, prepared: Any) -> None:
        """Take what was prepared of one frame, in the Item's thread; some seconds may be missing.

        A result may wait for a full batch; after the stage's `flush` none is outstanding.
        """

    @abstractmethod
    def publish(self) -> None:
        """Make the result visible: all frames were seen and the file did not change meanwhile.

        Called once at most. Raises CacheError.
        """


class PictureStage(ABC):
    """One kind of artefact that is made of grid frames, such as thumbnails. One object an Item.

    `begin` comes first. Then, for each group of files (a video alone, stills together):
    `is_published` and, where something is missing, `open` for every file; `flush`; the runs'
    `publish`; `gather`. `finish` comes after the last group, `close` last of all, whatever
    happened. Every method may raise CacheError, which fails the Item, and what `Context.checkpoint`
    raises, which no stage may catch.
    """

    part: ClassVar[ProgressType] = ProgressType.VIDEO  # files that want this part get the stage

    def __init__(self, context: Context, spec: AnalyzeSpec) -> None:
        """Opens nothing: files may need nothing, or the Item may have none."""
        self.context = context
        self.spec = spec

    def begin(self) -> None:
        """Before the first file of the Item."""
        return

    @abstractmethod
    def is_published(self, file: AnalyzedFile) -> bool:
        """Whether the artefact is there and new enough, so that the file needs no run of it."""

    @abstractmethod
    def open(self, file: AnalyzedFile, reader: MediaReader) -> AbstractContextManager[StageRun]:
        """A run for this file, which `reader` has opened and not yet read.

        Raises ModelError where the model cannot be had: then the whole part is left out of the
        Item. Leaving the block without `publish` leaves no trace. `reader.warnings` grows until
        the last frame; the reader itself is closed before `publish`.
        """

    def flush(self) -> None:
        """Finish what waits for more frames; before anything of the group is published."""
        return

    def gather(self, files: Sequence[AnalyzedFile]) -> None:
        """For these files the artefact is published, now or before; others of the group failed."""
        return

    def finish(self) -> None:
        """All files of the Item have been seen. Raises ModelError as `open` does."""
        return

    def close(self) -> None:
        """The Item has ended, well or not: give back what the stage holds. Raises nothing."""
        return


class SoundStage(Protocol):
    """What is made of the sound of an Item's files. One object an Item."""

    def do(self, files: Sequence[AnalyzedFile]) -> None:
        """Make the artefacts and end each file's AUDIO; a file that cannot be used fails alone.

        Raises ModelError and CacheError, which fail the Item.
        """


def share_done(seconds: float, duration_seconds: float | None) -> float:
    """Part of a file's work that is done after so many of its seconds."""
    if not duration_seconds:
        return 1 - LEFT_FOR_PUBLISHING
    return min(1.0, seconds / duration_seconds) * (1 - LEFT_FOR_PUBLISHING)


PictureStageFactory = Callable[[Context, AnalyzeSpec], PictureStage]
SoundStageFactory = Callable[[Context, AnalyzeSpec], SoundStage]


def manifest_fields(context: Context, seconds: list[int]) -> dict[str, Any]:
    """Rows are numbered from the first second; where some are missing, all are listed."""
    first = seconds[0]
    has_gaps = seconds[-1] - first + 1 != len(seconds)
    return {
        "rows": len(seconds),
        "first_frame": first,
        "seconds": tuple(seconds) if has_gaps else None,
        "task_id": context.lease.task_id,
        "worker": context.bench.worker,
    }
