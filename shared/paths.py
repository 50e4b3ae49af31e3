"""Which paths a request may name: the allowed roots, and the map between clients' and our paths.

And where open files and folders, and those in the settings, really are.
"""

from __future__ import annotations

import fcntl
import math
import os
import posixpath
import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path

from shared.errors import NotAllowed, UnusablePath
from shared.settings import Settings

# A folder that is only gone through or created in: no permission to list it is needed.
THROUGH = (
    os.O_CLOEXEC
    | os.O_NOCTTY
    | (getattr(os, "O_PATH", 0) or os.O_NONBLOCK | getattr(os, "O_SEARCH", os.O_RDONLY))
)
_KEPT_S = 5.0
_MOST_KEPT = 1000
_known: dict[str, tuple[float, str]] = {}  # when a folder was asked for its place, and the answer


if sys.platform == "darwin":
    _DESCRIPTORS = "/dev/fd"

    def location_of(fd: int) -> str:
        """Where an open file or folder really is."""
        found: bytes = fcntl.fcntl(fd, fcntl.F_GETPATH, bytes(1024))
        return os.fsdecode(found.rstrip(b"\0"))

else:
    _DESCRIPTORS = "/proc/self/fd"

    def location_of(fd: int) -> str:
        """Where an open file or folder really is."""
        return os.readlink(place_of(fd))


def place_of(fd: int) -> str:
    """A path that reaches what is open in this process, and nothing else."""
    return f"{_DESCRIPTORS}/{fd}"


def real_place(folder: str, *, anew: bool = False) -> str:
    """Where a folder of the settings really is, spelt as the system spells what lies in it.

    An answer counts for some seconds, unless it is asked for `anew`.
    """
    now = time.monotonic()
    at, place = _known.get(folder, (0.0, ""))
    if place and not anew and now - at < _KEPT_S:
        return place
    place = os.path.realpath(folder)  # where it would be, if it is not there
    with suppress(OSError):
        fd = os.open(folder, THROUGH)
        try:
            place = location_of(fd)
        finally:
            os.close(fd)
    if len(_known) >= _MOST_KEPT:
        _known.clear()
    _known[folder] = now, place
    return place


def place_of_name(name: str, folder: int | None = None) -> str:
    """Where something of that name is or would be, in an open folder if one is given."""
    above, last = os.path.split(name) if folder is None else ("", name)
    if last not in ("", ".", ".."):
        with suppress(OSError):
            if folder is None:
                fd = os.open(above or ".", THROUGH)
                try:
                    return place_of_name(last, fd)
                finally:
                    os.close(fd)
            place = f"{location_of(folder).rstrip('/')}/{last}"
            try:
                os.readlink(last, dir_fd=folder)
            except OSError:  # nothing, or no link
                return place
            return os.path.realpath(place)
    return os.path.realpath(name)


def is_detached(fd: int) -> bool:
    """Whether what is open lies on a disk that was taken out of the tree meanwhile (Linux)."""
    with (
        suppress(OSError, StopIteration, UnicodeDecodeError),
        open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as facts,
    ):
        mount = next(line for line in facts if line.startswith("mnt_id:")).split()[1]
        with open("/proc/self/mountinfo", "rb") as mounts:
            return not any(line.startswith(f"{mount} ".encode()) for line in mounts)
    return False


_WINDOWS = re.compile(r"^(?:[A-Za-z]:|\\\\)")
_BOUND = "/./"  # in a root of a key: before it stands the root of the key that made it


@dataclass(frozen=True)
class Roots:
    """Folders below which paths are allowed; `folders` None means everywhere but `forbidden`.

    `of_key`: folders in which they must lie besides, for a licence key that has roots. `bounds`:
    those of each key that made another, up to `of_key`; a path must really lie in one of each.
    """

    setting: str
    folders: tuple[Path, ...] | None
    forbidden: Path
    of_key: tuple[Path, ...] | None = None
    bounds: tuple[tuple[Path, ...], ...] = ()

    @classmethod
    def media(cls, settings: Settings) -> Roots:
        return cls("RUSHES_MEDIA_ROOTS", settings.media_roots, settings.state_dir)

    @classmethod
    def cache(cls, settings: Settings) -> Roots:
        folders = settings.cache_roots
        if folders is None:
            folders = settings.media_roots
        return cls("RUSHES_CACHE_ROOTS", folders, settings.state_dir)

    @classmethod
    def export(cls, settings: Settings) -> Roots:
        folders = settings.export_roots
        if folders is None and settings.media_roots is not None:
            folders = settings.media_roots + (settings.cache_roots or ())
        return cls("RUSHES_EXPORT_ROOTS", folders, settings.state_dir)

    @classmethod
    def only(cls, folder: str | Path) -> Roots:
        """This one folder, for whoever has no settings at hand."""
        return cls("cache_dir", (Path(folder),), Path(os.devnull))  # in which nothing can lie

    def within(self, of_key: Iterable[str] | None) -> Roots:
        """What a licence key with roots of its own may use of these; None: all of them."""
        if of_key is None:
            return self
        chains = [root.split(_BOUND) for root in of_key]
        depths = range(1, max(map(len, chains), default=1) + 1)
        bounds = tuple(tuple(Path("/".join(chain[:n]) or "/") for chain in chains) for n in depths)
        return replace(self, of_key=bounds[-1], bounds=bounds)

    def usable(self) -> list[str] | None:
        """The folders themselves, no wider than the key's; None where there are none to name."""
        ours, of_key = ([str(f) for f in part or ()] for part in (self.folders, self.of_key))
        if self.folders is None or self.of_key is None:
            return None if self.folders is self.of_key else ours or of_key
        inside = [folder for folder in of_key if lies_in_one(folder, ours)]
        return inside + [f for f in ours if lies_in_one(f, of_key) and f not in inside]

    def check(self, path: str) -> None:
        """Raise NotAllowed unless the path string lies in the roots. Touches no disk."""
        if _inside(path, self.forbidden):
            raise NotAllowed(f"{path} lies in the server's own RUSHES_STATE_DIR.")
        if self.folders is not None and not any(_inside(path, root) for root in self.folders):
            raise NotAllowed(f"{path} lies outside the folders in {self.setting}.")
        if self.of_key is not None and not any(_inside(path, root) for root in self.of_key):
            raise NotAllowed(f"{path} lies outside the folders of this licence key.")

    def check_location(self, real: str, given: str) -> None:
        """Raise NotAllowed unless `real`, a path without links, lies in the roots."""
        if _inside(real, real_place(str(self.forbidden))):
            raise NotAllowed(f"{given} leads into the server's own RUSHES_STATE_DIR.")
        if self.folders is not None and not _is_in_one(real, self.folders):
            raise NotAllowed(f"{given} leads outside the folders in {self.setting}.")
        if not all(_is_in_one(real, folders) for folders in self.bounds):
            raise NotAllowed(f"{given} leads outside the folders of this licence key.")

    def leads_inside(self, real: str) -> bool:
        """Whether `real`, a path without links, is above one of the roots."""
        return any(_inside(root, real) for root in _places(self.folders or ()))


def lies_in_one(path: str, folders: Iterable[str]) -> bool:
    """Whether a path lies in one of the folders, by its name alone."""
    path = strip_bounds(path)
    return any(_inside(path, strip_bounds(folder)) for folder in folders)


def bind_root(root: str, above: str) -> str:
    """Return a root of a key that a link cannot lead out of `above`, a root of its maker."""
    rest = root.removeprefix(strip_bounds(above)).strip("/")
    return f"{above.rstrip('/')}{_BOUND}{rest}" if rest else above


def strip_bounds(root: str) -> str:
    """Return a root of a key as a path."""
    return root.replace(_BOUND, "/")


def covering_folders(folders: Iterable[str], most: int) -> tuple[str, ...]:
    """Return at most `most` folders in which all of these lie.

    Those with the deepest common parents give way to them; others stay as they are.
    """
    outer: list[tuple[str, ...]] = []
    for folder in sorted({tuple(filter(None, folder.split("/"))) for folder in folders}):
        if not outer or folder[: len(outer[-1])] != outer[-1]:
            outer.append(folder)
    depths = [len(posixpath.commonprefix(pair)) for pair in pairwise(outer)]  # of neighbours
    least = sorted(depths)[most - 1] if len(outer) > most else math.inf
    groups: dict[int, list[tuple[str, ...]]] = {}
    for n, folder in zip(accumulate((d < least for d in depths), initial=0), outer, strict=False):
        groups.setdefault(n, []).append(folder)
    return tuple("/" + "/".join(posixpath.commonprefix(group)) for group in groups.values())


def _is_in_one(real: str, folders: Iterable[Path]) -> bool:
    return any(_inside(real, place) for place in _places(folders))


def _places(roots: Iterable[Path]) -> Iterator[str]:
    """The roots as they are spelt, where they were some seconds ago, and where they are.

    A path without links that begins as a root is spelt lies in it: that root has no links.
    """
    folders = [str(folder) for folder in roots]
    yield from folders
    yield from map(real_place, folders)
    yield from (real_place(folder, anew=True) for folder in folders)


def _inside(path: str, root: str | Path) -> bool:
    base = str(root).rstrip("/")
    return path == base or path.startswith(base + "/")


@dataclass(frozen=True, slots=True)
class PathMap:
    """Map of `client=server` path prefixes, longest wins, both ways."""

    pairs: tuple[tuple[str, str], ...] = ()

    def to_server(self, path: str, field: str = "path") -> str:
        """The server's form of a client's path, normalised. Raises UnusablePath."""
        if not path:
            raise UnusablePath(f"{field} must not be empty.")
        if "\x00" in path:
            raise UnusablePath(f"{field} holds a NUL byte: {path!r}.")
        best: tuple[int, str] | None = None
        for client, server in self.pairs:
            rest = _rest_after(path, client)
            if rest is not None and (best is None or len(client) > best[0]):
                best = (len(client), posixpath.join(server, rest) if rest else server)
        found = best[1] if best else path
        if not found.startswith("/") and _WINDOWS.match(found):
            raise UnusablePath(
                f"{field}: this server knows no folder for {path}; RUSHES_PATH_MAP must say which "
                "of its folders that drive or share is."
            )
        if not found.startswith("/"):
            raise UnusablePath(f"{field} must be an absolute path, not {path!r}.")
        return "/" + posixpath.normpath(found).lstrip("/")

    def to_client(self, path: str, like: str | None = None) -> str:
        """The client's form of a server path.

        `like` is a path from the same request: where several pairs share the longest server
        prefix, the one that this client used wins, else the first in the setting. A client that
        calls mapped folders by their server path gets server paths.
        """
        if like is not None and self._is_ours(like):
            return path
        matching = [
            (client, server, rest)
            for client, server in self.pairs
            if (rest := _rest_after(path, server)) is not None
        ]
        if not matching:
            return path
        longest = max(len(server.rstrip("/")) for _, server, _ in matching)
        best = [match for match in matching if len(match[1].rstrip("/")) == longest]
        chosen = best[0]
        if like is not None:
            chosen = next((m for m in best if _rest_after(like, m[0]) is not None), None) or next(
                (m for m in best if _is_windows(m[0]) == _is_windows(like)), chosen
            )
        client, _, rest = chosen
        separator = "\\" if "\\" in client or re.fullmatch(r"[A-Za-z]:", client) else "/"
        if not rest:
            return client
        return client.rstrip("/\\") + separator + rest.replace("/", separator)

    def _is_ours(self, path: str) -> bool:
        """Whether a path is in a folder of the map, but as the server calls it."""
        has_clients_form = any(_rest_after(path, client) is not None for client, _ in self.pairs)
        return not has_clients_form and any(
            _rest_after(path, server) is not None for _, server in self.pairs
        )


def _is_windows(path: str) -> bool:
    return bool(_WINDOWS.match(path))


def _rest_after(path: str, prefix: str) -> str | None:
    """The rest of a path after `prefix` and a slash, with `/`; None where it differs.

    Windows and UNC prefixes compare without regard to case or to the kind of slash.
    """
    if _is_windows(prefix):
        path, prefix = path.replace("\\", "/"), prefix.replace("\\", "/")
        same = path.lower().startswith(prefix.rstrip("/").lower())
    else:
        same = path.startswith(prefix.rstrip("/"))
    rest = path[len(prefix.rstrip("/")) :]
    if not same or (rest and not rest.startswith("/")):
        return None
    return rest.lstrip("/")
