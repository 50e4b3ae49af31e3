"""Which files of a CacheDir wait or have failed, as the ledger tells it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from shared.domain import AnalyzeSpec, FileSpec, ProgressType, TaskKind
from shared.ledger.analysis_files import AnalysisFile, AnalysisFiles
from shared.ledger.records import NewItem, NewTask
from shared.media import MediaType
from shared.redis.clients import connect
from tests.integration.ledger.ledger_world import AUDIO, INSTANCE, VIDEO, World

CACHE = "/cache"


@pytest.fixture
def world(redis_url: str) -> Iterator[World]:
    with connect(redis_url) as client:
        yield World(client)


def sent(
    world: World,
    *items: list[str],
    wants: tuple[ProgressType, ...] = (VIDEO,),
    cache_dir: str = CACHE,
    kind: TaskKind = TaskKind.ANALYZE,
) -> str:
    """A Task with these files, of which clients see other paths."""
    specs = [
        AnalyzeSpec(cache_dir, tuple(FileSpec(p, f"Z:{p}", MediaType.VIDEO, wants) for p in paths))
        for paths in items
    ]
    task = NewTask(kind=kind, items=[NewItem.analyze(spec) for spec in specs])
    world.ledger.submit(task, "queue")
    return task.task_id


def files(
    world: World,
    kind: ProgressType = VIDEO,
    is_meant: Callable[[str], bool] = lambda cache_dir: cache_dir == CACHE,
) -> list[AnalysisFile]:
    return AnalysisFiles(world.redis, INSTANCE).of(is_meant, kind)


def states(world: World, kind: ProgressType = VIDEO) -> dict[str, str]:
    return {file.path: file.error or str(file.state) for file in files(world, kind)}


def test_a_file_is_queued_then_running_then_in_none_or_failed(world: World) -> None:
    task_id = sent(world, ["/m/a", "/m/b"], ["/m/c"])
    assert states(world) == {"/m/a": "queued", "/m/b": "queued", "/m/c": "queued"}
    lease = world.claimed(task_id)
    assert states(world) == {"/m/a": "running", "/m/b": "running", "/m/c": "queued"}
    world.ledger.file_ended(lease, type=VIDEO, index=0, media_path="Z:/m/a")
    world.ledger.file_ended(lease, type=VIDEO, index=1, media_path="Z:/m/b", error="Cut off.")
    assert states(world) == {"/m/b": "Cut off.", "/m/c": "queued"}
    assert world.ledger.settle(lease, "done")
    last = world.claimed(task_id, 1)
    world.ledger.file_ended(last, type=VIDEO, index=0, media_path="Z:/m/c")
    assert world.ledger.settle(last, "done")
    assert states(world) == {"/m/b": "Cut off."}, "the Task is over, and its failure is known"


def test_only_what_is_wanted_of_the_asked_kind_counts(world: World) -> None:
    sent(world, ["/m/heard"], wants=(AUDIO,))
    sent(world, ["/m/both"], wants=(VIDEO, AUDIO), kind=TaskKind.INGEST)
    sent(world, ["/m/elsewhere"], cache_dir="/other")
    assert states(world) == {"/m/both": "queued"}
    assert states(world, AUDIO) == {"/m/both": "queued", "/m/heard": "queued"}


def test_what_is_stopped_does_not_wait_and_the_newest_task_comes_first(world: World) -> None:
    first = sent(world, ["/m/a"])
    lease = world.claimed(first)
    world.ledger.file_ended(lease, type=VIDEO, index=0, media_path="Z:/m/a", error="Broken.")
    assert world.ledger.settle(lease, "done")
    second = sent(world, ["/m/a"], ["/m/b"])
    assert [file.task_id for file in files(world)] == [second, second, first]
    world.ledger.stop(second)
    assert states(world) == {"/m/a": "Broken."}
