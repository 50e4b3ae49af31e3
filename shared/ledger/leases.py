"""Which worker has which Item in hand at this moment, read from the ledger's leases."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, NamedTuple

import msgspec
import redis

from shared.ledger.records import ItemFile
from shared.redis.clients import key_prefix, translated


class HeldItem(NamedTuple):
    """An Item that a worker has in hand."""

    worker: str
    task_id: str
    media_path: str  # as the client wrote it; of several files one; "": it has none


def held_items(client: redis.Redis, instance: str) -> list[HeldItem]:
    """The Items that are leased, in two round trips however large their Tasks are.

    `client` must decode responses. Raises RedisAway.
    """
    prefix = key_prefix(instance)
    with translated():
        members: Any = client.zrange(f"{prefix}leases", 0, -1)
        places = [member.partition("/")[::2] for member in members]
        with client.pipeline(transaction=False) as pipe:
            for task_id, number in places:
                pipe.hmget(f"{prefix}item:{task_id}:{number}", ["worker", "files"])
                pipe.hget(f"{prefix}task:{task_id}", "media_path")
            found = pipe.execute()
    return [
        HeldItem(worker, task_id, _at_work(files, last))
        for (task_id, _), (worker, files), last in zip(places, found[::2], found[1::2], strict=True)
        if worker
    ]


def _at_work(files: str | None, last: str | None) -> str:
    """The file that the Task has spoken of last, if it is of this Item; else its first."""
    paths: list[str] = []
    with suppress(msgspec.MsgspecError):  # of another version
        paths = [
            file.media_path for file in msgspec.json.decode(files or "[]", type=list[ItemFile])
        ]
    if last and last in paths:
        return last
    return paths[0] if paths else ""
