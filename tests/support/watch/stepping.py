"""The watcher's threads without threads: a test makes every step, and plays the worker."""

from __future__ import annotations

import dataclasses
import secrets
import time
from pathlib import Path
from typing import Any

import msgspec
import redis
from msgspec.structs import replace

from shared.cache.cache_dir import CacheDir
from shared.domain import Fault, ModelKind, TaskKind
from shared.ledger.ledger import JobQueues, Ledger
from shared.ledger.left_out import LeftOut
from shared.ledger.records import ItemFile, Lease
from shared.redis.clients import connect, key_prefix
from shared.settings import Settings
from shared.watch.files import FolderFacts, WatchedFile, WatchedFiles
from shared.watch.folders import WatchFolder, WatchFolders, new_folder_id
from shared.watch.live import SoleLease
from shared.watch.options import FileGroup
from workers.watcher.context import Conditions, WatcherContext
from workers.watcher.folder.watcher import FolderWatcher

INSTANCE = "stepping"
_PREFIX = key_prefix(INSTANCE)
KEYS = {ModelKind.VISUAL: "eyes", ModelKind.SPEECH: "ears", ModelKind.FACES: "faces"}


def _id_of(cache_dir: str) -> str:
    """As the API, which gives a CacheDir an id before files are left out of it."""
    return CacheDir.open(cache_dir, create=True).id


class Steps:
    """One active watcher; its FolderWatchers are stepped by the test."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self.folder = folder
        self.client: redis.Redis = connect(redis_url)
        self.settings = dataclasses.replace(
            Settings(), redis_url=redis_url, instance=INSTANCE, state_dir=folder / "state"
        )
        self.ledger = Ledger(self.client, INSTANCE)
        self.files = WatchedFiles(self.client, INSTANCE)
        self.folders = WatchFolders(self.client, INSTANCE, folder / "state")
        self.media = folder / "media"
        self.media.mkdir()
        self.left_out = LeftOut(self.client, INSTANCE, _id_of)
        self.conditions = Conditions(keys=KEYS)
        assert SoleLease(self.client, INSTANCE).acquire("me", 600)
        self.context = WatcherContext(
            settings=self.settings,
            ledger=self.ledger,
            jobs=JobQueues(connect(redis_url, decode=False), INSTANCE),
            files=self.files,
            token="me",
            conditions=self.conditions,
            left_out=LeftOut(self.client, INSTANCE, str),
        )

    def watch(self, path: Path | None = None, **more: Any) -> WatchFolder:
        path = path or self.media
        cache = str(more.pop("cache_dir", self.folder / "cache"))
        fields = {"settle_seconds": 0.0, "created_at": time.time(), "polling": "always", **more}
        return WatchFolder(
            id=new_folder_id(),
            path=str(path),
            client_path=str(path),
            cache_dir=cache,
            client_cache_dir=cache,
            **fields,
        )

    def run(self, folder: WatchFolder, **changes: Any) -> FolderWatcher:
        """As the main thread begins it, with what an earlier run has left in Redis."""
        folder = replace(folder, **changes)
        facts = self.files.facts().get(folder.id) or FolderFacts()
        return FolderWatcher(folder, self.context, facts, self.files.all(folder.id))

    def walk(self, run: FolderWatcher) -> float:
        """A step that looks at everything."""
        run.scheduler.walk_soon()
        return run.step()

    def end_breaker_pause(self, run: FolderWatcher) -> None:
        """The time passes for which the circuit breaker of a folder is open."""
        breaker = run.state.breaker
        if breaker.is_open:
            earlier = breaker.clock
            breaker.clock = lambda: earlier() + 60

    def file(self, folder: WatchFolder | FolderWatcher, name: str) -> WatchedFile | None:
        """What Redis knows of a file of `media`."""
        folder = folder.folder if isinstance(folder, FolderWatcher) else folder
        return self.files.all(folder.id).get(str(self.media / name))

    def groups(self, run: FolderWatcher) -> dict[str, FileGroup]:
        """By file name."""
        return {Path(path).name: file.group for path, file in self.files.all(run.folder.id).items()}

    def tasks(self) -> list[str]:
        return self.ledger.open_tasks(TaskKind.INGEST, "analysis")

    def lease(self) -> Lease:
        """A worker takes the first Item that is to be had."""
        leases = (self._claim(task_id, n) for task_id in self.tasks() for n in self._items(task_id))
        return next(lease for lease in leases if lease)

    def end(self, lease: Lease, error: str | None = None, fault: Fault = Fault.FILE) -> int:
        """It ends all files of its Item, with nothing published; how many these were."""
        raw: Any = self.client.hget(f"{_PREFIX}item:{lease.task_id}:{lease.item_id}", "files")
        files = msgspec.json.decode(raw, type=list[ItemFile])
        for index, file in enumerate(files):
            for kind in file.wants:
                told = {"index": index, "media_path": file.media_path, "error": error}
                self.ledger.file_ended(lease, type=kind, fault=fault, **told)  # type: ignore[arg-type]
        self.ledger.settle(lease, "done")
        return len(files)

    def work(self, error: str | None = None, fault: Fault = Fault.FILE) -> int:
        """A worker ends all that is queued; how many files it had."""
        leases = [self._claim(task_id, n) for task_id in self.tasks() for n in self._items(task_id)]
        return sum(self.end(lease, error, fault) for lease in leases if lease)

    def _items(self, task_id: str) -> range:
        found: Any = self.client.hget(f"{_PREFIX}task:{task_id}", "items")
        return range(int(found))

    def _claim(self, task_id: str, number: int) -> Lease | None:
        return self.ledger.claim(task_id, number, "worker", secrets.token_hex(4))

    def close(self) -> None:
        self.client.close()
