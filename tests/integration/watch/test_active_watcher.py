"""The main thread of the watcher: nothing that a folder's thread does meanwhile may end it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from shared.domain import TaskKind
from shared.errors import RedisAway
from shared.ledger.records import ItemFile, NewItem, NewTask
from shared.watch.board import Ask
from shared.watch.files import FileGroup, WatchedFile
from shared.watch.folders import WatchFolder
from tests.support.waiting import wait_for
from tests.support.watch.farm import still
from tests.support.watch.stepping import Steps
from workers.watcher.folder_state import Hold
from workers.watcher.term import Term


@pytest.fixture
def steps(tmp_path: Path, redis_url: str) -> Iterator[Steps]:
    steps = Steps(tmp_path, redis_url)
    yield steps
    steps.close()


@pytest.fixture
def term(steps: Steps) -> Iterator[Term]:
    term = Term(steps.tools, steps.client, steps.folders, steps.board)
    yield term
    term.end()


def add(steps: Steps, folder: WatchFolder) -> WatchFolder:
    with steps.folders.changing() as changes:
        changes.put(folder)
    steps.folders.want(True)
    return folder


def test_a_folder_is_ended_in_the_moment_before_its_task_is_submitted(
    steps: Steps, term: Term
) -> None:
    run = steps.run(steps.watch())
    queued = WatchedFile(FileGroup.PENDING, 1, 1, task_id="not-there-yet", is_queued=True)
    run.state.table.queue(str(steps.media / "a.png"), queued)
    run.state.stop_tasks()
    term._runs[run.folder.id] = run
    term.look()
    assert not term._runs


def test_a_task_that_a_removed_folder_still_submits_is_stopped(steps: Steps, term: Term) -> None:
    run = steps.run(add(steps, steps.watch()))
    term._runs[run.folder.id] = run
    steps.folders.want(True)
    term._has_orphans = False
    with steps.folders.changing() as changes:
        changes.remove(run.folder.id)
    term.look()
    item = NewItem(b"{}", (ItemFile("a.png"),))
    steps.ledger.submit(NewTask(kind=TaskKind.INGEST, items=[item], leader="me"))
    term.look()
    term.look()
    assert steps.tasks() == []


def test_a_hold_that_ends_while_it_is_looked_at(steps: Steps) -> None:
    run = steps.run(steps.watch())

    class Once:
        """The hold is there at the first look only."""

        def __get__(self, state: object, kind: object) -> Hold | None:
            nonlocal looks
            looks += 1
            return Hold("full", time.monotonic() + 9, 9) if looks == 1 else None

    looks = 0
    kind = type("Raced", (type(run.state),), {"hold": Once(), "__slots__": ()})
    raced = object.__new__(kind)
    assert raced.is_held()


def test_copies_elsewhere_wait_while_the_folder_of_the_first_is_changed(
    steps: Steps, term: Term
) -> None:
    path = still(steps.media / "a.png", 1)
    folder = add(steps, steps.watch())
    term.look()
    wait_for(lambda: len(steps.tasks()) == 1, 10, "its Task")
    lease = steps.lease()
    run = term._runs[folder.id]
    key = run.state.content_key(run.state.table.files[str(path)])
    with steps.folders.changing() as changes:
        changes.put(replace(folder, settle_seconds=0.1, revision=2))
    term.look()
    wait_for(run.is_over, 10, "the end of its thread")
    assert steps.tools.claims.is_taken(key)
    term.look()
    assert steps.tools.claims.is_taken(key)
    with steps.folders.changing() as changes:
        changes.remove(folder.id)
    ended = term._runs[folder.id]
    term.look()
    wait_for(ended.is_over, 10, "the end of its thread")
    term.look()
    assert steps.tools.claims.is_taken(key), "a worker may still publish it"
    steps.ledger.settle(lease, "cancelled")
    term.look()
    term.look()
    assert not steps.tools.claims.is_taken(key)


def test_a_retry_outlives_an_outage_of_redis(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    path = still(steps.media / "a.png", 1)
    found = path.stat()
    run = steps.run(steps.watch())
    failed = WatchedFile(FileGroup.FAILED, found.st_size, found.st_mtime_ns, tries=3)
    run.state.table.put(str(path), replace(failed, made=run.state.signature(str(path))))
    run.ask(Ask(folder_id=run.folder.id))

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
    run.ask(Ask(folder_id=run.folder.id))
    run.step()
    steps.media.mkdir()
    run.step()
    assert steps.groups(run) == {"a.png": FileGroup.PROCESSED}
    assert "known files 0 are there" in run.live().reason
    run.ask(Ask(folder_id=run.folder.id))
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
    run.ask(Ask(folder_id=run.folder.id))
    steps.walk(run)
    assert "is gone" in run.live().reason
    assert not cache.exists()
    run.ask(Ask(folder_id=run.folder.id))
    run.step()
    assert cache.exists()


def test_a_share_that_hangs_holds_up_no_copy_in_another_folder(steps: Steps, term: Term) -> None:
    other = steps.folder / "other"
    still(steps.media / "a.png", 1)
    still(other / "copy.png", 1)
    hanging, run = steps.run(steps.watch()), steps.run(steps.watch(other))
    hanging.step()
    run.step()
    term._runs = {hanging.folder.id: hanging, run.folder.id: run}
    hanging.stepped_at -= 100
    term._free_contents()
    run.step()
    assert len(steps.tasks()) == 1, "a worker may still have it"
    steps.work()
    term._free_contents()
    run.step()
    assert len(steps.tasks()) == 1
    assert set(run.state.table.queued) == set(steps.tasks())


def test_an_outage_of_redis_keeps_no_content_for_a_folder_that_was_removed(
    steps: Steps, term: Term, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = still(steps.media / "a.png", 1)
    run = steps.run(add(steps, steps.watch()))
    run.step()
    key = run.state.content_key(run.state.table.files[str(path)])
    term._ending.append(run)
    with steps.folders.changing() as changes:
        changes.remove(run.folder.id)

    def away(*_: object) -> None:
        raise RedisAway

    with monkeypatch.context() as patched:
        patched.setattr(Term, "_begin_wanted", away)
        with pytest.raises(RedisAway):
            term.look()
    for _ in range(3):
        term.look()
    assert not steps.tools.claims.is_taken(key)


def test_a_file_from_the_first_second_of_1970_has_new_tries_too(steps: Steps) -> None:
    path = still(steps.media / "a.png", 1)
    os.utime(path, (0, 0))
    run = steps.run(steps.watch())
    failed = WatchedFile(FileGroup.FAILED, path.stat().st_size, 0, tries=3)
    run.state.table.put(str(path), replace(failed, made=run.state.signature(str(path))))
    run.step()
    run.ask(Ask(folder_id=run.folder.id))
    run.step()
    assert len(steps.tasks()) == 1
