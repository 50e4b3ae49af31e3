"""The pass over the pictures of an Item's files: skip what is published, decode, publish, report.

Everything that a stage has begun for a file is dropped unless all of its stages end well, so that
nothing half-made ever becomes visible.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager

from opentelemetry.trace import get_current_span

from shared.domain import AnalyzeSpec, Probe, ProgressType
from shared.errors import MediaError, ModelError, NotAllowed, RushesError
from shared.ledger.ledger import WorkKind
from shared.media import MediaType
from shared.process import traces
from workers.analysis.analyzed_file import AnalysisStep, AnalyzedFile, publish_together
from workers.analysis.file_decoding import BegunRuns, FileDecoding
from workers.analysis.stage import LEFT_FOR_PUBLISHING, PictureStage, share_done
from workers.context import Context
from workers.media.media_reader import MediaReader, open_media
from workers.media.ranges import GridRange, RangesDisagree

log = logging.getLogger(__name__)


def parts_of_pictures(file: AnalyzedFile) -> list[ProgressType]:
    both = (ProgressType.VIDEO, ProgressType.FACES)
    return [part for part in both if part in file.entry.wants]


class PicturePass:
    """The pictures of an Item, decoded once for all stages."""

    def __init__(self, context: Context, spec: AnalyzeSpec, stages: list[PictureStage]) -> None:
        self.broken: dict[ProgressType, ModelError] = {}  # parts whose model cannot be had
        self._context = context
        self._spec = spec
        self._stages = stages
        self._done: Counter[ProgressType] = Counter()  # files that have ended
        self._made: dict[WorkKind, float] = {}  # footage or stills of the group in hand
        self._opening_s = 0.0  # of which models are loaded

    def do(self, group: Sequence[AnalyzedFile]) -> None:
        """Bring files through all stages together, and end each of them."""
        began, self._opening_s = self._context.cores.shared_s(), 0.0
        self._made.clear()
        with ExitStack() as undo:
            for file in group:
                undo.callback(file.drop)
            good = self._decode(group)
            with traces.stage("flush"):
                for stage in self._stages:
                    stage.flush()
            decoded = [file for file in good if file.step is AnalysisStep.DECODED]
            changed = self._publish(decoded) if decoded else []
            good = [file for file in good if file not in changed]
            self._tell_speed(self._context.cores.shared_s() - began - self._opening_s)
        for stage in self._stages:
            stage.gather([file for file in good if stage.part in self._parts(file)])
        for file in good:
            self._end(file)

    def _decode(self, group: Sequence[AnalyzedFile]) -> list[AnalyzedFile]:
        """Make what is missing of the files, and leave out those that fail."""
        good: list[AnalyzedFile] = []
        before: Counter[ProgressType] = Counter()  # files of the group that were decoded
        with closing(self._begun(group, good, before)) as begun:
            for decoding in begun:
                with self._failing_alone(decoding.file):
                    self._take_whole(decoding, before)
                    good.append(decoding.file)
                    before.update(self._parts(decoding.file))
        return good

    def _begun(
        self, group: Sequence[AnalyzedFile], good: list[AnalyzedFile], before: Counter[ProgressType]
    ) -> Generator[FileDecoding, None, None]:
        """Files that are being decoded, begun ahead so that all decode threads have work.

        Those of which nothing is missing are `good` at once.
        """
        ahead: deque[FileDecoding] = deque()
        with ExitStack() as undo:
            for file in group:
                self._context.checkpoint()
                with self._failing_alone(file):
                    file.find()
                    decoding = self._begin(file)
                    if decoding is None:
                        good.append(file)
                        before.update(self._parts(file))
                    else:
                        ahead.append(undo.enter_context(decoding))
                if len(ahead) > self._most_ahead():
                    yield ahead.popleft()
            yield from ahead

    def _most_ahead(self) -> int:
        """An Item that has ended its worker before may have done so by its memory."""
        return 0 if self._context.lease.tries else self._context.bench.decoders.threads

    def _begin(self, file: AnalyzedFile) -> FileDecoding | None:
        """Have a file decoded for the stages that need it: all of them where it has changed."""
        parts = self._parts(file)
        asked = [stage for stage in self._stages if stage.part in parts]
        missing = [stage for stage in asked if not stage.is_published(file)]
        has_something = len(missing) < len(asked)
        if has_something and not file.is_same():
            missing = asked
        if missing:
            return self._begin_decoding(file, missing)
        file.keep()
        return None

    def _begin_decoding(
        self, file: AnalyzedFile, stages: list[PictureStage], *, in_one: bool = False
    ) -> FileDecoding | None:
        """None where no model is to be had."""
        context = self._context
        context.counts["decodings"] += 1
        context.come_to(file.index, "the pictures", 0)
        with ExitStack() as undo:
            opening = open_media(file.opened, file.entry.media_type, context.checkpoint)
            reader = undo.enter_context(opening)
            began = context.cores.shared_s()
            begun = self._open(file, reader, stages, undo.enter_context(ExitStack()))
            self._opening_s += context.cores.shared_s() - began
            if not begun.runs:
                return None
            context.come_to(file.index, "the pictures", 0)
            ranges = [] if in_one or context.lease.tries else self._ranges(reader)
            return FileDecoding(context, self._spec, file, reader, ranges, begun, undo.pop_all())

    def _ranges(self, reader: MediaReader) -> list[GridRange]:
        spec, pool = self._spec, self._context.bench.decoders
        return reader.ranges(
            spec.first_second, spec.last_second, pool.plan, self._context.checkpoint
        )

    def _take_whole(self, decoding: FileDecoding, before: Counter[ProgressType]) -> None:
        """Take what is decoded of a file; where its ranges disagree one thread decodes it anew."""
        file = decoding.file
        try:
            with decoding:
                self._take(decoding, before)
        except RangesDisagree as why:
            warning = f"It was decoded by one thread, for its parts do not fit together: {why}."
            log.info("%s: %s", file.entry.path, warning)
            begun = decoding.begun
            stages = [stage for stage in begun.stages if stage.part in begun.parts]
            again = self._begin_decoding(file, stages, in_one=True)
            if again is not None:
                with again:
                    again.warn(warning)
                    self._take(again, before)

    @traces.stage("decode and embed")
    def _take(self, decoding: FileDecoding, before: Counter[ProgressType]) -> None:
        file, probe, made = decoding.file, decoding.probe, decoding.begun.parts
        span = get_current_span()
        span.set_attribute("rushes.path", file.entry.path)
        span.set_attribute("rushes.wants", ", ".join(made))

        def has_taken() -> None:
            self._worked(made, probe, decoding.seconds)
            self._report(file, before, share_done(decoding.seconds, probe.duration_seconds))

        decoding.take(has_taken)
        self._count(made, probe, decoding.seconds)

    def _open(
        self,
        file: AnalyzedFile,
        reader: MediaReader,
        stages: list[PictureStage],
        drafts: ExitStack,
    ) -> BegunRuns:
        """The runs of all parts whose models are to be had."""
        begun = BegunRuns(stages, drafts)
        for part in dict.fromkeys(stage.part for stage in stages):
            with ExitStack() as opened:
                ours = [stage for stage in stages if stage.part is part]
                try:
                    runs = [opened.enter_context(stage.open(file, reader)) for stage in ours]
                except ModelError as error:
                    log.warning("no %s is made: %s", part, error.message)
                    self._context.say("")  # it said that the model is being loaded
                    self.broken[part] = error
                else:
                    begun.runs += runs
                    begun.parts.append(part)
                    drafts.push(opened.pop_all())
        return begun

    def _parts(self, file: AnalyzedFile) -> list[ProgressType]:
        return [part for part in parts_of_pictures(file) if part not in self.broken]

    def _worked(self, made: list[ProgressType], probe: Probe, seconds: float) -> None:
        """Footage that these parts were made of; a still has no seconds."""
        if probe.media_type is MediaType.IMAGE:
            return
        for part in made:
            self._context.progress.worked(part, min(seconds, probe.duration_seconds or seconds))

    def _count(self, made: list[ProgressType], probe: Probe, seconds: float) -> None:
        models = {ProgressType.VIDEO: self._spec.visual_model}
        models[ProgressType.FACES] = self._spec.face_model
        is_still = probe.media_type is MediaType.IMAGE
        kind = WorkKind.of("stills" if is_still else "footage", {p: models[p] for p in made})
        amount = 1.0 if is_still else min(seconds, probe.duration_seconds or seconds)
        self._made[kind] = self._made.get(kind, 0.0) + amount

    def _tell_speed(self, seconds: float) -> None:
        """Of a group of which the same was made of all: else nothing tells what took how long."""
        if len(self._made) == 1:
            ((kind, amount),) = self._made.items()
            self._context.progress.measured(kind, amount, seconds)

    def _report(self, file: AnalyzedFile, before: Counter[ProgressType], share: float) -> None:
        for part in self._parts(file):
            files = self._done[part] + before[part] * (1 - LEFT_FOR_PUBLISHING) + share
            self._context.progress.report(part, files, file.entry.client_path)

    @traces.stage("publish")
    def _publish(self, files: Sequence[AnalyzedFile]) -> list[AnalyzedFile]:
        """Publish files together; returns those that changed meanwhile, which have ended."""
        get_current_span().set_attribute("rushes.files", len(files))
        failed = publish_together(files)
        for file, error in failed:
            self._end(file, error)
        return [file for file, _ in failed]

    @contextmanager
    def _failing_alone(self, file: AnalyzedFile) -> Iterator[None]:
        """End the file where the block finds that it cannot be used."""
        try:
            yield
        except (MediaError, NotAllowed) as error:
            self._end(file, error)

    def _end(self, file: AnalyzedFile, error: RushesError | None = None) -> None:
        if error:
            log.info("%s failed: %s", file.entry.path, error.message)
        for part in self._parts(file):
            self._done[part] += 1
            file.end(part, error)
