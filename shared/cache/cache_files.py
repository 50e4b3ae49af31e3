"""Files of a CacheDir as bytes on a disk or share: names, atomic writes, clear errors.

Everything here is opened by shared/opening.py: the roots bind also what a link leads to. What a
CacheDir means is in shared/cache/cache_dir.py.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import re
import secrets
import socket
import stat
import time
import urllib.parse
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, BinaryIO, Protocol, TypeVar

import msgspec

from shared.cache import cache_files, limits
from shared.domain import Manifest, Probe, Stage, pack_of
from shared.errors import BadInput, CacheError, NotAllowed
from shared.msgspec_decoding import UNDECODABLE
from shared.opening import OpenedFile, OpenedFolder, RootedPath

_HASH = re.compile(r"[0-9a-f]{16}")
_LONGEST_MODEL_NAME = 120  # file systems allow 255 bytes, the rest of the name needs about 60
_DATA_FILE = re.compile(rf"(?:{'|'.join(Stage)})\.[^/]*[0-9a-f]{{8}}\.[a-z0-9]{{1,5}}")
EXACT_CUTS = "exact-cuts.json"  # beside the frames artefact that it belongs to
_TEMPORARY = re.compile(r"\..+\.tmp")
_DELETED = re.compile(r"deleted\.[0-9a-f]{16}\.(manifest\..+\.json)")
_LEASED = re.compile(r"\..+\.([0-9a-f]{12}-\d{1,18}-\d{1,18})\.[0-9a-f]{8}\.tmp")
GONE = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE)


class ArtefactFiles(msgspec.Struct, frozen=True):
    """A Manifest read for its files only: which they are, and which model made them."""

    file: str
    pack_bytes: int | None = None
    model: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return (self.file,) if self.pack_bytes is None else (self.file, pack_of(self.file))


class ArtefactFacts(ArtefactFiles, frozen=True):
    """A Manifest read for what it says of the media file and of its transcript only."""

    rows: int = 0
    language: str | None = None
    probe: Probe | None = None
    sentence_model: str | msgspec.UnsetType = msgspec.UNSET
    vocabulary: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET


ManifestT = TypeVar("ManifestT", Manifest, ArtefactFiles, ArtefactFacts)


class SeenPath(msgspec.Struct, frozen=True):
    """A path where a MediaFile was seen; `mtime_ns` and `size` tell whether it is still that."""

    path: str
    size: int
    mtime_ns: int
    seen_at: float  # Unix seconds
    full_crc: str | None = None  # of all bytes, where it was read (media.full_crc)
    changed_at: float = 0.0  # when it was found to hold other bytes under the same hash
    first_at: float = 0.0  # when this content was first seen there; 0: not known to be before

    @property
    def since(self) -> float:
        """When this content was first seen there, as far as is known."""
        return self.first_at or self.seen_at


def media_dir(root: RootedPath, hash_str: str) -> RootedPath:
    """Folder of one MediaFile. Raises BadInput for what is no hash (a client may have sent it)."""
    return _in_media(root, hash_str)


def data_path(root: RootedPath, hash_str: str, name: str) -> RootedPath:
    """A file in the folder of one MediaFile. Raises BadInput as `media_dir`."""
    return _in_media(root, hash_str, f"/{name}")


def _in_media(root: RootedPath, hash_str: str, rest: str = "") -> RootedPath:
    if not _HASH.fullmatch(hash_str):
        raise BadInput(f"hash_str must be 16 lower-case hex digits, not {hash_str!r}.")
    return root / f"media/{hash_str[:2]}/{hash_str}{rest}"


def is_hash(name: str) -> bool:
    return _HASH.fullmatch(name) is not None


def is_data(name: str) -> bool:
    """Whether a file in a media folder is named like the data of an artefact."""
    return _DATA_FILE.fullmatch(name) is not None


def is_temporary(name: str) -> bool:
    return _TEMPORARY.fullmatch(name) is not None


@lru_cache(maxsize=64)
def encoded_model(model: str) -> str:
    """A model key as part of a file name; distinct keys stay distinct."""
    name = urllib.parse.quote(model, safe="+@=,")
    if len(name) <= _LONGEST_MODEL_NAME:
        return name
    digest = hashlib.sha256(model.encode()).hexdigest()[:16]
    return f"{name[:_LONGEST_MODEL_NAME]}~{digest}"


def decoded_model(name: str) -> str:
    """The model key that a (not shortened) encoded name stands for."""
    return urllib.parse.unquote(name)


def stem(stage: Stage, model: str) -> str:
    """The part that names of manifest and data files share: `frames`, or `visual.<model>`."""
    return f"{stage.value}.{encoded_model(model)}" if model else stage.value


def manifest_path(root: RootedPath, hash_str: str, stage: Stage, model: str) -> RootedPath:
    return data_path(root, hash_str, manifest_name(stage, model))


def manifest_name(stage: Stage, model: str) -> str:
    return f"manifest.{stem(stage, model)}.json"


def opened(path: RootedPath, wait_s: float = 0.0) -> OpenedFile:
    """Open a file for reading. Raises OSError, and CacheError where it leads out of the roots.

    `wait_s`: how long to ask again while it is missing, where it is known to be published. Network
    file systems remember "does not exist"; listing the folder makes them look again.
    """
    deadline = time.monotonic() + wait_s
    pause = 0.02
    while True:
        try:
            return path.open()
        except NotAllowed as error:
            raise CacheError(error.message) from error
        except OSError as error:
            if error.errno not in GONE or time.monotonic() >= deadline:
                raise
        with contextlib.suppress(OSError, CacheError), folder(path.parent) as above:
            above.names()
        time.sleep(pause)
        pause = min(pause * 2, 0.5)


def opened_in(place: OpenedFolder, name: str) -> OpenedFile:
    """Open a file of an open folder. Raises as `opened`."""
    try:
        return place.open(name)
    except NotAllowed as error:
        raise CacheError(error.message) from error


def folder(path: RootedPath, *, create: bool = False) -> OpenedFolder:
    """Open a folder. Raises OSError, and CacheError where it leads out of the roots."""
    try:
        return path.folder(create=create)
    except NotAllowed as error:
        raise CacheError(error.message) from error


def status(place: OpenedFolder, name: str) -> os.stat_result:
    """The status of a file, also through a link inside the roots. Raises as `opened`."""
    if not stat.S_ISLNK((found := place.status(name)).st_mode):
        return found
    with opened_in(place, name) as file:
        return file.status


def names(path: RootedPath) -> list[str]:
    """Names in a folder, ascending; none where there is no such folder. Raises as `folder`."""
    try:
        with folder(path) as place:
            return sorted(place.names())
    except (FileNotFoundError, NotADirectoryError):
        return []


def read(path: RootedPath, limit: int) -> bytes:
    """All bytes of a file. Raises as `opened`, and OversizedFile."""
    with opened(path) as file:
        return file.read(limit)


def read_in(place: OpenedFolder, name: str, limit: int) -> bytes:
    """All bytes of a file of an open folder. Raises as `read`."""
    with opened_in(place, name) as file:
        return file.read(limit)


def read_manifest(path: RootedPath, wait_s: float = 0.0) -> Manifest | None:
    """The manifest, None where there is none. Raises CacheError for a broken one.

    `wait_s`: as in `opened`.
    """
    return read_as(path, Manifest, wait_s)


def read_as(path: RootedPath, kind: type[ManifestT], wait_s: float = 0.0) -> ManifestT | None:
    """A part of what a manifest says, as `read_manifest`: quick where it lists much else."""
    try:
        with opened(path, wait_s) as file:
            return _manifest(file, kind)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(path.name, error) from error


def is_manifest(name: str) -> bool:
    return name.startswith("manifest.") and name.endswith(".json")


def deleted_name(manifest: str, deletion_id: str) -> str:
    """What a manifest is called once what it names was deleted; nobody but an undo reads it."""
    return f"deleted.{deletion_id}.{manifest}"


def is_deleted_manifest(name: str) -> bool:
    return _DELETED.fullmatch(name) is not None


def manifests_in(
    place: OpenedFolder,
    kind: type[ManifestT],
    is_wanted: Callable[[str], bool] = is_manifest,
) -> Iterator[tuple[str, ManifestT | CacheError]]:
    """The manifests of a media folder by name, or why one cannot be used. Raises OSError."""
    room = limits.ALL_MANIFESTS
    for name in sorted(filter(is_wanted, place.names()))[: limits.MANIFESTS]:
        found: ManifestT | CacheError
        try:
            with opened_in(place, name) as file:
                room -= file.status.st_size
                if room < 0:
                    raise CacheError(f"The manifests beside {name} are too large together.")
                found = _manifest(file, kind)
        except FileNotFoundError:
            continue
        except OSError as error:
            found = _unreadable(name, error)
        except CacheError as error:
            found = error
        yield name, found


def _manifest(file: OpenedFile, kind: type[ManifestT]) -> ManifestT:
    name = os.path.basename(file.path)
    try:
        most = limits.FACTS if kind is ArtefactFacts else limits.MANIFEST
        manifest = msgspec.json.decode(file.read(most), type=kind)
    except UNDECODABLE as error:
        raise CacheError(f"The manifest {name} is broken: {error}") from error
    if not is_data(manifest.file):  # never follow a path out of the folder
        raise CacheError(f"The manifest {name} names a strange file: {manifest.file!r}.")
    return manifest


def _unreadable(name: str, error: OSError) -> CacheError:
    return CacheError(f"The manifest {name} cannot be read: {error.strerror or error}.")


def write_atomically(place: OpenedFolder, name: str, data: bytes, token: str) -> os.stat_result:
    """Publish a small file: temporary name, fsync, rename, fsync of the folder. Raises OSError."""
    with new_file(place, name, token) as file:
        file.write(data)
        file.flush()
        sync(file.fileno())
        written = os.fstat(file.fileno())
    place.sync()
    return written


@contextlib.contextmanager
def new_file(place: OpenedFolder, name: str, token: str) -> Iterator[BinaryIO]:
    """Yield a file that gets its name at the end of the block, or is removed if that fails."""
    temporary = temporary_name(name, token)
    try:
        with os.fdopen(place.create(temporary), "wb") as file:
            yield file
        place.rename(temporary, name)
    except BaseException:  # whatever ends it, Ctrl-C too: half a file stays nowhere
        with contextlib.suppress(OSError):
            place.remove(temporary)
        raise


def temporary_name(name: str, token: str) -> str:
    """A file name that no other process uses and that names the lease it was written under."""
    return f".{name}.{_safe(token)}.{secrets.token_hex(4)}.tmp"


def remove_dead(place: OpenedFolder, is_dead: Callable[[str], bool], before: float) -> list[str]:
    """Remove temporary files of dead writers and those untouched since `before`; their names.

    `is_dead`: whether the lease of that name (Lease.writer) is over. Raises OSError.
    """
    removed = list[str]()
    for name in filter(is_temporary, place.names()):
        leased = _LEASED.fullmatch(name)
        with contextlib.suppress(FileNotFoundError):  # others tidy up too
            if (leased and is_dead(leased[1])) or place.status(name).st_mtime < before:
                place.remove(name)
                removed.append(name)
    return removed


def _safe(token: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", token)[:64]


def sync(fd: int) -> None:
    os.fsync(fd)


def share_clock(place: OpenedFolder) -> float:
    """Unix seconds as the file server sees them: our clock and the share's may differ."""
    probe = temporary_name("clock", "clock")
    with os.fdopen(place.create(probe), "wb") as file:
        file.write(b"\n")
    try:
        return place.status(probe).st_mtime
    finally:
        place.remove(probe)


def writer_name() -> str:
    """Name for a file that only this process appends to."""
    host = re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname())[:40] or "host"
    return f"{host}-{os.getpid()}-{secrets.token_hex(4)}"


@contextlib.contextmanager
def clear_errors(root: RootedPath) -> Iterator[None]:
    """Turn OSErrors on the CacheDir into CacheErrors that say what to do.

    The same for a link in it that leads out of the roots.
    """
    try:
        yield
    except NotAllowed as error:
        raise CacheError(error.message) from error
    except OSError as error:
        raise cache_error(root, error) from error


class CacheFile(io.FileIO):
    """A new file of a CacheDir that is written while other files are read.

    Its own errors become CacheErrors, so that nobody takes them for theirs. It must be written
    through Python: numpy's `tofile` goes round it.
    """

    def __init__(self, place: OpenedFolder, name: str, root: RootedPath) -> None:
        super().__init__(name, "xb", opener=lambda name, _flags: place.create(name))
        self._root = root

    def write(self, data: Any) -> int:
        with clear_errors(self._root):
            return super().write(data)


def cache_error(root: RootedPath, error: OSError) -> CacheError:
    """A CacheError that says in a sentence what the system's error means for the cache folder."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return CacheError(
            f"The disk that holds the cache folder {root} is full. Free some space and try again; "
            "what was published before is intact."
        )
    if error.errno == errno.EROFS:
        return CacheError(
            f"The cache folder {root} is on a read-only file system. Mount it writable or choose "
            "another cache_dir."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return CacheError(
            f"The server has no permission to use the cache folder {root}. Give it read and write "
            "permission or choose another cache_dir."
        )
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return CacheError(f"The cache folder {root} is not a folder; choose another cache_dir.")
    return CacheError(f"The cache folder {root} cannot be used: {error.strerror or error}.")


class Formatted(Protocol):
    """What says by which format it was written."""

    @property
    def format(self) -> int: ...


FormattedT = TypeVar("FormattedT", bound=Formatted)


def decoded(
    decoder: msgspec.json.Decoder[FormattedT],
    path: RootedPath,
    limit: int,
    newest: int,
    wait_s: float = 0.0,
) -> FormattedT:
    """What lies there, of a format up to the `newest`. Raises CacheError with a reason.

    `limit`: bytes that are read at most; `wait_s`: as in `cache_files.opened`.
    """
    try:
        with cache_files.opened(path, wait_s) as file:
            found = decoder.decode(file.read(limit))
    except FileNotFoundError as error:
        raise CacheError(f"The file {path.name} is missing.") from error
    except OSError as error:
        raise CacheError(f"{path.name} cannot be read: {error.strerror}.") from error
    except UNDECODABLE as error:
        raise CacheError(f"{path.name} is damaged: {error}.") from error
    if found.format > newest:
        raise CacheError(
            f"{path.name} has format {found.format}, this version of Rushes reads up to "
            f"{newest}: update Rushes."
        )
    return found
