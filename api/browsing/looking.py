"""What lies directly in one folder, by name and kind; bounded, and by the rules of openings.

Links are followed inside the roots only, and not for long: one may lead to a share that hangs.
What a link is beyond the roots is told to nobody.
"""

from __future__ import annotations

import os
import stat
import time
from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal, NamedTuple
from unicodedata import normalize

from api.folders import Folders
from api.http.answers import counted
from api.http.services import CoreServices
from shared.errors import BadInput, NotAllowed
from shared.media import MediaType, media_type_of, unsupported_format
from shared.opening import OpenedFolder, RootedPath
from shared.paths import Roots, location_of

_USUAL = ("/media", "/mnt", "/Volumes", "/footage", "/")
_LOOK_AT_CLOCK_EVERY = 256
_PATIENCE_S = 1.0  # with links of which none is followed meanwhile
_IDENTITY, _OF_CACHE = "rushes.json", "media"
_LOOKS_FOR_S = 10.0  # at the names
_STATS_FOR_S = 5.0  # the files among them
_MOST_NAMES = 1_000_000
_OPENS_WITHIN_S = 3.0  # folders in it, which may be shares that hang


def media_roots(services: CoreServices) -> Roots:
    """The folders in which media must lie for the licence key of a request."""
    return Roots.media(services.settings).within(services.paths.key_roots)


def beginnings(services: CoreServices) -> list[str]:
    """Folders in our form; some of them may not be there.

    Where everything is allowed: what is watched, and where systems have disks and people.
    """
    roots = media_roots(services).usable()
    if roots is not None:
        return sorted(dict.fromkeys(roots))
    watched = sorted({folder.path for folder in services.watch_folders.all()})
    return list(dict.fromkeys([*watched, str(Path.home()), *_USUAL]))


def parent_of(services: CoreServices, path: str) -> str | None:
    """The folder above, where it may be looked into."""
    above = os.path.dirname(path)
    roots = media_roots(services).usable()
    if above == path or (roots is not None and path in roots):
        return None
    return above


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


Kind = Literal["folder", "file"]


@dataclass(slots=True)
class FolderInFolder:
    """A folder in a folder, in our form."""

    path: str
    online: bool


@dataclass(slots=True)
class FolderPage:
    """Folders, then files, after a place in their order; `next` is the place of the last."""

    folders: list[FolderInFolder]
    files: list[LyingFile]
    unsupported: int
    next: str | None
    warnings: list[str]


def page_of(
    services: CoreServices, path: str, client_path: str, after: str | None, limit: int
) -> FolderPage:
    """Look into a folder, in our form. Blocks, in a thread for it.

    Raises BadInput or NotAllowed, naming the field.
    """
    try:
        with RootedPath.of(path, media_roots(services)).folder() as folder:
            until = time.monotonic() + _LOOKS_FOR_S
            lying = names_in(services.folders, folder, until, _MOST_NAMES)
            chosen, last = _chosen(lying, after, limit)
            names = [name for kind, name in chosen if kind == "file"]
            files, cut_at = _files(folder, lying, names)
    except NotAllowed as error:
        raise NotAllowed(f"path: {error.message}") from None
    except FileNotFoundError:
        raise BadInput(
            f"path: there is no folder {client_path} on the server. See RUSHES_PATH_MAP if the "
            "server calls it otherwise."
        ) from None
    except NotADirectoryError:
        raise BadInput(
            f"path: {client_path} is a file, not a folder; name the folder that it lies in."
        ) from None
    except OSError as error:
        raise BadInput(
            f"path: the folder {client_path} cannot be read: {error.strerror}."
        ) from None
    below = [os.path.join(path, name) for kind, name in chosen if kind == "folder"]
    hung = {os.path.join(path, name) for name in lying.hung}
    return FolderPage(
        folders=seen_folders(services, below, hung),
        files=files,
        unsupported=lying.unsupported,
        next=cut_at or last,
        warnings=warnings_of(lying, client_path),
    )


def seen_folders(
    services: CoreServices, paths: Sequence[str], hung: Collection[str] = ()
) -> list[FolderInFolder]:
    """The folders at these paths but for cache folders; what does not answer is offline.

    `hung`: those of which that is known.
    """
    look = partial(_look, services, hung)
    found = services.folders.each(
        paths,
        look,
        lambda path: path,
        lambda path: FolderInFolder(path, online=False),
        _PATIENCE_S,
        _OPENS_WITHIN_S,
    )
    return [folder for folder in found if folder is not None]


def warnings_of(lying: Lying, client_path: str) -> list[str]:
    """What could not be looked at in a folder."""
    found = []
    if lying.is_cut:
        found.append(
            f"{client_path} holds more than could be looked at in time: some of it is missing here."
        )
    if lying.nameless:
        found.append(
            f"{counted(lying.nameless, 'name')} in {client_path} cannot be told, being no text "
            "(UTF-8). Rename them to use them."
        )
    if lying.hung:
        found.append(
            f"{counted(len(lying.hung), 'link')} in {client_path} cannot be followed: the disk or "
            "network share behind does not answer."
        )
    return found


def _look(services: CoreServices, hung: Collection[str], path: str) -> FolderInFolder | None:
    if path in hung:
        return FolderInFolder(path, online=False)
    try:
        is_cache = is_cache_dir(RootedPath.of(path, media_roots(services)))
    except NotAllowed:
        return None
    except OSError:
        return FolderInFolder(path, online=False)
    return None if is_cache else FolderInFolder(path, online=True)


def _files(
    folder: OpenedFolder, lying: Lying, names: Sequence[str]
) -> tuple[list[LyingFile], str | None]:
    """The files of a page; the place of the last one where the time is over, after one at least."""
    until = time.monotonic() + _STATS_FOR_S
    found: list[LyingFile] = []
    for n, name in enumerate(names):
        if n and time.monotonic() > until:
            return found, f"file:{names[n - 1]}"
        if file := lying.linked_files.get(name) or file_in(folder, name):
            found.append(file)
    return found, None


def _chosen(
    lying: Lying, after: str | None, limit: int
) -> tuple[list[tuple[Kind, str]], str | None]:
    """The names of a page, and its last one where more come."""
    kind, name = _place(after)
    rest: list[tuple[Kind, str]] = []
    if kind != "file":
        rest += [("folder", each) for each in _behind(lying.folders, name)]
        name = ""
    rest += [("file", each) for each in _behind(lying.files, name)]
    chosen = rest[:limit]
    return chosen, ":".join(chosen[-1]) if len(rest) > limit else None


def _place(after: str | None) -> tuple[str, str]:
    """Raises BadInput."""
    if not after:
        return "folder", ""
    kind, colon, name = after.partition(":")
    if kind not in ("folder", "file") or not colon:
        raise BadInput("after must be what the answer before said in `next`.")
    return kind, name


def _behind(names: list[str], name: str) -> list[str]:
    return names[bisect_right(names, sort_key(name), key=sort_key) :] if name else names
