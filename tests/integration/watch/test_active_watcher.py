"""The main thread: which Tasks it stops, which contents it frees, and what a retry outlives."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from shared.domain import TaskKind
from shared.errors import RedisAway
from shared.ledger.records import ItemFile, NewItem, NewTask
from shared.watch.files import RetryRequest, RetryRequests, WatchedFile
from shared.watch.folders import WatchFolder
from shared.watch.options import FileGroup
from tests.support.waiting import wait_for
from tests.support.watch.ingest_stack import still
from tests.support.watch.stepping import Steps
from workers.watcher.scan.listing import FileStat
from workers.watcher.service import ActiveWatcher, FolderThread, ServicePhase


@pytest.fixture
def active(steps: Steps) -> Iterator[ActiveWatcher]:
    active = ActiveWatcher(steps.context, steps.client, steps.folders, lambda: None)
    yield active
    active.end()


def add(steps: Steps, folder: WatchFolder) -> WatchFolder:
    with steps.folders.changing() as changes:
        changes.put(folder)
    steps.folders.want(True)
    return folder


def test_a_folder_is_ended_in_the_moment_before_its_task_is_submitted(
    steps: Steps, active: ActiveWatcher
) -> None:
    folder = steps.watch()
    queued = WatchedFile(FileGroup.PENDING, 1, 1, task_id="not-there-yet", is_queued=True)
    assert steps.files.write("me", folder.id, {str(steps.media / "a.png"): queued})
    run = steps.run(folder)
    run.tasks.stopped.clear()
    run.tasks.stop_all()
    active.threads.active[folder.id] = FolderThread(run)
    active.look()
    assert not active.threads.active


def test_a_task_that_a_removed_folder_still_submits_is_stopped(
    steps: Steps, active: ActiveWatcher
) -> None:
    folder = add(steps, steps.watch())
    active.look()
    assert active.phase is ServicePhase.WATCHING
    thread = active.threads.active[folder.id]
    with steps.folders.changing() as changes:
        changes.remove(folder.id)
    active.look()
    wait_for(lambda: not thread.is_alive(), 10, "the end of its thread")
    item = NewItem(b"{}", (ItemFile("a.png"),))
    steps.ledger.submit(NewTask(kind=TaskKind.INGEST, items=[item], leader="me"))
    active.look()
    active.look()
    assert steps.tasks() == []


def test_an_outage_of_redis_leaves_no_task_of_a_removed_folder_running(
    steps: Steps, active: ActiveWatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    still(steps.media / "a.png", 1)
    folder = add(steps, steps.watch())
    active.look()
    thread = active.threads.active[folder.id]
    wait_for(lambda: len(steps.tasks()) == 1, 10, "its Task")
    assert active.phase is ServicePhase.WATCHING
    with steps.folders.changing() as changes:
        changes.remove(folder.id)

    def away(*_: object) -> None:
        raise RedisAway

    with monkeypatch.context() as patched:
        patched.setattr(type(steps.ledger), "stop", away)
        with pytest.raises(RedisAway):
            active.look()
    wait_for(lambda: not thread.is_alive(), 10, "the end of its thread")
    active.look()
    active.look()
    assert steps.tasks() == []


def test_copies_elsewhere_wait_while_the_folder_of_the_first_is_changed(
    steps: Steps, active: ActiveWatcher
) -> None:
    path = still(steps.media / "a.png", 1)
    folder = add(steps, steps.watch())
    active.look()
    wait_for(lambda: len(steps.tasks()) == 1, 10, "its Task")
    lease = steps.lease()
    thread = active.threads.active[folder.id]
    state = thread.watcher.state
    key = state.content_key(state.table.files[str(path)])
    with steps.folders.changing() as changes:
        changes.put(replace(folder, settle_seconds=0.1, revision=2))
    active.look()
    wait_for(lambda: not thread.is_alive(), 10, "the end of its thread")
    assert steps.context.content_locks.is_held(key)
    active.look()
    assert steps.context.content_locks.is_held(key)
    with steps.folders.changing() as changes:
        changes.remove(folder.id)
    ended = active.threads.active[folder.id]
    active.look()
    wait_for(lambda: not ended.is_alive(), 10, "the end of its thread")
    active.look()
    assert steps.context.content_locks.is_held(key), "a worker may still publish it"
    steps.ledger.settle(lease, "cancelled")
    active.look()
    active.look()
    assert not steps.context.content_locks.is_held(key)


def test_a_retry_outlives_an_outage_of_redis(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    path = still(steps.media / "a.png", 1)
    run = steps.run(steps.watch())
    found = FileStat(path.stat().st_size, path.stat().st_mtime_ns)
    run.state.report(str(path), found, FileGroup.FAILED, "It is broken.")
    run.retry(RetryRequest(folder_id=run.folder.id))

    def away(*_: object) -> bool:
        raise RedisAway

    with monkeypatch.context() as patched:
        patched.setattr(type(steps.files), "note", away)
        with pytest.raises(RedisAway):
            run.step()
    run.step()
    assert len(steps.tasks()) == 1
    assert steps.files.facts()[run.folder.id].root is not None


def test_a_task_is_never_submitted_before_it_is_noted_who_has_it(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    still(steps.media / "a.png", 1)
    run = steps.run(steps.watch())
    real = type(steps.files).write

    def away(*_: object) -> bool:
        raise RedisAway

    with monkeypatch.context() as patched:
        patched.setattr(type(steps.files), "write", away)
        with pytest.raises(RedisAway):
            run.step()
        with pytest.raises(RedisAway):
            run.step()
        assert steps.tasks() == []
    assert type(steps.files).write is real
    run.step()
    assert len(steps.tasks()) == 1


def test_a_retry_of_files_takes_no_empty_folder_for_what_is_meant(steps: Steps) -> None:
    """The disk may just have gone, and a user who asks for new tries has not seen it."""
    still(steps.media / "a.png", 1)
    run = steps.run(steps.watch())
    run.step()
    steps.work()
    run.step()
    away = steps.folder / "away"
    steps.media.rename(away)
    run.step()
    run.retry(RetryRequest(folder_id=run.folder.id))
    run.step()
    steps.media.mkdir()
    run.step()
    assert steps.groups(run) == {"a.png": FileGroup.PROCESSED}
    assert "known files 0 are there" in run.live().reason
    run.retry(RetryRequest(folder_id=run.folder.id))
    run.step()
    assert steps.groups(run) == {}


def test_a_retry_of_files_begins_no_new_cache_folder_in_the_place_of_one_that_is_away(
    steps: Steps,
) -> None:
    still(steps.media / "a.png", 1)
    run = steps.run(steps.watch())
    run.step()
    steps.work()
    run.step()
    cache = steps.folder / "cache"
    cache.rename(steps.folder / "away")
    still(steps.media / "b.png", 2)
    run.retry(RetryRequest(folder_id=run.folder.id))
    steps.walk(run)
    assert "is gone" in run.live().reason
    assert not cache.exists()
    run.retry(RetryRequest(folder_id=run.folder.id))
    run.step()
    assert cache.exists()


def test_a_share_that_hangs_holds_up_no_copy_in_another_folder(
    steps: Steps, active: ActiveWatcher
) -> None:
    other = steps.folder / "other"
    still(steps.media / "a.png", 1)
    still(other / "copy.png", 1)
    hanging, run = steps.run(steps.watch()), steps.run(steps.watch(other))
    hanging.step()
    run.step()
    active.threads.active = {one.folder.id: FolderThread(one) for one in (hanging, run)}
    hanging.stepped_at -= 100
    active.threads.free_contents()
    run.step()
    assert len(steps.tasks()) == 1, "a worker may still have it"
    steps.work()
    active.threads.free_contents()
    run.step()
    assert len(steps.tasks()) == 1
    assert set(run.state.table.queued) == set(steps.tasks())


def test_an_outage_of_redis_keeps_no_content_for_a_folder_that_was_removed(
    steps: Steps, active: ActiveWatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = still(steps.media / "a.png", 1)
    run = steps.run(add(steps, steps.watch()))
    run.step()
    key = run.state.content_key(run.state.table.files[str(path)])
    active.threads.ending.append(FolderThread(run))
    with steps.folders.changing() as changes:
        changes.remove(run.folder.id)

    def away(*_: object) -> None:
        raise RedisAway

    with monkeypatch.context() as patched:
        patched.setattr(RetryRequests, "pending", away)
        with pytest.raises(RedisAway):
            active.look()
    for _ in range(3):
        active.look()
    assert not steps.context.content_locks.is_held(key)


def test_a_file_from_the_first_second_of_1970_has_new_tries_too(steps: Steps) -> None:
    path = still(steps.media / "a.png", 1)
    os.utime(path, (0, 0))
    run = steps.run(steps.watch())
    run.state.report(str(path), FileStat(path.stat().st_size, 0), FileGroup.FAILED, "It is broken.")
    run.step()
    run.retry(RetryRequest(folder_id=run.folder.id))
    run.step()
    assert len(steps.tasks()) == 1
