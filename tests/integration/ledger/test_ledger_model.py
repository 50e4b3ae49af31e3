"""The real scripts under thousands of random interleavings."""

from __future__ import annotations

from collections import Counter

import pytest

from shared.domain import Fault, TaskKind, TaskState
from shared.ledger.records import FileState
from shared.redis.clients import connect
from tests.integration.ledger.ledger_simulation import World, seeds
from tests.support.running.long_form import by_form

SEEDS = by_form(short=5, long=25)
LEAST = by_form(short=2, long=10)  # of whatever may happen in so many worlds
STEPS = 300


def check_the_end(world: World) -> None:
    late = 0
    world.now += 61
    world.ledger.sweep()
    assert world.ledger.holder() is None, "the lock is not free"
    for name in ("leases", "waiting", "owners", "active", "staged", "unrung", "yielded", "parked"):
        assert not world.redis.exists(world.key(name)), f"{name} is not empty"
    world.drain_events()
    for task_id, task in world.tasks.items():
        record = world.ledger.record(task_id)
        assert record is not None
        assert record == world.seen[task_id]
        # Each change raises seq and is published once, and nothing changes after the final state:
        # so there was exactly one final event.
        assert world.events[task_id] == record.seq
        files = world.ledger.files(task_id)
        states = Counter(file.state for file in files)
        for file in files:
            assert (file.fault is not None) == (file.state is FileState.FAILED)
            if "died" in (file.error or ""):
                assert file.fault is Fault.WORKER
        assert states[FileState.QUEUED] == states[FileState.RUNNING] == 0
        assert bool(record.failed_files) == bool(states[FileState.FAILED])
        assert bool(record.error) == (record.status is TaskState.FAILED)
        if record.status is TaskState.COMPLETED:
            assert record.current == record.total
            assert record.progress == record.overall_progress == 100
            assert not states[FileState.CANCELLED]
        if record.status is TaskState.CANCELLED:
            assert task_id in world.may_be_cancelled, "cancelled by nobody who may"
        if record.superseded_by is not None:
            assert record.status is TaskState.CANCELLED
            late += record.superseded_by in world.refused
            assert record.superseded_by in world.tasks.keys() | world.refused | world.died
        counts = [len(item.files) for item in task.items]
        assert sum(counts) == states.total()
        ttl = world.redis.ttl(world.key(f"task:{task_id}"))
        assert 0 < int(str(ttl)) <= 86400
    # Only a request that was itself held up for seconds may leave its name and then be refused.
    assert late <= 1


def test_every_task_ends_once_whatever_happens_around_it(redis_url: str) -> None:
    ends: Counter[TaskState] = Counter()
    kinds: Counter[TaskKind] = Counter()
    refused = parked = shared = paused = 0

    def has_all() -> bool:
        counts = [*ends.values(), *kinds.values(), refused, parked, paused]
        return len(ends) == 3 and len(kinds) == 2 and min(counts) > LEAST and shared > 0

    with connect(redis_url) as client:
        for seed in seeds(SEEDS, has_all):
            world = World(client, seed)
            try:
                for _ in range(STEPS):
                    world.step()
                world.calm_down()
                check_the_end(world)
            except AssertionError as error:
                pytest.fail(f"seed {seed}: {error}")
            world.listener.close()
            ends.update(record.status for record in world.seen.values())
            kinds.update(record.kind for record in world.seen.values())
            refused += len(world.refused)
            parked += world.seen_parked
            shared += world.seen_shared
            paused += world.seen_paused
    assert has_all(), f"the worlds are no test: {ends} {kinds} {refused, parked, paused, shared}"
