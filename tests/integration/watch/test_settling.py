"""Files that may not be complete yet: still being written, or frames that still arrive."""

from __future__ import annotations

import time

from shared.watch.options import FileGroup
from tests.support.watch.ingest_stack import still
from tests.support.watch.stepping import Steps
from workers.watcher.folder.admission import settle

PENDING, PROCESSED = FileGroup.PENDING, FileGroup.PROCESSED


def test_a_file_that_is_open_for_writing_is_not_looked_at_all_the_time(steps: Steps) -> None:
    path = still(steps.media / "a.png", 1)
    run = steps.run(steps.watch(polling="always"))
    with path.open("ab"):
        run.step()
        assert run.step() > 0.4
    assert steps.tasks() == []


def test_a_file_that_changes_while_it_waits_for_its_turn_settles_again(steps: Steps) -> None:
    path = still(steps.media / "a.png", 1)
    run = steps.run(steps.watch())
    run.state.trip_breaker("The disk is full.")
    run.step()
    assert list(run.state.table.ready) == [str(path)]
    still(path, 2)
    steps.end_breaker_pause(run)
    run.step()
    assert steps.tasks() == []
    run.step()
    assert steps.work() == 1


def test_stills_of_long_ago_are_not_remembered(steps: Steps) -> None:
    state = steps.run(steps.watch()).state
    state.stills.note("/a/x1.png")
    assert len(state.stills) == 1
    state.stills.clock = lambda: time.monotonic() + 3600
    settle(state)
    assert len(state.stills) == 0


def test_numbered_stills_that_come_for_ever_and_are_no_sequence_have_their_turn(
    steps: Steps,
) -> None:
    state = steps.run(steps.watch(settle_seconds=1.0)).state
    path = str(steps.media / "scan_7.png")
    state.stills.note(path)
    state.stills.note(path)
    assert state.stills.may_continue(path, known_since=time.time())
    long_ago = time.time() - 24 * 6 - 1
    assert not state.stills.may_continue(path, long_ago), "24 would have been a sequence by now"
