"""The interface of analysis stages: what is made of the pictures of files, and of their sound.

A new stage of pictures is a PictureStage in workers/analysis/stages/ and a place in the list of
workers/start.py; the pipeline decodes each file once for all of them.

Beside the interface stands what stages work with: frames as decode threads prepare them, and
batches of them for a model, which works in a thread of its own meanwhile. A file is decoded in one
or several parts, side by side. What the stages take of a picture is made where it was decoded; the
Item's thread gets it as it comes, and again in order of time. No part is begun long before its
turn, and decoders wait for room, so memory is bounded however long a film is.
"""

from __future__ import annotations

import functools
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from shared.domain import AnalyzeSpec, ProgressType
from workers.analysis.analyzed_file import AnalyzedFile
from workers.context import Context
from workers.decode_pool import CoresOfItem, DecodePool
from workers.media.media_reader import MediaReader
from workers.media.pictures import GridFrame

T = TypeVar("T")

_LOOK_EVERY_S = 0.1
_ALWAYS_QUEUED = 4  # frames of the part whose turn it is; it goes on though there is no room

# Decodes one part; calls the checkpoint it is given about every 0.1 s.
Reading = Callable[[Callable[[], None]], Iterator[GridFrame]]


@dataclass(frozen=True, slots=True)
class Prepared(Generic[T]):
    """What one stage takes of a picture, and the bytes that it holds."""

    value: T
    size: int


@dataclass(frozen=True, slots=True)
class PreparedFrame:
    """A grid second and what the stages take of its picture, by the place of their run."""

    part: int
    second: int
    prepared: dict[int, Prepared[Any]]

    @property
    def size(self) -> int:
        return sum(each.size for each in self.prepared.values())


class _GivenUp(Exception):
    """Nobody wants the file's pictures any more."""


class FrameStream:
    """The pictures of one file; in its block decode threads work, after it none does."""

    def __init__(
        self,
        pool: DecodePool,
        cores: CoresOfItem,
        parts: Sequence[Reading],
        prepare: Callable[[GridFrame], dict[int, Prepared[Any]]],
        has_advanced: Callable[[], None],
        still_bytes: int = 0,
    ) -> None:
        """`prepare` and `has_advanced` are called in decode threads.

        `still_bytes` of a still, which is decoded whole: of very large ones one at a time has to
        do.
        """
        self._pool = pool
        self._cores = cores
        self._parts = parts
        self._prepare = prepare
        self._has_advanced = has_advanced
        self._still_bytes = still_bytes
        self._arrived: SimpleQueue[PreparedFrame | int] = SimpleQueue()  # int: this part has ended
        self._futures: list[Future[None]] = []  # of the parts that were begun
        self._due = 0  # the part whose turn it is
        self._held = 0  # bytes of room
        self._guard = threading.Lock()
        self._is_given_up = threading.Event()

    def __enter__(self) -> Self:
        self._begin_parts()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_given_up.set()
        wait([future for future in self._futures if not future.cancel()])
        self._give(self._held)

    def take(
        self,
        as_it_comes: Callable[[PreparedFrame], PreparedFrame],
        in_order: Callable[[PreparedFrame], None],
        heed: Callable[[], None],
    ) -> None:
        """Give all frames to both, until the last one; raises what ended a part.

        `as_it_comes` returns what of a frame must wait for its turn. `heed` is called while no
        frame comes; what it raises ends the waiting.
        """
        waiting: list[deque[PreparedFrame]] = [deque() for _ in self._parts]
        ended: set[int] = set()
        while self._due < len(self._parts):
            arrived = self._next(heed)
            if isinstance(arrived, int):
                self._futures[arrived].result()
                ended.add(arrived)
                self._begin_parts()
            else:
                left = as_it_comes(arrived)
                self._give(arrived.size - left.size)
                waiting[arrived.part].append(left)
            while self._due < len(self._parts):
                ready = waiting[self._due]
                while ready:
                    frame = ready.popleft()
                    in_order(frame)
                    self._give(frame.size)
                if self._due not in ended:
                    break
                self._due += 1
                self._begin_parts()

    def _begin_parts(self) -> None:
        """Hand out the next parts in order.

        Not twice as many as there are threads beyond the one whose turn it is, and no more than
        one waits for a thread, so that other Items come in between.
        """
        threads = self._pool.threads
        most = min(len(self._parts), self._due + 2 * threads)
        while (
            len(self._futures) < most
            and sum(not future.done() for future in self._futures) <= threads
        ):
            part = len(self._futures)
            future = self._pool.submit(functools.partial(self._decode, part), self._cores)
            self._futures.append(future)
            future.add_done_callback(lambda _, part=part: self._arrived.put(part))  # type: ignore[misc]

    def _decode(self, part: int) -> None:
        """In a decode thread."""
        resting = self._cores.resting
        with self._pool.stills.holding(self._still_bytes, self._heed, resting, self._has_advanced):
            for frame in self._parts[part](self._checkpoint):
                prepared = PreparedFrame(part, frame.second, self._prepare(frame))
                del frame  # its picture is large
                self._checkpoint()
                is_wanted = functools.partial(self._is_wanted_now, part)
                self._pool.room.take(prepared.size, is_wanted, self._heed, resting)
                with self._guard:
                    self._held += prepared.size
                self._arrived.put(prepared)

    def _is_wanted_now(self, part: int) -> bool:
        return part == self._due and self._arrived.qsize() < _ALWAYS_QUEUED

    def _checkpoint(self) -> None:
        self._has_advanced()
        self._heed()

    def _heed(self) -> None:
        if self._is_given_up.is_set():
            raise _GivenUp

    def _next(self, heed: Callable[[], None]) -> PreparedFrame | int:
        while True:
            try:
                return self._arrived.get(timeout=_LOOK_EVERY_S)
            except Empty:
                due = self._futures[self._due]
                if not due.running() and not due.done():
                    self._has_advanced()  # it waits for a thread that works for another Item
                heed()

    def _give(self, size: int) -> None:
        with self._guard:
            self._held -= size
        self._pool.room.give(size)


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


ItemT = TypeVar("ItemT")

_STILLS_A_BATCH = 16  # at least, where an Item has so many

_Row = NDArray[np.float32]
_Waiting = tuple[NDArray[Any], Callable[[_Row], None]]


class ModelBatches:
    """Prepared pictures of one or more files, on their way through a model.

    One batch is in the model while the next one is gathered.
    """

    def __init__(
        self,
        context: Context,
        embed: Callable[[NDArray[Any]], _Row],
        size: int,
        counted_as: str,
        *,
        leaves_none: bool = False,
    ) -> None:
        """`embed`: [n, ...] -> [n, dim]. `size`: pictures in a batch.

        `leaves_none`: for the few dozen stills of an Item, so that no batch is a remnant: one
        is begun only where enough for another wait behind it.
        """
        self._context = context
        self._embed = embed
        self._size = max(1, size)
        self._even_size = max(_STILLS_A_BATCH, size)
        self._counted_as = counted_as
        self._leaves_none = leaves_none
        self._waiting: list[_Waiting] = []
        self._in_model: tuple[Future[_Row], list[_Waiting]] | None = None

    def add(self, prepared: NDArray[Any], take_row: Callable[[_Row], None]) -> None:
        """Queue a picture, whose row `take_row` gets in this thread, by `flush` at the latest."""
        self._waiting.append((prepared, take_row))
        size = self._even_size if self._leaves_none else self._size
        if len(self._waiting) >= (2 * size if self._leaves_none else size):
            self._begin(size)

    def flush(self) -> None:
        """Bring everything through the model."""
        for batch in [*even_parts(self._waiting, self._even_size)]:
            self._begin(len(batch))
        self._end()

    def _begin(self, size: int) -> None:
        """Give the model the next ones; where that is ended before, they go on waiting."""
        self._end()
        self._context.checkpoint()
        batch, self._waiting = self._waiting[:size], self._waiting[size:]
        pictures = np.stack([picture for picture, _ in batch])
        self._in_model = self._context.bench.batches.begin(lambda: self._embed(pictures)), batch

    def _end(self) -> None:
        """Wait for the batch that is in the model."""
        if self._in_model is None:
            return
        future, batch = self._in_model
        try:
            rows = self._context.bench.batches.result(future, self._context.signals.raise_if_set)
        finally:  # where only one file's time is over, the rows of others are still wanted
            if future.done():
                self._in_model = None
            if future.cancelled():
                self._waiting[:0] = batch
        kind = self._counted_as
        self._context.counts.update({f"{kind}_batches": 1, f"{kind}_pictures": len(batch)})
        for (_, take_row), row in zip(batch, rows, strict=True):
            take_row(row)


def even_parts(waiting: list[ItemT], at_least: int) -> Iterator[list[ItemT]]:
    """Parts of nearly the same size, none smaller than `at_least` where there are so many."""
    count = max(1, len(waiting) // at_least)
    for number in range(count if waiting else 0):
        yield waiting[number * len(waiting) // count : (number + 1) * len(waiting) // count]
