"""Watched folders and whether watching is wanted: in Redis and in STATE_DIR/watch-folders.json."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
import redis
from msgspec import Meta

from shared.errors import Missing
from shared.redis.clients import key_prefix
from shared.redis.kept_hash import KeptHash, decode_entries
from shared.watch.options import WatchOptions

_WANTED = "service"
_FOLDER = "folder:"
_TIME = r"^([01]\d|2[0-3]):[0-5]\d$"


class Schedule(msgspec.Struct, frozen=True):
    """Hours in which a folder may be worked on, by the server's clock; may cross midnight."""

    start: Annotated[str, Meta(pattern=_TIME, examples=["20:00"])]
    """HH:MM."""
    stop: Annotated[str, Meta(pattern=_TIME, examples=["06:00"])]
    """HH:MM."""


class WatchFolder(WatchOptions, frozen=True, kw_only=True):
    """A folder whose settled media files are ingested. Paths are in the server's form.

    `client_path` and `client_cache_dir` are the same as the client wrote them. `revision` grows
    with every change by a user. `language` is a code of shared.models.languages, None: detect.
    `real_path` and `real_cache_dir` are where links led when they were given: folders are told
    apart by them without touching the disk, which may be away.
    """

    id: str
    path: str
    client_path: str
    cache_dir: str
    client_cache_dir: str
    real_path: str = ""
    real_cache_dir: str = ""
    language: str | None = None
    cluster_job_name: str | None = None
    excluded_extensions: tuple[str, ...] = ()
    excluded_filename_globs: tuple[str, ...] = ()
    schedule: Schedule | None = None
    created_at: float
    revision: int = 1
    key_roots: tuple[str, ...] | None = None  # of the licence key that chose path and cache_dir
    vocabulary: tuple[str, ...] = ()
    uses_vocabulary: bool = True  # as AnalyzeSpec has it
    speakers: bool | None = None  # None: the setting decides


def new_folder_id() -> str:
    return secrets.token_hex(8)


class WatchFolders:
    """The watch folders of one instance. `client` must decode responses."""

    def __init__(self, client: redis.Redis, instance: str, state_dir: Path) -> None:
        self._redis = client
        self._version = f"{key_prefix(instance)}watch:version"
        path = state_dir / "watch-folders.json"
        self._kept = KeptHash(client, instance, "watch_folders", path, "watch folders")

    def all(self) -> list[WatchFolder]:
        """All folders, oldest first."""
        return self.read()[0]

    def read(self) -> tuple[list[WatchFolder], bool]:
        """All folders, oldest first, and whether watching is wanted; it is not until started."""
        fields = self._kept.all()
        return _folders(fields), fields.get(_WANTED) == "true"

    def get(self, folder_id: str) -> WatchFolder:
        """Raises Missing."""
        return _of(folder_id, self._kept.get(_FOLDER + folder_id))

    def want(self, is_wanted: bool) -> None:
        """Start or stop watching, also after restarts."""
        with self._kept.changing() as fields:
            fields[_WANTED] = "true" if is_wanted else "false"
        self._changed()

    @contextlib.contextmanager
    def changing(self) -> Iterator[FolderChanges]:
        """Read, check and change folders in one step; written at the end of the block."""
        with self._kept.changing() as fields:
            yield FolderChanges(fields)
        self._changed()

    def version(self) -> int:
        """Grows with every change: the watcher looks when it differs."""
        return int(self._redis.get(self._version) or 0)

    def _changed(self) -> None:
        self._redis.incr(self._version)


class FolderChanges:
    """The folders while they are being changed."""

    def __init__(self, fields: dict[str, str]) -> None:
        self._fields = fields

    def all(self) -> list[WatchFolder]:
        return _folders(self._fields)

    def get(self, folder_id: str) -> WatchFolder:
        """Raises Missing."""
        return _of(folder_id, self._fields.get(_FOLDER + folder_id))

    def put(self, folder: WatchFolder) -> None:
        self._fields[_FOLDER + folder.id] = msgspec.json.encode(folder).decode()

    def remove(self, folder_id: str) -> WatchFolder:
        """Raises Missing."""
        removed = self.get(folder_id)
        del self._fields[_FOLDER + folder_id]
        return removed


def _folders(fields: dict[str, str]) -> list[WatchFolder]:
    raws = {name: raw for name, raw in fields.items() if name.startswith(_FOLDER)}
    folders = decode_entries(raws, WatchFolder).values()
    return sorted(folders, key=lambda folder: (folder.created_at, folder.id))


def _of(folder_id: str, raw: str | None) -> WatchFolder:
    for folder in decode_entries({folder_id: raw} if raw else {}, WatchFolder).values():
        return folder
    raise Missing(f"There is no watch folder {folder_id}.")


def is_open(schedule: Schedule, now: datetime) -> bool:
    """Start inclusive, stop exclusive; over midnight where stop is before start.

    The same time twice means the whole day.
    """
    time = f"{now:%H:%M}"
    if schedule.start < schedule.stop:
        return schedule.start <= time < schedule.stop
    return time >= schedule.start or time < schedule.stop
