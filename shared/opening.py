"""The one way to open files and folders that somebody else may have put there.

Media, caches and exports lie where others can write: a name may become a link, a named pipe or a
device between a look at it and its use. So nothing is looked at by name. It is opened, without
waiting; then the descriptor is asked where it really is, and what it is. Links inside the allowed
folders, and between them, work. A descriptor holds a mount: it lives for one request or Item.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from shared.errors import NotAllowed
from shared.paths import THROUGH, Roots, is_detached, location_of, place_of, place_of_name
from shared.unusable_files import FolderNotFile, NotRegularFile, OversizedFile

_FLAGS = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | _FLAGS
_THROUGH = os.O_DIRECTORY | THROUGH
_LEASE_WAIT_S = 10.0  # a file server on this machine gives back what it lent to its own clients
_HELD = "another program holds it for a moment; try again"
_TRIES = 20  # while a name gets one file after another
_LEASE_POLL_S = 0.02
_PIECE = 1 << 20


class _Moved(Exception):
    """What was opened has no name any more, or its disk has none; `args`: an errno."""


@dataclass(slots=True)
class OpenedFile:
    """A regular file that is open and lies where it may; close it, or use it in `with`.

    `path` is how it was asked for, for messages and for its suffix; never open it again by that.
    """

    fd: int
    path: str
    status: os.stat_result

    @property
    def place(self) -> str:
        """A path for libraries that open files themselves, in this process alone."""
        return place_of(self.fd)

    @contextmanager
    def url(self) -> Iterator[str]:
        """The file for FFmpeg, which opens it in the block and reads it without Python's lock."""
        if sys.platform != "darwin":
            yield f"file:{self.place}"
            return
        again = os.open(location_of(self.fd), os.O_RDONLY | _FLAGS)  # its /dev/fd shares the place
        try:
            if not os.path.samestat(os.fstat(again), self.status):
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), self.path)
            yield f"file:{place_of(again)}"
        finally:
            os.close(again)

    @contextmanager
    def reader(self) -> Iterator[BinaryIO]:
        """A Python file at the beginning. Its place is shared: one reader at a time."""
        with os.fdopen(os.dup(self.fd), "rb") as file:
            file.seek(0)
            yield file

    def read(self, limit: int) -> bytes:
        """All bytes of it. Raises OversizedFile where they are more than `limit`, and OSError."""
        if self.status.st_size > limit:
            raise OversizedFile(self.path, limit)
        pieces: list[bytes] = []
        at = 0
        while piece := os.pread(self.fd, min(_PIECE, limit + 1 - at), at):
            pieces.append(piece)
            at += len(piece)
            if at > limit:  # it grew meanwhile
                raise OversizedFile(self.path, limit)
        return b"".join(pieces)

    def close(self) -> None:
        """Give the descriptor back; more than once is fine. Raises OSError if it was written to."""
        if self.fd < 0:
            return
        is_read_only = fcntl.fcntl(self.fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
        fd, self.fd = self.fd, -1
        try:
            os.close(fd)
        except OSError:
            if not is_read_only:
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(slots=True)
class OpenedFolder:
    """A folder that is open and lies where it may. Names are of what lies directly in it.

    What it creates, renames or removes stays in this very folder, whatever its path has become.
    """

    fd: int
    path: str
    roots: Roots

    def names(self) -> list[str]:
        """The names in it, in no order. Raises OSError."""
        with _listing(self.path):
            return os.listdir(self.fd)

    def entries(self) -> list[os.DirEntry[str]]:
        """What lies in it; `path` of an entry is its name alone. Raises OSError."""
        with _listing(self.path), os.scandir(self.fd) as found:
            return list(found)

    def status(self, name: str) -> os.stat_result:
        """The status of a name itself, not of what a link leads to. Raises OSError."""
        return os.stat(name, dir_fd=self.fd, follow_symlinks=False)

    def open(self, name: str) -> OpenedFile:
        """Open a file for reading. Raises as `open_file` does."""
        return _opened(name, f"{self.path}/{name}", self.roots, os.O_RDONLY, self.fd)

    def create(self, name: str, mode: int = 0o666) -> int:
        """A descriptor of a new file, for writing. Raises FileExistsError and OSError."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(name, flags, mode, dir_fd=self.fd)

    def append(self, name: str, mode: int = 0o666) -> OpenedFile:
        """A file, new or old, whose end is written to; never through a link. Raises OSError."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
        return _opened(name, f"{self.path}/{name}", self.roots, flags, self.fd, mode)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, in place of what has it. Raises OSError."""
        os.replace(old, new, src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def link(self, old: str, new: str) -> None:
        """Give a file a second name, which must be free. Raises FileExistsError and OSError."""
        os.link(old, new, src_dir_fd=self.fd, dst_dir_fd=self.fd, follow_symlinks=False)

    def remove(self, name: str) -> None:
        """Remove a file, or a link itself. Raises OSError."""
        os.unlink(name, dir_fd=self.fd)

    def folder(self, name: str, *, create: bool = False) -> OpenedFolder:
        """A folder in it, made where it is missing if so asked. Raises as `open_folder` does."""
        path = f"{self.path.rstrip('/')}/{name}"
        if create:
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=self.fd)
        fd, _ = _inside(name, path, self.roots, _FOLDER, self.fd)
        return OpenedFolder(fd, path, self.roots)

    def sync(self) -> None:
        """Make renames durable; some network file systems refuse to sync folders: fine."""
        with suppress(OSError):
            os.fsync(self.fd)

    def close(self) -> None:
        """Give the descriptor back; more than once is fine."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class RootedPath:
    """A path together with the folders in which it really has to lie.

    It is no os.PathLike, so that nothing opens it in another way. `text` is as a Path spells it:
    each `/` of a Path takes longer than the system takes to open it.
    """

    text: str
    roots: Roots

    @classmethod
    def of(cls, path: str | Path, roots: Roots) -> RootedPath:
        return cls(str(Path(path)), roots)

    @classmethod
    def alone(cls, folder: str | Path) -> RootedPath:
        """A folder that has to be where its path says; so has what lies in it."""
        return cls.of(folder, Roots.only(folder))

    def __truediv__(self, name: str) -> RootedPath:
        return RootedPath(f"{self.text.rstrip('/')}/{name}", self.roots)

    def __str__(self) -> str:
        return self.text

    @property
    def path(self) -> Path:
        return Path(self.text)

    @property
    def parent(self) -> RootedPath:
        return RootedPath(os.path.dirname(self.text), self.roots)

    @property
    def name(self) -> str:
        return os.path.basename(self.text)

    def open(self) -> OpenedFile:
        """Raises as `open_file` does."""
        return open_file(self.text, self.roots)

    def exists(self) -> bool:
        """Whether a file of that name is there, also one that cannot be read."""
        try:
            os.close(_inside(self.text, self.text, self.roots, os.O_RDONLY | _FLAGS)[0])
        except (FileNotFoundError, NotADirectoryError, NotAllowed):
            return False
        except OSError:
            return True
        return True

    def read(self, limit: int) -> bytes:
        """All bytes of the file. Raises as `open_file` and `OpenedFile.read` do."""
        with self.open() as file:
            return file.read(limit)

    def folder(self, *, create: bool = False) -> OpenedFolder:
        """Raises as `open_folder` does."""
        return open_folder(self.text, self.roots, create=create)


def open_file(path: str, roots: Roots) -> OpenedFile:
    """Open a regular file for reading.

    Raises NotAllowed where it really lies elsewhere, also for a name that leads out of the roots
    to nothing: what there is outside cannot be told. Else FolderNotFile, NotRegularFile, or the
    system's OSError; ValueError for a NUL byte.
    """
    return _opened(path, path, roots, os.O_RDONLY)


def open_folder(path: str, roots: Roots, *, create: bool = False) -> OpenedFolder:
    """Open a folder; `create` makes it and those above it where they are missing.

    Raises NotAllowed as `open_file` does, else NotADirectoryError or the system's OSError.
    """
    if create:
        _make_folders(path, roots)
    return OpenedFolder(_inside(path, path, roots, _FOLDER)[0], path, roots)


def open_drop_folder(path: str, roots: Roots) -> OpenedFolder:
    """Open a folder to put files into, also one that nobody may list. Raises as `open_folder`."""
    try:
        return open_folder(path, roots)
    except PermissionError:
        return OpenedFolder(_inside(path, path, roots, _THROUGH)[0], path, roots)


def _opened(
    name: str, path: str, roots: Roots, flags: int, folder: int | None = None, mode: int = 0o666
) -> OpenedFile:
    fd, status = _inside(name, path, roots, flags | _FLAGS, folder, mode)
    if stat.S_ISREG(status.st_mode):
        return OpenedFile(fd, path, status)
    os.close(fd)
    raise FolderNotFile(path) if stat.S_ISDIR(status.st_mode) else NotRegularFile(path)


@contextmanager
def _listing(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path) from None


def _inside(
    name: str, path: str, roots: Roots, flags: int, folder: int | None = None, mode: int = 0o666
) -> tuple[int, os.stat_result]:
    """A descriptor of what lies inside the roots, and its status; opened again where it moved."""
    number = errno.ENOENT
    for _ in range(_TRIES):
        fd = _open(name, path, roots, flags, folder, mode)
        try:
            return fd, _checked(fd, path, roots)
        except BaseException as error:  # whatever it is, the descriptor goes back
            os.close(fd)
            if not isinstance(error, _Moved):
                raise
            number = error.args[0]
    raise OSError(number, os.strerror(number), path)


def _open(
    name: str, path: str, roots: Roots, flags: int, folder: int | None, mode: int = 0o666
) -> int:
    """The descriptor. An error is told only of what lies, or would lie, inside the roots."""
    deadline = 0.0
    while True:
        try:
            return os.open(name, flags, mode, dir_fd=folder)
        except BlockingIOError:  # somebody holds a lease on it (fcntl, F_SETLEASE)
            deadline = deadline or time.monotonic() + _LEASE_WAIT_S
            if time.monotonic() > deadline:
                raise OSError(errno.EBUSY, _HELD, path) from None
            time.sleep(_LEASE_POLL_S)
        except OSError as error:
            try:
                _check_place(place_of_name(name, folder), path, roots)
            except NotAllowed:
                if folder is None or not is_detached(folder):
                    raise
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), path) from None
            if error.errno == errno.ENXIO:  # a socket, or a device without a driver
                raise NotRegularFile(path) from None
            error.filename = path
            raise


def _checked(fd: int, path: str, roots: Roots) -> os.stat_result:
    """The status of what is open; NotAllowed where it lies outside the roots."""
    status, place = os.fstat(fd), location_of(fd)
    if status.st_nlink == 0 and not os.path.lexists(place):  # removed since: it is nowhere
        raise _Moved(errno.ENOENT)
    try:
        roots.check_location(place, path)
    except NotAllowed:
        if not is_detached(fd):
            raise
        roots.check_location(place_of_name(path), path)
        raise _Moved(errno.ESTALE) from None
    return status


def _check_place(place: str, path: str, roots: Roots) -> None:
    """Raise NotAllowed for what lies neither inside the roots nor on the way to one."""
    try:
        roots.check_location(place, path)
    except NotAllowed:
        if not roots.leads_inside(place):
            raise


def _make_folders(path: str, roots: Roots) -> None:
    """Make a folder and those above it, each inside its parent as it is while it is open."""
    missing: list[str] = []
    above = os.path.abspath(path)
    roots.check_location(os.path.realpath(above), path)
    while True:
        try:
            fd = _open(above, path, roots, _THROUGH, None)
            break
        except FileNotFoundError:
            above, name = os.path.split(above)
            missing.append(name)
    try:
        for name in reversed(missing):
            _check_place(f"{location_of(fd).rstrip('/')}/{name}", path, roots)
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=fd)
            below = _open(name, path, roots, _THROUGH, fd)
            os.close(fd)
            fd = below
    finally:
        os.close(fd)
