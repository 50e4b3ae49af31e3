"""The way of an Item of an analyze Task: whether this machine can do it, its pictures, its sound.

This machine can do it if it sees the media and the CacheDir and has the models. Files' pictures
come first, then their sound, each for itself. Where the model of a part cannot be had the others go
on, and the Item fails at its end. A bad file fails alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial

from opentelemetry.trace import get_current_span

from shared.domain import AnalyzeSpec, ModelKind, ProgressType
from shared.errors import ModelError
from shared.media import MediaType
from shared.models.model_catalogue import is_downloaded, resolve
from shared.models.specs import ModelSpec
from shared.models.speech_and_faces import may_understand
from shared.paths import Roots
from workers.analysis.analyzed_file import AnalyzedFile
from workers.analysis.picture_pass import PicturePass, parts_of_pictures
from workers.analysis.stage import PictureStageFactory, SoundStageFactory
from workers.context import Context
from workers.presence.left_items import NotHere, may_be_elsewhere, unseen_root


def why_not(context: Context) -> NotHere | None:
    """Why the Item should be left to another machine; None: do it here, for better or worse."""
    spec = context.spec(AnalyzeSpec)
    media = [work.path for work in spec.files if not work.refused]
    settings = context.bench.settings
    unseen = unseen_root(Roots.media(settings), media) or unseen_root(
        Roots.cache(settings), [spec.cache_dir]
    )
    if unseen := unseen or context.folders.look(media):
        return unseen
    for part, kind, key in (
        (ProgressType.VIDEO, ModelKind.VISUAL, spec.visual_model),
        (ProgressType.AUDIO, ModelKind.SPEECH, spec.speech_model),
        (ProgressType.FACES, ModelKind.FACES, spec.face_model),
    ):
        if not any(part in work.wants for work in spec.files):
            continue
        try:
            model = resolve(settings, kind, key)
        except ModelError:
            return None  # no machine knows it: the Item fails with that sentence
        if _needs(spec, model) and not is_downloaded(settings, model):
            return NotHere(
                f"The model {model.key} is not on this machine; "
                f"run `rushes models pull {model.key}`.",
                is_over=partial(is_downloaded, settings, model),
                waits_for=("model", f"{kind}:{model.key}"),
            )
    return may_be_elsewhere(
        context.bench.client, settings.instance, "analysis", context.lease, media
    )


def _needs(spec: AnalyzeSpec, model: ModelSpec) -> bool:
    """Whether a file needs it. A still, or speech in a language unknown to it, fails without."""
    if model.kind is not ModelKind.SPEECH:
        return True
    return any(
        ProgressType.AUDIO in work.wants
        and work.media_type is not MediaType.IMAGE
        and may_understand(model, work.language)
        for work in spec.files
    )


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
