"""`rushes tasks fail-open`: what an administrator does after repairing Redis's file by hand."""

from __future__ import annotations

import json
from pathlib import Path

from shared.domain import TaskKind, TaskState
from shared.ledger.ledger import Ledger
from shared.ledger.records import ItemFile, NewItem, NewTask
from shared.redis.clients import connect
from shared.settings import Settings
from tests.support.cli.local_command import rushes


def test_open_tasks_are_counted_and_fail_only_when_told_to(redis_url: str, tmp_path: Path) -> None:
    item = NewItem(b"{}", (ItemFile("/a.mp4"),))
    with connect(redis_url) as client:
        ledger = Ledger(client, Settings.from_env({}).instance)
        for kind in (TaskKind.ANALYZE, TaskKind.INGEST):
            ledger.submit(NewTask(kind=kind, items=[item]))

        told = rushes(tmp_path, "tasks", "fail-open", RUSHES_REDIS_URL=redis_url)
        assert "2 tasks are open; --yes lets them fail" in told.stdout
        assert {task.status for task in ledger.recent()} == {TaskState.QUEUED}

        done = rushes(tmp_path, "tasks", "fail-open", "--yes", "--json", RUSHES_REDIS_URL=redis_url)
        assert json.loads(done.stdout) == {"tasks": 2, "failed": True}
        assert {task.status for task in ledger.recent()} == {TaskState.FAILED}
        assert "append-only file of Redis was damaged" in (ledger.recent()[0].error or "")
