"""Items, leases, tries and progress: one sentence of the design each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.domain import AnalyzeSpec, FailedFile, Fault, FileSpec, TaskKind, TaskState
from shared.errors import Missing
from shared.ledger.records import FileRecord, FileState, ItemJob, NewItem, NewTask
from shared.media import MediaType
from shared.redis.clients import connect
from tests.integration.ledger.ledger_world import AUDIO, VIDEO, World


@pytest.fixture
def world(redis_url: str) -> Iterator[World]:
    with connect(redis_url) as client:
        yield World(client)


def test_a_submitted_task_waits_for_a_worker(world: World) -> None:
    task_id = world.submitted(2)
    record = world.record(task_id)
    assert (record.status, record.progress, record.current, record.total) == (
        TaskState.QUEUED,
        0,
        0,
        2,
    )
    assert record.message == "Waiting for a worker."
    assert record.created_at == world.now
    assert record.finished_at is None


def test_an_item_is_claimed_by_one_worker_only(world: World) -> None:
    task_id = world.submitted()
    world.claimed(task_id)
    assert world.ledger.claim(task_id, 0, "w2", "another") is None


def test_a_claim_that_arrives_twice_gives_the_same_lease(world: World) -> None:
    task_id = world.submitted()
    first = world.ledger.claim(task_id, 0, "w1", "nonce")
    assert first is not None
    assert world.ledger.claim(task_id, 0, "w1", "nonce") == first


def test_a_lease_carries_the_spec_as_it_was_submitted(world: World) -> None:
    work = FileSpec("/srv/ü.mov", "Z:\\ü.mov", MediaType.VIDEO)
    spec = AnalyzeSpec("/cache", (work,), "conse-lite0")
    task = NewTask(kind=TaskKind.ANALYZE, items=[NewItem.analyze(spec)])
    world.ledger.submit(task)
    lease = world.claimed(task.task_id)
    assert lease.spec == task.items[0].spec
    (file,) = world.ledger.files(task.task_id)
    assert file.media_path == "Z:\\ü.mov"


def test_what_does_not_exist_cannot_be_claimed(world: World) -> None:
    task_id = world.submitted()
    assert world.ledger.claim("0" * 32, 0, "w1", "a") is None
    assert world.ledger.claim(task_id, 7, "w1", "a") is None


def test_the_last_settled_item_completes_the_task_and_frees_the_lock(world: World) -> None:
    task_id = world.submitted(1, 1)
    first, second = world.claimed(task_id, 0), world.claimed(task_id, 1)
    assert world.ledger.settle(first, "done")
    assert world.record(task_id).status is TaskState.RUNNING
    assert world.ledger.holder() == task_id
    assert world.ledger.settle(second, "done")
    record = world.record(task_id)
    assert (record.status, record.progress, record.current) == (TaskState.COMPLETED, 100, 2)
    assert record.finished_at == world.now
    assert world.ledger.holder() is None


def test_settling_twice_counts_once(world: World) -> None:
    task_id = world.submitted(1, 1)
    lease = world.claimed(task_id)
    assert world.ledger.settle(lease, "done")
    assert world.ledger.settle(lease, "done")
    record = world.record(task_id)
    assert (record.status, record.current) == (TaskState.RUNNING, 1)


def test_a_repeated_error_report_counts_one_try(world: World) -> None:
    task_id = world.submitted()
    for _ in range(2):
        lease = world.claimed(task_id)
        for _ in range(3):
            assert world.ledger.settle(lease, "failed", "no luck")
    assert world.claimed(task_id).tries == 2


def test_three_errors_fail_the_item_with_the_reason(world: World) -> None:
    task_id = world.submitted(2)
    for reason in ("first", "second", "third"):
        assert world.record(task_id).status is not TaskState.FAILED
        world.ledger.settle(world.claimed(task_id), "failed", reason)
    record = world.record(task_id)
    assert (record.status, record.error, record.message) == (TaskState.FAILED, "third", "third")
    assert record.failed_files == (
        FailedFile("/m/0-0", "third"),
        FailedFile("/m/0-1", "third"),
    )


def test_three_lost_leases_fail_the_item(world: World) -> None:
    task_id = world.submitted()
    for _ in range(3):
        world.claimed(task_id)
        world.pass_time(11)
    record = world.record(task_id)
    assert record.status is TaskState.FAILED
    assert record.error == "Its worker died 3 times while working on it."


def test_handing_back_costs_no_try(world: World) -> None:
    task_id = world.submitted()
    for _ in range(10):
        assert world.ledger.handback(world.claimed(task_id))
    lease = world.claimed(task_id)
    assert lease.tries == 0
    assert lease.token == 11


def test_a_dead_workers_item_is_named_to_another_within_11_seconds(world: World) -> None:
    task_id = world.submitted()
    dead = world.claimed(task_id)
    died = world.now
    jobs: list[ItemJob] = []
    while not jobs:
        assert world.now - died < 11
        world.now += 2
        jobs = world.ledger.sweep()
    assert jobs == [ItemJob(task_id, 0, "analysis", True)]
    assert world.claimed(task_id, worker="w2").tries == 1
    assert world.ledger.renew(dead) == "lost"


def test_a_worker_that_renews_keeps_its_item(world: World) -> None:
    lease = world.claimed(world.submitted())
    for _ in range(10):
        world.pass_time(3)
        assert world.ledger.renew(lease) == "ok"


def test_a_zombie_settles_nothing(world: World) -> None:
    task_id = world.submitted(1)
    zombie = world.claimed(task_id)
    world.pass_time(11)
    world.claimed(task_id, worker="w2")
    assert not world.ledger.settle(zombie, "done")
    assert not world.ledger.handback(zombie)
    assert not world.ledger.file_ended(zombie, type=VIDEO, index=0, media_path="/m/0-0")
    assert not world.ledger.progress(zombie, type=VIDEO, fraction=1)
    assert world.record(task_id).current == 0


def test_no_lease_expires_when_nobody_has_swept_for_six_seconds(world: World) -> None:
    lease = world.claimed(world.submitted())
    world.now += 60  # Redis away, or the laptop slept
    assert world.ledger.sweep() == []
    world.now += 8
    assert world.ledger.renew(lease) == "ok"


def test_an_outage_gives_no_lease_more_time_than_it_had(world: World) -> None:
    task_id = world.submitted(1)
    world.ledger.sweep()
    world.claimed(task_id)
    world.now += 60
    assert world.ledger.sweep() == []
    world.pass_time(8.5)
    assert not world.can_claim(task_id)
    world.pass_time(1)
    assert world.can_claim(task_id), "its worker had died before the outage"


@pytest.mark.parametrize("outage_s", [0, 60])
def test_workers_that_are_known_to_have_ended_lose_their_leases_at_once(
    world: World, outage_s: float
) -> None:
    task_id = world.submitted(1, 1)
    world.ledger.sweep()
    world.claimed(task_id, 0, worker="dead")
    lease = world.claimed(task_id, 1, worker="alive")
    world.now += outage_s
    assert [job.item_id for job in world.ledger.sweep(["dead", "another"])] == [0]
    assert world.ledger.renew(lease) == "ok"


def test_a_clock_that_is_set_back_hides_no_dead_worker_and_holds_no_bell_back(world: World) -> None:
    task_id = world.submitted(1, 1)
    world.claimed(task_id, 0)
    assert world.ledger.sweep() == [ItemJob(task_id, 1, "analysis", True)]
    world.now -= 3600
    world.ledger.sweep()
    world.pass_time(10)
    world.now += 2
    assert {job.item_id for job in world.ledger.sweep()} == {0, 1}


def test_lost_jobs_are_enqueued_again_once_the_list_is_empty(world: World) -> None:
    task_id = world.submitted(1, 1)
    assert {job.item_id for job in world.ledger.sweep()} == {0, 1}
    assert world.ledger.sweep() == [], "another process has just been told"
    world.now += 2
    assert len(world.ledger.sweep()) == 2
    world.redis.rpush("rq:queue:rushes-test-analysis", "a job")
    world.now += 2
    assert world.ledger.sweep() == []
    world.redis.delete("rq:queue:rushes-test-analysis")
    world.claimed(task_id, 0)
    world.now += 2
    assert world.ledger.sweep() == [ItemJob(task_id, 1, "analysis", True)]


def test_what_is_handed_back_is_enqueued_again_though_other_jobs_wait(world: World) -> None:
    task_id = world.submitted(1, 1)
    world.ledger.sweep()
    world.redis.rpush("rq:queue:rushes-test-analysis", "a job")
    world.ledger.handback(world.claimed(task_id, 1))
    assert world.ledger.sweep() == [ItemJob(task_id, 1, "analysis", True)]
    assert world.ledger.sweep() == []


def test_percent_never_goes_back(world: World) -> None:
    task_id = world.submitted(2)
    lease = world.claimed(task_id)
    world.ledger.progress(lease, type=VIDEO, fraction=1.5)
    assert world.record(task_id).progress == 75
    world.ledger.progress(lease, type=VIDEO, fraction=0.25)
    world.ledger.settle(lease, "failed", "retry")
    again = world.claimed(task_id)
    world.ledger.progress(again, type=VIDEO, fraction=0.1)
    assert world.record(task_id).progress == 75
    world.ledger.progress(again, type=VIDEO, fraction=99)
    assert world.record(task_id).progress == 100


def test_progress_of_each_type_is_counted_apart(world: World) -> None:
    task_id = world.submitted(2, wants=(VIDEO, AUDIO))
    lease = world.claimed(task_id)
    world.ledger.file_ended(lease, type=VIDEO, index=0, media_path="/m/0-0")
    world.ledger.file_ended(lease, type=VIDEO, index=1, media_path="/m/0-1")
    video = world.record(task_id)
    assert (video.type, video.progress, video.overall_progress) == (VIDEO, 100, 50)
    world.ledger.progress(lease, type=AUDIO, fraction=0.5, media_path="/m/0-0")
    audio = world.record(task_id)
    assert (audio.type, audio.progress, audio.overall_progress) == (AUDIO, 25, 62.5)
    assert (audio.current, audio.total) == (0, 2)


def test_a_file_ticked_before_a_retry_is_not_counted_again(world: World) -> None:
    task_id = world.submitted(3)
    for _ in range(2):
        lease = world.claimed(task_id)
        for _ in range(2):
            assert world.ledger.file_ended(lease, type=VIDEO, index=1, media_path="/m/0-1")
        world.ledger.settle(lease, "failed", "retry")
    record = world.record(task_id)
    assert (record.current, record.total) == (1, 3)


def test_a_failure_told_twice_is_one_failure(world: World) -> None:
    task_id = world.submitted(2)
    lease = world.claimed(task_id)
    for _ in range(2):
        world.ledger.file_ended(lease, type=VIDEO, index=0, media_path="/m/0-0", error="corrupt")
    world.ledger.settle(lease, "done")
    assert world.record(task_id).status is TaskState.COMPLETED


def test_a_retry_that_reads_the_file_takes_its_failure_back(world: World) -> None:
    task_id = world.submitted(1)
    lease = world.claimed(task_id)
    world.ledger.file_ended(lease, type=VIDEO, index=0, media_path="/m/0-0", error="gone")
    world.ledger.handback(lease)
    lease = world.claimed(task_id)
    world.ledger.file_ended(lease, type=VIDEO, index=0, media_path="/m/0-0")
    world.ledger.settle(lease, "done")
    record = world.record(task_id)
    assert (record.status, record.current) == (TaskState.COMPLETED, 1)
    assert record.failed_files == ()


def test_a_bad_file_fails_alone_and_is_listed_at_the_end(world: World) -> None:
    task_id = world.submitted(2)
    lease = world.claimed(task_id)
    world.ledger.file_ended(lease, type=VIDEO, index=0, media_path="/m/0-0", error="corrupt")
    assert world.record(task_id).failed_files == ()
    world.ledger.file_ended(lease, type=VIDEO, index=1, media_path="/m/0-1")
    world.ledger.settle(lease, "done")
    record = world.record(task_id)
    assert record.status is TaskState.COMPLETED
    assert record.failed_files == (FailedFile("/m/0-0", "corrupt"),)
    assert record.message == "Completed, but some files failed."
    assert (record.progress, record.current, record.error) == (100, 2, None)


def test_a_failure_after_all_files_were_done_is_told_at_the_end(world: World) -> None:
    task_id = world.submitted(1, 1)
    for item in (0, 1):
        lease = world.claimed(task_id, item)
        world.ledger.file_ended(lease, type=VIDEO, index=0, media_path=f"/m/{item}-0")
        world.ledger.settle(lease, "done" if item == 0 else "failed", "The disk is full.")
    for _ in range(2):
        world.ledger.settle(world.claimed(task_id, 1), "failed", "The disk is full.")
    record = world.record(task_id)
    assert (record.status, record.failed_files) == (TaskState.COMPLETED, ())
    assert record.message == "Completed, but not all of it. The disk is full."


def test_a_task_none_of_whose_files_can_be_used_fails(world: World) -> None:
    task_id = world.submitted(2)
    lease = world.claimed(task_id)
    for index in range(2):
        path = f"/m/0-{index}"
        world.ledger.file_ended(lease, type=VIDEO, index=index, media_path=path, error="corrupt")
    world.ledger.settle(lease, "done")
    record = world.record(task_id)
    assert record.status is TaskState.FAILED
    assert record.error == "None of the files could be used."
    assert len(record.failed_files) == 2


def test_files_say_who_did_them_and_what_became_of_each(world: World) -> None:
    task_id = world.submitted(2, 1, 1)
    lease = world.claimed(task_id, 0, worker="w1")
    world.ledger.file_ended(lease, type=VIDEO, index=0, media_path="/m/0-0")
    world.ledger.file_ended(lease, type=VIDEO, index=1, media_path="/m/0-1", error="corrupt")
    world.claimed(task_id, 1, worker="w2")
    assert world.ledger.files(task_id) == [
        FileRecord("/m/0-0", FileState.DONE, "w1", None),
        FileRecord("/m/0-1", FileState.FAILED, "w1", "corrupt", Fault.FILE),
        FileRecord("/m/1-0", FileState.RUNNING, "w2", None),
        FileRecord("/m/2-0", FileState.QUEUED, None, None),
    ]
    with pytest.raises(Missing):
        world.ledger.files("0" * 32)


def test_loading_a_model_shows_until_the_work_advances(world: World) -> None:
    task_id = world.submitted(1)
    lease = world.claimed(task_id)
    loading = TaskState.LOADING_MODEL
    world.ledger.progress(lease, type=VIDEO, fraction=0, message="Loading", status=loading)
    assert world.record(task_id).status is loading
    world.ledger.progress(lease, type=VIDEO, fraction=0.5)
    world.ledger.progress(lease, type=VIDEO, fraction=0.5, status=loading)
    assert world.record(task_id).status is TaskState.RUNNING


def test_a_speech_model_that_loads_after_the_pictures_leaves_the_task_running(world: World) -> None:
    task_id = world.submitted(1, wants=(VIDEO, AUDIO))
    lease = world.claimed(task_id)
    loading = TaskState.LOADING_MODEL
    world.ledger.file_ended(lease, type=VIDEO, index=0, media_path="/m/0")
    world.ledger.progress(lease, type=AUDIO, fraction=0, message="Loading", status=loading)
    record = world.record(task_id)
    assert (record.status, record.message) == (TaskState.RUNNING, "Loading")
    assert (record.type, record.progress, record.overall_progress) == (AUDIO, 0.0, 50.0)


def test_the_time_left_is_estimated_from_the_time_spent(world: World) -> None:
    task_id = world.submitted(1)
    lease = world.claimed(task_id)
    assert world.record(task_id).eta_seconds is None
    world.now += 5
    world.ledger.progress(lease, type=VIDEO, fraction=0.25)
    assert world.record(task_id).eta_seconds == 15


def test_ten_thousand_items_are_one_step(world: World) -> None:
    task_id = world.submitted(*[1] * 10_000)
    assert world.record(task_id).total == 10_000
    assert len(world.ledger.sweep()) == 1000
    assert world.ledger.stop(task_id).cancelled
    assert world.record(task_id).status is TaskState.CANCELLED
    assert len(world.ledger.files(task_id)) == 10_000
    world.pass_time(20)
    assert all(world.redis.ttl(key) > 0 for key in world.redis.keys(f"rushes:test:*{task_id}*"))


def test_the_newest_tasks_come_first(world: World) -> None:
    ids = [world.submitted(kind=TaskKind.EXPORT) for _ in range(3)]
    assert [record.task_id for record in world.ledger.recent(2)] == ids[:0:-1]
    assert world.ledger.record("0" * 32) is None
    assert world.ledger.records([ids[0], "0" * 32]) == [world.record(ids[0]), None]
