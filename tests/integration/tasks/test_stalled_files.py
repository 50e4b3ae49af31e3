"""A file at one place of which two workers stall is given up; the others of its Item go on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.domain import Fault, TaskState
from shared.ledger.records import FileState
from shared.redis.clients import connect
from tests.integration.ledger.ledger_world import VIDEO, World
from tests.support.analysis.desk import Desk
from tests.support.media.media import Encoding, make_clip

PLACE = "1 the pictures at 1,234 s"
REASON = "Its worker stalled twice at the same place: the pictures at 1,234 s."


@pytest.fixture
def world(redis_url: str) -> Iterator[World]:
    with connect(redis_url) as client:
        yield World(client)


def lose(world: World, task_id: str, place: str) -> None:
    lease = world.claimed(task_id)
    world.ledger.renew(lease, place)
    world.pass_time(11)


def test_the_second_end_at_one_place_fails_that_file_and_gives_the_others_another_try(
    world: World,
) -> None:
    task_id = world.submitted(3)
    lose(world, task_id, PLACE)
    assert world.record(task_id).status is TaskState.RUNNING
    lose(world, task_id, PLACE)
    files = world.ledger.files(task_id)
    assert [file.state for file in files] == [FileState.QUEUED, FileState.FAILED, FileState.QUEUED]
    assert (files[1].error, files[1].fault) == (REASON, Fault.UNSUPPORTED)
    lease = world.claimed(task_id)
    assert (lease.given_up, lease.tries) == ((1,), 0)
    for index in (0, 2):
        world.ledger.file_ended(lease, type=VIDEO, index=index, media_path=f"/m/0-{index}")
    world.ledger.settle(lease, "done")
    record = world.record(task_id)
    assert (record.status, record.current) == (TaskState.COMPLETED, 3)
    assert [file.error for file in record.failed_files] == [REASON]


def test_an_item_of_one_file_ends_with_it(world: World) -> None:
    task_id = world.submitted(1)
    for _ in range(2):
        lose(world, task_id, "0 the sound at 9 s")
    record = world.record(task_id)
    assert record.status is TaskState.FAILED
    assert "the sound at 9 s" in (record.error or "")


@pytest.mark.parametrize(
    "places",
    [
        (PLACE, "1 the pictures at 1,235 s"),
        (PLACE, "0 the pictures at 1,234 s"),
        ("", ""),
        (PLACE, ""),
    ],
)
def test_other_ends_keep_their_three_tries(world: World, places: tuple[str, str]) -> None:
    task_id = world.submitted(3)
    for place in places:
        lose(world, task_id, place)
    assert world.claimed(task_id).tries == 2
    world.pass_time(11)
    assert "died 3 times" in (world.record(task_id).error or "")


def test_a_place_is_not_that_of_the_worker_before(world: World) -> None:
    """One that dies before it has said anything has stalled nowhere."""
    task_id = world.submitted(3)
    lose(world, task_id, PLACE)
    world.claimed(task_id)
    world.pass_time(11)
    assert world.claimed(task_id).tries == 2


def long_film(folder: Path) -> Path:
    """A film of several ranges."""
    encoding = Encoding(fps=2, gop=20)
    return make_clip(folder / "film.mp4", 200, size=(64, 48), encoding=encoding)


@pytest.mark.parametrize("threads", ["1", "4"])
def test_a_range_whose_decoder_hangs_costs_two_workers(threads: str, desk: Desk) -> None:
    desk.stack.settings["RUSHES_DECODE_THREADS"] = threads
    task_id = desk.submit([long_film(desk.folder)])
    for number in range(2):
        hung = desk.worker_with(number, do="decoder hangs", at=130, stall_s=4)
        assert hung.popen.wait(60) != 0
    desk.worker_with_fake_embedder(2)  # its thread sweeps
    record = desk.wait_final(task_id)
    assert record.status is TaskState.FAILED
    assert "twice at the same place: the pictures at 129 s" in (record.error or "")


@pytest.mark.parametrize("threads", ["1", "4"])
def test_a_range_that_kills_its_worker_fails_alone(threads: str, desk: Desk) -> None:
    desk.stack.settings["RUSHES_DECODE_THREADS"] = threads
    good = make_clip(desk.folder / "good.mp4", 4)
    task_id = desk.submit([long_film(desk.folder)], [good])
    for number in range(3):
        assert desk.worker_with(number, do="decoder dies", at=130).popen.wait(60) != 0
    desk.worker_with_fake_embedder(3)
    record = desk.wait_final(task_id)
    assert [Path(file.media_path).name for file in record.failed_files] == ["film.mp4"]


def test_a_decoder_that_hangs_at_one_place_costs_two_workers(desk: Desk) -> None:
    clip = make_clip(desk.folder / "clip.mp4", 4)
    task_id = desk.submit([clip])
    for number in range(2):
        hung = desk.worker_with(number, do="hang", stall_s=4)
        assert hung.popen.wait(60) != 0
    desk.worker_with_fake_embedder(2)  # its thread sweeps
    record = desk.wait_final(task_id)
    assert record.status is TaskState.FAILED
    assert "twice at the same place: the pictures at 2 s" in (record.error or "")
    assert len(desk.wait_marker()) == 2
    assert not any(name.endswith(".tmp") for name in os.listdir(desk.cache))
