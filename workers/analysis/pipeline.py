"""The way of one Item: hash, skip what is published, decode each file once, publish, tick.

A bad file fails alone. Everything that a stage has begun for a file is dropped unless all of
its stages end well, so that nothing half-made ever becomes visible.
"""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

import msgspec

from shared.cache import CacheDir
from shared.cache_files import SeenPath
from shared.domain import AnalyzeSpec, FileWork, Probe, ProgressType
from shared.errors import CacheError, MediaChanging, MediaError, MediaUnreadable, NotAllowed
from shared.media import MediaType, hash_media
from shared.paths import Roots
from workers.analysis import sameness
from workers.analysis.decode import open_media
from workers.analysis.pictures import GridFrame
from workers.context import Context

log = logging.getLogger(__name__)

_LEFT_FOR_PUBLISHING = 0.02  # of a file's progress


@dataclass(frozen=True, slots=True)
class FileInHand:
    """One file that is being decoded."""

    hash_str: str
    cache: CacheDir
    probe: Probe
    warnings: list[str]  # grows while the file is decoded


class StageRun(ABC):
    """What one stage makes of one file."""

    @abstractmethod
    def add(self, frame: GridFrame) -> None: ...

    @abstractmethod
    def publish(self) -> None:
        """All frames were seen and the file did not change meanwhile."""


class Stage(ABC):
    """Something that is made of grid frames. One instance an Item."""

    def __init__(self, context: Context, spec: AnalyzeSpec) -> None:
        self.context = context
        self.spec = spec

    @abstractmethod
    def is_published(self, cache: CacheDir, hash_str: str) -> bool: ...

    @abstractmethod
    def open(self, file: FileInHand) -> AbstractContextManager[StageRun]:
        """Leaving the block without `publish` leaves no trace."""

    def flush(self) -> None:
        """Finish what waits for more frames; before anything is published."""
        return

    def close(self) -> None:
        """The Item has ended."""
        return


StageFactory = Callable[[Context, AnalyzeSpec], Stage]


def analyze(context: Context, stages: Sequence[StageFactory]) -> None:
    """Do an Item of an analyze Task. Its stages publish in the order given."""
    spec = msgspec.json.decode(context.lease.spec, type=AnalyzeSpec)
    try:
        with ExitStack() as at_end:
            ours = []
            for factory in stages:
                ours.append(factory(context, spec))
                at_end.callback(ours[-1].close)
            cache = context.cache(spec.cache_dir)
            item = _Item(context, spec, cache, ours)
            for group in _groups(spec.files):
                item.do(group)
            cache.collect_when_due()
    except OSError as error:  # media errors have been translated: this is the CacheDir
        raise CacheError(
            f"{spec.cache_dir} cannot be written: {error.strerror or error}"
        ) from error


def _groups(files: Sequence[FileWork]) -> Iterator[list[tuple[int, FileWork]]]:
    """Stills together, so that they share batches; everything else alone."""
    stills = [(i, file) for i, file in enumerate(files) if file.media_type is MediaType.IMAGE]
    if stills:
        yield stills
    for i, file in enumerate(files):
        if file.media_type is not MediaType.IMAGE:
            yield [(i, file)]


@dataclass
class _Begun:
    """A file that is decoded and not yet published."""

    index: int
    work: FileWork
    hash_str: str
    found: os.stat_result
    runs: list[StageRun]
    close: ExitStack


class _Item:
    def __init__(
        self, context: Context, spec: AnalyzeSpec, cache: CacheDir, stages: list[Stage]
    ) -> None:
        self._context = context
        self._spec = spec
        self._cache = cache
        self._stages = stages
        self._roots = Roots.media(context.settings)
        self._done = 0

    def do(self, group: list[tuple[int, FileWork]]) -> None:
        with ExitStack() as open_files:
            begun: list[_Begun] = []
            for index, work in group:
                self._context.checkpoint()
                try:
                    file = self._begin(
                        index, work, self._done + len(begun) * (1 - _LEFT_FOR_PUBLISHING)
                    )
                except (MediaError, NotAllowed) as error:
                    self._end(index, work, error.message)
                    continue
                if file:
                    begun.append(file)
                    open_files.push(file.close)
            for stage in self._stages:
                stage.flush()
            for file in begun:
                self._context.checkpoint()
                self._publish(file)

    def _begin(self, index: int, work: FileWork, done: float) -> _Begun | None:
        """Decode a file into its stages' runs; None when all of it is published already."""
        self._roots.check_real(work.path)
        hash_str = self._context.hashes.hash_of(work.path)
        try:
            found = os.stat(work.path)
        except OSError:
            raise MediaChanging from None
        known = sameness.last_seen(self._cache, hash_str, work.path)
        wanted = self._wanted(hash_str, known, found, work.path)
        if not wanted:
            self._cache.remember_path(
                hash_str,
                work.path,
                found.st_size,
                found.st_mtime_ns,
                known.full_crc if known else None,
            )
            self._end(index, work, None)
            return None
        with ExitStack() as on_failure:
            runs = self._decode(work, hash_str, wanted, on_failure, done)
            return _Begun(index, work, hash_str, found, runs, on_failure.pop_all())

    def _wanted(
        self, hash_str: str, known: SeenPath | None, found: os.stat_result, path: str
    ) -> list[Stage]:
        """The stages that have to be done for the file as it is now."""
        missing = [s for s in self._stages if not s.is_published(self._cache, hash_str)]
        has_something = len(missing) < len(self._stages)
        if self._spec.force or (
            has_something and not sameness.is_same(known, found, path, self._context.checkpoint)
        ):
            return self._stages
        return missing

    def _decode(
        self,
        work: FileWork,
        hash_str: str,
        wanted: list[Stage],
        close: ExitStack,
        done: float,
    ) -> list[StageRun]:
        context, spec = self._context, self._spec
        with open_media(work.path, work.media_type) as reader:
            file = FileInHand(hash_str, self._cache, reader.probe, reader.warnings)
            runs = [close.enter_context(stage.open(file)) for stage in wanted]
            frames = 0
            for frame in reader.grid(spec.first_second, spec.last_second, context.checkpoint):
                context.checkpoint()
                for run in runs:
                    run.add(frame)
                frames += 1
                share = _share(frame.second - spec.first_second + 1, reader.probe)
                context.report(ProgressType.VIDEO, done + share, work.client_path)
        if not frames:
            raise MediaUnreadable("There is no picture in it.")
        return runs

    def _publish(self, file: _Begun) -> None:
        try:
            full_crc = sameness.crc_to_keep(
                file.work.path, file.found.st_size, self._context.checkpoint
            )
            self._check_unchanged(file)
        except MediaError as error:
            self._end(file.index, file.work, error.message)
            return
        with file.close:
            for run in file.runs:
                run.publish()
        self._cache.remember_path(
            file.hash_str, file.work.path, file.found.st_size, file.found.st_mtime_ns, full_crc
        )
        self._end(file.index, file.work, None)

    def _check_unchanged(self, file: _Begun) -> None:
        if hash_media(file.work.path) != file.hash_str:
            raise MediaChanging

    def _end(self, index: int, work: FileWork, error: str | None) -> None:
        if error:
            log.info("%s failed: %s", work.path, error)
        self._done += 1
        self._context.tick(ProgressType.VIDEO, index, work.client_path, error)


def _share(seconds: int, probe: Probe) -> float:
    """Part of a file's work that is done after so many grid seconds."""
    if not probe.duration_seconds:
        return 1 - _LEFT_FOR_PUBLISHING
    return min(1.0, seconds / probe.duration_seconds) * (1 - _LEFT_FOR_PUBLISHING)
