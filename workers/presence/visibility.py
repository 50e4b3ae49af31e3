"""Visibility of an Item's files and folders: whether this machine sees them, or another may."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from functools import partial

import redis

from shared.ledger.records import Lease
from shared.paths import Roots
from shared.redis import heartbeats
from shared.redis.clients import key_prefix, translated
from shared.redis.heartbeats import WorkerKind
from workers.presence.not_here import NotHere

_ASK_OTHERS_WAIT_S = 2.0
_REMEMBER_S = 3600


def unseen_root(roots: Roots, paths: Iterable[str]) -> NotHere | None:
    """NotHere for a configured root of the paths that is not there: an absent mount."""
    for path in paths:
        for root in roots.folders or ():
            if os.path.commonpath([path, root]) == str(root) and not os.path.isdir(root):
                reason = f"{root} is not visible on this machine."
                is_over = partial(os.path.isdir, root)
                return NotHere(reason, is_over=is_over, waits_for=("root", str(root)))
    return None


def may_be_elsewhere(
    client: redis.Redis, instance: str, kind: WorkerKind, lease: Lease, paths: Iterable[str]
) -> NotHere | None:
    """NotHere where a path may be on another machine; None where every live worker misses it."""
    absent = [path for path in paths if not os.path.exists(path)]
    if not absent:
        return None
    here = socket.gethostname()
    hosts = {beat.host for beat in heartbeats.live(client, instance, kind)}
    if not hosts - {here}:
        return None
    key = f"{key_prefix(instance)}missing:{lease.task_id}:{lease.item_id}"
    with translated(), client.pipeline() as pipe:
        pipe.sadd(key, here)
        pipe.expire(key, _REMEMBER_S)
        pipe.smembers(key)
        said = pipe.execute()[-1]
    if hosts <= said:
        return None
    return NotHere(f"{absent[0]} is not visible on this machine.", _ASK_OTHERS_WAIT_S)
