"""CacheDir: the only owner of derived files. Publishes artefacts all at once and finds them again.

Any part of the folder may be deleted at any time: readers then find nothing, and never crash.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypedDict, Unpack

import msgspec
from msgspec import UnsetType

from shared.cache import cache_files, catalogue, limits, publishing
from shared.cache.cache_files import SeenPath
from shared.cache.catalogue import Catalogue
from shared.cache.publishing import FinishedArtefact, PathSighting
from shared.domain import SCENES_BY, Manifest, Probe, Scene, Stage
from shared.errors import CacheError, NoCacheFolder, NotAllowed
from shared.msgspec_decoding import UNDECODABLE
from shared.opening import OpenedFolder, RootedPath
from shared.paths import Roots
from shared.unusable_files import UnusableFile

_log = logging.getLogger(__name__)
_FORMAT = 1
IDENTITY = "rushes.json"
_NO_ID = "path-"
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
LISTING_WAIT_S = 5.0  # how long a share may go on denying a file that is known to be published


class _CacheDirIdentity(msgspec.Struct, frozen=True):
    format: int
    id: str


class CacheDir:
    """One cache folder, opened. Safe for threads; holds no file open."""

    def __init__(self, root: RootedPath, cache_id: str) -> None:
        self.root = root
        self.id = cache_id
        self.catalogue = Catalogue(root)

    @classmethod
    def open(cls, path: str | Path, roots: Roots | None = None, *, create: bool) -> CacheDir:
        """Open a folder; `create` makes it, checks that it is writable and gives it an id.

        `roots` bind it and all that is ever read or written of it; without them the path itself
        does. Raises NoCacheFolder where there is none, NotAllowed where it leads out of the
        roots, CacheError where it cannot be used.
        """
        root = RootedPath.of(path, roots or Roots.only(path))
        with _opened(root, create=create) as folder, cache_files.clear_errors(root):
            identity = _identity(folder)
            if create and identity is None:
                identity = _create_identity(folder)
            elif create and not os.access(".", os.W_OK, dir_fd=folder.fd):
                cache_files.share_clock(folder)  # fails with the system's reason
        if identity is None:  # not written to yet, or rushes.json was deleted
            return without_id(root)
        return cls(root, identity.id)

    @classmethod
    def is_known(cls, path: str | Path, cache_id: str, roots: Roots | None = None) -> bool:
        """Whether the CacheDir of this id can be read at a path."""
        try:
            return cls.open(path, roots, create=False).id == cache_id
        except (NoCacheFolder, NotAllowed, CacheError):
            return False

    def is_there(self) -> bool:
        """Whether the folder can (still) be read and is the one that was opened."""
        return CacheDir.is_known(self.root.path, self.id, self.root.roots)

    def media_dir(self, hash_str: str) -> RootedPath:
        return cache_files.media_dir(self.root, hash_str)

    def manifest(
        self, hash_str: str, stage: Stage, model: str = "", *, wait_s: float = 0.0
    ) -> Manifest | None:
        """The Manifest of a published artefact; None where no usable one is published.

        `wait_s`: how long to insist where the caller knows that it was published.
        """
        path = cache_files.manifest_path(self.root, hash_str, stage, model)
        try:
            found = cache_files.read_manifest(path, wait_s)
        except CacheError as error:
            _log.warning("%s: %s", hash_str, error)
            return None
        # Two keys whose names differ in case only meet in one file on some shares.
        return found if found is None or found.model == model else None

    def has_data(self, hash_str: str, manifest: Manifest) -> bool:
        """Whether the data files that a manifest names are there in their full length."""
        try:
            with cache_files.folder(self.media_dir(hash_str)) as folder:
                pack = manifest.pack
                if pack and cache_files.status(folder, pack).st_size != manifest.pack_bytes:
                    return False
                return cache_files.status(folder, manifest.file).st_size == manifest.bytes
        except (OSError, CacheError):
            return False

    def manifests(self, hash_str: str) -> list[Manifest]:
        """All usable manifests of one MediaFile."""
        with (
            contextlib.suppress(FileNotFoundError, NotADirectoryError, CacheError),
            cache_files.folder(self.media_dir(hash_str)) as folder,
        ):
            found = cache_files.manifests_in(folder, Manifest)
            return [manifest for _, manifest in found if isinstance(manifest, Manifest)]
        return []

    def data_path(self, hash_str: str, manifest: Manifest) -> RootedPath:
        return cache_files.data_path(self.root, hash_str, manifest.file)

    @contextlib.contextmanager
    def draft(
        self,
        hash_str: str,
        stage: Stage,
        model: str,
        suffix: str,
        token: str,
        *,
        has_pack: bool = False,
        waits: bool = False,
    ) -> Iterator[Draft]:
        """A data file in the making, seen by nobody until it is published.

        `suffix` is "pack", "npy", "json" or "npz"; `token` names the lease it is written under.
        `has_pack`: another file is written beside it, as beside every "npz". `waits`: its
        `publish` leaves it to `publishing.publish`, within the block. Left without publishing, it
        is removed. Writing raises CacheError; other errors of the block are left
        as they are.
        """
        suffix = suffix.lstrip(".")
        with ExitStack() as at_end:
            names = [stage.value, f"{stage}-pack"] if has_pack or suffix == "npz" else [stage.value]
            with self._media_folder(hash_str, create=True) as folder:
                files = [
                    at_end.enter_context(self._temporary_file(folder, hash_str, name, token))
                    for name in names
                ]
            pack = files[1] if len(files) > 1 else None
            yield Draft(files[0], pack, self, hash_str, stage, model, suffix, token, waits)

    def last_seen(self, hash_str: str, path: str) -> SeenPath | None:
        """How a path looked when this content was last seen there; None for a new place."""
        noted = self.media_dir(hash_str) / "paths" / catalogue.path_file(path)
        try:
            found = msgspec.json.decode(cache_files.read(noted, limits.SMALL), type=SeenPath)
        except (OSError, CacheError, *UNDECODABLE):
            return None
        return found if found.path == path else None

    def remember_path(
        self,
        hash_str: str,
        path: str,
        size: int,
        mtime_ns: int,
        full_crc: str | None = None,
        changed_at: float = 0.0,
        token: str = "path",
    ) -> None:
        """Note a path at which a MediaFile was seen; doing it again is cheap.

        `token`: as in `draft`.
        """
        sighting = PathSighting(hash_str, path, size, mtime_ns, full_crc, changed_at, token)
        publishing.publish(self.catalogue, [], [sighting])

    def collect_when_due(self, is_over: Callable[[str], bool]) -> threading.Thread | None:
        """Remove what nobody uses in a thread of its own, once a day for all machines together.

        `is_over`: whether a lease (Lease.writer) is known and no longer held.
        """
        return publishing.collect_when_due(self.root, is_over)

    @contextlib.contextmanager
    def _media_folder(self, hash_str: str, *, create: bool = False) -> Iterator[OpenedFolder]:
        """The folder of a MediaFile; errors of the block become CacheErrors."""
        place = self.media_dir(hash_str)
        with (
            cache_files.clear_errors(self.root),
            cache_files.folder(place, create=create) as folder,
        ):
            yield folder

    @contextlib.contextmanager
    def _temporary_file(
        self, folder: OpenedFolder, hash_str: str, name: str, token: str
    ) -> Iterator[BinaryIO]:
        """A new file that is removed at the end unless it was renamed."""
        temporary = cache_files.temporary_name(name, token)
        file = io.BufferedWriter(cache_files.CacheFile(folder, temporary, self.root), 1 << 20)
        try:
            yield file
        finally:
            with contextlib.suppress(CacheError, OSError):  # a full disk fails the last flush too
                file.close()
            with (
                contextlib.suppress(CacheError, OSError),
                cache_files.folder(self.media_dir(hash_str)) as folder,
            ):
                folder.remove(temporary)


class ManifestFields(TypedDict, total=False):
    """Fields of a Manifest that not all artefacts have."""

    first_frame: int
    seconds: tuple[int, ...] | None
    scenes: tuple[Scene, ...]
    scenes_by: int
    probe: Probe | None
    dim: int | None
    language: str | None
    audio_streams: str | None
    sentence_model: str
    vocabulary: tuple[str, ...] | UnsetType
    task_id: str
    worker: str
    made_at: float
    warnings: tuple[str, ...]


@dataclass(slots=True)
class Draft:
    """Data of an artefact while it is written; `file` and `pack` (or None) are open for bytes."""

    file: BinaryIO
    pack: BinaryIO | None
    _cache: CacheDir
    _hash_str: str
    _stage: Stage
    _model: str
    _suffix: str
    _token: str
    _waits: bool
    finished: FinishedArtefact | None = None  # where it waits for others

    def publish(self, *, rows: int, **more: Unpack[ManifestFields]) -> Manifest:
        """Publish the artefact of this stage and model: data first, manifest last. Call once."""
        finished = self._finished(rows, more)
        if self._waits:
            self.finished = finished
        else:
            publishing.publish(self._cache.catalogue, [finished])
        return finished.manifest

    def _finished(self, rows: int, more: ManifestFields) -> FinishedArtefact:
        more.setdefault("made_at", time.time())
        if more.get("scenes"):
            more.setdefault("scenes_by", SCENES_BY)
        stem = f"{cache_files.stem(self._stage, self._model)}.{secrets.token_hex(4)}"
        files = [(self.file, f"{stem}.{self._suffix}")]
        if self.pack is not None:
            files.insert(0, (self.pack, f"{stem}.pack"))
        with cache_files.clear_errors(self._cache.root):
            manifest = Manifest(
                stage=self._stage,
                model=self._model,
                file=f"{stem}.{self._suffix}",
                bytes=_written(self.file),
                pack_bytes=None if self.pack is None else _written(self.pack),
                rows=rows,
                **more,
            )
        return FinishedArtefact(self._hash_str, manifest, tuple(files), self._token)


def without_id(root: RootedPath) -> CacheDir:
    """A folder that nothing was written to yet, or that is not even there: it is empty."""
    return CacheDir(root, f"{_NO_ID}{place_digest(root)[:24]}")


def place_digest(root: RootedPath) -> str:
    """Return a digest of where a folder lies. Raises CacheError where a link is swapped meanwhile.

    Copies of a CacheDir have one id, so the place tells them apart.
    """
    with cache_files.clear_errors(root):
        return hashlib.sha256(os.fsencode(os.path.realpath(str(root)))).hexdigest()


def was_written_to(cache: CacheDir) -> bool:
    """Whether anything was published in a CacheDir, as far as is known; else it is any folder."""
    return not cache.id.startswith(_NO_ID)


def _written(file: BinaryIO) -> int:
    """Hand all that was written to the system; the size in bytes."""
    file.flush()
    return os.fstat(file.fileno()).st_size


def _opened(root: RootedPath, *, create: bool) -> OpenedFolder:
    try:
        return root.folder(create=create)
    except NotAllowed as error:
        raise NotAllowed(f"cache_dir: {error.message}") from error
    except OSError as error:  # also a name too long, a parent that is closed to us
        if isinstance(error, FileNotFoundError) and not create:
            raise NoCacheFolder(
                f"There is no cache folder {root}; analyze into it first."
            ) from None
        raise cache_files.cache_error(root, error) from error


def _identity(root: OpenedFolder) -> _CacheDirIdentity | None:
    path = f"{root.path}/{IDENTITY}"
    try:
        raw = cache_files.read_in(root, IDENTITY, limits.SMALL)
        found = msgspec.json.decode(raw, type=_CacheDirIdentity)
    except FileNotFoundError:
        return None
    except (UnusableFile, *UNDECODABLE) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise CacheError(f"{path} is damaged ({why}); delete that one file to go on.") from error
    if not _ID.fullmatch(found.id):  # it names a folder of ours
        raise CacheError(f"{path} holds a strange id; delete that one file to go on.")
    if found.format > _FORMAT:
        raise CacheError(
            f"The cache folder {root.path} has format {found.format}, this version of Rushes reads "
            f"up to {_FORMAT}: update Rushes or choose another cache_dir."
        )
    return found


def _create_identity(root: OpenedFolder) -> _CacheDirIdentity:
    """Write rushes.json once: of two processes that try, both go on with the first one's id."""
    ours = _CacheDirIdentity(_FORMAT, secrets.token_hex(12))
    temporary = cache_files.temporary_name(IDENTITY, "new")
    try:
        with os.fdopen(root.create(temporary), "wb") as file:
            file.write(msgspec.json.encode(ours))
            file.flush()
            cache_files.sync(file.fileno())
        try:
            root.link(temporary, IDENTITY)
        except FileExistsError:
            return _identity(root) or ours
        except OSError:  # a share without hard links
            if IDENTITY not in root.names():
                root.rename(temporary, IDENTITY)
            return _identity(root) or ours
    finally:
        with contextlib.suppress(FileNotFoundError):
            root.remove(temporary)
    root.sync()
    return ours
