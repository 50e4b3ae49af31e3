"""Which watch folders a key may have, and what does not go together in them."""

from __future__ import annotations

from collections.abc import Iterable

from api.http.client_paths import ClientPaths
from shared.errors import AlreadyWatched, BadInput
from shared.watch.folders import WatchFolder


def check_folder(folder: WatchFolder) -> None:
    """Raise BadInput for what does not go together in one folder."""
    if not (folder.analyze_visual or folder.analyze_speech or folder.analyze_faces):
        raise BadInput(
            "There is nothing to do: set analyze_visual, analyze_speech or analyze_faces to true."
        )
    if folder.analyze_faces and folder.cluster_job_name is None:
        raise BadInput(
            "cluster_job_name is required with analyze_faces: the collection that receives the "
            "faces."
        )
    path, cache_dir = _path(folder), _cache_dir(folder)
    if path == cache_dir:
        raise BadInput(
            "cache_dir must not be the watched folder itself; a folder inside it is fine, such as "
            ".rushes."
        )
    if _is_inside(path, cache_dir):
        raise BadInput(
            f"path lies inside the cache_dir {folder.client_cache_dir}, which holds analysis data "
            "and no media; choose another folder for one of them."
        )


def check_overlap(paths: ClientPaths, folder: WatchFolder, others: Iterable[WatchFolder]) -> None:
    """Raise AlreadyWatched where files would be watched twice into one cache_dir."""
    path = _path(folder)
    for other in others:
        if other.id == folder.id or _cache_dir(other) != _cache_dir(folder):
            continue
        named = f"watch folder {other.id} ({other.client_path})"
        if not paths.is_of_key(other.path, other.cache_dir):
            named = "a watch folder outside the folders of this licence key"
        if _path(other) == path:
            raise AlreadyWatched(
                f"{folder.client_path} is watched already with this cache_dir, by {named}; change "
                "that one."
            )
        if other.recursive and _is_inside(path, _path(other)):
            raise AlreadyWatched(
                f"{folder.client_path} lies inside {named}, which is recursive and has the same "
                "cache_dir: its files are watched already."
            )
        if folder.recursive and _is_inside(_path(other), path):
            raise AlreadyWatched(
                f"{named} lies inside {folder.client_path} and has the same cache_dir: its files "
                'would be watched twice. Delete it first, or send "recursive": false.'
            )


def _path(folder: WatchFolder) -> str:
    return folder.real_path or folder.path


def _cache_dir(folder: WatchFolder) -> str:
    return folder.real_cache_dir or folder.cache_dir


def _is_inside(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")
