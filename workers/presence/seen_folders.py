"""Folders where files of a Task were seen: what is missing later is judged only where they stayed.

A disk that goes away leaves an empty folder, or none; the files in it are not deleted. So the
folder, its root and its mount are noted while a file is there, once for all workers of a
machine, and compared when one is not.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import PurePath
from typing import cast

import msgspec
import redis

from shared.errors import MediaMissing, NotAllowed, RushesError
from shared.redis.clients import key_prefix
from workers.presence.left_items import NotHere, NotHereAnyMore
from workers.presence.root_identity import (
    RootIdentity,
    Unreachable,
    identity_of,
    is_fault_of_file,
    is_same_root,
    mount_point,
)

GONE_FOLDER_S = 20.0  # a folder that is gone from a disk that stayed is waited for so long
_AGAIN_S = 1.0
_NOTED_S = 5.0  # a folder is not noted again so soon: stills come by the hundred
_REMEMBER_S = 86_400


_noted_at: dict[tuple[str, str], float] = {}  # by key and folder; of this process
_noted_lock = threading.Lock()


class SeenFolder(msgspec.Struct, frozen=True):
    """What a folder was when a file was seen in it."""

    folder: RootIdentity
    mount: str  # the mount point that it lay below
    disk: RootIdentity  # of that


class SeenFolders:
    """The folders of one Task on this machine. `roots`: the configured ones, None for any."""

    def __init__(
        self,
        client: redis.Redis,
        instance: str,
        task_id: str,
        roots: tuple[os.PathLike[str], ...] | None,
    ) -> None:
        self._client = client
        self._key = f"{key_prefix(instance)}seen:{task_id}:{socket.gethostname()}"
        self._roots = tuple(map(os.fspath, roots or ()))

    def look(self, paths: Iterable[str]) -> NotHere | None:
        """NotHere where a path is missing whose disk or folder is; notes those of the others."""
        paths = list(paths)
        absent = [path for path in paths if not os.path.exists(path)]
        if absent and (away := self._away(absent)):
            return away
        self._note(path for path in paths if path not in set(absent))
        return None

    def check(self, path: str, error: RushesError) -> None:
        """Raise NotHereAnyMore where the file may not be to blame for a failure."""
        if away := self._away([path]):
            raise NotHereAnyMore(away)
        causes = list(_causes(error))
        is_back = any(isinstance(c, MediaMissing) for c in causes) and os.path.isfile(path)
        # While a disk is mounted anew, what is open on the former one has no place in the roots.
        is_back |= any(isinstance(c, NotAllowed) for c in causes) and self._leads_inside(path)
        is_of_disk = any(isinstance(c, OSError) and not is_fault_of_file(c) for c in causes)
        if (is_back or is_of_disk) and self._left_to_wait(path):
            raise NotHereAnyMore(NotHere(f"{path} does not answer: {error.message}", _AGAIN_S))

    def _leads_inside(self, path: str) -> bool:
        """Whether there is a file in one of the roots, by its name and in truth."""
        real = os.path.realpath(path)
        is_inside = any(
            _is_below(path, root) and _is_below(real, os.path.realpath(root))
            for root in self._roots
        )
        return is_inside and os.path.isfile(path)

    def _away(self, paths: Iterable[str]) -> NotHere | None:
        with _noted_lock:
            _noted_at.clear()  # what comes back is noted at once
        above = {path: self._above(path) for path in paths}
        asked = sorted({folder for folders in above.values() for folder in folders})
        found = cast("list[str | None]", self._client.hmget(self._key, asked)) if asked else []
        for folder, known in zip(asked, found, strict=True):
            seen = msgspec.json.decode(known, type=SeenFolder) if known else None
            if reason := self._lost_disk(folder, seen):
                is_over = partial(self._is_back, folder, seen)
                return NotHere(reason, is_over=is_over, waits_for=("root", folder))
            is_empty = seen is None and folder in self._roots and not _has_entries(folder)
            if is_empty and (left_s := self._left_to_wait(folder)):
                reason = f"{folder} is empty on this machine; is its disk mounted?"
                return NotHere(reason, left_s, partial(_has_entries, folder))
            if seen and not _is_there(folder, seen) and (left_s := self._left_to_wait(folder)):
                reason = f"The folder {folder} is missing; it was there a moment ago."
                return NotHere(reason, left_s, partial(os.path.isdir, folder))
        return None

    def _above(self, path: str) -> Iterator[str]:
        """The folders that a path lies in, up to its root."""
        for folder in map(str, PurePath(path).parents):
            yield folder
            if folder in self._roots:
                return

    def _lost_disk(self, folder: str, seen: SeenFolder | None) -> str:
        """Why the disk that a folder lay on seems to be away; "" where it is there."""
        if folder in self._roots and not os.path.isdir(folder):
            return f"{folder} is missing on this machine; is its disk mounted?"
        if seen and folder in self._roots and not _is_there(folder, seen):
            return f"{folder} is empty on this machine, and was not; is its disk mounted?"
        if seen is None:
            return ""
        if mount_point(folder) != seen.mount:
            return f"{seen.mount} is not mounted on this machine."
        try:
            disk = identity_of(seen.mount)
        except Unreachable as error:
            return error.reason
        if not is_same_root(seen.disk, disk) and not _has_entries(seen.mount):
            return f"Another, empty disk than before is mounted at {seen.mount}."
        return ""

    def _is_back(self, folder: str, seen: SeenFolder | None) -> bool:
        return not self._lost_disk(folder, seen)

    def _note(self, paths: Iterable[str]) -> None:
        now = time.monotonic()
        folders = {os.path.dirname(path) for path in paths}
        with _noted_lock:
            for old in [of for of, at in _noted_at.items() if now - at > _NOTED_S]:
                del _noted_at[old]
            folders = {folder for folder in folders if (self._key, folder) not in _noted_at}
        from_files = folders.copy()
        for folder in from_files:
            folders |= {root for root in self._roots if _is_below(folder, root)}
            point = mount_point(folder)
            folders |= {point} if any(_is_below(point, root) for root in self._roots) else set()
        noted: dict[str, bytes] = {}
        for folder in folders:
            if seen := _seen(folder):
                noted[folder] = msgspec.json.encode(seen)
        if not noted:
            return
        with self._client.pipeline() as pipe:
            pipe.hset(self._key, mapping=noted)  # type: ignore[arg-type]
            pipe.hdel(self._key, *map(_since, noted))
            pipe.expire(self._key, _REMEMBER_S)
            pipe.execute()
        with _noted_lock:
            _noted_at.update({(self._key, folder): now for folder in from_files})

    def _left_to_wait(self, path: str) -> float:
        """How long what is gone from a disk that stayed may still come back; counts from now on."""
        with self._client.pipeline() as pipe:
            pipe.hsetnx(self._key, _since(path), str(time.time()))
            pipe.expire(self._key, _REMEMBER_S)
            pipe.hget(self._key, _since(path))
            return max(0.0, float(pipe.execute()[-1]) + GONE_FOLDER_S - time.time())


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _since(path: str) -> str:
    return f"since:{path}"


def _seen(folder: str) -> SeenFolder | None:
    point = mount_point(folder)
    try:
        return SeenFolder(identity_of(folder), point, identity_of(point))
    except Unreachable:
        return None  # gone just now: whoever opens the file meets it


def _is_there(folder: str, seen: SeenFolder) -> bool:
    """Whether the folder is there; one that was made anew in its place counts once it is used."""
    try:
        return is_same_root(seen.folder, identity_of(folder)) or _has_entries(folder)
    except Unreachable:
        return _has_entries(folder)


def _has_entries(folder: str) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except OSError as error:
        return isinstance(error, PermissionError)  # entered, perhaps, but not listed


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")
