"""The media files below folders, in the order of their paths; bounded in time and number.

Each folder is looked at in a thread that may go into it, so that a share that hangs costs a
sentence. Links to folders are followed where they lead out of what is walked anyhow, each once.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from api.browsing.looking import (
    Lying,
    LyingFile,
    file_in,
    media_roots,
    names_in,
    sort_key,
    warnings_of,
)
from api.http.services import CoreServices
from shared.errors import BadInput, FolderHangs, NotAllowed
from shared.media import media_type_of, unsupported_format
from shared.opening import OpenedFolder, RootedPath

WALKS_FOR_S = 10.0
_AT_LEAST_S = 2.0  # for the names in a folder that is entered, and again for its files
_MOST_NAMES = 1_000_000  # in one folder
_MOST_WARNINGS = 20
_ASK_EVERY = 64  # folders, whether the client is still there

Place = list[tuple[str, str]]


class CutHere(NamedTuple):
    """The time was over behind this path."""

    path: str


Step = str | LyingFile | CutHere  # a folder to enter, a file, or the end


@dataclass(slots=True)
class Walked:
    """What a walk found. `next`: where it ended, where there may be more."""

    files: list[LyingFile] = field(default_factory=list)
    unsupported: int = 0
    next: str | None = None
    is_partial: bool = False
    warnings: list[str] = field(default_factory=list)

    def take(self, seen: Walked) -> None:
        """Take what was found in one folder, but for its files."""
        self.unsupported += seen.unsupported
        self.is_partial |= seen.is_partial
        self.warnings += seen.warnings[: _MOST_WARNINGS - len(self.warnings)]

    def warn(self, words: str) -> None:
        """Say what was not looked at; the walk is partial by that."""
        self.is_partial = True
        if len(self.warnings) < _MOST_WARNINGS:
            self.warnings.append(words)


class FolderWalk:
    """Of one request, begun when it is made."""

    def __init__(
        self, services: CoreServices, client_paths: Sequence[str], *, is_recursive: bool
    ) -> None:
        """Blocks. Raises BadInput or NotAllowed, naming the field."""
        self.like = client_paths[0]
        self._services = services
        self._roots = media_roots(services)
        self._is_recursive = is_recursive
        self._asked: dict[str, str] = {}  # our path -> how the request calls it
        self._refused: list[str] = []
        for n, path in enumerate(client_paths):
            ours, refused = services.paths.listed(path, f"paths[{n}]")
            if refused:
                self._refused.append(refused)
            else:
                self._asked.setdefault(ours, f"paths[{n}]")
        if not self._asked:
            raise BadInput(self._refused[0])
        self._entered: set[tuple[int, int]] = set()
        self._has_found = False  # any file
        self._until = time.monotonic() + WALKS_FOR_S
        self._after: Place = []

    async def files(
        self, limit: int, after: str | None, is_gone: Callable[[], Awaitable[bool]]
    ) -> Walked:
        """The first files behind a path in our form; None: from the start.

        Raises BadInput where the one path of the request is not there, NotAllowed and
        ClientDisconnect. Of several paths, a warning names what is not there.
        """
        found = Walked()
        for refused in self._refused:
            found.warn(refused)
        self._after = _place(after) if after else []
        steps: list[Step] = await run_in_threadpool(self._tops)
        folders = 0
        while steps:
            step = steps.pop()
            if isinstance(step, LyingFile):
                if len(found.files) == limit:
                    found.next = found.files[-1].path
                    break
                found.files.append(step)
                continue
            if isinstance(step, CutHere) or self._may_end_at(step):
                found.next = step.path if isinstance(step, CutHere) else step
                found.warn(f"The look took longer than {WALKS_FOR_S:.0f} s and ended before all.")
                break
            folders += 1
            if folders % _ASK_EVERY == 0 and await is_gone():
                raise ClientDisconnect
            steps += reversed(await self._enter(step, found))
        return found

    def _tops(self) -> list[Step]:
        """What was asked for, the first one last, without what lies in another part of it."""
        asked = self._asked
        tops = [
            path for path in asked if not (self._is_recursive and self._is_walked(_above(path)))
        ]
        return [*sorted(filter(self._is_ahead, tops), key=_place, reverse=True)]

    async def _enter(self, path: str, found: Walked) -> list[Step]:
        """Look at one folder, or file that was asked for; what is to be done of it."""
        try:
            steps, seen = await self._services.folders.run(path, self._look, path)
        except FolderHangs:
            found.warn(f"{self._shown(path)} does not answer: its disk or network share hangs.")
        except NotAllowed as error:
            if path in self._asked:
                raise NotAllowed(f"{self._asked[path]}: {error.message}") from None
        else:
            found.take(seen)
            return steps
        return []

    def _look(self, path: str) -> tuple[list[Step], Walked]:
        seen = Walked()
        try:
            return self._listed(path, seen), seen
        except OSError as error:
            if path in self._asked and len(self._asked) == 1:
                raise BadInput(self._why(path, error)) from None
            seen.warn(self._why(path, error))
        return [], seen

    def _listed(self, path: str, seen: Walked) -> list[Step]:
        is_asked = path in self._asked
        try:
            with RootedPath.of(path, self._roots).folder() as folder:
                return self._steps(folder, seen, is_top=is_asked)
        except NotADirectoryError:
            return self._file(path, seen) if is_asked else []

    def _steps(self, folder: OpenedFolder, found: Walked, *, is_top: bool) -> list[Step]:
        until = self._at_least()
        lying = names_in(self._services.folders, folder, until, _MOST_NAMES)
        is_late = lying.is_cut and time.monotonic() > until
        if is_late and self._has_found and self._may_end_at(folder.path):
            return [CutHere(folder.path)]  # there is more time for it, where a walk begins with it
        if lying.inode in self._entered or (lying.is_cache_dir and not is_top):
            return []
        self._entered.add(lying.inode)
        for words in warnings_of(lying, self._shown(folder.path)):
            found.warn(words)
        found.unsupported += lying.unsupported
        steps: list[Step] = []
        last, until = "", self._at_least()
        names = [(sort_key(name), True, name) for name in self._folders(lying)]
        names += [(sort_key(name), False, name) for name in lying.files]
        for _, is_folder, name in sorted(names):
            path = f"{folder.path.rstrip('/')}/{name}"
            if not self._is_ahead(path, is_folder=is_folder):
                continue
            if is_folder:
                steps.append(path)
            elif last and time.monotonic() > until:
                return [*steps, CutHere(last)]
            else:
                file = lying.linked_files.get(name) or file_in(folder, name)
                steps += [file] if file else []
                self._has_found |= file is not None
                last = path
        return steps

    def _folders(self, lying: Lying) -> list[str]:
        """The folders in a folder that are to be entered."""
        if not self._is_recursive:
            return []
        own = {"media"} if lying.is_cache_dir else set()
        return [
            name
            for name in lying.folders
            if name not in own | lying.hung and not self._is_seen(lying.linked.get(name))
        ]

    def _is_seen(self, place: str | None) -> bool:
        """Whether what a link leads to lies in what is walked anyhow."""
        return place is not None and self._is_walked([place, *_above(place)])

    def _is_walked(self, paths: Sequence[str]) -> bool:
        return any(path in self._asked for path in paths)

    def _file(self, path: str, found: Walked) -> list[Step]:
        """A file that was asked for by its own name."""
        if media_type_of(path) is None:
            found.unsupported += 1
            if unsupported_format(path) is None:
                found.warnings.append(f"{self._shown(path)} is no media file by its name.")
            return []
        above, name = os.path.split(path)
        with RootedPath.of(above, self._roots).folder() as folder:
            file = file_in(folder, name)
        return [file] if file and self._is_ahead(path, is_folder=False) else []

    def _may_end_at(self, path: str) -> bool:
        """Whether the time is over, and who goes on at this folder has come further than before."""
        return time.monotonic() > self._until and _place(path) > self._after

    def _at_least(self) -> float:
        """Until when a folder may be looked at that has been entered."""
        return max(self._until, time.monotonic() + _AT_LEAST_S)

    def _is_ahead(self, path: str, *, is_folder: bool = True) -> bool:
        """Whether a path, or something in it, comes behind the place where the walk begins."""
        if not self._after:
            return True
        place = _place(path)
        return place > self._after or (is_folder and place == self._after[: len(place)])

    def _why(self, path: str, error: OSError) -> str:
        shown, field = self._shown(path), f"{self._asked[path]}: " if path in self._asked else ""
        if field and isinstance(error, FileNotFoundError):
            return f"{field}there is neither a folder nor a file {shown} on the server."
        return f"{field}{shown} cannot be read: {error.strerror}."

    def _shown(self, path: str) -> str:
        return self._services.paths.back(path, self.like)


def _place(path: str) -> Place:
    return [sort_key(name) for name in path.split("/")]


def _above(path: str) -> list[str]:
    found = []
    while (above := os.path.dirname(path)) != path:
        found.append(above)
        path = above
    return found
