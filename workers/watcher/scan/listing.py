"""What is in one directory: which names count, of what kind they are, and sequences of stills."""

from __future__ import annotations

import errno
import fnmatch
import os
import re
import stat
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from shared.errors import NotAllowed
from shared.media import (
    AUDIO_EXTENSIONS,
    IMAGE_EXTENSIONS,
    UNSUPPORTED_FORMATS,
    VIDEO_EXTENSIONS,
    MediaType,
)
from shared.opening import OpenedFolder
from shared.settings import Settings
from shared.watch.folders import WatchFolder
from workers.presence.root_identity import printable, why

_TEMPORARY = frozenset(
    ".part .partial .tmp .temp .crdownload .download .filepart .aria2 .opdownload .fdmdownload "
    ".unconfirmed .dltemp .ytdl .swp .!ut .!qb .bc! .td".split()
)


class NameKind(Enum):
    """What a file is to a watched folder."""

    MEDIA = "media"
    UNSUPPORTED = "unsupported"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class NameRules:
    """Of one folder: made once, asked for every name."""

    types: dict[str, MediaType]
    kinds: dict[str, NameKind]
    excluded: tuple[str, ...]
    globs: re.Pattern[str] | None

    @classmethod
    def of(cls, folder: WatchFolder, settings: Settings) -> NameRules:
        types = _media_types()
        for extension, is_added in settings.watch_extensions:
            if is_added:
                types.setdefault(extension, MediaType.VIDEO)
            else:
                types.pop(extension, None)
        kinds = dict.fromkeys(types, NameKind.MEDIA)
        removed = {extension for extension, is_added in settings.watch_extensions if not is_added}
        kinds |= dict.fromkeys(UNSUPPORTED_FORMATS.keys() - removed, NameKind.UNSUPPORTED)
        endings = tuple(filter(None, map(_ending, folder.excluded_extensions)))
        return cls(types, kinds, endings, _compiled(folder.excluded_filename_globs))

    def kind(self, name: str) -> NameKind:
        """Hidden, temporary, excluded or not on the media list: IGNORED."""
        extension = _extension(name)
        kind = self.kinds.get(extension, NameKind.IGNORED)
        if kind is NameKind.IGNORED or is_hidden(name) or _is_temporary(name, extension):
            return NameKind.IGNORED
        return NameKind.IGNORED if self._is_excluded(name) else kind

    def media_type(self, name: str) -> MediaType | None:
        """Of a name on the media list; an extension that a setting added counts as video."""
        return self.types.get(_extension(name))

    def _is_excluded(self, name: str) -> bool:
        if not self.excluded and self.globs is None:
            return False
        folded = _folded(name)
        if self.excluded and folded.endswith(self.excluded):
            return True
        return self.globs is not None and self.globs.match(folded) is not None


def is_hidden(name: str) -> bool:
    """Dot files and dot folders, among them AppleDouble files (`._clip.mov`)."""
    return name.startswith(".")


def _is_temporary(name: str, extension: str) -> bool:
    """A name that programs give to a file which they have not finished."""
    return name.startswith("~") or name.endswith("~") or extension in _TEMPORARY


def _media_types() -> dict[str, MediaType]:
    types: dict[str, MediaType] = {}
    for extensions, media_type in (
        (VIDEO_EXTENSIONS, MediaType.VIDEO),
        (IMAGE_EXTENSIONS, MediaType.IMAGE),
        (AUDIO_EXTENSIONS, MediaType.AUDIO),
    ):
        types.update(dict.fromkeys(extensions, media_type))
    return types


def _extension(name: str) -> str:
    stem, dot, extension = name.rpartition(".")
    return dot + extension.lower() if stem else ""


def _folded(text: str) -> str:
    """The form in which names are compared: of two that look the same, both are equal."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _ending(excluded: str) -> str:
    bare = _folded(excluded.strip()).lstrip(".")
    return "." + bare if bare else ""


def _compiled(globs: Iterable[str]) -> re.Pattern[str] | None:
    patterns = [fnmatch.translate(_folded(glob)) for glob in globs if glob]
    return re.compile("|".join(patterns)) if patterns else None


SHORTEST = 24
_NUMBERED = re.compile(r"(.*?)([0-9]+)([^0-9]*)", re.DOTALL)


class StillSequence(NamedTuple):
    """Consecutive stills of one folder. `name` stands for all: `shot.[0001-0240].dpx`."""

    name: str
    stills: tuple[str, ...]


class _NamePattern(NamedTuple):
    """What the names of one sequence share; `width` 1: not padded with zeros."""

    before: str
    after: str
    width: int


def sequence_key(name: str) -> tuple[str, str] | None:
    """What the names of all stills of one shot share; None for a name without a number."""
    stem, dot, extension = name.rpartition(".")
    found = _NUMBERED.fullmatch(stem)
    return (found[1], found[3] + dot + extension) if found else None


def sequences_in(names: Iterable[str]) -> list[StillSequence]:
    """Sequences of at least 24 stills. `names`: of stills in one folder, each once."""
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in names:
        stem, dot, extension = name.rpartition(".")
        found = _NUMBERED.fullmatch(stem)
        if found:
            alike[found[1], found[3] + dot + extension].append(found[2])
    return [
        sequence
        for (before, after), numbers in alike.items()
        if len(numbers) >= SHORTEST
        for width, padded in _by_padding(numbers).items()
        for sequence in _runs(_NamePattern(before, after, width), padded)
    ]


def _by_padding(numbers: list[str]) -> dict[int, list[int]]:
    """The numbers by the width to which they are padded.

    `1000` may follow `0999` or `999`, and `10000` may follow `9999` of a width of 4: a number
    without leading zeros goes to the widest padding that can have written it.
    """
    widths = sorted({len(number) for number in numbers if _is_padded(number)}, reverse=True)
    padded: dict[int, list[int]] = defaultdict(list)
    for number in numbers:
        if _is_padded(number):
            width = len(number)
        else:
            width = next((width for width in widths if width <= len(number)), 1)
        padded[width].append(int(number))
    return padded


def _is_padded(number: str) -> bool:
    return len(number) > 1 and number.startswith("0")


def _runs(shot: _NamePattern, numbers: list[int]) -> Iterator[StillSequence]:
    run: list[int] = []
    for number in [*sorted(numbers), None]:
        if run and number != run[-1] + 1:
            if len(run) >= SHORTEST:
                yield _sequence(shot, run)
            run = []
        if number is not None:
            run.append(number)


def _sequence(shot: _NamePattern, run: list[int]) -> StillSequence:
    texts = [str(number).zfill(shot.width) for number in run]
    name = f"{shot.before}[{texts[0]}-{texts[-1]}]{shot.after}"
    return StillSequence(name, tuple(f"{shot.before}{text}{shot.after}" for text in texts))


class FileStat(NamedTuple):
    """A file as a stat saw it."""

    size: int
    mtime_ns: int


class DirectoryStamp(NamedTuple):
    """A directory just before it was listed."""

    mtime_ns: int
    device: int
    inode: int


@dataclass
class Scan:
    """All that one look found.

    `files`: media and unsupported files, exactly as the disk has their names. `sequences`: path
    of the item -> stills in it; they are not in `files`. `folders`: directories that were listed
    whole. `problems`: what could not be looked at, and why; mostly directories.
    """

    files: dict[str, FileStat] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)
    folders: dict[str, DirectoryStamp] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    passed_by: set[str] = field(default_factory=set)  # directories that are there, not looked at

    def covers(self, path: str) -> bool:
        """Whether a known path that is in neither `files` nor `sequences` has gone for sure.

        Holds only while the root is the same before and after the scan: see root_identity.
        """
        while path not in self.problems and path not in self.passed_by:
            above = os.path.dirname(path)
            if path in self.gone or (above in self.folders and above not in self.problems):
                return True
            if above == path:
                return False
            path = above
        return False


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
