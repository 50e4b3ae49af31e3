"""The faces of a person in a cache folder, and the artefacts of faces without them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shared.cache import cache_files, limits, publishing
from shared.cache.cache_dir import CacheDir
from shared.cache.cache_files import ArtefactFiles
from shared.cache.faces import (
    FaceRows,
    centres_of,
    first_key,
    parse_face_id,
    read_faces,
    seconds_of,
    write_faces,
)
from shared.cache.frame_packs import PackReader, PackWriter
from shared.domain import Manifest, Stage
from shared.errors import BadInput, CacheError
from shared.opening import OpenedFolder, RootedPath
from shared.unusable_files import UnusableFile

_log = logging.getLogger(__name__)
_NEAR = 0.1  # of the picture: as far as a face may have moved that is detected anew (FaceIndex)
Keys = NDArray[np.uint64]  # of faces of one MediaFile, ascending
_NONE = np.zeros(0, np.uint64)


@dataclass(frozen=True, slots=True)
class PersonFaces:
    """Keys of a person's faces by MediaFile, and of the others in the same groupings."""

    keys: Mapping[str, Keys]
    others: Mapping[str, Keys] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return sum(map(len, self.keys.values()))

    def among(self, hash_str: str, keys: Keys) -> NDArray[np.bool_]:
        """[n] which of these keys are the person's.

        The same keys are the same faces. Where there are others, too, the faces were detected
        anew or by another model: there a face is whose known one is nearest in that second.
        """
        mine, others = self.keys.get(hash_str, _NONE), self.others.get(hash_str, _NONE)
        found = np.isin(keys, mine)
        known = np.union1d(mine, others)
        if not len(mine) or np.isin(keys, known).all():
            return found
        for second in np.unique(seconds_of(mine)).tolist():
            start, end = np.searchsorted(keys, [first_key(second), first_key(second + 1)])
            first, last = np.searchsorted(known, [first_key(second), first_key(second + 1)])
            at = _nearest(keys[start:end], known[first:last])
            found[start:end] |= (at >= 0) & np.isin(known[first:last][at], mine)
        return found

    def has(self, face_id: str) -> bool:
        """Whether this id is one of the person's faces."""
        with contextlib.suppress(BadInput):
            hash_str, key = parse_face_id(face_id)
            return bool(np.isin(np.uint64(key), self.keys.get(hash_str, _NONE)))
        return False


def _nearest(keys: Keys, known: Keys) -> NDArray[np.intp]:
    """[n] index of the known face that each one is, -1: of none; each known one is one face."""
    at = np.full(len(keys), -1, np.intp)
    far = np.linalg.norm(centres_of(keys)[:, None] - centres_of(known)[None], axis=2)
    for pair in np.argsort(far, axis=None, kind="stable").tolist():
        face, place = divmod(pair, len(known))
        if far[face, place] > _NEAR:
            break
        if at[face] < 0 and place not in at:
            at[face] = place
    return at


def delete_faces(
    cache: CacheDir, person: PersonFaces, hash_str: str, is_over: Callable[[str], bool]
) -> int:
    """Publish all faces of a MediaFile without the person's, and leave no file that has them.

    Results that were deleted before and could be brought back go as well. Artefacts that are
    damaged go as a whole; returns how many. `is_over`: whether a lease is known and no longer
    held. Raises CacheError; asked again it goes on.
    """
    with cache_files.clear_errors(cache.root):
        damaged = [
            manifest
            for manifest in cache.manifests(hash_str)
            if manifest.stage is Stage.FACES
            and not _is_rewritten(cache, person, hash_str, manifest)
        ]
    return clean_up(cache, hash_str, Stage.FACES, damaged, is_over)


def clean_up(
    cache: CacheDir,
    hash_str: str,
    stage: Stage,
    damaged: Collection[Manifest],
    is_over: Callable[[str], bool],
) -> int:
    """Remove damaged artefacts of a stage, and all data of it that nothing names any more.

    Returns how many artefacts were damaged.
    """
    media = cache.media_dir(hash_str)
    with cache_files.clear_errors(cache.root):
        try:
            folder = cache_files.folder(media)
        except (FileNotFoundError, NotADirectoryError):
            return len(damaged)
        with folder:
            for manifest in damaged:
                with contextlib.suppress(FileNotFoundError):
                    folder.remove(cache_files.manifest_name(stage, manifest.model))
            _remove_unnamed(folder, stage)
    publishing.remove_dead(media, is_over)
    return len(damaged)


def _is_rewritten(cache: CacheDir, person: PersonFaces, hash_str: str, manifest: Manifest) -> bool:
    """Publish an artefact without the person, where the person is in it; False: it is damaged."""
    path = cache.data_path(hash_str, manifest)
    with contextlib.ExitStack() as at_end:
        try:
            rows = FaceRows(**read_faces(path))
            pack = path.parent / (manifest.pack or "")
            pictures = at_end.enter_context(PackReader(pack)) if manifest.pack else None
        except CacheError as error:
            check_readable(cache, path, limits.FACES)
            _log.warning("%s: its faces are deleted as a whole: %s", hash_str, error.message)
            return False
        keep = np.flatnonzero(~person.among(hash_str, rows.keys))
        if len(keep) < len(rows):
            _publish(cache, hash_str, manifest, rows.take(keep), keep, pictures)
    return True


def check_readable(cache: CacheDir, path: RootedPath, limit: int) -> None:
    """Raise CacheError where a file cannot be read just now: that is no damage to it."""
    try:
        cache_files.read(path, limit)
    except (FileNotFoundError, UnusableFile):
        return
    except OSError as error:
        raise cache_files.cache_error(cache.root, error) from error


def _publish(
    cache: CacheDir,
    hash_str: str,
    manifest: Manifest,
    rows: FaceRows,
    kept: NDArray[np.intp],
    pictures: PackReader | None,
) -> None:
    with cache.draft(hash_str, Stage.FACES, manifest.model, "npz", "delete") as draft:
        write_faces(draft.file, rows)
        assert draft.pack is not None
        pack = PackWriter(draft.pack)
        for number, row in enumerate(kept.tolist()):
            if (jpeg := _picture(pictures, row)) is not None:
                pack.add(number, jpeg)
        pack.finish()
        draft.publish(
            rows=len(rows),
            first_frame=manifest.first_frame,
            seconds=manifest.seconds,
            dim=manifest.dim,
            task_id=manifest.task_id,
            worker=manifest.worker,
            warnings=manifest.warnings,
        )


def _picture(pictures: PackReader | None, row: int) -> bytes | None:
    try:
        return pictures.read(row) if pictures else None
    except CacheError:  # a damaged one is shown to nobody, and is not worth the others
        return None


def _remove_unnamed(folder: OpenedFolder, stage: Stage) -> None:
    """Remove deleted manifests of a stage, and data of it that no manifest names."""
    names = folder.names()
    for name in names:
        if cache_files.is_deleted_manifest(name) and f".manifest.{stage}." in name:
            folder.remove(name)
    used: set[str] = set()
    for _, found in cache_files.manifests_in(folder, ArtefactFiles):
        if isinstance(found, CacheError):  # what it names is not known, and may be in use
            raise found
        used.update(found.names)
    for name in names:  # what was published since the listing stays
        is_data = cache_files.is_data(name) and name.startswith(f"{stage}.")
        if is_data and name not in used:
            with contextlib.suppress(FileNotFoundError):
                folder.remove(name)
    folder.sync()
