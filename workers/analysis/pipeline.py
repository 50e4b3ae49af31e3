"""The way of one Item: hash, skip what is published, decode, publish, tick.

Pictures come first, then sound; each part ticks for itself, and where the model of one cannot be
had the others go on. A bad file fails alone. Everything that a stage has begun for a file is
dropped unless all of its stages end well, so that nothing half-made ever becomes visible.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import ClassVar, Protocol

import msgspec
from opentelemetry.trace import get_current_span

from shared.cache.cache_dir import CacheDir
from shared.domain import AnalyzeSpec, FileWork, Probe, ProgressType
from shared.errors import (
    CacheError,
    MediaError,
    MediaUnreadable,
    ModelError,
    NotAllowed,
    RushesError,
)
from shared.media import MediaType
from shared.process import traces
from workers.analysis.item_files import (
    LEFT_FOR_PUBLISHING,
    FoundFile,
    ItemFiles,
    Numbered,
    share_done,
)
from workers.context import Context
from workers.media.decode import open_media
from workers.media.pictures import GridFrame

log = logging.getLogger(__name__)


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
    """Something that is made of grid frames, for files that want its `part`. One an Item."""

    part: ClassVar = ProgressType.VIDEO

    def __init__(self, context: Context, spec: AnalyzeSpec) -> None:
        self.context = context
        self.spec = spec

    def begin(self) -> None:
        """Before the first file of the Item."""
        return

    @abstractmethod
    def is_published(self, file: FoundFile) -> bool: ...

    @abstractmethod
    def open(self, file: FileInHand) -> AbstractContextManager[StageRun]:
        """Leaving the block without `publish` leaves no trace."""

    def flush(self) -> None:
        """Finish what waits for more frames; before anything is published."""
        return

    def gather(self, files: Sequence[FoundFile]) -> None:
        """What the stage makes is published for these files, now or before."""
        return

    def finish(self) -> None:
        """All files of the Item have been seen."""
        return

    def close(self) -> None:
        """The Item has ended."""
        return


class SoundPart(Protocol):
    """What is made of the sound of an Item's files."""

    def do(self, numbered: list[Numbered], files: ItemFiles) -> None:
        """Make it, tick each file as AUDIO; one that fails does so alone."""


StageFactory = Callable[[Context, AnalyzeSpec], Stage]
SoundFactory = Callable[[Context, AnalyzeSpec, CacheDir], SoundPart]


def analyze(context: Context, stages: Sequence[StageFactory], sound: SoundFactory) -> None:
    """Do an Item of an analyze Task: its pictures, then its sound, each for itself.

    A file's stages publish in the order given.
    """
    spec = msgspec.json.decode(context.lease.spec, type=AnalyzeSpec)
    seen = [(i, file) for i, file in enumerate(spec.files) if _seen_for(file)]
    get_current_span().set_attribute("rushes.files", len(spec.files))
    heard = [(i, file) for i, file in enumerate(spec.files) if ProgressType.AUDIO in file.wants]
    try:
        cache = context.cache(spec.cache_dir, spec.cache_id)
        files = ItemFiles(context, cache, is_forced=spec.force)
        broken: ModelError | None = None
        try:
            _look(context, spec, cache, stages, seen, files)
        except ModelError as error:
            broken = error
        sound(context, spec, cache).do(heard, files)
        if broken:
            raise broken
        cache.collect_when_due()
    except OSError as error:  # media errors have been translated: this is the CacheDir
        raise CacheError(
            f"{spec.cache_dir} cannot be written: {error.strerror or error}"
        ) from error


def _look(
    context: Context,
    spec: AnalyzeSpec,
    cache: CacheDir,
    stages: Sequence[StageFactory],
    seen: list[Numbered],
    files: ItemFiles,
) -> None:
    """What is made of pictures. Without files it opens nothing, but may complete a Collection."""
    with ExitStack() as at_end:
        ours = []
        for factory in stages if seen or spec.collection else ():
            ours.append(factory(context, spec))
            at_end.callback(ours[-1].close)
        for stage in ours:
            stage.begin()
        pictures = _Pictures(context, spec, cache, ours)
        for group in _groups(seen):
            pictures.do(group, files)
        for stage in ours:
            stage.finish()
    for error in pictures.broken.values():
        raise error


def _seen_for(file: FileWork) -> list[ProgressType]:
    """The parts for which its pictures are wanted."""
    return [part for part in (ProgressType.VIDEO, ProgressType.FACES) if part in file.wants]


def _groups(files: list[Numbered]) -> Iterator[list[Numbered]]:
    """Stills together, so that they share batches; everything else alone."""
    stills = [(i, file) for i, file in files if file.media_type is MediaType.IMAGE]
    if stills:
        yield stills
    for i, file in files:
        if file.media_type is not MediaType.IMAGE:
            yield [(i, file)]


@dataclass
class _Begun:
    """A file that is decoded and not yet published."""

    index: int
    work: FileWork
    found: FoundFile
    runs: list[StageRun]
    parts: list[ProgressType]  # that are made of it; what else was wanted was there already
    close: ExitStack


# A file whose data is published, by its place in the Item; the parts that were made now.
_Ready = tuple[int, FileWork, FoundFile, list[ProgressType]]


class _Pictures:
    """The pictures of an Item, decoded once for all stages."""

    def __init__(
        self, context: Context, spec: AnalyzeSpec, cache: CacheDir, stages: list[Stage]
    ) -> None:
        self._context = context
        self._spec = spec
        self._cache = cache
        self._stages = stages
        self._done: Counter[ProgressType] = Counter()
        self.broken: dict[ProgressType, ModelError] = {}  # parts whose model cannot be had

    def do(self, group: list[Numbered], files: ItemFiles) -> None:
        with ExitStack() as open_files:
            begun: list[_Begun] = []
            ready: list[_Ready] = []
            before: Counter[ProgressType] = Counter()
            for index, work in group:
                self._context.checkpoint()
                try:
                    found = files.find(work.path)
                    file = self._begin(index, work, found, before)
                except (MediaError, NotAllowed) as error:
                    self._end(index, work, error)
                    continue
                before.update(self._parts(work))
                if file:
                    begun.append(file)
                    open_files.push(file.close)
                else:
                    ready.append((index, work, found, []))
            with traces.stage("flush"):
                for stage in self._stages:
                    stage.flush()
            for file in begun:
                self._context.checkpoint()
                if self._publish(file):
                    ready.append((file.index, file.work, file.found, file.parts))
        self._gather(ready)

    def _begin(
        self, index: int, work: FileWork, found: FoundFile, before: Counter[ProgressType]
    ) -> _Begun | None:
        """Decode a file into its stages' runs; None when all that can be made is published.

        `before`: files of its group that were decoded and have not ended.
        """
        wanted = self._wanted(work, found)
        if not wanted:
            found.remember()
            return None
        with ExitStack() as on_failure:
            runs = self._decode(work, found.hash_str, wanted, on_failure, before)
            made = self._made(wanted)
            return _Begun(index, work, found, runs, made, on_failure.pop_all()) if runs else None

    def _made(self, wanted: list[Stage]) -> list[ProgressType]:
        return [p for p in dict.fromkeys(stage.part for stage in wanted) if p not in self.broken]

    def _wanted(self, work: FileWork, found: FoundFile) -> list[Stage]:
        """The stages that have to be done for the file as it is now."""
        parts = self._parts(work)
        asked = [stage for stage in self._stages if stage.part in parts]
        missing = [stage for stage in asked if not stage.is_published(found)]
        has_something = len(missing) < len(asked)
        if has_something and not found.is_same():
            return asked
        return missing

    @traces.stage("decode and embed")
    def _decode(
        self,
        work: FileWork,
        hash_str: str,
        wanted: list[Stage],
        close: ExitStack,
        before: Counter[ProgressType],
    ) -> list[StageRun]:
        context, spec = self._context, self._spec
        span = get_current_span()
        span.set_attribute("rushes.path", work.path)
        span.set_attribute("rushes.wants", ", ".join(dict.fromkeys(s.part for s in wanted)))
        context.counts["decodings"] += 1
        with open_media(work.path, work.media_type) as reader:
            file = FileInHand(hash_str, self._cache, reader.probe, reader.warnings)
            runs = self._open(wanted, file, close)
            if not runs:
                return []
            frames = 0
            made = self._made(wanted)
            for frame in reader.grid(spec.first_second, spec.last_second, context.checkpoint):
                context.checkpoint()
                for run in runs:
                    run.add(frame)
                frames += 1
                share = share_done(
                    frame.second - spec.first_second + 1, reader.probe.duration_seconds
                )
                self._worked(made, reader.probe, frame.second - spec.first_second + 1)
                self._report(work, before, share)
        if not frames:
            raise MediaUnreadable("There is no picture in it.")
        return runs

    def _open(self, wanted: list[Stage], file: FileInHand, close: ExitStack) -> list[StageRun]:
        """The runs of all parts whose models are to be had."""
        runs: list[StageRun] = []
        for part in dict.fromkeys(stage.part for stage in wanted):
            with ExitStack() as opened:
                stages = [stage for stage in wanted if stage.part is part]
                try:
                    runs += [opened.enter_context(stage.open(file)) for stage in stages]
                except ModelError as error:
                    log.warning("no %s is made: %s", part, error.message)
                    self._context.say("")  # it said that the model is being loaded
                    self.broken[part] = error
                else:
                    close.push(opened.pop_all())
        return runs

    def _parts(self, work: FileWork) -> list[ProgressType]:
        """The parts of a file that are made of its pictures and can be made here."""
        return [part for part in _seen_for(work) if part not in self.broken]

    def _worked(self, made: list[ProgressType], probe: Probe, seconds: float) -> None:
        """Footage that these parts were made of; a still has no seconds."""
        if probe.media_type is MediaType.IMAGE:
            return
        for part in made:
            self._context.worked(part, min(seconds, probe.duration_seconds or seconds))

    def _report(self, work: FileWork, before: Counter[ProgressType], share: float) -> None:
        for part in self._parts(work):
            files = self._done[part] + before[part] * (1 - LEFT_FOR_PUBLISHING) + share
            self._context.report(part, files, work.client_path)

    @traces.stage("publish")
    def _publish(self, file: _Begun) -> bool:
        """False: it changed meanwhile, and has ended with that."""
        get_current_span().set_attribute("rushes.path", file.work.path)
        try:
            file.found.check_unchanged()
        except MediaError as error:
            self._end(file.index, file.work, error)
            return False
        with file.close:
            for run in file.runs:
                run.publish()
        file.found.remember()
        return True

    def _gather(self, ready: list[_Ready]) -> None:
        for stage in self._stages:
            stage.gather([found for _, work, found, _ in ready if stage.part in self._parts(work)])
        for index, work, _, made in ready:
            self._end(index, work, made=made)

    def _end(
        self,
        index: int,
        work: FileWork,
        error: RushesError | None = None,
        made: Sequence[ProgressType] = (),
    ) -> None:
        if error:
            log.info("%s failed: %s", work.path, error.message)
        for part in self._parts(work):
            self._done[part] += 1
            is_skipped = error is None and part not in made
            self._context.tick(part, index, work.client_path, error, skipped=is_skipped)
