"""Files of a CacheDir as bytes on a disk or share: names, atomic writes, clear errors.

Everything here takes paths; what a CacheDir means is in shared/cache/cache_dir.py.
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
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from shared.domain import Manifest, Stage
from shared.errors import BadInput, CacheError
from shared.msgspec_decoding import UNDECODABLE
from shared.opening import without_waiting

_HASH = re.compile(r"[0-9a-f]{16}")
_LONGEST_MODEL_NAME = 120  # file systems allow 255 bytes, the rest of the name needs about 60
_DATA_FILE = re.compile(r"(?:frames|visual|transcript|faces)\.[^/]*[0-9a-f]{8}\.[a-z0-9]{1,5}")
_TEMPORARY = re.compile(r"\..+\.tmp")


class SeenPath(msgspec.Struct, frozen=True):
    """A path where a MediaFile was seen; `mtime_ns` and `size` tell whether it is still that."""

    path: str
    size: int
    mtime_ns: int
    seen_at: float  # Unix seconds
    full_crc: str | None = None  # of all bytes, where it was read (media.full_crc)
    changed_at: float = 0.0  # when it was found to hold other bytes under the same hash


def media_dir(root: Path, hash_str: str) -> Path:
    """Folder of one MediaFile. Raises BadInput for what is no hash (a client may have sent it)."""
    if not _HASH.fullmatch(hash_str):
        raise BadInput(f"hash_str must be 16 lower-case hex digits, not {hash_str!r}.")
    return root / "media" / hash_str[:2] / hash_str


def is_hash(name: str) -> bool:
    return _HASH.fullmatch(name) is not None


def is_data(name: str) -> bool:
    """Whether a file in a media folder is named like the data of an artefact."""
    return _DATA_FILE.fullmatch(name) is not None


def is_temporary(name: str) -> bool:
    return _TEMPORARY.fullmatch(name) is not None


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


def manifest_path(root: Path, hash_str: str, stage: Stage, model: str) -> Path:
    return media_dir(root, hash_str) / f"manifest.{stem(stage, model)}.json"


def read(path: Path) -> bytes:
    """All bytes of a file. Raises OSError."""
    with open(path, "rb", opener=without_waiting) as file:
        return file.read()


def read_manifest(path: Path) -> Manifest | None:
    """The manifest, None where there is none. Raises CacheError for a broken one."""
    try:
        raw = read(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise cache_error(path.parent, error) from error
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
    except UNDECODABLE as error:
        raise CacheError(f"The manifest {path.name} is broken: {error}") from error
    if not is_data(manifest.file):  # never follow a path out of the folder
        raise CacheError(f"The manifest {path.name} names a strange file: {manifest.file!r}.")
    return manifest


def write_atomically(path: Path, data: bytes, token: str) -> os.stat_result:
    """Publish a small file: temporary name, fsync, rename, fsync of the folder."""
    temporary = temporary_name(path.parent, path.name, token)
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            sync(file.fileno())
            written = os.fstat(file.fileno())
        os.replace(temporary, path)
    except BaseException:  # whatever ends it, Ctrl-C too: half a file stays nowhere
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)
    return written


def temporary_name(folder: Path, name: str, token: str) -> Path:
    """A file name that no other process uses and that names the lease it was written under."""
    safe = re.sub(r"[^A-Za-z0-9_-]", "-", token)[:64]
    return folder / f".{name}.{safe}.{secrets.token_hex(4)}.tmp"


def sync(fd: int) -> None:
    os.fsync(fd)


def sync_folder(folder: Path) -> None:
    """Make a rename durable; some network file systems refuse to sync folders, which is fine."""
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def share_clock(folder: Path) -> float:
    """Unix seconds as the file server sees them: our clock and the share's may differ."""
    probe = temporary_name(folder, "clock", "clock")
    with open(probe, "xb") as file:
        file.write(b"\n")
    try:
        return os.stat(probe).st_mtime
    finally:
        probe.unlink()


def exists_after_listing(path: Path, wait_s: float) -> bool:
    """Whether a published file is there, asking again while a share still denies it.

    Network file systems remember "does not exist"; listing the folder makes them look again.
    """
    deadline = time.monotonic() + wait_s
    pause = 0.02
    while True:
        if os.path.exists(path):  # False also for what a sick share answers
            return True
        if time.monotonic() >= deadline:
            return False
        with contextlib.suppress(OSError):
            os.listdir(path.parent)
        time.sleep(pause)
        pause = min(pause * 2, 0.5)


def writer_name() -> str:
    """Name for a file that only this process appends to."""
    host = re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname())[:40] or "host"
    return f"{host}-{os.getpid()}-{secrets.token_hex(4)}"


@contextlib.contextmanager
def clear_errors(root: Path) -> Iterator[None]:
    """Turn OSErrors on the CacheDir into CacheErrors that say what to do."""
    try:
        yield
    except OSError as error:
        raise cache_error(root, error) from error


class CacheFile(io.FileIO):
    """A new file of a CacheDir that is written while other files are read.

    Its own errors become CacheErrors, so that nobody takes them for theirs. It must be written
    through Python: numpy's `tofile` goes round it.
    """

    def __init__(self, path: Path, root: Path) -> None:
        super().__init__(path, "xb")
        self._root = root

    def write(self, data: Any) -> int:
        with clear_errors(self._root):
            return super().write(data)


def cache_error(root: Path, error: OSError) -> CacheError:
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
