"""A stand-in for export workers: it lives, takes Items and settles them as it is told."""

from __future__ import annotations

import itertools
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import redis

from shared.domain import ProgressType
from shared.errors import RushesError
from shared.exports.clips import ClipCode, ClipResult, ClipSpec
from shared.ledger.ledger import Ledger
from shared.ledger.records import Lease
from shared.redis import heartbeats
from shared.redis.clients import connect
from shared.redis.heartbeats import Heartbeat
from tests.support.analysis.desk import INSTANCE
from tests.support.stack import Client
from tests.support.waiting import wait_for
from workers.context import fault_of

PATH = "/export/clips"
LONG_S = 600.0  # of a heartbeat that no test outlives


def seem_live(client: redis.Redis) -> None:
    """The heartbeat of an export worker that is none."""
    heart = Heartbeat(
        name="export-0",
        kind="export",
        host=socket.gethostname(),
        pid=os.getpid(),
        started_at=time.time(),
    )
    heartbeats.publish(client, INSTANCE, heart, LONG_S)


class ClipsDesk:
    """An API client and a worker that is played by the test."""

    def __init__(self, client: Client, redis_url: str, media: Path) -> None:
        self.client = client
        self.redis = connect(redis_url)
        self.ledger = Ledger(self.redis, INSTANCE)
        self.media = media
        self.out = media / "out"
        self.out.mkdir(exist_ok=True)
        self._nonces = itertools.count()

    def clip(
        self, file: str = "a.mov", start: Any = 1, end: Any = 2, **more: Any
    ) -> dict[str, Any]:
        return {
            "media_path": str(self.media / file),
            "start_time": start,
            "end_time": end,
            **more,
        }

    def body(self, *clips: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"clips": list(clips) or [self.clip()], "output_dir": str(self.out), **more}

    def export(self, *clips: dict[str, Any], **more: Any) -> httpx.Response:
        return self.client.post(PATH, **self.body(*clips, **more))

    def in_background(self, *clips: dict[str, Any], **more: Any) -> str:
        answer = self.export(*clips, **more, background=True)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["task_id"])

    def live(self) -> None:
        """An export worker seems to run."""
        seem_live(self.redis)

    def tasks(self) -> list[str]:
        return [record.task_id for record in self.ledger.recent(1000)]

    def wait_task(self, others: int = 0) -> str:
        """The newest task, once there are more than `others`."""
        return wait_for(lambda: self.tasks()[others:] and self.tasks(), 10, "a task")[0]

    def take(self, task_id: str, item_id: int = 0) -> tuple[Lease, ClipSpec]:
        lease = self.ledger.claim(task_id, item_id, "export-0", f"n{next(self._nonces)}")
        assert lease is not None
        return lease, msgspec.json.decode(lease.spec, type=ClipSpec)

    def done(self, lease: Lease, spec: ClipSpec, **more: Any) -> None:
        """The clip was exported."""
        values = {
            "output_path": f"{spec.client_output_dir}/{spec.index}.mov",
            "start_seconds": 1.0,
            "end_seconds": 2.0,
            "frames": 25,
            "method": "copy",
            **more,
        }
        self._settle(lease, ClipResult(index=spec.index, media_path=spec.client_path, **values))

    def failed(self, lease: Lease, spec: ClipSpec, code: ClipCode, error: RushesError) -> None:
        """It was not, by its own fault."""
        self.ledger.file_ended(
            lease,
            type=ProgressType.EXPORT,
            index=0,
            media_path=spec.client_path,
            error=error.message,
            fault=fault_of(error),
        )
        result = ClipResult(
            index=spec.index, media_path=spec.client_path, error=error.message, code=code
        )
        self._settle(lease, result, reason=error.message)

    def _settle(self, lease: Lease, result: ClipResult, reason: str = "") -> None:
        assert self.ledger.settle(lease, "done", reason, result=msgspec.json.encode(result))

    def found(self, task_id: str) -> dict[str, Any]:
        answer = self.client.get(f"/tasks/{task_id}/exports")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@contextmanager
def clips_desk(client: Client, redis_url: str, media: Path) -> Iterator[ClipsDesk]:
    desk = ClipsDesk(client, redis_url, media)
    try:
        yield desk
    finally:
        desk.redis.close()
