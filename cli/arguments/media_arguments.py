"""Paths and times as they are typed: a path of this machine becomes absolute, others stay."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePath, PureWindowsPath
from typing import Annotated

from cli.options import argument, option
from cli.terminal.output import size_of
from shared.errors import BadInput, ExportError, os_errors_as
from shared.media import MediaType, media_type_of, unsupported_format
from shared.private_files import replacing

_FOREIGN = re.compile(r"^(?:[A-Za-z]:[\\/]|\\\\)")
_TIME = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,2}):)?(\d+(?:\.\d+)?)")

CacheOption = Annotated[
    str,
    option(
        "Folder that receives everything derived from the media.",
        "--cache",
        envvar="RUSHES_CACHE_DIR",
    ),
]
PathsArgument = Annotated[
    list[str], argument("Media files, and folders of them; `-`: read them from stdin, one a line.")
]
VocabularyOption = Annotated[
    list[str] | None,
    option(
        "A name or rare word that may be said, or @FILE of them, one a line. Repeatable. "
        '"": none, and no names of people.',
        panel="What is analyzed",
        metavar="WORD",
    ),
]
STDIN = "-"
_UNFIT = re.compile(r"[^\w-]")
_LONGEST_KIND = 20  # characters


def is_foreign(path: str) -> bool:
    r"""Whether a path is one of Windows, `Z:\…` or `\\server\…`, typed on another system."""
    return _FOREIGN.match(path) is not None


def pure_path(path: str) -> PurePath:
    """A path of the server's as one of the server's system, as far as that can be told."""
    return PureWindowsPath(path) if is_foreign(path) else PurePath(path)


def server_path(path: str) -> str:
    r"""A path as the server is told it: `Z:\…` and `\\server\…` stay as they are."""
    return path if is_foreign(path) else os.path.abspath(os.path.expanduser(path))


def cache_dir(given: str) -> str:
    """The cache folder as the server is told it. Raises BadInput where none is named."""
    if not given:
        raise BadInput("Name the cache folder with --cache DIR, or set RUSHES_CACHE_DIR.")
    return server_path(given)


def seconds(time: str) -> float:
    """Seconds of `75`, `75.5`, `1:15.5` or `0:01:15`. Raises BadInput."""
    found = _TIME.fullmatch(time.strip())
    if found is None:
        raise BadInput(f"{time} is no time: write seconds, M:SS or H:MM:SS.")
    hours, minutes, rest = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + rest


def vocabulary(given: Sequence[str]) -> list[str]:
    """The words of the option; of "@FILE" each line that is not empty. Raises BadInput."""
    found: list[str] = []
    for word in given:
        found += _lines(Path(word[1:])) if word.startswith("@") else [word]
    return [word for word in found if word.strip()]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadInput(f"--vocabulary: {path} cannot be read: {reason}.") from error


@dataclass(slots=True)
class MediaFiles:
    """Media files by path with their types, in the order given or found, and what was left out."""

    paths: dict[str, MediaType] = field(default_factory=dict)
    total_bytes: int = 0  # of those that this machine can see
    left_out: Counter[str] = field(default_factory=Counter)

    def of(self, *types: MediaType) -> list[str]:
        return [path for path, kind in self.paths.items() if kind in types]

    def counted(self) -> str:
        """The files in numbers, such as `3 files (2 video, 1 image), 1.2 GB`."""
        kinds = Counter(self.paths.values())
        each = ", ".join(f"{kinds[kind]:,} {kind.value}" for kind in MediaType if kinds[kind])
        size = f", {size_of(self.total_bytes)}" if self.total_bytes else ""
        return f"{len(self.paths):,} file{'s' * (len(self.paths) != 1)} ({each}){size}"


def listed(given: Sequence[str], is_nul_separated: bool = False) -> Iterator[str]:
    """The arguments, with lines of stdin in the place of `-`."""
    for path in given:
        if path != STDIN:
            yield path
            continue
        text = sys.stdin.buffer.read()
        # A list that Windows wrote ends its lines with \r\n.
        lines = text.split(b"\0") if is_nul_separated else text.replace(b"\r\n", b"\n").split(b"\n")
        yield from (os.fsdecode(line) for line in lines if line.strip())


def media_files(given: Iterable[str], excludes: Sequence[str] = (), cache: str = "") -> MediaFiles:
    """Find the media of files and folders.

    In folders: nothing hidden, nothing behind links to folders, not the cache folder. What this
    machine does not see is taken for a file of the server. `excludes` are globs, of a name or of a
    path below the given folder. Raises BadInput for a path that is neither here nor of a media
    file by its name.
    """
    found = MediaFiles()
    for path in given:
        place = server_path(path)
        if not is_foreign(place) and os.path.isdir(place):
            for below in _walked(place, excludes, cache, found):
                _add(found, below)
        elif not _is_excluded(os.path.basename(place), excludes):
            if media_type_of(place) is None and (is_foreign(place) or not os.path.exists(place)):
                raise BadInput(
                    f"{path} is no file or folder of this machine, nor a media file by its name."
                )
            _add(found, place)
    return found


def _walked(folder: str, excludes: Sequence[str], cache: str, found: MediaFiles) -> Iterator[str]:
    def cannot_be_read(_: OSError) -> None:
        found.left_out["folders that cannot be read"] += 1

    for parent, folders, names in os.walk(folder, onerror=cannot_be_read):
        below = os.path.relpath(parent, folder)
        kept = sorted(name for name in folders if _counts(below, name, excludes))
        folders[:] = [name for name in kept if os.path.join(parent, name) != cache]
        for name in sorted(names):
            if _counts(below, name, excludes):
                yield os.path.join(parent, name)


def _counts(below: str, name: str, excludes: Sequence[str]) -> bool:
    is_hidden = name.startswith(".")
    return not is_hidden and not _is_excluded(os.path.normpath(os.path.join(below, name)), excludes)


def _is_excluded(path: str, globs: Sequence[str]) -> bool:
    lower = path.lower()
    name = os.path.basename(lower)
    return any(fnmatchcase(lower, g.lower()) or fnmatchcase(name, g.lower()) for g in globs)


def _add(found: MediaFiles, path: str) -> None:
    kind = media_type_of(path)
    if kind is None:
        raw = unsupported_format(path)
        found.left_out[f"{raw}, which no decoder here reads" if raw else "other files"] += 1
        return
    try:
        path.encode()
    except UnicodeEncodeError:
        found.left_out["files whose names are not UTF-8"] += 1
        return
    if path not in found.paths and not is_foreign(path):
        with contextlib.suppress(OSError):  # the server says what is wrong with it
            found.total_bytes += Path(path).stat().st_size
    found.paths[path] = kind


class NewFiles:
    """New files of one extension in one folder, named after media files."""

    def __init__(self, folder: Path, extension: str, is_overwriting: bool) -> None:
        self._folder, self._extension = folder, extension
        self._is_overwriting = is_overwriting
        self._named: set[str] = set()
        with os_errors_as(BadInput, f"{folder} cannot be made a folder"):
            folder.mkdir(parents=True, exist_ok=True)

    def write(self, media_path: str, content: bytes, kind: str = "") -> Path:
        """Write `A001.srt` for `A001.mov`; another A001 of the same command gets a longer name.

        `kind`: behind the name, as in `A001.deu.srt`; what no name should have is left out of it.

        Raises ExportError where the file exists and is not to be overwritten.
        """
        media = pure_path(media_path)
        kind = _UNFIT.sub("", kind)[:_LONGEST_KIND]
        names = [media.stem, media.name, *(f"{media.name} ({n})" for n in range(2, 10_000))]
        candidates = (f"{name}.{kind}" if kind else name for name in names)
        stem = next(name for name in candidates if name.lower() not in self._named)
        self._named.add(stem.lower())
        path = self._folder / f"{stem}.{self._extension}"
        write_file(path, content, self._is_overwriting)
        return path


def write_file(path: Path, content: bytes, is_overwriting: bool) -> None:
    """Write a file whole. Raises ExportError where it exists unless `is_overwriting`."""
    try:
        with replacing(path, is_private=False) if is_overwriting else path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise ExportError(f"{path} exists: --force overwrites it.") from None
    except OSError as error:
        if not is_overwriting:  # half a file stays nowhere
            with contextlib.suppress(OSError):
                path.unlink()
        raise ExportError(f"{path} cannot be written: {error.strerror}.") from error
