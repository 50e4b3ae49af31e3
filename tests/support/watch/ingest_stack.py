"""Ingestion without the API: a store of watch folders, watchers and workers as processes."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image

from shared.cache.cache_dir import CacheDir
from shared.cache.catalogue import Artefact, FollowState
from shared.domain import TaskKind
from shared.ledger.records import FileRecord, FileState
from shared.watch.files import RetryRequest, RetryRequests, WatchedFile, WatchedFiles
from shared.watch.folders import WatchFolder, WatchFolders, new_folder_id
from shared.watch.live import LiveStatus, SoleLease, WatchLive
from shared.watch.options import FileGroup
from tests.support.analysis.desk import INSTANCE, Desk
from tests.support.stack import Process
from tests.support.waiting import wait_for

SETTLE_S = 0.2


def still(path: Path, number: int, side: int = 48) -> Path:
    """A small picture whose content depends on `number` alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(number).integers(0, 255, (side, side, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return path


@dataclass
class IngestStack(Desk):
    """A Desk whose Tasks come from watch folders."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.state_dir = self.folder / "state"
        self.folders = WatchFolders(self.client, INSTANCE, self.state_dir)
        self.files = WatchedFiles(self.client, INSTANCE)
        self.watcher_lease = SoleLease(self.client, INSTANCE)
        self.live_status = LiveStatus(self.client, INSTANCE)
        self.retries = RetryRequests(self.client, INSTANCE)
        self.media = self.folder / "media"
        self.media.mkdir(exist_ok=True)

    def watch(self, path: Path | None = None, **more: Any) -> WatchFolder:
        """Watch a folder; `media` by default, settling at once."""
        path = path or self.media
        cache = Path(more.pop("cache_dir", self.cache))
        folder = WatchFolder(
            id=new_folder_id(),
            path=str(path),
            client_path=str(path),
            cache_dir=str(cache),
            client_cache_dir=str(cache),
            **{"settle_seconds": SETTLE_S, "created_at": time.time(), **more},
        )
        with self.folders.changing() as folders:
            folders.put(folder)
        return folder

    def change(self, folder: WatchFolder, **fields: Any) -> WatchFolder:
        with self.folders.changing() as folders:
            now = folders.get(folder.id)
            changed = msgspec.structs.replace(now, revision=now.revision + 1, **fields)
            folders.put(changed)
        return changed

    def start_watching(self) -> None:
        self.folders.want(True)

    def watcher(self, number: int = 0, **more: str) -> Process:
        settings = {"RUSHES_WATCH_POLL_SECONDS": "1", **more}
        return self.stack.start_worker("watcher", number, **settings)

    def group(self, folder: WatchFolder, group: FileGroup) -> dict[str, WatchedFile]:
        """Files of a group by their path relative to the folder."""
        base = folder.path.rstrip("/") + "/"
        return {
            path.removeprefix(base): file
            for path, file in self.files.all(folder.id).items()
            if file.group is group
        }

    def processed(self, folder: WatchFolder) -> dict[str, WatchedFile]:
        return self.group(folder, FileGroup.PROCESSED)

    def wait_processed(self, folder: WatchFolder, *names: str, timeout_s: float = 40) -> None:
        """Until exactly these files are processed and none is pending."""

        def all_done() -> bool:
            files = self.files.all(folder.id)
            is_idle = all(file.group is not FileGroup.PENDING for file in files.values())
            return is_idle and set(self.processed(folder)) == set(names)

        wait_for(
            all_done, timeout_s, lambda: f"{sorted(names)}: {self.account(folder)}", every_s=0.05
        )

    def wait_group(
        self, folder: WatchFolder, group: FileGroup, count: int, timeout_s: float = 40
    ) -> dict[str, WatchedFile]:
        def there() -> bool:
            return len(self.group(folder, group)) == count

        wait_for(there, timeout_s, lambda: f"{count} {group}: {self.account(folder)}", every_s=0.05)
        return self.group(folder, group)

    def account(self, folder: WatchFolder) -> str:
        """What is known, for messages of failed tests."""
        files = self.files.all(folder.id)
        counts = Counter(file.group.value for file in files.values())
        first = dict(list(files.items())[:4])
        return f"{dict(counts)} {first} {self.live()}\n{self.logs()}"

    def live(self) -> WatchLive | None:
        return self.live_status.read()

    def wait_state(self, state: str, timeout_s: float = 20) -> WatchLive:
        def is_so() -> WatchLive | None:
            live = self.live()
            return live if live and live.state == state else None

        return wait_for(is_so, timeout_s, lambda: f"{state}; {self.live()}\n{self.logs()}")

    def wait_reason(self, folder: WatchFolder, words: str, timeout_s: float = 20) -> None:
        """Until the folder waits for a reason with these words."""

        def said() -> bool:
            live = self.live()
            mine = live.folders.get(folder.id) if live else None
            return mine is not None and mine.state == "waiting" and words in mine.reason

        wait_for(said, timeout_s, lambda: f"the reason {words!r}; {self.live()}\n{self.logs()}")

    def ask_retry(self, folder: WatchFolder, *paths: str) -> None:
        self.retries.add(RetryRequest(folder_id=folder.id, paths=paths or None))

    def attempts(self, path: Path | str) -> list[FileRecord]:
        """Records of all ingest Tasks that had this file and ended it, oldest first."""
        found = []
        for record in reversed(self.ledger.recent(1000)):
            if record.kind is TaskKind.INGEST:
                found += [
                    file
                    for file in self.ledger.files(record.task_id)
                    if file.media_path == str(path)
                    and file.state in (FileState.DONE, FileState.FAILED)
                ]
        return found

    def ingested(self) -> int:
        """Files that all ingest Tasks together had."""
        tasks = [t for t in self.ledger.recent(1000) if t.kind is TaskKind.INGEST]
        return sum(len(self.ledger.files(task.task_id)) for task in tasks)

    def published(self, cache: Path | None = None) -> Counter[tuple[str, str]]:
        """How often each (hash, stage) was ever published."""
        found = CacheDir.open(cache or self.cache, create=False)
        entries = found.catalogue.follow(FollowState()).entries
        return Counter((e.hash_str, e.stage) for e in entries if isinstance(e, Artefact))
