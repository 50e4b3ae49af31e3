"""The faces of a person in a cache folder, and the artefacts of faces without them."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.cache import cache_files, cache_tidying
from shared.cache.cache_dir import CacheDir
from shared.cache.cache_files import ArtefactFiles
from shared.cache.faces import (
    FaceRows,
    centres_of,
    face_keys,
    first_key,
    parse_face_id,
    read_faces,
    write_faces,
)
from shared.cache.frame_packs import PackReader, PackWriter
from shared.domain import Manifest, Stage
from shared.errors import BadInput, CacheError
from shared.opening import OpenedFolder

_log = logging.getLogger(__name__)
_Box = tuple[float, float, float, float]  # x, y, width, height as parts of the picture


@dataclasses.dataclass(slots=True)
class PersonFaces:
    """Faces by MediaFile: their keys, and where they are, so that other models' are found too."""

    keys: dict[str, NDArray[np.uint64]]
    places: dict[str, list[tuple[int, _Box]]] = dataclasses.field(default_factory=dict)

    @property
    def count(self) -> int:
        return sum(map(len, self.keys.values()))

    def locate(self, hash_str: str, rows: dict[str, NDArray[Any]]) -> None:
        """Note where those faces are that are among these `rows` (seconds, boxes)."""
        known = np.isin(face_keys(rows["seconds"], rows["boxes"]), self.keys[hash_str])
        at = zip(rows["seconds"][known].tolist(), rows["boxes"][known].tolist(), strict=True)
        self.places.setdefault(hash_str, []).extend((second, tuple(box)) for second, box in at)

    def among(self, hash_str: str, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """[n] which of these (ascending) keys are the person's: the same, or in the same place."""
        found = np.isin(keys, self.keys.get(hash_str, ()))
        for second, (x, y, width, height) in self.places.get(hash_str, ()):
            start, end = np.searchsorted(keys, [first_key(second), first_key(second + 1)])
            centres = centres_of(keys[start:end])
            inside = (centres >= (x, y)) & (centres <= (x + width, y + height))
            found[start:end] |= inside.all(axis=1)
        return found

    def has(self, face_id: str) -> bool:
        """Whether this id is one of the person's faces."""
        try:
            hash_str, key = parse_face_id(face_id)
        except BadInput:
            return False
        return bool(self.among(hash_str, np.array([key], np.uint64))[0])


def delete_faces(
    cache: CacheDir, person: PersonFaces, hash_str: str, is_over: Callable[[str], bool]
) -> None:
    """Publish all faces of a MediaFile without the person's, and leave no file that has them.

    Results that were deleted before and could be brought back go as well; so do those that nobody
    can read. `is_over`: whether a lease is known and no longer held. Raises CacheError.
    """
    media = cache.media_dir(hash_str)
    found = [each for each in cache.manifests(hash_str) if each.stage is Stage.FACES]
    for manifest in found:
        with contextlib.suppress(CacheError):
            path = cache.data_path(hash_str, manifest)
            person.locate(hash_str, read_faces(path, "seconds", "boxes"))
    kept = [each for each in found if _is_rewritten(cache, person, hash_str, each)]
    with (
        contextlib.suppress(FileNotFoundError, NotADirectoryError),
        cache_files.clear_errors(cache.root),
        cache_files.folder(media) as folder,
    ):
        _remove_others(folder, {cache_files.manifest_name(Stage.FACES, m.model) for m in kept})
    cache_tidying.remove_dead(media, is_over)


def _is_rewritten(cache: CacheDir, person: PersonFaces, hash_str: str, manifest: Manifest) -> bool:
    """Publish an artefact without the person, where the person is in it; False: it is unusable."""
    path = cache.data_path(hash_str, manifest)
    with contextlib.ExitStack() as at_end:
        try:
            rows = FaceRows(**read_faces(path))
            pack = path.parent / (manifest.pack or "")
            pictures = at_end.enter_context(PackReader(pack)) if manifest.pack else None
        except CacheError as error:
            _log.warning("%s: its faces are deleted as a whole: %s", hash_str, error.message)
            return False
        keep = np.flatnonzero(~person.among(hash_str, rows.keys))
        if len(keep) < len(rows):
            _publish(cache, hash_str, manifest, rows, keep, pictures)
    return True


def _publish(
    cache: CacheDir,
    hash_str: str,
    manifest: Manifest,
    rows: FaceRows,
    keep: NDArray[np.intp],
    pictures: PackReader | None,
) -> None:
    with cache.draft(hash_str, Stage.FACES, manifest.model, "npz", "delete") as draft:
        write_faces(draft.file, rows.take(keep))
        assert draft.pack is not None
        pack = PackWriter(draft.pack)
        for number, row in enumerate(keep.tolist()):
            if (jpeg := _picture(pictures, row)) is not None:
                pack.add(number, jpeg)
        pack.finish()
        draft.publish(
            rows=len(keep),
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


def _remove_others(folder: OpenedFolder, kept: set[str]) -> None:
    """Remove all manifests of faces but the `kept`, also deleted ones, and data that none names."""
    prefix = f"{Stage.FACES}."
    used: set[str] = set()
    for name in filter(_is_of_faces, folder.names()):
        if name not in kept:
            folder.remove(name)
    for _, found in cache_files.manifests_in(folder, ArtefactFiles, kept.__contains__):
        if isinstance(found, ArtefactFiles):
            used.update(found.names)
    for name in folder.names():
        if name.startswith(prefix) and cache_files.is_data(name) and name not in used:
            folder.remove(name)
    folder.sync()


def _is_of_faces(name: str) -> bool:
    is_manifest = cache_files.is_manifest(name) or cache_files.is_deleted_manifest(name)
    return is_manifest and f"manifest.{Stage.FACES}." in name


def as_keys(faces: Iterable[tuple[str, int]]) -> dict[str, NDArray[np.uint64]]:
    """Keys by MediaFile, of (hash_str, key) pairs."""
    found: dict[str, set[int]] = {}
    for hash_str, key in faces:
        found.setdefault(hash_str, set()).add(key)
    return {hash_str: np.array(sorted(keys), np.uint64) for hash_str, keys in found.items()}
