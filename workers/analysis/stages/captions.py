"""The captions artefact: words that lie in a file already, read where its speech is wanted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial

from shared.cache import captions
from shared.cache.captions import Captions
from shared.domain import AnalyzeSpec, Stage
from shared.errors import MediaError, MediaUnreadable
from shared.media import MediaType
from shared.process import traces
from workers.analysis.analyzed_file import AnalyzedFile
from workers.context import Context
from workers.media.captions.reader import FoundCaptions, read_captions

log = logging.getLogger(__name__)


class CaptionReading:
    """Reads the captions of files of one Item; a film without sound may have some."""

    def __init__(self, context: Context, spec: AnalyzeSpec) -> None:
        self._context = context
        self._spec = spec
        self._found: Callable[[], None] | None = None  # publishes what was read of the file in hand

    def read(self, file: AnalyzedFile) -> None:
        """Read the captions of a file, unless they are there, for another method to publish.

        Captions that cannot be read fail no file. Raises as `Context.checkpoint` does.
        """
        self._found = None
        if file.entry.media_type is MediaType.IMAGE or self._are_there(file):
            return
        try:
            self._found = partial(self._publish, file, self._read(file))
        except MediaUnreadable as error:  # who wants its sound is told
            log.info("The captions of %s are not read: %s", file.entry.path, error.message)

    def publishers(self) -> list[Callable[[], None]]:
        """What publishes them together with others; none where nothing was read."""
        found, self._found = self._found, None
        return [found] if found else []

    def publish_alone(self, file: AnalyzedFile) -> None:
        """Publish what was read without anything else; else keep the file as it is.

        Raises as publishing does.
        """
        found = self.publishers()
        if not found:
            file.keep()
            return
        file.decoded(found, ExitStack(), [])
        try:
            file.publish()
        finally:
            file.drop()

    def publish_of_failed(self, file: AnalyzedFile) -> None:
        """Publish what was read, if that can be, though the file's sound has failed."""
        if self._found:
            with suppress(MediaError):  # it has failed already, and who waits for it is told
                self.publish_alone(file)

    def _are_there(self, file: AnalyzedFile) -> bool:
        return file.published(Stage.CAPTIONS) is not None and file.is_same()

    @traces.stage("read captions")
    def _read(self, file: AnalyzedFile) -> FoundCaptions:
        self._context.come_to(file.index, "the captions", 0)
        found = read_captions(file.opened, self._context.checkpoint)
        for warning in found.warnings:
            log.warning("%s: %s", file.entry.path, warning)
        return found

    @traces.stage("publish")
    def _publish(self, file: AnalyzedFile, found: FoundCaptions) -> None:
        context = self._context
        context.checkpoint()
        with file.draft(Stage.CAPTIONS, "", ".json") as draft:
            draft.file.write(captions.encode(Captions(tracks=found.tracks)))
            draft.publish(
                rows=sum(len(track.segments) for track in found.tracks),
                task_id=context.lease.task_id,
                worker=context.worker,
                warnings=found.warnings,
            )
