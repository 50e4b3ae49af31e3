"""The captions artefact: words that lie in a file already, read where its speech is wanted.

They come after what is heard, so that a file whose captions end the worker keeps its words. The
draft lies there while they are read: one that a dead worker left tells the next try of it.
"""

from __future__ import annotations

import logging
from functools import partial

import msgspec

from shared.cache.cache_dir import Draft
from shared.cache.captions import Captions
from shared.domain import Stage
from shared.errors import MediaError, MediaUnreadable
from shared.media import MediaType
from shared.process import traces
from workers.analysis.analyzed_file import AnalysisStep, AnalyzedFile
from workers.context import Context
from workers.media.captions.reader import FoundCaptions, read_captions

log = logging.getLogger(__name__)

_ENDED_A_WORKER = FoundCaptions(
    tracks=(),
    warnings=(
        "A worker ended while it read the captions of this file, so they are left out; "
        "an analysis with force reads them again.",
    ),
)


class CaptionReading:
    """Reads the captions of files of one Item; a film without sound may have some."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def make(self, file: AnalyzedFile) -> MediaError | None:
        """Read and publish the captions of a file unless they are there.

        Captions that cannot be read fail no file, and another analysis looks for them again.
        Returns why the file fails: it is another one by now. Raises CacheError, and as
        `Context.checkpoint` and `Context.judge`.
        """
        if file.step is AnalysisStep.LISTED or file.entry.media_type is MediaType.IMAGE:
            return None
        try:
            if file.published(Stage.CAPTIONS) is None or not file.is_same():
                self._make(file)
        except MediaError as error:
            return error
        return None

    def _make(self, file: AnalyzedFile) -> None:
        with file.draft(Stage.CAPTIONS, "", ".json") as draft:
            try:
                found = self._found(file)
            except MediaUnreadable as error:
                self._context.judge(file.entry.path, error)
                log.warning("The captions of %s are not read: %s", file.entry.path, error.message)
                return
            file.make([], partial(self._publish, draft, found))

    def _found(self, file: AnalyzedFile) -> FoundCaptions:
        has_died = any(name.startswith(f".{Stage.CAPTIONS}.") for name in file.left)
        found = _ENDED_A_WORKER if has_died else self._read(file)
        for warning in found.warnings:
            log.warning("%s: %s", file.entry.path, warning)
        return found

    @traces.stage("read captions")
    def _read(self, file: AnalyzedFile) -> FoundCaptions:
        self._context.come_to(file.index, "the captions", 0)
        return read_captions(file.opened, self._context.checkpoint)

    @traces.stage("publish")
    def _publish(self, draft: Draft, found: FoundCaptions) -> None:
        context = self._context
        context.checkpoint()
        draft.file.write(msgspec.json.encode(Captions(tracks=found.tracks)))
        draft.publish(
            rows=sum(len(track.segments) for track in found.tracks),
            task_id=context.lease.task_id,
            worker=context.bench.worker,
            warnings=found.warnings,
        )
