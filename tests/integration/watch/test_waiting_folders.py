"""A folder that waits, for whatever reason, does so quietly and for no longer than it must."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from shared.domain import Fault, TaskKind
from shared.watch.folders import Schedule
from shared.watch.live import WatchState
from shared.watch.options import FileGroup
from tests.support.watch.ingest_stack import still
from tests.support.watch.stepping import Steps
from workers.watcher.folder.admission import IN_FLIGHT

PENDING, PROCESSED = FileGroup.PENDING, FileGroup.PROCESSED
LEAST_PAUSE_S = 0.2


def hours(first: int, last: int) -> Schedule:
    now = datetime.now()
    start, stop = ((now + timedelta(hours=n)).strftime("%H:%M") for n in (first, last))
    return Schedule(start, stop)


@pytest.mark.parametrize("polling", ["always", "never"])
@pytest.mark.parametrize(
    "why", ["idle", "busy", "full", "held", "paused", "hours", "away", "emptied", "parked", "later"]
)
def test_no_state_makes_a_folder_look_all_the_time(steps: Steps, why: str, polling: str) -> None:
    still(steps.media / "a.png", 1)
    schedule = hours(2, 3) if why == "hours" else None
    run = steps.run(steps.watch(polling=polling, schedule=schedule))
    if why == "full":
        for n in range(IN_FLIGHT + 9):
            still(steps.media / f"{n}x.png", n, side=8)
    if why == "parked":
        still(steps.media / "copy.png", 1)
    steps.conditions.is_paused = why == "paused"
    run.step()
    if why in ("idle", "emptied", "away"):
        steps.work()
        run.step()
    if why == "later":
        steps.work("It is broken.")
    if why == "held":
        steps.work("The disk is full.", Fault.CACHE)
    if why == "away":
        steps.media.rename(steps.folder / "away")
    if why == "emptied":
        (steps.media / "a.png").unlink()
        steps.walk(run)
    for _ in range(3):
        pause = run.step()
    assert pause >= LEAST_PAUSE_S, run.live()


def test_files_that_no_worker_sees_do_not_hold_up_those_behind_them(steps: Steps) -> None:
    for n in range(IN_FLIGHT):
        still(steps.media / f"{chr(97 + n // 26)}{chr(97 + n % 26)}.png", n, side=8)
    run = steps.run(steps.watch())
    run.step()
    still(steps.media / "zz.png", 1000)
    steps.work("It does not exist.", Fault.MISSING)
    steps.walk(run)
    assert "No worker sees it" in run.live().reason
    assert run.state.breaker.is_open
    steps.end_breaker_pause(run)
    run.state.table.wake_delayed(time.time() + 300)
    run.step()
    run.step()
    assert steps.work() == IN_FLIGHT, "all of them are tried, and the other one among them"


def test_files_travel_together_also_when_workers_are_slow(steps: Steps) -> None:
    for n in range(2 * IN_FLIGHT):
        path = steps.media / f"{n}.mp4"
        path.write_bytes(b"no film" * (n + 1))
    run = steps.run(steps.watch())
    run.step()
    for _ in range(IN_FLIGHT // 2 - 1):
        steps.end(steps.lease())
        run.step()
    assert len(steps.tasks()) == 1
    steps.end(steps.lease())
    run.step()
    sizes = [len(steps.ledger.files(task_id)) for task_id in steps.tasks()]
    assert sorted(sizes) == [IN_FLIGHT // 2, IN_FLIGHT]


def test_a_folder_that_came_back_under_other_numbers_is_known_by_them_at_once(
    steps: Steps,
) -> None:
    still(steps.media / "a.png", 1)
    run = steps.run(steps.watch())
    run.step()
    root = run.state.facts.root
    assert root
    moved = (root[0] + 1, root[1] + 1, root[2] + 1, "")
    run.state.facts = replace(run.state.facts, root=moved)
    run.step()
    assert run.state.facts.root == root


def test_a_folder_whose_files_all_lie_deeper_than_is_wanted_now_is_not_empty(steps: Steps) -> None:
    still(steps.media / "deep" / "a.png", 1)
    folder = steps.watch()
    steps.run(folder).step()
    run = steps.run(folder, recursive=False)
    steps.work()
    run.step()
    assert run.live().reason == ""
    assert steps.groups(run) == {}


def test_empty_directories_that_are_left_do_not_mean_that_all_was_deleted(steps: Steps) -> None:
    path = still(steps.media / "day1" / "a.png", 1)
    run = steps.run(steps.watch())
    run.step()
    steps.work()
    run.step()
    path.unlink()
    steps.walk(run)
    assert "is empty" in run.live().reason
    assert steps.groups(run) == {"a.png": PROCESSED}


def test_files_wait_in_the_ledger_while_a_foreground_analysis_runs(steps: Steps) -> None:
    still(steps.media / "a.png", 1)
    steps.conditions.is_paused = True
    run = steps.run(steps.watch())
    run.step()
    assert run.live().state is WatchState.PAUSED
    assert steps.context.ledger.open_tasks(TaskKind.INGEST), "what is not there gets no share"
