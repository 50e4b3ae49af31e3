"""The way of an Item of an analyze Task: its files' pictures, then their sound, each for itself.

Where the model of a part cannot be had the others go on, and the Item fails at its end. A bad
file fails alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from opentelemetry.trace import get_current_span

from shared.domain import AnalyzeSpec, ProgressType
from shared.errors import ModelError
from shared.media import MediaType
from workers.analysis.analyzed_file import AnalyzedFile
from workers.analysis.picture_pass import PicturePass, parts_of_pictures
from workers.analysis.stage import PictureStageFactory, SoundStageFactory
from workers.context import Context


def analyze(
    context: Context, stages: Sequence[PictureStageFactory], sound: SoundStageFactory
) -> None:
    """Do the Item. A file's stages publish in the order given."""
    spec = context.spec(AnalyzeSpec)
    get_current_span().set_attribute("rushes.files", len(spec.files))
    cache = context.cache(spec.cache_dir, spec.cache_id, spec.roots)
    files = [
        AnalyzedFile(context, cache, spec, index)
        for index in range(len(spec.files))
        if index not in context.lease.given_up
    ]
    broken: ModelError | None = None
    with ExitStack() as at_end:
        for file in files:
            at_end.callback(file.close)
        try:
            _see(context, spec, stages, [file for file in files if parts_of_pictures(file)])
        except ModelError as error:
            broken = error
        with context.cores.busy():
            sounds = [file for file in files if ProgressType.AUDIO in file.entry.wants]
            sound(context, spec).do(sounds)
    if broken:
        raise broken
    cache.collect_when_due(context.bench.ledger.is_over)


def _see(
    context: Context,
    spec: AnalyzeSpec,
    stages: Sequence[PictureStageFactory],
    files: Sequence[AnalyzedFile],
) -> None:
    """What is made of pictures. Without files it opens nothing, but may complete a Collection."""
    with ExitStack() as at_end:
        ours = []
        for factory in stages if files or spec.collection else ():
            ours.append(factory(context, spec))
            at_end.callback(ours[-1].close)
        for stage in ours:
            stage.begin()
        pictures = PicturePass(context, spec, ours)
        for group in _groups(files):
            pictures.do(group)
        for stage in ours:
            stage.finish()
    for error in pictures.broken.values():
        raise error


def _groups(files: Sequence[AnalyzedFile]) -> Iterator[list[AnalyzedFile]]:
    """Stills together, so that they share batches; everything else alone."""
    stills = [file for file in files if file.entry.media_type is MediaType.IMAGE]
    if stills:
        yield stills
    for file in files:
        if file.entry.media_type is not MediaType.IMAGE:
            yield [file]
