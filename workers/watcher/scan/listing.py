"""What is in one directory, by name and kind."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.errors import NotAllowed
from shared.media import MediaType
from shared.paths import Roots
from workers.watcher.scan.findings import FileStat
from workers.watcher.scan.names import NameKind, NameRules, is_hidden
from workers.watcher.scan.root_identity import printable, why
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

    def __init__(
        self, rules: NameRules, roots: Roots, *, groups: bool, checkpoint: Callable[[], None]
    ) -> None:
        """`groups`: whether sequences of stills count as one."""
        self._rules = rules
        self._roots = roots
        self._groups = groups
        self._checkpoint = checkpoint

    def listing(self, path: str) -> Listing:
        """Raises OSError where the directory cannot be opened."""
        found = Listing()
        stills: dict[str, os.DirEntry[str]] = {}
        has_identity = False
        with os.scandir(path) as entries:
            try:
                for number, entry in enumerate(entries):
                    if number % _CHECKPOINT == 0:
                        self._checkpoint()
                    found.is_empty = False
                    has_identity |= entry.name == "rushes.json"
                    self._sort_in(entry, found, stills)
            except OSError as error:
                found.problems[path] = why(path, error)
        self._group(path, found, stills)
        media = os.path.join(path, "media")
        found.is_cache_dir = has_identity and (media in found.folders or media in found.links)
        return found

    def _sort_in(
        self, entry: os.DirEntry[str], found: Listing, stills: dict[str, os.DirEntry[str]]
    ) -> None:
        name = entry.name
        if is_hidden(name):
            return
        try:
            if entry.is_symlink():
                self._follow(entry, found)
            elif entry.is_dir(follow_symlinks=False):
                found.folders.append(entry.path)
            elif (kind := self._rules.kind(name)) is not NameKind.IGNORED:
                if not entry.is_file(follow_symlinks=False):
                    return
                if self._groups and self._is_still(name, kind):
                    stills[name] = entry
                else:
                    _add(entry, found)
        except OSError as error:
            _fail(entry, error, found)

    def _follow(self, link: os.DirEntry[str], found: Listing) -> None:
        target = link.stat()
        if stat.S_ISDIR(target.st_mode):
            found.links.append(link.path)
        elif stat.S_ISREG(target.st_mode) and self._rules.kind(link.name) is not NameKind.IGNORED:
            try:
                self._roots.check_real(link.path)
            except NotAllowed:
                return
            found.files[link.path] = FileStat(target.st_size, target.st_mtime_ns)

    def _is_still(self, name: str, kind: NameKind) -> bool:
        if kind is NameKind.UNSUPPORTED:
            return name.lower().endswith(_RAW_FRAMES)
        return self._rules.media_type(name) is MediaType.IMAGE

    def _group(self, path: str, found: Listing, stills: dict[str, os.DirEntry[str]]) -> None:
        for sequence in sequences_in(stills):
            found.sequences[os.path.join(path, sequence.name)] = len(sequence.stills)
            for name in sequence.stills:
                del stills[name]
        for entry in stills.values():
            try:
                _add(entry, found)
            except OSError as error:
                _fail(entry, error, found)


def _add(entry: os.DirEntry[str], found: Listing) -> None:
    status = entry.stat(follow_symlinks=False)
    found.files[entry.path] = FileStat(status.st_size, status.st_mtime_ns)


def _fail(entry: os.DirEntry[str], error: OSError, found: Listing) -> None:
    if error.errno not in VANISHED:  # a broken link, or just deleted
        words = error.strerror or str(error)
        found.problems[entry.path] = f"{printable(entry.path)} cannot be looked at: {words}."
