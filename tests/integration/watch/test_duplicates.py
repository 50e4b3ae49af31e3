"""Copies of one content: one is analysed, the others wait for its end and for no longer."""

from __future__ import annotations

from msgspec.structs import replace

from shared.domain import Fault
from shared.watch.options import FileGroup
from tests.support.watch.ingest_stack import still
from tests.support.watch.stepping import Steps
from workers.watcher.scan.listing import FileStat

PENDING, PROCESSED = FileGroup.PENDING, FileGroup.PROCESSED


def test_a_root_that_goes_holds_up_no_copy_in_another_folder(steps: Steps) -> None:
    other = steps.folder / "other"
    for name in ("a", "b", "c"):
        still(steps.media / f"{name}.png", ord(name))
    still(other / "copy.png", ord("c"))
    run, second = steps.run(steps.watch()), steps.run(steps.watch(other))
    run.step()
    second.step()
    assert len(steps.tasks()) == 1, "the copy waits"
    steps.media.rename(steps.folder / "away")
    steps.work("It does not exist.", Fault.MISSING)
    run.step()
    second.step()
    assert len(steps.tasks()) == 1, "the copy has its turn"
    steps.work()
    second.step()
    assert steps.groups(second) == {"copy.png": PROCESSED}
    assert set(steps.groups(run).values()) == {PENDING}
    assert {file.tries for file in steps.files.all(run.folder.id).values()} == {0}


def test_a_copy_does_not_wait_for_a_file_that_has_gone(steps: Steps) -> None:
    """Its content was locked for it, and then nothing was submitted."""
    path = still(steps.media / "a.png", 1)
    run = steps.run(steps.watch())
    run.step()
    key = run.state.content_key(run.state.table.files[str(path)])
    assert steps.context.content_locks.is_held(key)
    table = run.state.table
    table.make_ready(str(path), replace(table.files[str(path)], is_queued=False, hash_str=""))
    path.unlink()
    run.step()
    assert not steps.context.content_locks.is_held(key)


def test_copies_are_free_when_the_cache_folder_has_become_another(steps: Steps) -> None:
    path = still(steps.media / "a.png", 1)
    run = steps.run(steps.watch())
    run.step()
    key = run.state.content_key(run.state.table.files[str(path)])
    run.state.facts = replace(run.state.facts, cache_id="another")
    steps.work()
    run.step()
    assert not steps.context.content_locks.is_held(key)


def test_a_file_that_became_unsupported_holds_its_content_no_more(steps: Steps) -> None:
    path = still(steps.media / "a.png", 1)
    folder = steps.watch()
    run = steps.run(folder)
    run.step()
    key = run.state.content_key(run.state.table.files[str(path)])
    run.state.report(str(path), FileStat(1, 1), FileGroup.UNSUPPORTED, "no decoder")
    assert not steps.context.content_locks.is_held(key)
