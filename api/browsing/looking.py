"""What lies directly in one folder, by name and kind; bounded, and by the rules of openings.

Links are followed inside the roots only. What a link is beyond them is told to nobody.
"""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple
from unicodedata import normalize

from shared.errors import NotAllowed
from shared.media import MediaType, media_type_of, unsupported_format
from shared.opening import OpenedFolder, RootedPath

_LOOK_AT_CLOCK_EVERY = 256
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

    place: str = ""  # where the folder really is
    inode: tuple[int, int] = (0, 0)  # with its device
    folders: list[str] = field(default_factory=list)
    links: set[str] = field(default_factory=set)  # of the folders
    files: list[str] = field(default_factory=list)
    unsupported: int = 0
    nameless: int = 0  # names that are no text, and so in no answer
    is_cache_dir: bool = False
    is_cut: bool = False  # there is more than was looked at in time


def sort_key(name: str) -> tuple[str, str]:
    """The order of names: as people look for them, whatever their case and Unicode form."""
    if name.isascii():
        return name.lower(), name
    return normalize("NFC", name).casefold(), name


def names_in(folder: OpenedFolder, until: float, most: int) -> Lying:
    """The names in a folder in order, until a time (monotonic) and at most so many.

    Raises OSError.
    """
    found, links = Lying(), list[str]()
    has_identity = has_media = False
    status = os.fstat(folder.fd)
    found.inode = status.st_dev, status.st_ino
    with os.scandir(folder.fd) as entries:
        for n, entry in enumerate(entries):
            if n >= most or (n % _LOOK_AT_CLOCK_EVERY == 0 and time.monotonic() > until):
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
    for name in links:
        if time.monotonic() > until:
            found.is_cut = True
            break
        _follow(folder, name, found)
    has_media |= _OF_CACHE in found.links
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


def _follow(folder: OpenedFolder, name: str, found: Lying) -> None:
    """Count a link for what it leads to, where that lies in the roots."""
    try:
        if type_of_name(name) is not None or unsupported_format(name) is not None:
            with folder.open(name):
                _sort_in(name, found)
            return
        with folder.folder(name):
            found.folders.append(name)
            found.links.add(name)
    except (OSError, NotAllowed):
        return
