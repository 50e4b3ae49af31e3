"""The pass over the pictures of an Item's files: skip what is published, decode, publish, report.

Everything that a stage has begun for a file is dropped unless all of its stages end well, so that
nothing half-made ever becomes visible.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack

from opentelemetry.trace import get_current_span

from shared.domain import AnalyzeSpec, Probe, ProgressType
from shared.errors import MediaError, MediaUnreadable, ModelError, NotAllowed, RushesError
from shared.media import MediaType
from shared.process import traces
from workers.analysis.analyzed_file import AnalysisStep, AnalyzedFile
from workers.analysis.stage import LEFT_FOR_PUBLISHING, PictureStage, StageRun, share_done
from workers.context import Context
from workers.media.budget import work_limit_s
from workers.media.media_reader import MediaReader, open_media

log = logging.getLogger(__name__)


def parts_of_pictures(file: AnalyzedFile) -> list[ProgressType]:
    """The parts for which a file's pictures are wanted."""
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

    def do(self, group: Sequence[AnalyzedFile]) -> None:
        """Bring files through all stages together, and end each of them."""
        with ExitStack() as undo:
            good: list[AnalyzedFile] = []
            before: Counter[ProgressType] = Counter()  # files of the group that were decoded
            for file in group:
                undo.callback(file.drop)
                self._context.checkpoint()
                try:
                    file.find()
                    self._make_missing(file, before)
                except (MediaError, NotAllowed) as error:
                    self._end(file, error)
                else:
                    good.append(file)
                    before.update(self._parts(file))
            with traces.stage("flush"):
                for stage in self._stages:
                    stage.flush()
            for file in [file for file in good if file.step is AnalysisStep.DECODED]:
                self._context.checkpoint()
                if not self._publish(file):
                    good.remove(file)
        for stage in self._stages:
            stage.gather([file for file in good if stage.part in self._parts(file)])
        for file in good:
            self._end(file)

    def _make_missing(self, file: AnalyzedFile, before: Counter[ProgressType]) -> None:
        """Decode the file for the stages that need it: all of them where it has changed."""
        parts = self._parts(file)
        asked = [stage for stage in self._stages if stage.part in parts]
        missing = [stage for stage in asked if not stage.is_published(file)]
        has_something = len(missing) < len(asked)
        if has_something and not file.is_same():
            missing = asked
        if missing:
            self._decode(file, missing, before)
        else:
            file.keep()

    @traces.stage("decode and embed")
    def _decode(
        self, file: AnalyzedFile, stages: list[PictureStage], before: Counter[ProgressType]
    ) -> None:
        context, spec = self._context, self._spec
        span = get_current_span()
        span.set_attribute("rushes.path", file.entry.path)
        span.set_attribute("rushes.wants", ", ".join(dict.fromkeys(s.part for s in stages)))
        context.counts["decodings"] += 1
        frames = 0
        context.come_to(file.index, "the pictures", 0)
        with (
            ExitStack() as drafts,
            open_media(file.opened, file.entry.media_type, context.checkpoint) as reader,
            context.limited(work_limit_s(file.opened.status, reader.probe.duration_seconds)),
        ):
            runs = self._open(file, reader, stages, drafts)
            if not runs:
                return
            context.come_to(file.index, "the pictures", 0)
            made = [p for p in dict.fromkeys(s.part for s in stages) if p not in self.broken]
            for frame in reader.grid(spec.first_second, spec.last_second, context.checkpoint):
                context.checkpoint()
                context.come_to(file.index, "the pictures", frame.second)
                for run in runs:
                    run.add(frame)
                frames += 1
                seconds = frame.second - spec.first_second + 1
                self._worked(made, reader.probe, seconds)
                self._report(file, before, share_done(seconds, reader.probe.duration_seconds))
            if not frames:
                raise MediaUnreadable("There is no picture in it.")
            file.decoded([run.publish for run in runs], drafts.pop_all(), made)

    def _open(
        self,
        file: AnalyzedFile,
        reader: MediaReader,
        stages: list[PictureStage],
        drafts: ExitStack,
    ) -> list[StageRun]:
        """The runs of all parts whose models are to be had."""
        runs: list[StageRun] = []
        for part in dict.fromkeys(stage.part for stage in stages):
            with ExitStack() as opened:
                ours = [stage for stage in stages if stage.part is part]
                try:
                    runs += [opened.enter_context(stage.open(file, reader)) for stage in ours]
                except ModelError as error:
                    log.warning("no %s is made: %s", part, error.message)
                    self._context.say("")  # it said that the model is being loaded
                    self.broken[part] = error
                else:
                    drafts.push(opened.pop_all())
        return runs

    def _parts(self, file: AnalyzedFile) -> list[ProgressType]:
        """The parts of a file that are made of its pictures and can be made here."""
        return [part for part in parts_of_pictures(file) if part not in self.broken]

    def _worked(self, made: list[ProgressType], probe: Probe, seconds: float) -> None:
        """Footage that these parts were made of; a still has no seconds."""
        if probe.media_type is MediaType.IMAGE:
            return
        for part in made:
            self._context.progress.worked(part, min(seconds, probe.duration_seconds or seconds))

    def _report(self, file: AnalyzedFile, before: Counter[ProgressType], share: float) -> None:
        for part in self._parts(file):
            files = self._done[part] + before[part] * (1 - LEFT_FOR_PUBLISHING) + share
            self._context.progress.report(part, files, file.entry.client_path)

    @traces.stage("publish")
    def _publish(self, file: AnalyzedFile) -> bool:
        """Whether the file is published; one that changed meanwhile has ended with that."""
        get_current_span().set_attribute("rushes.path", file.entry.path)
        try:
            file.publish()
        except MediaError as error:
            self._end(file, error)
            return False
        return True

    def _end(self, file: AnalyzedFile, error: RushesError | None = None) -> None:
        if error:
            log.info("%s failed: %s", file.entry.path, error.message)
        for part in self._parts(file):
            self._done[part] += 1
            file.end(part, error)
