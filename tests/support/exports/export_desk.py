"""An API process, export workers, a folder of media and one for clips."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import httpx

from tests.support.analysis.desk import Desk
from tests.support.exports.clips_desk import PATH
from tests.support.media.media import H264, PRORES, make_clip, number_of
from tests.support.private_redis import private_redis
from tests.support.stack import Client, Process, Stack
from tests.support.waiting import wait_for

PART = re.compile(r"\..+\.[0-9a-f]{8}\.part")  # the name of a file that is being written
WITH_TIMECODE = replace(H264, timecode="10:00:00:00", tone_hz=440)


class ExportDesk:
    """One test's stack. Clips of `film` carry the number of each picture as a bar code.

    `api`: of an API process that several tests share, else it starts its own.
    """

    def __init__(
        self,
        folder: Path,
        redis_url: str,
        address_space: dict[str, int] | None = None,
        api: Client | None = None,
        **settings: str,
    ) -> None:
        self.desk = Desk(folder, redis_url)
        self.stack = self.desk.stack
        self.stack.address_space = address_space or {}
        self.stack.settings.update(settings)
        self._make_folders(folder)
        self.marker, self.release = folder / "marker", folder / "release"
        self.client: Client = api or self.stack.start_api()
        self._pool = ThreadPoolExecutor(8)

    def _make_folders(self, folder: Path) -> None:
        self.media, self.out = folder / "media", folder / "out"
        for made in (self.media, self.out):
            made.mkdir(exist_ok=True)

    def with_folders_in(self, folder: Path) -> ExportDesk:
        """The same processes, for a test that shares them but for its media and its clips."""
        other = copy.copy(self)
        other._make_folders(folder)
        return other

    def worker(self, number: int = 0, **more: str) -> Process:
        """The export worker as it is started in production; it lives when this returns."""
        process = self.stack.start_worker("export", number, **more)
        self.wait_workers(number + 1)
        return process

    def waiting_worker(self, number: int = 0, **told: Any) -> Process:
        """tests/support/programs/export_that_waits.py."""
        told = {"marker": str(self.marker), "release": str(self.release), **told}
        command = ("-m", "tests.support.programs.export_that_waits")
        process = self.stack.start(f"export-{number}", *command, TEST_EXPORT=json.dumps(told))
        self.wait_workers(number + 1)
        return process

    def wait_workers(self, count: int) -> None:
        wait_for(
            lambda: len(self.desk.hearts("export")) >= count, 20, f"workers; {self.desk.logs()}"
        )

    def film(self, name: str = "film.mov", seconds: float = 4, **more: Any) -> Path:
        return make_clip(self.media / name, seconds, encoding=WITH_TIMECODE, **more)

    def all_key_frames(self, name: str = "cut.mov", seconds: float = 2, **more: Any) -> Path:
        """One that is copied wherever it is cut."""
        encoding = replace(PRORES, codec="prores_aw", timecode="01:00:00:00")  # the fast one
        return make_clip(self.media / name, seconds, encoding=encoding, **more)

    def body(self, *clips: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"clips": list(clips), "output_dir": str(self.out), **more}

    def export(self, *clips: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Wait for the answer, which must be 200."""
        answer = self.post(*clips, **more)
        assert answer.status_code == 200, f"{answer.text}\n{self.desk.logs()}"
        return dict(answer.json())

    def post(self, *clips: dict[str, Any], **more: Any) -> httpx.Response:
        return httpx.post(
            f"{self.client.url}/api/v1{PATH}",
            json=self.body(*clips, **more),
            headers=self.client.http.headers,
            timeout=90,
        )

    def exporting(self, *clips: dict[str, Any], **more: Any) -> Future[dict[str, Any]]:
        """The answer, once it comes."""
        return self._pool.submit(self.export, *clips, **more)

    def in_background(self, *clips: dict[str, Any], **more: Any) -> str:
        return str(self.client.ok(PATH, **self.body(*clips, **more), background=True)["task_id"])

    def newest_task(self) -> str:
        return wait_for(lambda: self.desk.ledger.recent(1), 10, "a task")[0].task_id

    def found(self, task_id: str) -> dict[str, Any]:
        answer = self.client.get(f"/tasks/{task_id}/exports")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def wait_held(self, count: int = 1) -> list[int]:
        """Pids of workers that wait."""

        def held() -> list[int] | None:
            pids = self.marker.read_text().split() if self.marker.exists() else []
            return [int(pid) for pid in pids] if len(pids) >= count else None

        return wait_for(held, 40, lambda: f"a worker in the middle of a clip; {self.desk.logs()}")

    def names(self) -> list[str]:
        """All files in the folder of clips, hidden ones too."""
        return sorted(os.listdir(self.out))

    def close(self) -> None:
        self.release.touch()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self.desk.close()


@contextlib.contextmanager
def shared_api(folder: Path, redis_url: str) -> Iterator[Client]:
    """An API process for tests whose Redis is emptied between them."""
    stack = Stack(folder, redis_url)
    try:
        yield stack.start_api()
    finally:
        stack.stop()


@contextlib.contextmanager
def shared_server(folder: Path) -> Iterator[ExportDesk]:
    """An API process, an export worker and their Redis, for tests with folders of their own."""
    with private_redis() as redis:
        desk = ExportDesk(folder, redis.url)
        try:
            desk.worker()
            yield desk
        finally:
            desk.close()


def clip(path: Path | str, start: Any = 1, end: Any = 2, **more: Any) -> dict[str, Any]:
    return {"media_path": str(path), "start_time": start, "end_time": end, **more}


def shown(path: Path | str) -> list[int]:
    """Numbers of the pictures of a file of `film`, as a player shows them."""
    with av.open(str(path)) as container:
        return [number_of(frame) for frame in container.decode(video=0)]


def codes(answer: dict) -> list[tuple[int, str]]:
    return [(failed["index"], failed["code"]) for failed in answer["failed"]]


def exported(answer: dict) -> list[int]:
    return [made["index"] for made in answer["exported"]]
