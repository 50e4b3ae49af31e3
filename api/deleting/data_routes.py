"""Deleting results of files so that it can be undone until they are collected.

A deleted artefact has its manifest under another name, so that nobody finds it; its data lie
where they were. What one request deleted is a record, written first: so a deletion that was
interrupted can be finished by asking again, and undone. After a day all of it is collected with
what was replaced (shared/cache/publishing.py).
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Set
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeVar

import msgspec
import numpy as np

from api.deleting.answers import (
    DataDeleted,
    DataKind,
    DeletedData,
    DeletedMedia,
    DeletionItem,
    Deletions,
    DeletionUndone,
    UndeletableMedia,
)
from api.deleting.bodies import DeleteDataBody, UndoDeletionBody
from api.http.answers import counted
from api.http.endpoint import Call, Endpoint
from api.http.parameters import IN_CACHE_DIR
from api.http.services import CoreServices, Scope
from shared.cache import cache_files, limits
from shared.cache.cache_dir import CacheDir
from shared.cache.cache_files import ArtefactFiles
from shared.cache.catalogue import Artefact
from shared.cache.publishing import DELETIONS, KEPT_S, is_deletion
from shared.domain import Stage
from shared.errors import BadInput, CacheError, Missing
from shared.msgspec_decoding import UNDECODABLE
from shared.opening import OpenedFolder
from shared.people.clustering import VoiceGrouping
from shared.people.collection import Collection
from shared.rights import KeyScope
from shared.unusable_files import UnusableFile


class PublishedArtefact(NamedTuple):
    """An artefact that may be deleted. Of a broken one only the name of its manifest is known."""

    hash_str: str
    manifest: str  # its file name
    stage: Stage
    model: str
    bytes: int


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

    manifests: tuple[tuple[str, str], ...]  # hash_str and file name


T = TypeVar("T")


def read_record(cache: CacheDir, name: str, kind: type[T]) -> T | None:
    """Read what is written down of a deletion; None where there is nothing. Raises CacheError."""
    with cache_files.clear_errors(cache.root):
        try:
            raw = cache_files.read(cache.root / DELETIONS / name, limits.DELETION)
            return msgspec.json.decode(raw, type=kind)
        except (FileNotFoundError, NotADirectoryError, UnusableFile, *UNDECODABLE):
            return None


def write_record(cache: CacheDir, name: str, record: msgspec.Struct) -> None:
    with (
        cache_files.clear_errors(cache.root),
        cache_files.folder(cache.root / DELETIONS, create=True) as records,
    ):
        cache_files.write_atomically(records, name, msgspec.json.encode(record), "delete")


def remove_record(cache: CacheDir, name: str) -> None:
    with (
        cache_files.clear_errors(cache.root),
        cache_files.folder(cache.root / DELETIONS) as records,
        contextlib.suppress(FileNotFoundError),
    ):
        records.remove(name)
        records.sync()


def published(cache: CacheDir, hash_str: str, model: str | None) -> list[PublishedArtefact]:
    """The artefacts of a MediaFile, all or those of one model. Raises CacheError."""
    with cache_files.clear_errors(cache.root), media_folder(cache, hash_str) as folder:
        if folder is None:
            return []
        found = []
        for name, files in cache_files.manifests_in(folder, ArtefactFiles):
            stage, _, key = name.removeprefix("manifest.").removesuffix(".json").partition(".")
            own, data_files = cache_files.decoded_model(key), tuple[str, ...]()
            if isinstance(files, ArtefactFiles):
                own, data_files = files.model, files.names
            size = 0
            for data in data_files:
                with contextlib.suppress(OSError, CacheError):
                    size += cache_files.status(folder, data).st_size
            if stage in set(Stage) and model in (None, own):  # else it is no artefact of ours
                found.append(PublishedArtefact(hash_str, name, Stage(stage), own, size))
    return found


def delete(cache: CacheDir, artefacts: Iterable[PublishedArtefact], by: str) -> Deletion:
    """Delete artefacts. Raises CacheError; what was deleted until then can be undone, too."""
    artefacts = list(artefacts)
    deletion = Deletion(
        id=secrets.token_hex(8),
        at=time.time(),
        by=by,
        files=len({artefact.hash_str for artefact in artefacts}),
        bytes=sum(artefact.bytes for artefact in artefacts),
        manifests=tuple((a.hash_str, a.manifest) for a in artefacts),
    )
    write_record(cache, f"{deletion.id}.json", deletion)
    with cache_files.clear_errors(cache.root):
        for hash_str, names in _by_media(deletion):
            with media_folder(cache, hash_str) as folder:
                if folder:
                    _hide(folder, names, deletion.id)
    return deletion


def undo(cache: CacheDir, deletion_id: str) -> Counter[str]:
    """Publish again what a deletion took away. Raises Missing and CacheError.

    Returns how many artefacts are restored, replaced (made anew meanwhile) and lost (collected).
    One that ended halfway may be asked for again.
    """
    name = f"{deletion_id}.json"
    deletion = read_record(cache, name, Deletion) if is_deletion(name) else None
    if deletion is None or deletion.id != deletion_id:
        raise Missing(
            f"deletion_id: there is no deletion {deletion_id[:80]!r} that could be undone; "
            "GET /analysis-data/deletions lists them."
        )
    outcome = Counter[str]()
    with cache_files.clear_errors(cache.root):
        for hash_str, names in _by_media(deletion):
            with media_folder(cache, hash_str) as folder:
                here = _restored(folder, names, deletion_id) if folder else ("lost" for _ in names)
                outcome.update(here)
            found = cache.manifests(hash_str)
            cache.catalogue.append([Artefact.of(hash_str, each) for each in found])
    if not outcome["lost"]:
        remove_record(cache, name)
    return outcome


def _hide(folder: OpenedFolder, names: Iterable[str], deletion_id: str) -> None:
    """Delete manifests; the day until they are collected begins now."""
    for name in names:
        deleted = cache_files.deleted_name(name, deletion_id)
        with contextlib.suppress(FileNotFoundError):  # another request deletes it, too
            try:
                os.utime(name, dir_fd=folder.fd, follow_symlinks=False)
            except PermissionError:  # another user's file: only one of ours can be made younger
                raw = cache_files.read_in(folder, name, limits.MANIFEST)
                cache_files.write_atomically(folder, name, raw, "delete")
            folder.rename(name, deleted)
    folder.sync()


def _restored(folder: OpenedFolder, names: Iterable[str], deletion_id: str) -> Iterator[str]:
    """Publish manifests again; what became of each."""
    there = set(folder.names())
    for name in names:
        deleted = cache_files.deleted_name(name, deletion_id)
        if deleted not in there:  # never got there, or is back already; else it was collected
            yield "restored" if name in there else "lost"
        elif name in there:
            folder.remove(deleted)
            yield "replaced"
        else:
            folder.rename(deleted, name)
            yield "restored"
    folder.sync()


@contextlib.contextmanager
def media_folder(cache: CacheDir, hash_str: str) -> Iterator[OpenedFolder | None]:
    """The folder of a MediaFile; None where there is none."""
    try:
        folder = cache_files.folder(cache.media_dir(hash_str))
    except (FileNotFoundError, NotADirectoryError):
        yield None
        return
    with folder:
        yield folder


def _by_media(deletion: Deletion) -> Iterator[tuple[str, list[str]]]:
    names: dict[str, list[str]] = {}
    for hash_str, name in deletion.manifests:
        if cache_files.is_hash(hash_str) and cache_files.is_manifest(name):
            names.setdefault(hash_str, []).append(name)
    yield from names.items()


_KINDS: dict[Stage, DataKind] = {
    Stage.FRAMES: "frames",
    Stage.VISUAL: "visual",
    Stage.TRANSCRIPT: "transcription",
    Stage.SPEAKERS: "speakers",
    Stage.CAPTIONS: "captions",
    Stage.FACES: "faces",
}
_MOST_SHOWN = 1000  # files in an answer
_MOST_NAMED = 5  # models in an error


def delete_analysis_data(call: Call[DeleteDataBody], services: CoreServices) -> DataDeleted:
    """Delete results.

    All results of `media_paths`, those of `model_key` in the whole cache folder, or of that
    model in these files. Media files are never touched. Nothing is deleted unless `dry_run` is
    false; then it can be undone for 24 hours, until the data files are collected. Faces leave
    their collections when those are grouped anew. Voices leave them at once, with their rows,
    where nothing tells any more who speaks; after an undo they are back, under their names,
    when a collection is grouped anew.
    """
    body = call.body
    if body.media_paths is None and body.model_key is None:
        raise BadInput("What is to be deleted? Name media_paths, a model_key, or both.")
    scope = Scope.of(services, body.cache_dir, body.media_paths)
    hashes, failed = _hashes(scope)
    artefacts = _artefacts(scope, hashes, body.model_key)
    if body.media_paths is None and not artefacts:
        raise _no_such_model(scope, hashes, body.model_key or "")
    deletion = None
    if artefacts and not body.dry_run:
        call.audited["results"] = len(artefacts)
        deletion = delete(scope.cache(), artefacts, call.sender.label)
        call.audited["deletion_id"] = deletion.id
    if not body.dry_run:
        _forget_voices(call, scope.cache(), hashes, artefacts)
    return DataDeleted(
        message=_message(artefacts, deletion),
        dry_run=body.dry_run,
        deletion_id=deletion.id if deletion else None,
        kept_until=deletion.kept_until if deletion else None,
        files=len({artefact.hash_str for artefact in artefacts}),
        bytes=sum(artefact.bytes for artefact in artefacts),
        media=_shown(scope, artefacts),
        failed=failed,
    )


def _forget_voices(
    call: Call[DeleteDataBody],
    cache: CacheDir,
    hashes: Iterable[str],
    artefacts: Iterable[PublishedArtefact],
) -> None:
    """Of files that are named also where an interrupted deletion has taken the results before."""
    deleted = {a.hash_str for a in artefacts if a.stage is Stage.SPEAKERS}
    named = hashes if call.body.media_paths is not None else ()
    if asked := deleted.union(named):
        call.warnings.extend(forget_voices(cache, asked, deleted))


def _hashes(scope: Scope[CoreServices]) -> tuple[list[str], list[UndeletableMedia]]:
    """The MediaFiles that are asked about, and the paths that name none."""
    failed = [UndeletableMedia(media_path=path, error=why) for path, why in scope.unusable.items()]
    if scope.asked is None:
        return sorted(scope.cache().catalogue.hashes()), failed
    known = scope.services.caches.hashes_for(scope.view(), list(scope.asked))
    for path, hash_str in zip(scope.asked.values(), known, strict=True):
        if hash_str is None:
            why = "This file is not known in the cache folder, and it cannot be read."
            failed.append(UndeletableMedia(media_path=path, error=why))
    return list(dict.fromkeys(hash_str for hash_str in known if hash_str)), failed


def _artefacts(
    scope: Scope[CoreServices], hashes: Iterable[str], model: str | None
) -> list[PublishedArtefact]:
    cache = scope.cache()
    reader = scope.services.caches.reader(cache)
    found = reader.map(lambda hash_str: published(cache, hash_str, model), hashes)
    return [artefact for some in found for artefact in some]


def _no_such_model(scope: Scope[CoreServices], hashes: Iterable[str], model: str) -> Missing:
    known = Counter(artefact.model for artefact in _artefacts(scope, hashes, None))
    del known[""]  # the stored frames
    named = ", ".join(key for key, _ in known.most_common(_MOST_NAMED))
    there = f"there is data of {named}." if named else "there is no data of any model."
    return Missing(f"model_key: no file of this cache folder has data of {model!r}; {there}")


def _message(artefacts: list[PublishedArtefact], deletion: Deletion | None) -> str:
    if not artefacts:
        return "There is nothing to delete."
    files = len({artefact.hash_str for artefact in artefacts})
    what = f"{counted(len(artefacts), 'result')} of {counted(files, 'file')}"
    if deletion is None:
        return f"To delete: {what}. Nothing is deleted yet: send dry_run false for that."
    return f"Deleted: {what}. This can be undone for 24 hours."


def _shown(
    scope: Scope[CoreServices], artefacts: Iterable[PublishedArtefact]
) -> list[DeletedMedia]:
    media: dict[str, list[DeletedData]] = {}
    for artefact in artefacts:
        if artefact.hash_str not in media and len(media) == _MOST_SHOWN:
            break
        media.setdefault(artefact.hash_str, []).append(
            DeletedData(
                kind=_KINDS[artefact.stage],
                model_key=artefact.model or None,
                bytes=artefact.bytes,
            )
        )
    paths = scope.view().newest_paths() if media else {}
    return [
        DeletedMedia(
            media_path=scope.shown(paths.get(hash_str)) or None, hash_str=hash_str, data=data
        )
        for hash_str, data in media.items()
    ]


def list_deletions(call: Call[None], services: CoreServices) -> Deletions:
    """What was deleted and can be undone.

    Until it is collected, a day after it was deleted.
    """
    cache = services.caches.cache(services.paths.cache(IN_CACHE_DIR.read(call.query)))
    with cache_files.clear_errors(cache.root):
        names = list(filter(is_deletion, cache_files.names(cache.root / DELETIONS)))
    heads = [(name, read_record(cache, name, DeletionHead)) for name in names]
    found = [
        DeletionItem(
            deletion_id=head.id,
            at=head.at,
            by=head.by,
            kept_until=head.kept_until,
            files=head.files,
            bytes=head.bytes,
        )
        for name, head in heads
        if head and name == f"{head.id}.json"
    ]
    return Deletions(sorted(found, key=lambda item: -item.at))


def undo_deletion(call: Call[UndoDeletionBody], services: CoreServices) -> DeletionUndone:
    """Take a deletion back.

    What was analyzed anew since stays as it is now. 404 for an unknown deletion, and for one
    that was undone or collected.
    """
    body = call.body
    cache = services.caches.cache(services.paths.cache(body.cache_dir))
    undone = undo(cache, body.deletion_id)
    restored, replaced, lost = undone["restored"], undone["replaced"], undone["lost"]
    message = f"Back: {counted(restored, 'result')}."
    if replaced:
        message += f" Made anew meanwhile, and kept so: {replaced:,}."
    if lost:
        message += f" Collected, and gone: {lost:,}; analyze these files again."
    return DeletionUndone(message=message, restored=restored, replaced=replaced, lost=lost)


ENDPOINTS = (
    Endpoint(
        "POST /analysis-data/delete",
        delete_analysis_data,
        "Analysis data",
        KeyScope.ANALYZE,
        is_audited=True,
        errors={
            BadInput: "What is to be deleted? Name media_paths, a model_key, or both.",
            Missing: "model_key: no file of this cache folder has data of 'clip'; there is data "
            "of conse-lite0, whisper-base.",
        },
        example={"model_key": ..., "dry_run": False},
        answer_example={
            "message": "Deleted: 12 results of 12 files. This can be undone for 24 hours."
        },
    ),
    Endpoint(
        "GET /analysis-data/deletions",
        list_deletions,
        "Analysis data",
        KeyScope.ANALYZE,
        query=(IN_CACHE_DIR,),
    ),
    Endpoint(
        "POST /analysis-data/deletions/undo",
        undo_deletion,
        "Analysis data",
        KeyScope.ANALYZE,
        is_audited=True,
        errors={
            Missing: "deletion_id: there is no deletion '5f0c1de2a49b7c39' that could be undone; "
            "GET /analysis-data/deletions lists them."
        },
        answer_example={"message": "Back: 12 results."},
    ),
)


_log = logging.getLogger(__name__)


def forget_voices(cache: CacheDir, hashes: Set[str], deleted: Set[str]) -> list[str]:
    """Take the rows of voices out of all collections, also out of their former groupings.

    Of these files: where nothing tells who speaks, and, where speakers were `deleted`, those that
    a collection has of what is not published now. Their ids and clusters are remembered, so that
    they come back. Returns a sentence for each collection that could not be changed.
    """
    failed = []
    for name in Collection.all_names(cache.root):
        collection = Collection(cache.root, name)
        try:
            if not hashes.isdisjoint(collection.voices().media):
                collection.voice_files.rewrite(partial(_forgotten, cache, hashes, deleted))
        except CacheError as error:
            _log.warning("%s keeps voices of deleted speakers: %s", name, error.message)
            failed.append(
                f"The collection {name!r} keeps their voices until it is grouped anew: "
                f"{error.message}"
            )
    return failed


def _forgotten(
    cache: CacheDir, hashes: Set[str], deleted: Set[str], grouping: VoiceGrouping
) -> VoiceGrouping:
    """The grouping with the voices of such MediaFiles as of those that have no speakers."""
    is_gone = np.zeros(len(grouping.media), np.bool_)
    for number, hash_str in enumerate(grouping.media):
        if hash_str in hashes and (file := grouping.media_files[number]):
            manifests = cache.manifests(hash_str)
            told = {found.file for found in manifests if found.stage is Stage.SPEAKERS}
            is_gone[number] = not told or (hash_str in deleted and file not in told)
    if not is_gone.any():
        return grouping
    files = zip(grouping.media_files, is_gone.tolist(), strict=True)
    columns = {}
    for name in ("numbers", "rows", "seconds", "excerpts", "is_there"):
        columns[name] = getattr(grouping, name).copy()
        columns[name][is_gone[grouping.media_of]] = 0
    media_files = tuple("" if gone else file for file, gone in files)
    return replace(grouping, media_files=media_files, **columns)
