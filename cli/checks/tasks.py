"""Checks of the tasks that wait for what no machine has."""

from __future__ import annotations

from collections.abc import Iterator

from cli.checks.finding import Finding, warning
from shared.errors import RedisAway
from shared.ledger.reading import LedgerReader
from shared.redis.clients import connect
from shared.settings import Settings

_CURES = {
    "model": "fetch it on a machine that has workers",
    "root": "mount it on a machine that has workers",
    "worker": "start one",
}


def parked(settings: Settings, redis_url: str | None) -> Iterator[Finding]:
    """A warning for each Task that nobody can go on with, with its own reason."""
    if redis_url is None:
        return
    with connect(redis_url) as client:
        ledger = LedgerReader(client, settings.instance)
        try:
            for task_id, reasons in ledger.parked().items():
                record = ledger.record(task_id)
                whose = (record.sender.label or record.sender.owner) if record else ""
                for reason in reasons:
                    message = f"task {task_id[:8]} of {whose or 'no name'} waits: {reason.message}"
                    yield warning("tasks", message.rstrip("."), _CURES[reason.code])
        except RedisAway:
            return  # said where Redis is looked at
