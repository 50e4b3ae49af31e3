"""One page of what lies in a folder: what is asked of the system of the things on it alone."""

from __future__ import annotations

import os
import time
from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from api.browsing.looking import (
    Lying,
    LyingFile,
    file_in,
    is_cache_dir,
    names_in,
    sort_key,
)
from api.browsing.roots import media_roots
from api.http.answers import counted
from api.http.services import CoreServices
from shared.errors import BadInput, NotAllowed
from shared.opening import OpenedFolder, RootedPath

_LOOKS_FOR_S = 10.0  # at the names
_STATS_FOR_S = 5.0  # the files among them
_MOST_NAMES = 1_000_000
_PATIENCE_S, _OPENS_WITHIN_S = 1.0, 3.0  # with folders in it, which may be shares that hang

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
