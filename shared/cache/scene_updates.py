"""Replaces the scenes of published frames, so that it can be undone for a day.

Only the manifest is replaced; the stored frames stay. The earlier manifest is kept under the name
of a deleted one, which readers ignore and which is collected after a day (cache_tidying.py).
"""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import BinaryIO

import msgspec

from shared.cache import cache_files, catalogue, limits
from shared.cache.cache_dir import CacheDir
from shared.cache.cache_files import ArtefactFiles
from shared.cache.catalogue import Artefact
from shared.domain import SCENES_BY, Manifest, Scene, Stage
from shared.errors import CacheError
from shared.msgspec_decoding import UNDECODABLE
from shared.opening import OpenedFolder
from shared.unusable_files import UnusableFile

_PIECE = 1 << 20
_MANIFEST = cache_files.manifest_name(Stage.FRAMES, "")
_EARLIER = cache_files.deleted_name(_MANIFEST, "5ce7e50000000000")  # no deletion has this id


class _Age(msgspec.Struct, frozen=True):
    """A manifest read only for the version of its scenes."""

    rows: int
    scenes_by: int = 0


def is_due(cache: CacheDir, hash_str: str) -> bool:
    """Return True if an earlier version found the scenes of a MediaFile. A still has none."""
    path = cache_files.manifest_path(cache.root, hash_str, Stage.FRAMES, "")
    try:
        age = msgspec.json.decode(cache_files.read(path, limits.MANIFEST), type=_Age)
    except (OSError, UnusableFile, CacheError, *UNDECODABLE):
        return False
    return age.scenes_by < SCENES_BY and age.rows > 1


def is_of_media(cache: CacheDir, hash_str: str, manifest: Manifest) -> bool:
    """Return True if the stored frames show the present content of the file."""
    seen = catalogue.read_paths(cache.media_dir(hash_str))
    return all(manifest.made_at >= each.changed_at for each in seen)


def publish(
    cache: CacheDir, hash_str: str, old: Manifest, scenes: tuple[Scene, ...], token: str
) -> None:
    """Replace the scenes of published frames, unless these were replaced or deleted meanwhile.

    `token`: as of `CacheDir.draft`. Raises CacheError.
    """
    new = msgspec.structs.replace(old, scenes=scenes, scenes_by=SCENES_BY)
    if scenes != old.scenes:
        with (
            cache_files.clear_errors(cache.root),
            cache_files.folder(cache.media_dir(hash_str)) as folder,
        ):
            cache_files.write_atomically(folder, _EARLIER, msgspec.json.encode(old), token)
    _replace(cache, hash_str, old, new, token)


def undo(cache: CacheDir, hash_str: str, token: str) -> bool:
    """Publish the earlier scenes again; False if there are none of these frames.

    Frames that were analyzed again since stay as they are. Raises CacheError.
    """
    earlier = cache_files.read_manifest(cache_files.data_path(cache.root, hash_str, _EARLIER))
    current = cache.manifest(hash_str, Stage.FRAMES)
    if earlier is None or current is None or current.file == earlier.file:
        return False
    restored = msgspec.structs.replace(earlier, file=current.file)
    same = msgspec.structs.replace(restored, scenes=current.scenes, scenes_by=SCENES_BY)
    if current != same:
        return False
    _replace(cache, hash_str, current, restored, token)
    with (
        cache_files.clear_errors(cache.root),
        cache_files.folder(cache.media_dir(hash_str)) as folder,
        contextlib.suppress(OSError),
    ):
        folder.remove(_EARLIER)
    return True


def _replace(cache: CacheDir, hash_str: str, old: Manifest, new: Manifest, token: str) -> None:
    """Publish a manifest in place of another one of the same data.

    Other scenes come with another name of the data, by which readers notice them.
    """
    with (
        cache_files.clear_errors(cache.root),
        cache_files.folder(cache.media_dir(hash_str)) as folder,
    ):
        if new.scenes != old.scenes:
            new = msgspec.structs.replace(new, file=f"{Stage.FRAMES}.{secrets.token_hex(4)}.pack")
            _name_again(folder, old.file, new.file, token)
            folder.sync()
        if not _show(cache, folder, hash_str, old.file, new, token):
            return  # the new name of the data is collected
        if new.file != old.file and _file_of(cache, hash_str) == new.file:
            cache.catalogue.append([Artefact.of(hash_str, new)])


def _show(
    cache: CacheDir, folder: OpenedFolder, hash_str: str, old: str, new: Manifest, token: str
) -> bool:
    """Rename a manifest over the one that names the file `old`; False if that is not published."""
    try:
        with cache_files.new_file(folder, _MANIFEST, token) as file:
            file.write(msgspec.json.encode(new))
            _sync(file)
            if _file_of(cache, hash_str) != old:
                raise _Gone
    except _Gone:
        return False
    if _was_deleted(folder, old):  # since the check above
        folder.remove(_MANIFEST)
        return False
    folder.sync()
    return True


class _Gone(Exception):
    """The manifest to be replaced is no longer published."""


def _file_of(cache: CacheDir, hash_str: str) -> str | None:
    manifest = cache.manifest(hash_str, Stage.FRAMES)
    return manifest.file if manifest else None


def _was_deleted(folder: OpenedFolder, file: str) -> bool:
    deleted = cache_files.manifests_in(folder, ArtefactFiles, cache_files.is_deleted_manifest)
    return any(
        isinstance(found, ArtefactFiles) and found.file == file
        for name, found in deleted
        if name != _EARLIER
    )


def _name_again(folder: OpenedFolder, old: str, new: str, token: str) -> None:
    """Link data to a second name; copy it where links are impossible. Raises OSError."""
    try:
        # First: what no manifest names yet is collected where it is a day old. And readers may be
        # on their way to the old name, whose day begins now.
        os.utime(old, dir_fd=folder.fd, follow_symlinks=False)
        folder.link(old, new)
        return
    except FileNotFoundError:
        raise
    except OSError:  # another user's file, or a share without hard links
        pass
    with (
        cache_files.new_file(folder, new, token) as file,
        cache_files.opened_in(folder, old) as source,
        source.reader() as data,
    ):
        while piece := data.read(_PIECE):
            file.write(piece)
        _sync(file)


def _sync(file: BinaryIO) -> None:
    file.flush()
    cache_files.sync(file.fileno())
