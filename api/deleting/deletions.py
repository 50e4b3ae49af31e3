"""Deletes published artefacts of a CacheDir so that it can be undone until they are collected.

A deleted artefact has its manifest under another name, so that nobody finds it; its data lie
where they were. What one request deleted is a record, written first: so a deletion that was
interrupted can be finished by asking again, and undone. After a day all of it is collected with
what was replaced (shared/cache/publishing.py).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

import msgspec

from shared.cache import cache_files, limits
from shared.cache.cache_dir import CacheDir
from shared.cache.cache_files import ArtefactFiles
from shared.cache.catalogue import Artefact
from shared.cache.publishing import DELETIONS, KEPT_S, is_deletion
from shared.domain import Stage
from shared.errors import CacheError, Missing
from shared.msgspec_decoding import UNDECODABLE
from shared.opening import OpenedFolder
from shared.unusable_files import UnusableFile


class PublishedArtefact(NamedTuple):
    """An artefact that may be deleted. Of a broken one only the name of its manifest is known."""

    hash_str: str
    manifest: str  # its file name
    stage: Stage
    model: str
    bytes: int


class DeletedManifest(msgspec.Struct, frozen=True, array_like=True):
    """One manifest of a Deletion."""

    hash_str: str
    name: str


class DeletionHead(msgspec.Struct, frozen=True, kw_only=True):
    """What one request deleted, in numbers."""

    id: str
    at: float  # Unix seconds
    by: str  # label of the licence key
    files: int  # MediaFiles that lost something
    bytes: int

    @property
    def kept_until(self) -> float:
        """Unix seconds, until when it can surely be undone."""
        return self.at + KEPT_S


class Deletion(DeletionHead, frozen=True, kw_only=True):
    """What one request deleted, as it lies in CACHE_DIR/deletions/<id>.json."""

    manifests: tuple[DeletedManifest, ...]


DeletionT = TypeVar("DeletionT", DeletionHead, Deletion)


class Undone(NamedTuple):
    """How an undo went, in artefacts. `replaced`: made anew meanwhile; `lost`: collected."""

    restored: int
    replaced: int
    lost: int


def published(cache: CacheDir, hash_str: str, model: str | None) -> list[PublishedArtefact]:
    """The artefacts of a MediaFile, all or those of one model. Raises CacheError."""
    with cache_files.clear_errors(cache.root), _media_folder(cache, hash_str) as folder:
        if folder is None:
            return []
        found = [
            _artefact(folder, hash_str, name, files)
            for name, files in cache_files.manifests_in(folder, ArtefactFiles)
        ]
    return [artefact for artefact in found if artefact and model in (None, artefact.model)]


def delete(cache: CacheDir, artefacts: Iterable[PublishedArtefact], by: str) -> Deletion:
    """Delete artefacts. Raises CacheError; what was deleted until then can be undone, too."""
    artefacts = list(artefacts)
    deletion = Deletion(
        id=secrets.token_hex(8),
        at=time.time(),
        by=by,
        files=len({artefact.hash_str for artefact in artefacts}),
        bytes=sum(artefact.bytes for artefact in artefacts),
        manifests=tuple(DeletedManifest(a.hash_str, a.manifest) for a in artefacts),
    )
    with cache_files.clear_errors(cache.root):
        with cache_files.folder(cache.root / DELETIONS, create=True) as records:
            raw = msgspec.json.encode(deletion)
            cache_files.write_atomically(records, f"{deletion.id}.json", raw, "delete")
        for hash_str, names in _by_media(deletion):
            with _media_folder(cache, hash_str) as folder:
                if folder:
                    _hide(folder, names, deletion.id)
    return deletion


def all_deletions(cache: CacheDir) -> list[DeletionHead]:
    """Deletions that may still be undone, the newest first. Raises CacheError."""
    with cache_files.clear_errors(cache.root):
        names = filter(is_deletion, cache_files.names(cache.root / DELETIONS))
    found = (_record(cache, name.removesuffix(".json"), DeletionHead) for name in names)
    return sorted(filter(None, found), key=lambda deletion: -deletion.at)


def undo(cache: CacheDir, deletion_id: str) -> Undone:
    """Publish again what a deletion took away. Raises Missing and CacheError.

    One that ended halfway may be asked for again.
    """
    is_id = is_deletion(f"{deletion_id}.json")
    deletion = _record(cache, deletion_id, Deletion) if is_id else None
    if deletion is None:
        raise Missing(
            f"deletion_id: there is no deletion {deletion_id[:80]!r} that could be undone; "
            "GET /analysis-data/deletions lists them."
        )
    outcome = Undone(0, 0, 0)
    with cache_files.clear_errors(cache.root):
        for hash_str, names in _by_media(deletion):
            with _media_folder(cache, hash_str) as folder:
                here = _shown(folder, names, deletion.id) if folder else Undone(0, 0, len(names))
            outcome = Undone(*map(sum, zip(outcome, here, strict=True)))
            found = cache.manifests(hash_str)
            cache.catalogue.append([Artefact.of(hash_str, each) for each in found])
        if not outcome.lost:
            with (
                cache_files.folder(cache.root / DELETIONS) as records,
                contextlib.suppress(FileNotFoundError),
            ):
                records.remove(f"{deletion.id}.json")
    return outcome


def _hide(folder: OpenedFolder, names: Iterable[str], deletion_id: str) -> None:
    for name in names:
        deleted = cache_files.deleted_name(name, deletion_id)
        with contextlib.suppress(FileNotFoundError):  # another request deletes it, too
            _begin_day(folder, name)
            folder.rename(name, deleted)
    folder.sync()


def _begin_day(folder: OpenedFolder, name: str) -> None:
    """Let the day until a manifest is collected begin now."""
    try:
        os.utime(name, dir_fd=folder.fd, follow_symlinks=False)
    except PermissionError:  # another user's file: only one of ours can be made younger
        raw = cache_files.read_in(folder, name, limits.MANIFEST)
        cache_files.write_atomically(folder, name, raw, "delete")


def _shown(folder: OpenedFolder, names: Iterable[str], deletion_id: str) -> Undone:
    restored = replaced = lost = 0
    there = set(folder.names())
    for name in names:
        deleted = cache_files.deleted_name(name, deletion_id)
        if deleted not in there:  # never got there, or is back already; else it was collected
            restored, lost = (restored + 1, lost) if name in there else (restored, lost + 1)
        elif name in there:
            folder.remove(deleted)
            replaced += 1
        else:
            folder.rename(deleted, name)
            restored += 1
    folder.sync()
    return Undone(restored, replaced, lost)


def _record(cache: CacheDir, deletion_id: str, kind: type[DeletionT]) -> DeletionT | None:
    """None where there is none, or one that names itself otherwise."""
    try:
        raw = cache_files.read(cache.root / DELETIONS / f"{deletion_id}.json", limits.DELETION)
        found = msgspec.json.decode(raw, type=kind)
    except (FileNotFoundError, NotADirectoryError, UnusableFile, *UNDECODABLE):
        return None
    except OSError as error:
        raise cache_files.cache_error(cache.root, error) from error
    return found if found.id == deletion_id else None


@contextlib.contextmanager
def _media_folder(cache: CacheDir, hash_str: str) -> Iterator[OpenedFolder | None]:
    """The folder of a MediaFile; None where there is none."""
    try:
        folder = cache_files.folder(cache.media_dir(hash_str))
    except (FileNotFoundError, NotADirectoryError):
        yield None
        return
    except OSError as error:
        raise cache_files.cache_error(cache.root, error) from error
    with folder:
        yield folder


def _by_media(deletion: Deletion) -> Iterator[tuple[str, list[str]]]:
    names: dict[str, list[str]] = {}
    for deleted in deletion.manifests:
        if cache_files.is_hash(deleted.hash_str) and cache_files.is_manifest(deleted.name):
            names.setdefault(deleted.hash_str, []).append(deleted.name)
    yield from names.items()


def _artefact(
    folder: OpenedFolder, hash_str: str, name: str, files: ArtefactFiles | CacheError
) -> PublishedArtefact | None:
    """None for what is no artefact of ours."""
    stage, _, model = name.removeprefix("manifest.").removesuffix(".json").partition(".")
    if stage not in set(Stage):
        return None
    if isinstance(files, CacheError):
        return PublishedArtefact(hash_str, name, Stage(stage), cache_files.decoded_model(model), 0)
    size = sum(_size(folder, data) for data in files.names)
    return PublishedArtefact(hash_str, name, Stage(stage), files.model, size)


def _size(folder: OpenedFolder, name: str) -> int:
    try:
        return cache_files.status(folder, name).st_size
    except (OSError, CacheError):
        return 0
