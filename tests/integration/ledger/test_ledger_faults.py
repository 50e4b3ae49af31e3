"""What a failure is a fault of, from the worker's word to the list of files."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from shared.domain import FailedFile, Fault, NotApplicable, TaskKind, TaskState
from shared.ledger.records import FileRecord, FileState
from shared.redis.clients import connect
from tests.integration.ledger.ledger_world import AUDIO, INSTANCE, VIDEO, World


@pytest.fixture
def world(redis_url: str) -> Iterator[World]:
    with connect(redis_url) as client:
        yield World(client)


def faults(world: World, task_id: str) -> list[Fault | None]:
    return [file.fault for file in world.ledger.files(task_id)]


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.NOTHING])
def test_a_failed_file_tells_what_it_is_a_fault_of(world: World, fault: Fault) -> None:
    lease = world.claimed(world.submitted(1))
    path = "/m/0-0"
    world.ledger.file_ended(lease, type=VIDEO, index=0, media_path=path, error="No.", fault=fault)
    assert world.ledger.files(lease.task_id) == [
        FileRecord(path, FileState.FAILED, "w1", "No.", fault)
    ]


def test_what_does_not_apply_to_a_file_is_no_failure(world: World) -> None:
    task_id = world.submitted(1, 1, wants=(VIDEO, AUDIO))
    hook = json.dumps({"events": ["file.failed", "task.ended"]})
    world.redis.hset(f"rushes:{INSTANCE}:webhooks", "hook", hook)
    reason = "It has no audio track."
    for n in range(2):
        lease = world.claimed(task_id, n)
        named = {"index": 0, "media_path": f"/m/{n}-0"}
        world.ledger.file_ended(lease, type=VIDEO, **named, error="Broken." if n else None)
        world.ledger.file_ended(lease, type=AUDIO, **named, error=reason, fault=Fault.NOTHING)
        world.ledger.settle(lease, "done")
    record = world.record(task_id)
    assert record.failed_files == (FailedFile("/m/1-0", "Broken."),)
    assert record.not_applicable == tuple(NotApplicable(f"/m/{n}-0", reason) for n in range(2))
    assert world.ledger.files(task_id) == [
        FileRecord("/m/0-0", FileState.DONE, "w1", None, None, reason),
        FileRecord("/m/1-0", FileState.FAILED, "w1", "Broken.", Fault.FILE, reason),
    ]
    assert world.redis.hget(f"rushes:{INSTANCE}:item:{task_id}:1", "state") == "failed"
    sent = world.redis.zrange(f"rushes:{INSTANCE}:outbox:hook", 0, -1)
    failed, ended = sorted(map(json.loads, sent), key=lambda message: message["type"])
    assert failed["data"]["media_path"] == "/m/1-0"
    assert (ended["data"]["failed_files"], ended["data"]["not_applicable"]) == (1, 2)


def test_what_was_not_applicable_and_is_found_by_a_retry_is_done(world: World) -> None:
    task_id = world.submitted(1)
    named = {"type": VIDEO, "index": 0, "media_path": "/m/0-0"}
    lease = world.claimed(task_id)
    world.ledger.file_ended(lease, **named, error="No.", fault=Fault.NOTHING)
    world.ledger.handback(lease)
    again = world.claimed(task_id)
    world.ledger.file_ended(again, **named, error="Broken.")
    world.ledger.file_ended(again, **named)
    world.ledger.settle(again, "done")
    record = world.record(task_id)
    assert (record.message, record.failed_files, record.not_applicable) == ("Completed.", (), ())


def test_what_an_earlier_version_notes_as_failed_reads_as_not_applicable(world: World) -> None:
    task_id = world.submitted(1)
    lease = world.claimed(task_id)
    entries = {"ticks": ["w1", "It has no sound track.", "nothing"]}
    entries["failures"] = ["/m/0-0", "It has no sound track."]
    for name, entry in entries.items():
        world.redis.hset(f"rushes:{INSTANCE}:{name}:{task_id}", "0:0:video", json.dumps(entry))
    world.ledger.settle(lease, "done")
    record = world.record(task_id)
    assert record.failed_files == ()
    assert record.not_applicable == (NotApplicable("/m/0-0", "It has no sound track."),)


def test_a_failure_is_the_files_own_unless_somebody_says_otherwise(world: World) -> None:
    lease = world.claimed(world.submitted(1))
    world.ledger.file_ended(lease, type=VIDEO, index=0, media_path="/m/0-0", error="corrupt")
    assert faults(world, lease.task_id) == [Fault.FILE]


def test_only_failed_files_have_a_fault(world: World) -> None:
    task_id = world.submitted(1, 1, 1)
    lease = world.claimed(task_id)
    world.ledger.file_ended(lease, type=VIDEO, index=0, media_path="/m/0-0")
    world.claimed(task_id, 1)
    assert faults(world, task_id) == [None, None, None]


def test_a_retry_that_reads_the_file_takes_its_fault_back(world: World) -> None:
    task_id = world.submitted(1)
    lease = world.claimed(task_id)
    world.ledger.file_ended(lease, type=VIDEO, index=0, media_path="/m/0-0", error="corrupt")
    world.ledger.handback(lease)
    world.ledger.file_ended(world.claimed(task_id), type=VIDEO, index=0, media_path="/m/0-0")
    assert faults(world, task_id) == [None]


def test_files_of_an_item_that_fails_as_a_whole_get_its_fault_and_ended_ones_keep_theirs(
    world: World,
) -> None:
    task_id = world.submitted(3)
    for _ in range(3):
        lease = world.claimed(task_id)
        world.ledger.file_ended(lease, type=VIDEO, index=0, media_path="/m/0-0")
        world.ledger.file_ended(lease, type=VIDEO, index=1, media_path="/m/0-1", error="corrupt")
        world.ledger.settle(lease, "failed", "The disk is full.", Fault.CACHE)
    files = world.ledger.files(task_id)
    assert [file.fault for file in files] == [None, Fault.FILE, Fault.CACHE]
    assert files[2].error == "The disk is full."


def test_an_item_that_fails_for_no_named_reason_is_our_fault(world: World) -> None:
    task_id = world.submitted(1)
    for _ in range(3):
        world.ledger.settle(world.claimed(task_id), "failed", "no luck")
    assert faults(world, task_id) == [Fault.INTERNAL]


def test_an_item_whose_worker_died_three_times_is_the_workers_and_the_others_go_on(
    world: World,
) -> None:
    task_id = world.submitted(1, 1, kind=TaskKind.INGEST)
    for _ in range(3):
        world.claimed(task_id, 0)
        world.pass_time(11)
    world.ledger.settle(world.claimed(task_id, 1), "done")
    assert faults(world, task_id) == [Fault.WORKER, None]
    assert world.record(task_id).status is TaskState.COMPLETED


def test_the_first_part_of_a_file_that_failed_says_what_it_is_a_fault_of(world: World) -> None:
    task_id = world.submitted(1, wants=(VIDEO, AUDIO))
    for _ in range(3):
        lease = world.claimed(task_id)
        world.ledger.file_ended(lease, type=AUDIO, index=0, media_path="/m/0-0")
        world.ledger.settle(lease, "failed", "There is no such model.", Fault.MODEL)
    assert world.ledger.files(task_id) == [
        FileRecord("/m/0-0", FileState.FAILED, "w1", "There is no such model.", Fault.MODEL)
    ]


def test_what_an_earlier_version_has_noted_still_reads(world: World) -> None:
    task_id = world.submitted(2)
    old = {"0:0:video": json.dumps(["w1", "corrupt"]), "0:1:video": json.dumps(["w1", ""])}
    world.redis.hset(f"rushes:{INSTANCE}:ticks:{task_id}", mapping=old)
    assert world.ledger.files(task_id) == [
        FileRecord("/m/0-0", FileState.FAILED, "w1", "corrupt", Fault.FILE),
        FileRecord("/m/0-1", FileState.DONE, "w1", None, None),
    ]
