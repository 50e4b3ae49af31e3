"""Watch folders as a client of the API has them: over HTTP, and in their Socket.IO room."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

import httpx

from tests.support.socketio_client import Watcher
from tests.support.stack import KEY, Client
from tests.support.waiting import wait_for

ROOM = "watch-folders"
STATUS = {
    *("state", "current_folder", "current_file", "files_pending"),
    *("files_processed_this_session", "last_error", "paused_until", "folder_stats"),
}
STATS = {
    *("state", "reason", "files_total", "files_pending", "files_processed", "files_failed"),
    *("files_skipped", "files_unsupported", "last_scan_at", "is_polling", "failures"),
}
WHERE_SILENT = {"files_not_applicable", "not_applicable"}  # only where there is such a file
SETTLE_S = 0.3


@dataclass(frozen=True)
class Ingest:
    """The watch folders of one server."""

    client: Client

    def add(self, path: PurePath | str, cache_dir: PurePath | str, **more: Any) -> Folder:
        """A watched folder; its files settle soon."""
        body = {"path": str(path), "cache_dir": str(cache_dir), "settle_seconds": SETTLE_S}
        answer = self.client.http.post("/watch-folders", json={**body, **more})
        assert answer.status_code == 201, answer.text
        return Folder(self, answer.json()["id"], str(cache_dir))

    def start(self) -> str:
        return str(self.client.ok("/watch-folders/service/start")["state"])

    def stop(self) -> str:
        return str(self.client.ok("/watch-folders/service/stop")["state"])

    def status(self) -> dict[str, Any]:
        answer = self.client.get("/watch-folders/service/status")
        assert answer.status_code == 200, answer.text
        status = dict(answer.json())
        assert set(status) == STATUS
        return status

    def wait_state(self, state: str, timeout_s: float = 30) -> dict[str, Any]:
        def is_so() -> dict[str, Any] | None:
            status = self.status()
            return status if status["state"] == state else None

        return wait_for(is_so, timeout_s, lambda: f"{state}: {self.status()}", every_s=0.05)

    def room(self) -> Watcher:
        return Watcher(self.client.url, key=KEY)


@dataclass(frozen=True)
class Folder:
    """One of them."""

    ingest: Ingest
    id: str
    cache_dir: str

    def of(self, ingest: Ingest) -> Folder:
        """The same, of another API process."""
        return replace(self, ingest=ingest)

    def put(self, **changes: Any) -> dict[str, Any]:
        answer = self.ingest.client.http.put(f"/watch-folders/{self.id}", json=changes)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def delete(self) -> str:
        answer = self.ingest.client.http.delete(f"/watch-folders/{self.id}")
        assert answer.status_code == 200, answer.text
        return str(answer.json()["message"])

    def retry(self, *paths: PurePath | str) -> dict[str, Any]:
        body = {"paths": [str(path) for path in paths]} if paths else {}
        return dict(self.ingest.client.ok(f"/watch-folders/{self.id}/retry", **body))

    def page(self, **query: Any) -> dict[str, Any]:
        http = self.ingest.client.http
        answer: httpx.Response = http.get(f"/watch-folders/{self.id}/files", params=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def files(self, state: str) -> dict[str, dict[str, Any]]:
        """By path; at most a thousand."""
        return {file["path"]: file for file in self.page(state=state, limit=1000)["files"]}

    def stats(self) -> dict[str, Any]:
        stats = dict(self.ingest.status()["folder_stats"][self.id])
        assert set(stats) - WHERE_SILENT == STATS
        return stats

    def wait_processed(self, count: int, timeout_s: float = 60) -> dict[str, Any]:
        """Until so many files are processed and none is pending."""

        def done() -> dict[str, Any] | None:
            stats = self.stats()
            is_done = (stats["files_processed"], stats["files_pending"]) == (count, 0)
            return stats if is_done else None

        return wait_for(done, timeout_s, lambda: f"{count} files: {self.account()}", every_s=0.1)

    def wait_reason(self, words: str, timeout_s: float = 30) -> dict[str, Any]:
        def said() -> dict[str, Any] | None:
            stats = self.stats()
            return stats if words in (stats["reason"] or "") else None

        return wait_for(said, timeout_s, lambda: f"{words!r}: {self.account()}", every_s=0.1)

    def account(self) -> str:
        """What is known, for messages of failed tests."""
        return f"{self.ingest.status()} {self.files('pending')} {self.files('failed')}"

    def found(self, query: str) -> str:
        """File of the best match of a text search."""
        answer = self.ingest.client.ok(
            "/search/text", cache_dir=self.cache_dir, query=query, max_results=1
        )
        matches = answer["matches"]
        return str(matches[0]["video_path"]) if matches else ""


def artefacts(cache_dir: Path) -> dict[str, int]:
    """Manifests of a CacheDir with their modification times: none may change by itself."""
    found = cache_dir.glob("media/*/*/manifest.*.json")
    return {str(path.relative_to(cache_dir)): path.stat().st_mtime_ns for path in found}
