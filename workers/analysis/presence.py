"""Whether this machine can do an Item: it sees the media and the CacheDir and has the models."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable

import msgspec

from shared import heartbeats
from shared.domain import AnalyzeSpec, ProgressType
from shared.errors import ModelError
from shared.media import MediaType
from shared.model_catalogue import is_downloaded, resolve
from shared.models import ModelKind, ModelSpec
from shared.paths import Roots
from shared.redis_clients import key_prefix, translated
from shared.speech_models import may_understand
from workers.context import Context
from workers.worker import NotHere

_ASK_OTHERS_WAIT_S = 2.0
_REMEMBER_S = 3600
_PART_OF = {
    ModelKind.VISUAL: ProgressType.VIDEO,
    ModelKind.SPEECH: ProgressType.AUDIO,
    ModelKind.FACES: ProgressType.FACES,
}


def why_not(context: Context) -> NotHere | None:
    """Why the Item should be left to another machine; None: do it here, for better or worse."""
    spec = msgspec.json.decode(context.lease.spec, type=AnalyzeSpec)
    media = [work.path for work in spec.files]
    settings = context.settings
    unseen = _unseen_root(Roots.media(settings), media) or _unseen_root(
        Roots.cache(settings), [spec.cache_dir]
    )
    if unseen:
        return NotHere(f"{unseen} is not visible on this machine.")
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
                f"run `rushes models pull {model.key}`."
            )
    return _may_be_elsewhere(context, [path for path in media if not os.path.exists(path)])


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


def _unseen_root(roots: Roots, paths: Iterable[str]) -> str | None:
    """A configured root that a path lies in and that is not there: an absent mount."""
    for path in paths:
        for root in roots.folders or ():
            if os.path.commonpath([path, root]) == str(root) and not os.path.isdir(root):
                return str(root)
    return None


def _may_be_elsewhere(context: Context, absent: list[str]) -> NotHere | None:
    """A file missing on one machine is missing only when every live worker's machine says so."""
    if not absent:
        return None
    client, instance, lease = context.client, context.settings.instance, context.lease
    here = socket.gethostname()
    hosts = {beat.host for beat in heartbeats.live(client, instance, "analysis")}
    if not hosts - {here}:
        return None
    key = f"{key_prefix(instance)}missing:{lease.task_id}:{lease.item_id}"
    with translated(), client.pipeline() as pipe:
        pipe.sadd(key, here)
        pipe.expire(key, _REMEMBER_S)
        pipe.smembers(key)
        said = pipe.execute()[-1]
    if hosts <= said:
        return None
    return NotHere(f"{absent[0]} is not visible on this machine.", _ASK_OTHERS_WAIT_S)
