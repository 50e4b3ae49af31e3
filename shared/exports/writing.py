"""Files that a client asks for by path: whole or not at all, inside the roots.

Whatever is written lies under a temporary name beside its place until it is complete; then it is
put there. A name that is taken gets a number, and only who asks for it has a file replaced, in one
step. The folder is
opened once, and all of that happens in it, whatever its path has become meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from shared.cache.cache_dir import IDENTITY
from shared.errors import BadInput, ExportError, NotAllowed, RedisAway
from shared.exports.clips import OutputOnExists
from shared.exports.names import LONGEST, numbered, shortened
from shared.opening import OpenedFolder, open_drop_folder, open_folder
from shared.paths import Roots, location_of, place_of

_MOST_NUMBERS = 10_000
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)  # FAT, some shares and FUSE systems
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_PART = re.compile(
    r"\..+?(?:\.(?P<writer>[0-9a-f]{12}-[0-9]+-[0-9]+))?\.[0-9a-f]{8}\.part", re.DOTALL
)
_LEFT_BEHIND_S = 7 * 86_400


class NameUnusable(BadInput):
    """A link or something special bears the name."""


class NameTaken(BadInput):
    """A file of that name is there already."""


@dataclass(slots=True)
class PartFile:
    """A file that is being written, either through `file` or by its `path`.

    `path` reaches it in this process alone, whatever becomes of its name. It is called `name` in
    `folder` when `place` has put it there; until then `part`.
    """

    folder: OpenedFolder
    name: str
    part: str
    file: BinaryIO

    @property
    def path(self) -> str:
        return place_of(self.file.fileno())

    def sync(self) -> None:
        """Have the disk keep the bytes so far, which may take long; `place` does it again."""
        self.file.flush()
        os.fsync(self.file.fileno())

    def place(self, *, may_number: bool = True, may_replace: bool = False) -> str:
        """Make the file durable under its name, or the first free number of it; the name it got.

        `may_replace`: in place of the file that bears the name.

        Raises NameUnusable where a link or something special bears the name, and NameTaken where
        a file bears it and it may not be numbered.
        """
        self.sync()
        if may_replace and is_taken(self.folder, self.name):
            _check_is_no_cache(self.folder)
            self.folder.rename(self.part, self.name)
            self.folder.sync()
            return self.name
        for number in range(1, _MOST_NUMBERS if may_number else 2):
            target = numbered(self.name, number)
            if not is_taken(self.folder, target) and self._moved(target):
                self.folder.sync()
                return target
        if not may_number:
            path = os.path.join(self.folder.path, self.name)
            raise NameTaken(f"{path} is there already")
        raise BadInput(f"{self.folder.path} holds {self.name} under every number.")

    def _moved(self, target: str) -> bool:
        """Give the complete file its name; False where somebody else has just taken it."""
        try:
            if sys.platform == "darwin":  # which links names, not what is open
                self.folder.link(self.part, target)
            else:
                os.link(self.path, target, dst_dir_fd=self.folder.fd, follow_symlinks=True)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return self._moved_without_link(target)
        with contextlib.suppress(OSError):  # the file has its name; the rest is swept later
            self.folder.remove(self.part)
        return True

    def _moved_without_link(self, target: str) -> bool:
        """Move where the file system has no hard links: take the name first, then replace it."""
        try:
            os.close(self.folder.create(target))
        except FileExistsError:
            return False
        try:
            self.folder.rename(self.part, target)
        except OSError:
            self.folder.remove(target)
            raise
        return True


def _check_is_no_cache(folder: OpenedFolder) -> None:
    """Raise BadInput in a cache folder: what is replaced there would be analysis data."""
    above = location_of(folder.fd)
    while above != "/":
        if os.path.lexists(os.path.join(above, IDENTITY)):
            raise BadInput(f"{folder.path} is a cache folder; nothing is replaced there.")
        above = os.path.dirname(above)


@contextlib.contextmanager
def output_folder(
    given: str, roots: Roots, field: str, *, create: bool = False
) -> Iterator[OpenedFolder]:
    """A folder that may be written to. Links on the way are followed; where they lead counts.

    `create` makes it and those above it, where they are missing.

    Raises BadInput (no such folder), NotAllowed (outside the roots) and ExportError (the disk is
    full, no permission), also for an OSError that was raised while it was open.
    """
    try:
        given.encode()
        if create:
            open_folder(given, roots, create=True).close()
        folder = open_drop_folder(given, roots)
    except UnicodeEncodeError:
        raise BadInput(f"{field} holds half a character: {given!r}.") from None
    except NotAllowed as error:
        raise NotAllowed(f"{field}: {error.message}") from None
    except NotADirectoryError:
        raise BadInput(f"{field}: {given} is no folder.") from None
    except FileNotFoundError:
        raise BadInput(
            f"{field}: the folder {given} does not exist; make it, or send create_dir: true."
        ) from None
    except OSError as error:
        raise _clear(error, field, given) from error
    with folder:
        try:
            yield folder
        except OSError as error:
            raise _clear(error, field, given) from error


@contextlib.contextmanager
def part_file(
    folder: OpenedFolder, name: str, field: str = "output_path", writer: str = ""
) -> Iterator[PartFile]:
    """A file under a temporary name in `folder`, gone at the end unless it was placed.

    `writer`: name of the lease it is written under (Lease.writer). Raises BadInput (a link or
    something special bears the name) and OSError.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        raise BadInput(f"{field} holds half a character: {name!r}.") from None
    if _CONTROL.search(name):
        raise BadInput(f"{field}: the file name holds a control character: {name!r}.")
    is_taken(folder, name)  # refuses before anything is written
    words = ["", shortened(name, LONGEST), writer, secrets.token_hex(4), "part"]
    part = ".".join(word for n, word in enumerate(words) if word or not n)
    with os.fdopen(folder.create(part), "wb") as file:
        try:
            yield PartFile(folder, name, part, file)
        finally:
            with contextlib.suppress(OSError):
                folder.remove(part)


def remove_left_behind(part: PartFile, is_over: Callable[[str], bool]) -> None:
    """Remove temporary files of ours beside `part` whose writers died.

    `is_over`: whether a lease is known and no longer held. Who wrote the others cannot be told:
    they go when nobody has written to them for a week by the clock of the disk they lie on.
    """
    newest = os.fstat(part.file.fileno()).st_mtime - _LEFT_BEHIND_S
    with contextlib.suppress(OSError, RedisAway):
        for entry in part.folder.entries():
            if not (named := _PART.fullmatch(entry.name)):
                continue
            with contextlib.suppress(OSError):
                found = part.folder.status(entry.name)
                if not stat.S_ISREG(found.st_mode):
                    continue
                if found.st_mtime < newest or (named["writer"] and is_over(named["writer"])):
                    part.folder.remove(entry.name)


def free_number(folder: OpenedFolder, name: str) -> str:
    """The name that a new file would get in a folder now. Raises BadInput as PartFile.place."""
    names = (numbered(name, number) for number in range(1, _MOST_NUMBERS))
    return next((one for one in names if not is_taken(folder, one)), name)


def write_output(
    path: str,
    content: bytes,
    roots: Roots,
    *,
    on_exists: OutputOnExists = "number",
    create_dir: bool = False,
) -> str:
    """Write a small file; the path it got. `path` is absolute and normalised.

    Raises as output_folder, part_file and PartFile.place.
    """
    given, name = os.path.split(path)
    with (
        output_folder(given, roots, "output_path", create=create_dir) as folder,
        part_file(folder, name) as part,
    ):
        part.file.write(content)
        try:
            placed = part.place(
                may_number=on_exists == "number", may_replace=on_exists == "replace"
            )
        except NameTaken as error:
            raise NameTaken(
                f'output_path: {error.message}; on_exists "number" or "replace" would write.'
            ) from None
        return os.path.join(given, placed)


def is_taken(folder: OpenedFolder, name: str) -> bool:
    """Whether a file bears that name. Raises NameUnusable where something else does, OSError."""
    try:
        mode = folder.status(name).st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISREG(mode):
        return True
    what = "a symbolic link" if stat.S_ISLNK(mode) else "no regular file"
    path = os.path.join(folder.path, name)
    raise NameUnusable(f"{path} is there already and is {what}; choose another name.")


def _clear(error: OSError, field: str, folder: str) -> BadInput | ExportError:
    """An OSError as an error whose sentence says the cure."""
    if error.errno in FULL:
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
