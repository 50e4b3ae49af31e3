"""Tasks by what became of them, however many have ended."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.domain import AnalyzeSpec, Fault, FileSpec, ProgressType
from shared.ledger.records import NewItem
from shared.ledger.task_lists import TaskLists, work_done
from shared.media import MediaType
from shared.redis.clients import connect
from tests.integration.ledger.ledger_world import AUDIO, INSTANCE, VIDEO, World
from tests.support.system.stopwatch import Stopwatch

ENDED = 1_200  # more than are remembered


@pytest.fixture
def world(redis_url: str) -> Iterator[World]:
    with connect(redis_url) as client:
        yield World(client)


def lists(world: World) -> TaskLists:
    return TaskLists(world.redis, INSTANCE, world.ledger)


def sent(world: World) -> str:
    spec = AnalyzeSpec("/cache", (FileSpec("/m/a", "Z:/m/a", MediaType.VIDEO, (VIDEO, AUDIO)),))
    task = world.task()
    task.items[:] = [NewItem.analyze(spec)]
    world.ledger.submit(task, "queue")
    return task.task_id


def end(world: World, task_id: str, error: str = "") -> None:
    lease = world.claimed(task_id)
    for kind in (VIDEO, AUDIO):
        world.ledger.file_ended(
            lease, type=kind, index=0, media_path="Z:/m/a", error=error, fault=Fault.FILE
        )
    world.ledger.settle(lease, "done")


def test_a_task_that_waits_is_listed_whatever_has_ended_since(world: World) -> None:
    running = sent(world)
    world.claimed(running)
    first, second = sent(world), sent(world)
    failed = sent(world)
    world.ledger.stop(failed)
    for n in range(ENDED):
        world.now += 0.001
        world.redis.zadd(f"rushes:{INSTANCE}:ended", {f"ended{n}": world.now * 1000})
        world.redis.lpush(f"rushes:{INSTANCE}:recent", f"ended{n}")
    stopwatch = Stopwatch()
    assert [record.task_id for _, record in lists(world).open()] == [running, first, second]
    assert stopwatch.seconds() < 1
    world.ledger.put_first(second, of_all=False)
    assert [record.task_id for _, record in lists(world).open()] == [running, second, first]


def test_what_failed_is_not_driven_away_by_what_ends_well(world: World) -> None:
    bad = sent(world)
    end(world, bad, "Cut off.")
    world.redis.zadd(
        f"rushes:{INSTANCE}:ended", {f"ended{n}": world.now * 1000 + n + 1 for n in range(ENDED)}
    )
    world.now += 60
    good = sent(world)
    end(world, good)
    assert world.redis.zcard(f"rushes:{INSTANCE}:ended") == 1000
    assert [each.task_id for each in lists(world).ended(None, 9, failed=True)] == [bad]
    newest = lists(world).ended(None, 2, failed=False)
    assert newest[0].task_id == good
    assert lists(world).ended(newest[0], 1, failed=False) == newest[1:]


def test_what_ended_before_there_were_such_lists_is_listed_too(world: World) -> None:
    ids = [sent(world) for _ in range(2)]
    for task_id, error in zip(ids, ("", "Cut off."), strict=True):
        end(world, task_id, error)
        world.now += 1
    world.redis.delete(*(f"rushes:{INSTANCE}:{name}" for name in ("ended", "ended-failed")))
    assert [each.task_id for each in lists(world).ended(None, 9, failed=False)] == ids[::-1]
    assert [each.task_id for each in lists(world).ended(None, 9, failed=True)] == ids[1:]


def test_a_file_that_fails_in_two_ways_is_one_and_may_heal(world: World) -> None:
    task_id = sent(world)

    def ended(kind: ProgressType, error: str) -> int:
        world.ledger.file_ended(
            lease, type=kind, index=0, media_path="Z:/m/a", error=error, fault=Fault.FILE
        )
        [work] = work_done(world.redis, INSTANCE, [task_id])
        return work.failed_files

    lease = world.claimed(task_id)
    assert [ended(VIDEO, "Cut off."), ended(AUDIO, "Cut off.")] == [1, 1]
    assert [ended(VIDEO, ""), ended(AUDIO, "")] == [1, 0]
    world.redis.hdel(f"rushes:{INSTANCE}:task:{task_id}", "failed_files")
    [work] = work_done(world.redis, INSTANCE, [task_id])
    assert work.failed_files == 0, "begun by a former version"


def test_a_pace_is_that_of_the_last_minutes(world: World) -> None:
    task_id = sent(world)

    def found() -> tuple[float | None, float | None]:
        [work] = work_done(world.redis, INSTANCE, [task_id], world.now)
        assert (work.cache_dir, work.failed_files) == ("/cache", 0)
        return work.rate, work.footage_seconds

    assert found() == (None, None)
    lease = world.claimed(task_id)
    done = 0.0
    for rate, times in ((10, 6), (40, 40)):
        for _ in range(times):
            world.now += 5
            world.ledger.renew(lease)
            done += 5 * rate
            assert world.ledger.worked(lease, VIDEO, done)
        assert found() == (rate, done)
    world.now += 60  # nothing is done any more: it fades, then it is known no more
    faded, _ = found()
    assert faded
    assert 20 < faded < 40
    world.now += 121
    assert found() == (None, done)
    world.ledger.worked(lease, AUDIO, 100)
    assert found()[1] == done + 100
    end_of = [work.rate for work in work_done(world.redis, INSTANCE, [task_id, "unknown"], 0)]
    assert end_of[1] is None
