"""Watch folders for tests: an API process, real folders, and a watcher that the test plays."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from shared.domain import AnalyzeSpec, FileSpec, TaskKind
from shared.ledger.ledger import Ledger
from shared.ledger.records import NewItem, NewTask
from shared.redis.clients import connect
from shared.watch.files import RetryRequest, RetryRequests, WatchedFile, WatchedFiles
from shared.watch.folders import WatchFolders
from shared.watch.live import FolderLive, LiveStatus, SoleLease, WatchLive, WatchState
from shared.watch.options import FileGroup
from tests.support.stack import Client

TOKEN = "the watcher's"


class WatchDesk:
    """`client` talks to the API; everything else is what the watcher would do."""

    def __init__(self, client: Client, redis_url: str, media: Path, caches: Path) -> None:
        self.client = client
        self.media = media
        self.caches = caches
        self.redis = connect(redis_url)
        self.ledger = Ledger(self.redis, "default")
        self.watcher_lease = SoleLease(self.redis, "default")
        self.live_status = LiveStatus(self.redis, "default")
        self.retries = RetryRequests(self.redis, "default")
        self.files = WatchedFiles(self.redis, "default")

    def folder(self, name: str) -> Path:
        """A folder in the media root, made where it is missing."""
        path = self.media / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def body(self, name: str = "in", **more: Any) -> dict[str, Any]:
        """A request that is right."""
        return {"path": str(self.folder(name)), "cache_dir": str(self.caches / "watch"), **more}

    def post(self, name: str = "in", **more: Any) -> httpx.Response:
        return self.client.http.post("/watch-folders", json=self.body(name, **more))

    def added(self, name: str = "in", **more: Any) -> dict[str, Any]:
        answer = self.post(name, **more)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def put(self, folder_id: str, **body: Any) -> httpx.Response:
        return self.client.http.put(f"/watch-folders/{folder_id}", json=body)

    def delete(self, folder_id: str) -> httpx.Response:
        return self.client.http.delete(f"/watch-folders/{folder_id}")

    def all(self) -> list[dict[str, Any]]:
        return list(self.client.get("/watch-folders").json()["watch_folders"])

    def status(self) -> dict[str, Any]:
        answer = self.client.get("/watch-folders/service/status")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def service(self, what: str) -> dict[str, Any]:
        """Start or stop it."""
        return dict(self.client.ok(f"/watch-folders/service/{what}"))

    def watcher_says(
        self, state: WatchState, folders: dict[str, FolderLive] | None = None, **more: Any
    ) -> None:
        """An active watcher is there and has said this."""
        assert self.watcher_lease.acquire(TOKEN, ttl_s=60)
        self.live_status.publish(WatchLive(state=state, folders=folders or {}, **more))

    def watcher_knows(self, folder_id: str, *names: str, group: FileGroup, **more: Any) -> None:
        """The watcher has noted files of a folder."""
        assert self.watcher_lease.acquire(TOKEN, ttl_s=60)
        file = WatchedFile(group=group, size=7, mtime_ns=1_700_000_000_500_000_000, **more)
        assert self.files.write(TOKEN, folder_id, dict.fromkeys(names, file))

    def asked(self) -> list[RetryRequest]:
        return list(self.retries.pending())

    def ingest(self, **more: Any) -> str:
        """An open ingest Task of one file."""
        work = FileSpec(str(self.media / "a.mp4"), str(self.media / "a.mp4"), "video")
        spec = AnalyzeSpec(cache_dir=str(self.caches / "watch"), files=(work,))
        task = NewTask(kind=TaskKind.INGEST, items=[NewItem.analyze(spec)], **more)
        self.ledger.submit(task)
        return task.task_id

    def kept(self, state_dir: Path) -> WatchFolders:
        """The store, as another process sees it."""
        return WatchFolders(self.redis, "default", state_dir)


@contextlib.contextmanager
def watch_desk(
    client: Client, redis_url: str, media: Path, caches: Path, state_dir: Path
) -> Iterator[WatchDesk]:
    """No folder is watched: neither in Redis nor in the file that outlives it."""
    (state_dir / "watch-folders.json").unlink(missing_ok=True)
    desk = WatchDesk(client, redis_url, media, caches)
    try:
        yield desk
    finally:
        desk.redis.close()
        (state_dir / "watch-folders.json").unlink(missing_ok=True)
