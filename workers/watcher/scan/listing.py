"""What is in one directory, by name and kind."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.errors import NotAllowed
from shared.media import MediaType
from shared.opening import OpenedFolder
from workers.presence.root_identity import printable, why
from workers.watcher.scan.findings import FileStat
from workers.watcher.scan.names import NameKind, NameRules, is_hidden
from workers.watcher.scan.sequences import sequences_in

VANISHED = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_CHECKPOINT = 500
_RAW_FRAMES = (".ari", ".arx")  # one file a frame


@dataclass(slots=True)
class Listing:
    """`folders` are real, `links` lead to directories. In `problems`: files whose kind or size the
    system does not tell, and the directory itself if it could not be read to its end."""

    files: dict[str, FileStat] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    is_empty: bool = True
    is_cache_dir: bool = False


class Lister:
    """Lists directories of one watched folder."""

    def __init__(self, rules: NameRules, *, groups: bool, checkpoint: Callable[[], None]) -> None:
        """`groups`: whether sequences of stills count as one."""
        self._rules = rules
        self._groups = groups
        self._checkpoint = checkpoint

    def listing(self, folder: OpenedFolder) -> Listing:
        """Raises OSError where the directory cannot be listed at all."""
        found, path = Listing(), folder.path
        stills: dict[str, os.DirEntry[str]] = {}
        has_identity = False
        with os.scandir(folder.fd) as entries:
            try:
                for number, entry in enumerate(entries):
                    if number % _CHECKPOINT == 0:
                        self._checkpoint()
                    found.is_empty = False
                    has_identity |= entry.name == "rushes.json"
                    self._sort_in(entry, folder, found, stills)
            except OSError as error:
                found.problems[path] = why(path, error)
        self._group(path, found, stills)
        media = os.path.join(path, "media")
        found.is_cache_dir = has_identity and (media in found.folders or media in found.links)
        return found

    def _sort_in(
        self,
        entry: os.DirEntry[str],
        folder: OpenedFolder,
        found: Listing,
        stills: dict[str, os.DirEntry[str]],
    ) -> None:
        name = entry.name
        path = os.path.join(folder.path, name)
        if is_hidden(name):
            return
        try:
            if entry.is_symlink():
                self._follow(entry, folder, found)
            elif entry.is_dir(follow_symlinks=False):
                found.folders.append(path)
            elif (kind := self._rules.kind(name)) is not NameKind.IGNORED:
                if not entry.is_file(follow_symlinks=False):
                    return
                if self._groups and self._is_still(name, kind):
                    stills[name] = entry
                else:
                    _add(path, entry.stat(follow_symlinks=False), found)
        except OSError as error:
            _fail(path, error, found)

    def _follow(self, link: os.DirEntry[str], folder: OpenedFolder, found: Listing) -> None:
        target = link.stat()
        path = os.path.join(folder.path, link.name)
        if stat.S_ISDIR(target.st_mode):
            found.links.append(path)
        elif stat.S_ISREG(target.st_mode) and self._rules.kind(link.name) is not NameKind.IGNORED:
            try:
                with folder.open(link.name) as file:
                    _add(path, file.status, found)
            except PermissionError:
                _add(path, target, found)  # inside the roots; whoever reads it says so
            except NotAllowed:
                return

    def _is_still(self, name: str, kind: NameKind) -> bool:
        if kind is NameKind.UNSUPPORTED:
            return name.lower().endswith(_RAW_FRAMES)
        return self._rules.media_type(name) is MediaType.IMAGE

    def _group(self, path: str, found: Listing, stills: dict[str, os.DirEntry[str]]) -> None:
        for sequence in sequences_in(stills):
            found.sequences[os.path.join(path, sequence.name)] = len(sequence.stills)
            for name in sequence.stills:
                del stills[name]
        for name, entry in stills.items():
            still = os.path.join(path, name)
            try:
                _add(still, entry.stat(follow_symlinks=False), found)
            except OSError as error:
                _fail(still, error, found)


def _add(path: str, status: os.stat_result, found: Listing) -> None:
    found.files[path] = FileStat(status.st_size, status.st_mtime_ns)


def _fail(path: str, error: OSError, found: Listing) -> None:
    if error.errno not in VANISHED:  # a broken link, or just deleted
        words = error.strerror or str(error)
        found.problems[path] = f"{printable(path)} cannot be looked at: {words}."
