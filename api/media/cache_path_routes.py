"""Where the results of a file lie, or would lie."""

from __future__ import annotations

import errno
import os
from typing import Any

from api.http.concurrency import own_slot
from api.http.endpoint import Call, Endpoint
from api.http.services import CoreServices, Scope
from api.media.answers import CachePaths, CachePathsItem, CachePlace, ModelCachePlace
from api.media.bodies import CachePathsBody
from api.models.model_keys import active_key, wanted_key
from shared.cache import cache_files
from shared.cache.cache_dir import CacheDir
from shared.domain import ModelKind, Stage
from shared.errors import CacheError
from shared.opening import RootedPath
from shared.rights import KeyScope


def get_cache_paths(call: Call[CachePathsBody], services: CoreServices) -> CachePaths:
    """Where results lie.

    Paths are given also when nothing exists yet; then they name the manifest that would be
    written. The formats are open: JSON, npy, npz, JPEG.
    """
    body = call.body
    scope = Scope.of(services, body.cache_dir, None)
    models = {
        ModelKind.VISUAL: wanted_key(
            services, ModelKind.VISUAL, body.visual_model_key, "visual_model_key"
        ),
        ModelKind.SPEECH: wanted_key(
            services, ModelKind.SPEECH, body.speech_model_key, "speech_model_key"
        ),
        ModelKind.FACES: active_key(services, ModelKind.FACES),
    }
    cache = _opened(scope)
    return CachePaths(
        cache_paths=[
            _item(scope, cache, models, path, f"media_paths[{n}]")
            for n, path in enumerate(body.media_paths)
        ]
    )


def _opened(scope: Scope[CoreServices]) -> CacheDir:
    """The folder; one that can never be there is only spoken of."""
    try:
        return scope.cache()
    except CacheError as error:
        cause = error.__cause__
        if not isinstance(cause, OSError) or cause.errno != errno.ENAMETOOLONG:
            raise
        return CacheDir(RootedPath.of(scope.cache_dir, scope.services.paths.cache_roots), "")


def _item(
    scope: Scope[CoreServices],
    cache: CacheDir,
    models: dict[ModelKind, str],
    client_path: str,
    field: str,
) -> CachePathsItem:
    item = CachePathsItem(media_path=client_path)
    with own_slot(client_path, CacheError) as failure:
        hash_str = _hash(scope, cache, scope.services.paths.media(client_path, field))

        def where(stage: Stage, model: str = "") -> dict[str, Any]:
            found, exists = artefact_path(cache, hash_str, stage, model)
            return {"path": scope.shown(str(found)), "exists": exists}

        visual, speech = models[ModelKind.VISUAL], models[ModelKind.SPEECH]
        item.hash_str = hash_str
        item.visual = ModelCachePlace(**where(Stage.VISUAL, visual), model_key=visual)
        item.transcription = ModelCachePlace(**where(Stage.TRANSCRIPT, speech), model_key=speech)
        item.frames = CachePlace(**where(Stage.FRAMES))
        item.faces = CachePlace(**where(Stage.FACES, models[ModelKind.FACES]))
    item.error = failure.reason
    return item


def artefact_path(
    cache: CacheDir, hash_str: str, stage: Stage, model: str = ""
) -> tuple[RootedPath, bool]:
    """Data file of an artefact; its manifest-to-be where nothing is published yet."""
    manifest = cache.manifest(hash_str, stage, model)
    if manifest is None:
        return cache_files.manifest_path(cache.root, hash_str, stage, model), False
    path = cache.data_path(hash_str, manifest)
    return path, path.exists()


def _hash(scope: Scope[CoreServices], cache: CacheDir, path: str) -> str:
    """A file that is gone is still known by where it was seen. Raises MediaError, NotAllowed."""
    services = scope.services
    if cache.id:  # else there is no such folder yet
        known = services.caches.hash_for(scope.view(), path)
        if known is not None:
            return known

    def read() -> str:
        with services.paths.open_media(path) as file:
            return services.caches.hashes.hash_of(file)

    return services.folders.call(os.path.dirname(path), read)


_FOLDER = "/footage/.rushes/media/9a/9ae0daaf81f5b2c3"

ENDPOINTS = (
    Endpoint(
        "POST /cache-paths",
        get_cache_paths,
        "Cache paths",
        KeyScope.SEARCH,
        answer_example={
            "cache_paths": [
                {
                    "visual": {
                        "path": f"{_FOLDER}/visual.conse-lite0.0a1b2c3d.npy",
                        "exists": True,
                    },
                    "frames": {"path": f"{_FOLDER}/frames.4e5f6a7b.pack", "exists": True},
                    "transcription": None,
                    "faces": None,
                }
            ]
        },
    ),
)
