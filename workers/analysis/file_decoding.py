"""One file while its pictures are decoded, and what its stages make of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from shared.domain import AnalyzeSpec, Probe, ProgressType
from shared.errors import MediaUnreadable
from shared.media import MediaType
from workers.analysis.analyzed_file import AnalyzedFile
from workers.analysis.stage import (
    FrameStream,
    PictureStage,
    Prepared,
    PreparedFrame,
    Reading,
    StageRun,
)
from workers.context import Context
from workers.media.budget import work_limit_s
from workers.media.media_reader import MediaReader
from workers.media.pictures import GridFrame
from workers.media.ranges import GridRange, RangeReader


@dataclass(slots=True)
class BegunRuns:
    """What the stages have begun for a file. It leaves no trace when `drafts` is closed."""

    stages: list[PictureStage]
    drafts: ExitStack
    runs: list[StageRun] = field(default_factory=list)
    parts: list[ProgressType] = field(default_factory=list)  # that they make


class FileDecoding(ExitStack):
    """Decoding begins with it, in decode threads; in its block `take` uses what they make."""

    def __init__(
        self,
        context: Context,
        spec: AnalyzeSpec,
        file: AnalyzedFile,
        reader: MediaReader,
        ranges: Sequence[GridRange],
        begun: BegunRuns,
        opened: ExitStack,
    ) -> None:
        """`ranges` of the reader that are decoded side by side; none: one thread decodes it all.

        `opened`: what must be closed after the last decode thread has left the file.
        """
        super().__init__()
        self.push(opened)
        self.file = file
        self.begun = begun
        self.probe = reader.probe
        self.frames = 0  # that were taken so far
        self._context = context
        self._spec = spec
        self._reader = reader
        self._last = spec.first_second
        self._ranges = ranges
        self._range_readers: SimpleQueue[RangeReader] = SimpleQueue()  # that no thread uses
        self.callback(self._close_range_readers)
        self._seen: list[float] = []  # to which seconds ranges were read
        parts: list[Reading] = [functools.partial(self._range, each) for each in self._ranges]
        self._stream = self.enter_context(
            FrameStream(
                context.bench.decoders,
                context.cores,
                parts or [self._whole],
                self._prepare,
                context.stall.arm,
                _still_bytes(reader.probe),
            )
        )

    def warn(self, warning: str) -> None:
        """Add to what is said of the file where its pictures are."""
        self._reader.warnings.append(warning)

    @property
    def seconds(self) -> int:
        """Seconds of the file that were used so far; where it has gaps, rather fewer."""
        return max(self.frames, self._last + 1 - self._spec.first_second if self.frames else 0)

    def take(self, has_taken: Callable[[], None]) -> None:
        """Give all its frames to the runs, report each, and leave what they made to the file.

        Raises MediaUnreadable, RangesDisagree, and as `Context.checkpoint` does.
        """
        limit_s = work_limit_s(self.file.opened.status, self.probe.duration_seconds)
        self._context.come_to(self.file.index, "the pictures", self._spec.first_second)

        def as_it_comes(frame: PreparedFrame) -> PreparedFrame:
            self._context.checkpoint()
            self.frames += 1
            has_taken()
            return self._give(frame, in_order=False)

        def in_order(frame: PreparedFrame) -> None:
            self._context.checkpoint()
            self._context.come_to(self.file.index, "the pictures", frame.second)
            self._give(frame, in_order=True)
            self._last = frame.second

        with self._context.limited(limit_s):
            self._stream.take(as_it_comes, in_order, self._wait)
        if self._ranges:
            self._reader.ranges_were_read(self._spec.last_second, max(self._seen))
        if not self.frames:
            raise MediaUnreadable("There is no picture in it.")
        has_taken()
        publishers = [run.publish for run in self.begun.runs]
        self.file.decoded(publishers, self.begun.drafts.pop_all(), self.begun.parts)

    def _give(self, frame: PreparedFrame, *, in_order: bool) -> PreparedFrame:
        """Let the runs of one kind take a frame; what is left of it."""
        left: dict[int, Prepared[Any]] = {}
        for place, prepared in frame.prepared.items():
            run = self.begun.runs[place]
            if run.in_order is in_order:
                run.add(frame.second, prepared.value)
            else:
                left[place] = prepared
        return PreparedFrame(frame.part, frame.second, left)

    def _wait(self) -> None:
        self._context.signals.raise_if_set()
        self._context.progress.send_report()

    def _range(self, part: GridRange, checkpoint: Callable[[], None]) -> Iterator[GridFrame]:
        """In a decode thread: a part of the file."""
        try:
            reader = self._range_readers.get_nowait()
        except Empty:
            reader = self._reader.range_reader()
        try:
            yield from reader.read(part, checkpoint)
        finally:
            self._range_readers.put(reader)
            self._seen.append(reader.last_seen)

    def _close_range_readers(self) -> None:
        while not self._range_readers.empty():
            self._range_readers.get().close()

    def _whole(self, checkpoint: Callable[[], None]) -> Iterator[GridFrame]:
        """In a decode thread: the whole file, which is given back as soon as it was read."""
        first, last = self._spec.first_second, self._spec.last_second
        with closing(self._reader):
            yield from self._reader.grid(first, last, checkpoint)

    def _prepare(self, frame: GridFrame) -> dict[int, Prepared[Any]]:
        """In a decode thread."""
        return {place: run.prepare(frame) for place, run in enumerate(self.begun.runs)}


def _still_bytes(probe: Probe) -> int:
    if probe.media_type is not MediaType.IMAGE:
        return 0
    return 3 * (probe.width or 0) * (probe.height or 0)
