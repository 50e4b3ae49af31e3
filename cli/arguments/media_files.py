"""The media files that a command is given: files as they are, folders walked on this machine."""

from __future__ import annotations

import contextlib
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from cli.arguments.media_arguments import is_foreign, server_path
from cli.terminal.output import size_of
from shared.errors import BadInput
from shared.media import MediaType, media_type_of, unsupported_format

STDIN = "-"


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
