"""Files that a client asks for by path: new ones only, whole or not at all, inside the roots.

Whatever is written lies under a temporary name beside its place until it is complete; then it is
put there without ever replacing what is there: a name that is taken gets a number.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from shared.cache.cache_files import sync_folder
from shared.errors import BadInput, ExportError
from shared.exports.names import LONGEST, numbered, shortened
from shared.paths import Roots

_MOST_NUMBERS = 10_000
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)  # FAT, some shares and FUSE systems
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_PART = re.compile(r"\..+\.[0-9a-f]{8}\.part", re.DOTALL)
_LEFT_BEHIND_S = 86_400
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class NameUnusable(BadInput):
    """A link or something special bears the name."""


class NameTaken(BadInput):
    """A file of that name is there already."""


@dataclass(slots=True)
class PartFile:
    """A file that is being written, either through `file` or by its `path`.

    It lies at `path` and is called `name` in `folder` when `place` has put it there.
    """

    folder: str
    name: str
    path: str
    file: BinaryIO

    def sync(self) -> None:
        """Have the disk keep the bytes so far, which may take long; `place` does it again."""
        self.file.flush()
        os.fsync(self.file.fileno())

    def place(self, *, may_number: bool = True) -> str:
        """Make the file durable under its name, or the first free number of it; the name it got.

        Raises NameUnusable where a link or something special bears the name, and NameTaken where
        a file bears it and it may not be numbered.
        """
        self.sync()
        for number in range(1, _MOST_NUMBERS if may_number else 2):
            target = os.path.join(self.folder, numbered(self.name, number))
            if not is_taken(target) and _moved(self.path, target):
                sync_folder(Path(self.folder))
                return os.path.basename(target)
        if not may_number:
            raise NameTaken(f"{self.name} is there already.")
        raise BadInput(f"{self.folder} holds {self.name} under every number.")


@contextlib.contextmanager
def part_file(path: str, roots: Roots, field: str = "output_path") -> Iterator[PartFile]:
    """A file under a temporary name beside `path`, gone at the end unless it was placed.

    `path` is absolute and normalised. Links among its folders are followed, and the roots are
    checked for where they lead. Raises BadInput (no such folder; a link or something special
    bears the name), NotAllowed (outside the roots) and ExportError (the disk is full, no
    permission), also for an OSError that the caller's writing raised.
    """
    given, name = os.path.split(path)
    folder = real_folder(given, roots, field)
    try:
        name.encode()
    except UnicodeEncodeError:
        raise BadInput(f"{field} holds half a character: {path!r}.") from None
    if _CONTROL.search(name):
        raise BadInput(f"{field}: the file name holds a control character: {name!r}.")
    part = os.path.join(folder, f".{shortened(name, LONGEST)}.{secrets.token_hex(4)}.part")
    try:
        is_taken(os.path.join(folder, name))  # refuses before anything is written
        with os.fdopen(os.open(part, _NEW_FILE, 0o666), "wb") as file:
            yield PartFile(folder, name, part, file)
    except OSError as error:
        raise _clear(error, field, given) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(part)


def real_folder(given: str, roots: Roots, field: str) -> str:
    """Real path of a folder that may be written to, its links followed.

    Raises BadInput, NotAllowed and ExportError, as part_file does.
    """
    try:
        given.encode()
        folder = os.path.realpath(given, strict=True)
    except UnicodeEncodeError:
        raise BadInput(f"{field} holds half a character: {given!r}.") from None
    except (FileNotFoundError, NotADirectoryError):
        raise BadInput(f"{field}: the folder {given} does not exist; make it first.") from None
    except OSError as error:
        raise _clear(error, field, given) from error
    if not os.path.isdir(folder):
        raise BadInput(f"{field}: {given} is no folder.")
    roots.check_real(folder, f"{field}: {given}")
    return folder


def remove_left_behind(part: PartFile) -> None:
    """Remove temporary files of ours beside `part` that nobody has written to for a day.

    A process that was killed leaves them. Their age goes by the clock of the disk they lie on.
    """
    newest = os.fstat(part.file.fileno()).st_mtime - _LEFT_BEHIND_S
    with contextlib.suppress(OSError), os.scandir(part.folder) as entries:
        for entry in entries:
            if not _PART.fullmatch(entry.name):
                continue
            with contextlib.suppress(OSError):
                found = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(found.st_mode) and found.st_mtime < newest:
                    os.unlink(entry.path)


def free_number(folder: str, name: str) -> str:
    """The name that a new file would get in a folder now. Raises BadInput as PartFile.place."""
    numbers = range(1, _MOST_NUMBERS)
    names = (numbered(name, number) for number in numbers)
    return next((one for one in names if not is_taken(os.path.join(folder, one))), name)


def write_new(path: str, content: bytes, roots: Roots) -> str:
    """Write a small file; the path it got. Raises as part_file and PartFile.place."""
    with part_file(path, roots) as part:
        part.file.write(content)
        return os.path.join(os.path.dirname(path), part.place())


def is_taken(target: str) -> bool:
    """Whether a file bears that path. Raises NameUnusable where something else does."""
    try:
        mode = os.lstat(target).st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISREG(mode):
        return True
    what = "a symbolic link" if stat.S_ISLNK(mode) else "no regular file"
    raise NameUnusable(f"{target} is there already and is {what}; choose another name.")


def _moved(part: str, target: str) -> bool:
    """Give the complete file its name; False where somebody else has just taken it."""
    try:
        os.link(part, target, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return _moved_without_link(part, target)
    os.unlink(part)
    return True


def _moved_without_link(part: str, target: str) -> bool:
    """Move where the file system has no hard links: take the name first, then replace it."""
    try:
        os.close(os.open(target, _NEW_FILE, 0o666))
    except FileExistsError:
        return False
    try:
        os.replace(part, target)
    except OSError:
        os.unlink(target)
        raise
    return True


def _clear(error: OSError, field: str, folder: str) -> BadInput | ExportError:
    """An OSError as an error whose sentence says the cure."""
    if error.errno in _FULL:
        return ExportError(
            f"The disk that holds {folder} is full. Free some space and try again; nothing was "
            "left behind."
        )
    if error.errno == errno.EROFS:
        return ExportError(f"{folder} is on a read-only file system; choose another folder.")
    if error.errno in (errno.EACCES, errno.EPERM):
        return ExportError(
            f"The server has no permission to write into {folder}. Give it permission or choose "
            "another folder."
        )
    if error.errno == errno.ENAMETOOLONG:
        return BadInput(f"{field} is longer than the file system allows.")
    return ExportError(f"{folder} cannot be written: {error.strerror or error}.")
