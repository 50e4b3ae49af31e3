"""Whether this machine can do an Item: it sees the media and the CacheDir and has the models."""

from __future__ import annotations

from functools import partial

from shared.domain import AnalyzeSpec, ModelKind, ProgressType
from shared.errors import ModelError
from shared.media import MediaType
from shared.models.model_catalogue import is_downloaded, resolve
from shared.models.specs import ModelSpec
from shared.models.speech_models import may_understand
from shared.paths import Roots
from workers.context import Context
from workers.presence.left_items import NotHere, may_be_elsewhere, unseen_root

_PART_OF = {
    ModelKind.VISUAL: ProgressType.VIDEO,
    ModelKind.SPEECH: ProgressType.AUDIO,
    ModelKind.FACES: ProgressType.FACES,
}


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
    keys = {
        ModelKind.VISUAL: spec.visual_model,
        ModelKind.SPEECH: spec.speech_model,
        ModelKind.FACES: spec.face_model,
    }
    for kind, key in keys.items():
        if not any(_PART_OF[kind] in work.wants for work in spec.files):
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
