"""Scenes that are found anew for frames that stay: the manifest is replaced, no picture is."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
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


class _Age(msgspec.Struct, frozen=True):
    """A manifest read for what says whether its scenes are of today."""

    rows: int
    scenes_by: int = 0


def is_due(cache: CacheDir, hash_str: str) -> bool:
    """Whether the scenes of a MediaFile were found as they no longer are. A still has none."""
    path = cache_files.manifest_path(cache.root, hash_str, Stage.FRAMES, "")
    try:
        age = msgspec.json.decode(cache_files.read(path, limits.MANIFEST), type=_Age)
    except (OSError, UnusableFile, CacheError, *UNDECODABLE):
        return False
    return age.scenes_by < SCENES_BY and age.rows > 1


def is_of_media(cache: CacheDir, hash_str: str, manifest: Manifest) -> bool:
    """Whether what is stored is of the file as it is now, not of what its content was before."""
    seen = catalogue.read_paths(cache.media_dir(hash_str))
    return all(manifest.made_at >= each.changed_at for each in seen)


def publish(
    cache: CacheDir, hash_str: str, old: Manifest, scenes: tuple[Scene, ...], token: str
) -> None:
    """Replace the scenes of published frames, unless these were replaced or deleted meanwhile.

    Other scenes come with another name of the same data, by which readers notice them. `token`:
    as of `CacheDir.draft`. Raises CacheError.
    """
    new = msgspec.structs.replace(old, scenes=scenes, scenes_by=SCENES_BY)
    with (
        cache_files.clear_errors(cache.root),
        cache_files.folder(cache.media_dir(hash_str)) as folder,
    ):
        if scenes != old.scenes:
            new = msgspec.structs.replace(new, file=f"{Stage.FRAMES}.{secrets.token_hex(4)}.pack")
            _name_again(folder, old.file, new.file, token)
            folder.sync()
        if not _show(cache, folder, hash_str, old.file, new, token):
            return  # what was named again is collected
        if new.file != old.file and _file_of(cache, hash_str) == new.file:
            cache.catalogue.append([Artefact.of(hash_str, new)])


def _show(
    cache: CacheDir, folder: OpenedFolder, hash_str: str, old: str, new: Manifest, token: str
) -> bool:
    """Put a manifest in the place of the one that names the file `old`; False: it is no more."""
    name = cache_files.manifest_name(Stage.FRAMES, "")
    try:
        with _new_file(folder, name, token) as file:
            file.write(msgspec.json.encode(new))
            _sync(file)
            if _file_of(cache, hash_str) != old:
                raise _Gone
    except _Gone:
        return False
    if _was_deleted(folder, old):  # since it was looked at, a moment ago
        folder.remove(name)
        return False
    folder.sync()
    return True


class _Gone(Exception):
    """What was published is so no more."""


def _file_of(cache: CacheDir, hash_str: str) -> str | None:
    """Which data file is published."""
    manifest = cache.manifest(hash_str, Stage.FRAMES)
    return manifest.file if manifest else None


def _was_deleted(folder: OpenedFolder, file: str) -> bool:
    deleted = cache_files.manifests_in(folder, ArtefactFiles, cache_files.is_deleted_manifest)
    return any(isinstance(found, ArtefactFiles) and found.file == file for _, found in deleted)


def _name_again(folder: OpenedFolder, old: str, new: str, token: str) -> None:
    """Give data a second name; a copy where that cannot be. Raises OSError."""
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
        _new_file(folder, new, token) as file,
        cache_files.opened_in(folder, old) as source,
        source.reader() as data,
    ):
        while piece := data.read(_PIECE):
            file.write(piece)
        _sync(file)


@contextlib.contextmanager
def _new_file(folder: OpenedFolder, name: str, token: str) -> Iterator[BinaryIO]:
    """A file that gets its name at the end of the block; where that fails, it stays nowhere."""
    temporary = cache_files.temporary_name(name, token)
    with contextlib.ExitStack() as unless_named:
        unless_named.callback(_remove, folder, temporary)
        with os.fdopen(folder.create(temporary), "wb") as file:
            yield file
        folder.rename(temporary, name)
        unless_named.pop_all()


def _remove(folder: OpenedFolder, name: str) -> None:
    with contextlib.suppress(OSError):
        folder.remove(name)


def _sync(file: BinaryIO) -> None:
    file.flush()
    cache_files.sync(file.fileno())
