"""A watched file becomes only what may follow from what it was."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from shared.watch.files import WatchedFile
from shared.watch.options import FileGroup
from workers.watcher.folder.file_table import FilePhase, FileTable, IllegalTransition

PATH = "/m/a.mp4"
NEW = WatchedFile(FileGroup.PENDING, 1, 1)
QUEUED = replace(NEW, task_id="t", is_queued=True)
DONE = replace(NEW, group=FileGroup.PROCESSED)


def taken(table: FileTable) -> dict[str, WatchedFile | None]:
    unwritten, table.unwritten = table.unwritten, {}
    return unwritten


def test_the_way_of_a_file() -> None:
    table = FileTable()
    assert table.phase(PATH) is None
    table.settle(PATH, NEW, 0.0)
    assert (table.phase(PATH), list(table.settling)) == (FilePhase.SETTLING, [PATH])
    table.make_ready(PATH, NEW)
    assert (table.phase(PATH), list(table.ready)) == (FilePhase.READY, [PATH])
    table.queue(PATH, QUEUED)
    assert (table.phase(PATH), table.queued) == (FilePhase.QUEUED, {"t": {PATH}})
    table.conclude(PATH, DONE)
    assert table.phase(PATH) is FilePhase.PROCESSED
    assert table.is_idle()
    assert taken(table) == {PATH: DONE}
    table.forget(PATH)
    assert taken(table) == {PATH: None}
    assert (table.files, table.by_directory) == ({}, {})


def test_what_an_earlier_watcher_left_goes_on_from_there() -> None:
    delayed = replace(NEW, next_try_at=9.0)
    table = FileTable.of({"/m/a": NEW, "/m/b": delayed, "/m/c": QUEUED, "/m/d": DONE})
    assert [table.phase(path) for path in table.files] == [
        FilePhase.LEFT_OVER,
        FilePhase.DELAYED,
        FilePhase.QUEUED,
        FilePhase.PROCESSED,
    ]
    assert taken(table) == {}


def test_a_new_file_is_not_given_to_a_worker_before_it_has_settled() -> None:
    table = FileTable()
    with pytest.raises(IllegalTransition, match=r"a\.mp4: unknown to QUEUED"):
        table.queue(PATH, QUEUED)
    table.settle(PATH, NEW, 0.0)
    with pytest.raises(IllegalTransition, match="SETTLING to QUEUED"):
        table.queue(PATH, QUEUED)
    assert (table.phase(PATH), table.queued) == (FilePhase.SETTLING, {})


def test_a_copy_is_not_done_before_its_turn_and_nothing_is_pending_for_nothing() -> None:
    table = FileTable()
    table.settle(PATH, NEW, 0.0)
    table.make_ready(PATH, NEW)
    table.hold_duplicate(PATH, NEW, ("cache", "hash"))
    with pytest.raises(IllegalTransition, match="DUPLICATE to PROCESSED"):
        table.conclude(PATH, DONE)
    with pytest.raises(IllegalTransition, match="DUPLICATE to LEFT_OVER"):
        table.conclude(PATH, NEW)
