"""The picture that is searched with: its vector, from wherever it comes."""

from __future__ import annotations

import os

from api.search.services import SearchScope, SearchServices
from api.search.vectors import Vector
from shared.errors import BadInput, MediaMissing, MediaUnreadable


async def of_bytes(services: SearchServices, model: str, content: bytes) -> Vector:
    """Of an encoded picture. Raises BadInput, and as `Vectors.of_picture`."""
    try:
        return await services.vectors.of_picture(model, content)
    except MediaUnreadable as error:
        raise BadInput(f"image is no picture: {error.message}") from None


async def of_file(services: SearchServices, model: str, path: str) -> Vector:
    """Of a picture file. Raises BadInput, MediaMissing, and as `Vectors.of_frame`."""
    folder = os.path.dirname(path)
    await services.folders.run(folder, _must_be_there, services, path, "image_path")
    try:
        return await services.vectors.of_frame(model, path, 0.0, services.paths.key_roots)
    except MediaUnreadable as error:
        raise BadInput(f"image_path is no picture: {error.message}") from None


async def of_frame(scope: SearchScope, model: str, path: str, seconds: float) -> Vector:
    """The stored embedding where the time is on the grid and analysed, else the frame's own."""
    run = scope.services.folders.run
    await run(os.path.dirname(path), _must_be_there, scope.services, path, "media_path")
    if seconds.is_integer():
        stored = await run(scope.cache_dir, _stored_vector, scope, model, path, int(seconds))
        if stored is not None:
            return stored
    try:
        services = scope.services
        return await services.vectors.of_frame(model, path, seconds, services.paths.key_roots)
    except BadInput as error:
        raise BadInput(f"time_seconds: {error.message}") from None
    except MediaUnreadable as error:
        raise MediaUnreadable(f"media_path: {error.message}") from None


def _stored_vector(scope: SearchScope, model: str, path: str, second: int) -> Vector | None:
    services, view = scope.services, scope.view()
    hash_str = services.caches.hash_for(view, path)
    if hash_str is None:
        return None
    return services.index.stored_vector(view, model, hash_str, second)


def _must_be_there(services: SearchServices, path: str, field: str) -> None:
    """Raises MediaMissing or NotAllowed; what else is wrong with it, the worker says."""
    try:
        services.paths.open_media(path).close()
    except MediaMissing:
        raise MediaMissing(f"{field}: the file {path} does not exist.") from None
    except MediaUnreadable:
        return
