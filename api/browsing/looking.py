"""What lies directly in one folder, by name and kind; bounded, and by the rules of openings.

Links are followed inside the roots only, and not for long: one may lead to a share that hangs.
What a link is beyond the roots is told to nobody.
"""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import NamedTuple
from unicodedata import normalize

from api.folders import Folders
from shared.errors import NotAllowed
from shared.media import MediaType, media_type_of, unsupported_format
from shared.opening import OpenedFolder, RootedPath
from shared.paths import Roots, location_of

_LOOK_AT_CLOCK_EVERY = 256
_PATIENCE_S = 1.0  # with links of which none is followed meanwhile
_IDENTITY, _OF_CACHE = "rushes.json", "media"


class LyingFile(NamedTuple):
    """A media file as the system tells it."""

    path: str
    size: int
    mtime_ns: int
    media_type: MediaType


@dataclass(slots=True)
class Lying:
    """What lies in a folder, each by name; folders and media files alone."""

    inode: tuple[int, int] = (0, 0)  # with its device
    folders: list[str] = field(default_factory=list)
    linked: dict[str, str] = field(default_factory=dict)  # folders by a link: where they really are
    files: list[str] = field(default_factory=list)
    linked_files: dict[str, LyingFile] = field(default_factory=dict)  # of the files, by a link
    hung: set[str] = field(default_factory=set)  # links that lead to what does not answer
    unsupported: int = 0
    nameless: int = 0  # names that are no text, and so in no answer
    is_cache_dir: bool = False
    is_cut: bool = False  # there is more than was looked at in time


def sort_key(name: str) -> tuple[str, str]:
    """The order of names: as people look for them, whatever their case and Unicode form."""
    if name.isascii():
        return name.lower(), name
    return normalize("NFC", name).casefold(), name


class _LinkEnd(NamedTuple):
    """What a link leads to in the roots: a folder that really is at `place`, or a file."""

    place: str = ""
    file: os.stat_result | None = None


def names_in(folders: Folders, folder: OpenedFolder, until: float, most: int) -> Lying:
    """The names in a folder in order, until a time (monotonic) and at most so many, but for some.

    Raises OSError.
    """
    found, links = Lying(), list[str]()
    has_identity = has_media = False
    status = os.fstat(folder.fd)
    found.inode = status.st_dev, status.st_ino
    with os.scandir(folder.fd) as entries:
        for n, entry in enumerate(entries, 1):
            if n > most or (n % _LOOK_AT_CLOCK_EVERY == 0 and time.monotonic() > until):
                found.is_cut = True
                break
            name = entry.name
            has_identity |= name == _IDENTITY
            if name.startswith("."):
                continue
            if not name.isascii() and not is_text(name):
                found.nameless += 1
            elif entry.is_symlink():
                links.append(name)
            elif entry.is_dir(follow_symlinks=False):
                has_media |= name == _OF_CACHE
                found.folders.append(name)
            elif entry.is_file(follow_symlinks=False):
                _sort_in(name, found)
    _follow(folders, folder, links, until, found)
    has_media |= _OF_CACHE in found.linked
    found.is_cache_dir = has_identity and has_media
    found.folders.sort(key=sort_key)
    found.files.sort(key=sort_key)
    return found


def file_in(folder: OpenedFolder, name: str) -> LyingFile | None:
    """A file of `names_in` with its size and time; None where it is none (any more)."""
    path = f"{folder.path.rstrip('/')}/{name}"
    media_type = type_of_name(name)
    assert media_type is not None, "of a media file's name"
    try:
        status = folder.status(name)
        if stat.S_ISLNK(status.st_mode):
            with folder.open(name) as file:
                status = file.status
    except (OSError, NotAllowed):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return LyingFile(path, status.st_size, status.st_mtime_ns, media_type)


def is_cache_dir(folder: RootedPath) -> bool:
    """Whether a folder is one with analysis data. Raises OSError and NotAllowed."""
    with folder.folder() as opened:
        try:
            opened.status(_IDENTITY)
            opened.status(_OF_CACHE)
        except FileNotFoundError:
            return False
        return True


def type_of_name(name: str) -> MediaType | None:
    """`media_type_of` of a bare name, for very many of them."""
    stem, _, extension = name.rpartition(".")
    return _type_of_extension(extension) if stem else None


@lru_cache(4096)
def _type_of_extension(extension: str) -> MediaType | None:
    return media_type_of(f"name.{extension}")


def is_text(name: str) -> bool:
    """Whether a name can stand in an answer: not where its bytes are no UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _sort_in(name: str, found: Lying) -> None:
    if type_of_name(name) is not None:
        found.files.append(name)
    elif unsupported_format(name) is not None:
        found.unsupported += 1


def _follow(
    folders: Folders, folder: OpenedFolder, names: list[str], until: float, found: Lying
) -> None:
    """Count links for what they lead to; each in a thread that may go there."""
    if not names:
        return
    left_s = until - time.monotonic()
    ends = folders.each(
        names,
        partial(_end_of, folder.path, folder.roots),
        lambda name: f"{folder.path.rstrip('/')}/{name}",
        lambda _: None,
        patience_s=min(_PATIENCE_S, max(left_s, 0.0)),
        within_s=left_s,
    )
    is_late = time.monotonic() > until
    found.is_cut |= is_late and None in ends
    for name, end in zip(names, ends, strict=True):
        if end is None:
            found.hung |= set() if is_late else {name}
        elif end.place:
            found.linked[name] = end.place
        elif end.file:
            _sort_in(name, found)
            if media_type := type_of_name(name):
                path = f"{folder.path.rstrip('/')}/{name}"
                found.linked_files[name] = LyingFile(
                    path, end.file.st_size, end.file.st_mtime_ns, media_type
                )
    found.folders += [*found.linked, *(name for name in found.hung if not _is_of_file(name))]


def _end_of(above: str, roots: Roots, name: str) -> _LinkEnd:
    path = RootedPath(f"{above.rstrip('/')}/{name}", roots)
    try:
        if _is_of_file(name):
            with path.open() as file:
                return _LinkEnd(file=file.status)
        with path.folder() as other:
            return _LinkEnd(place=location_of(other.fd))
    except (OSError, NotAllowed):
        return _LinkEnd()


def _is_of_file(name: str) -> bool:
    return type_of_name(name) is not None or unsupported_format(name) is not None
