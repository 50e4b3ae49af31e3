"""`rushes doctor` names every task that no machine can go on with, each with its own cure."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import redis

from cli.checks import everything, libraries
from shared.domain import TaskKind
from shared.ledger.ledger import Ledger
from shared.ledger.records import ItemFile, NewItem, NewTask, Sender, WaitReason
from shared.settings import Settings
from tests.integration.process.test_doctor import messages
from tests.support.cli.local_command import environment

ABSENT = WaitReason("model", "speech:whisper-large-v3", "Its weights are not here.")
NOBODY = WaitReason("worker", "analysis", "No analysis worker is running.")


def parked(redis_url: str, label: str, reason: WaitReason) -> str:
    """The id of a new Task that waits for that."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        ledger = Ledger(client, Settings().instance)
        sender = Sender(owner=label.lower(), label=label)
        item = NewItem(b"{}", (ItemFile("/m/a.mp4"),))
        task = NewTask(kind=TaskKind.ANALYZE, items=[item], sender=sender)
        ledger.submit(task)
        assert ledger.park(task.task_id, reason)
        return task.task_id


def test_each_task_that_waits_is_a_warning_with_its_owner_reason_and_cure(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libraries, "look", lambda _: libraries.Libraries())  # imports them all
    anns, bobs = parked(redis_url, "Ann", ABSENT), parked(redis_url, "Bob", NOBODY)
    found = everything.look_at_everything(environment(tmp_path, RUSHES_REDIS_URL=redis_url))
    told = messages([dataclasses.asdict(finding) for finding in found], "warning")
    weights = "Its weights are not here: fetch it on a machine that has workers"
    assert f"task {anns[:8]} of Ann waits: {weights}" in told
    assert f"task {bobs[:8]} of Bob waits: No analysis worker is running: start one" in told


def test_without_redis_nothing_is_said_of_tasks_twice() -> None:
    assert list(everything.parked(Settings(), None)) == []
    assert list(everything.parked(Settings(), "redis://127.0.0.1:1/0")) == []
