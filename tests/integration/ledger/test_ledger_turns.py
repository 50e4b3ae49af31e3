"""Owners of Tasks take turns; nobody is cancelled, blocked or starved by another."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator

import msgspec
import pytest

from shared.domain import TaskKind, TaskState
from shared.errors import Busy
from shared.ledger.ledger import Ledger
from shared.ledger.records import ItemJob, Lease, NewTask, OnBusy, Sender, WaitReason
from shared.redis.clients import connect
from tests.integration.ledger.ledger_world import INSTANCE, VIDEO, World

MODEL = WaitReason(
    "model", "m", "The model m is not on this machine.", queue="analysis", host="here"
)
HOSTS = ["here"]


class Studio(World):
    """A ledger that several owners share."""

    def of(self, owner: str, items: int = 1, kind: TaskKind = TaskKind.ANALYZE) -> NewTask:
        task = self.task(*[1] * items, kind=kind)
        return msgspec.structs.replace(task, sender=Sender(owner=owner, label=owner.title()))

    def sent(self, owner: str, items: int = 1, on_busy: OnBusy = "replace") -> str:
        self.now += 0.01
        task = self.of(owner, items)
        self.ledger.submit(task, on_busy)
        return task.task_id

    def refused(self, task_id: str, item_id: int) -> None:
        """No machine can do it."""
        lease = self.claimed(task_id, item_id)
        self.now += 0.01
        assert self.ledger.refuse(lease, MODEL, "here", HOSTS)

    def worked(self, task_id: str, item_id: int, seconds: float) -> None:
        lease = self.claimed(task_id, item_id)
        self.pass_leased(lease, seconds)
        assert self.ledger.settle(lease, "done")

    def worked_for_a_second(self, task_id: str, item_id: int) -> None:
        """In which nobody sweeps."""
        lease = self.claimed(task_id, item_id)
        self.now += 1
        assert self.ledger.settle(lease, "done")

    def pass_leased(self, lease: Lease, seconds: float) -> None:
        """Time in which the lease is renewed, and everybody sweeps."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + 2, end)
            assert self.ledger.renew(lease) == "ok"
            self.ledger.sweep()


@pytest.fixture
def studio(redis_url: str) -> Iterator[Studio]:
    with connect(redis_url) as client:
        yield Studio(client)


def test_another_owner_begins_when_the_items_in_hand_have_ended(studio: Studio) -> None:
    long = studio.sent("ann", 500)
    in_hand = studio.claimed(long, 0)
    studio.now += 30
    short = studio.sent("bob", 5)

    assert studio.record(short).place == 1
    assert studio.ledger.claim(long, 1, "w2", "nonce") is None, "an Item was taken out of turn"
    assert studio.record(long).status is TaskState.RUNNING
    studio.ledger.settle(in_hand, "done")

    assert studio.ledger.holder() == short
    paused = studio.record(long)
    assert (paused.status, paused.progress, paused.current) == (TaskState.QUEUED, 0.2, 1)
    assert paused.waiting_for == WaitReason(
        "turn", short, "Another analysis is running.", owner="Bob"
    )
    for n in range(5):
        studio.worked(short, n, 1)
    assert studio.record(short).status is TaskState.COMPLETED
    assert studio.ledger.holder() == long
    studio.worked(long, 1, 1)
    assert studio.record(long).status is TaskState.RUNNING


def test_the_script_that_settles_the_last_lease_names_the_jobs(studio: Studio) -> None:
    named: list[ItemJob] = []
    ledger = Ledger(studio.redis, INSTANCE, enqueue=named.extend, clock=lambda: studio.now)
    long = studio.sent("ann", 9)
    in_hand = studio.claimed(long, 0)
    short = studio.sent("bob", 2)

    ledger.settle(in_hand, "done")

    assert named == [ItemJob(short, 0, "analysis", True), ItemJob(short, 1, "analysis", True)]


def test_replace_ends_what_the_same_owner_began_and_nothing_else(studio: Studio) -> None:
    anns, bobs = studio.sent("ann", 2), studio.sent("bob")
    queued, waiting = studio.sent("ann", on_busy="queue"), studio.sent("bob")
    assert studio.record(bobs).superseded_by == waiting

    newer = studio.sent("ann")

    assert studio.record(anns).superseded_by == newer
    states = {t: studio.record(t).status for t in (queued, waiting, newer)}
    assert TaskState.CANCELLED not in states.values()
    assert studio.ledger.holder() == waiting, "the other owner was before it"


def test_only_the_own_task_that_still_holds_leases_is_a_conflict(studio: Studio) -> None:
    anns = studio.sent("ann", 2)
    lease = studio.claimed(anns)
    assert studio.ledger.submit(studio.of("bob")) is False
    with pytest.raises(Busy):
        studio.ledger.submit(studio.of("ann"))
    assert studio.ledger.renew(lease) == "stop"
    studio.now += 0.01
    studio.ledger.settle(lease, "cancelled")
    assert studio.ledger.submit(studio.of("ann")) is False, "it is Bob's turn"


def test_replace_any_ends_whoever_runs_and_begins_before_all(studio: Studio) -> None:
    anns, bobs = studio.sent("ann"), studio.sent("bob")
    newer = studio.of("cy")
    assert studio.ledger.submit(newer, "replace-any") is True
    assert studio.record(anns).superseded_by == newer.task_id
    assert studio.record(bobs).status is TaskState.QUEUED


def test_refuse_stops_nothing_and_gets_in_when_nobody_runs(studio: Studio) -> None:
    anns = studio.sent("ann")
    with pytest.raises(Busy):
        studio.ledger.submit(studio.of("bob"), "refuse")
    studio.worked(anns, 0, 1)
    assert studio.ledger.submit(studio.of("bob"), "refuse") is True


def test_cancel_without_an_id_means_the_callers_own(studio: Studio) -> None:
    anns = studio.sent("ann", 2)
    bobs = studio.sent("bob")
    assert studio.ledger.stop(owner="cy").task_id is None
    assert studio.ledger.stop(owner="ann").task_id == anns
    assert studio.ledger.holder() == bobs


def test_two_that_always_want_more_get_about_the_same_lease_time(studio: Studio) -> None:
    tasks = {"ann": studio.sent("ann", 200), "bob": studio.sent("bob", 600)}
    seconds = {"ann": 7.0, "bob": 1.0}  # of each Item
    spent: Counter[str] = Counter()
    done: Counter[str] = Counter()
    while studio.now < 1_000_000 + 500:
        owner = next(o for o, t in tasks.items() if t == studio.ledger.holder())
        studio.worked(tasks[owner], done[owner], seconds[owner])
        spent[owner] += round(seconds[owner])
        done[owner] += 1
    assert 0.8 < spent["ann"] / spent["bob"] < 1.25


def test_who_comes_back_at_once_has_not_more_than_its_share(studio: Studio) -> None:
    long = studio.sent("ann", 500)
    done = bobs = 0
    for _ in range(100):
        short = studio.sent("bob", 5)
        while studio.record(short).status is not TaskState.COMPLETED:
            if studio.ledger.holder() == long:
                studio.worked(long, done, 1)
                done += 1
            else:
                studio.worked(short, studio.record(short).current, 1)
                bobs += 1
    assert bobs / done < 1.2


def test_a_task_that_nobody_can_do_holds_nothing(studio: Studio) -> None:
    stuck = studio.sent("ann", 3)
    waiting = studio.sent("bob")
    studio.refused(stuck, 0)
    assert studio.ledger.holder() == waiting, "who waits for a model is in the way"
    studio.worked(waiting, 0, 1)
    studio.refused(stuck, 1)
    studio.refused(stuck, 2)
    record = studio.record(stuck)
    assert (record.status, record.waiting_for, record.place) == (TaskState.QUEUED, MODEL, None)
    assert studio.ledger.holder() is None
    running = studio.of("cy")
    assert studio.ledger.submit(running, "refuse")
    assert studio.ledger.parked() == {stuck: [MODEL]}

    studio.ledger.unpark(stuck)

    assert studio.record(stuck).place == 1
    assert studio.ledger.parked() == {}
    studio.worked(running.task_id, 0, 1)
    assert studio.ledger.holder() == stuck


def test_what_can_be_done_of_a_task_is_done_before_it_is_parked(studio: Studio) -> None:
    task = studio.sent("ann", 3)
    studio.ledger.refuse(studio.claimed(task, 0), MODEL, "here", HOSTS)
    assert studio.ledger.holder() == task
    studio.worked(task, 1, 1)
    studio.worked(task, 2, 1)
    assert studio.ledger.holder() is None
    assert studio.record(task).current == 2
    studio.ledger.unpark(task)
    assert studio.ledger.holder() == task
    studio.worked(task, 0, 1)
    assert studio.record(task).status is TaskState.COMPLETED


def test_an_item_is_parked_when_every_machine_has_refused_it(studio: Studio) -> None:
    task = studio.sent("ann")
    both = ["here", "there"]
    studio.ledger.refuse(studio.claimed(task), MODEL, "here", both)
    assert studio.ledger.parked() == {}
    root = msgspec.structs.replace(MODEL, code="root", key="/m", host="there")
    studio.ledger.refuse(studio.claimed(task), root, "there", both)
    assert set(studio.ledger.parked()[task]) == {MODEL, root}
    studio.ledger.unpark(task)
    studio.ledger.refuse(studio.claimed(task), MODEL, "there", both)
    assert studio.ledger.parked() == {}, "the other machine was not asked again"


def test_a_parked_task_can_be_stopped_and_replaced(studio: Studio) -> None:
    tasks = [studio.sent("ann", 2), studio.sent("bob")]
    for task, n in ((tasks[0], 0), (tasks[1], 0), (tasks[0], 1)):
        studio.refused(task, n)
    assert set(studio.ledger.parked()) == set(tasks)
    assert studio.ledger.stop(tasks[0]).cancelled
    newer = studio.sent("bob")
    assert [studio.record(t).status for t in tasks] == [TaskState.CANCELLED] * 2
    assert studio.record(tasks[1]).superseded_by == newer
    assert studio.ledger.parked() == {}


def test_ingestion_gets_one_tenth_after_it_was_held_back_for_a_minute(studio: Studio) -> None:
    files = studio.of("", 500, TaskKind.INGEST)
    studio.ledger.submit(files)
    long = studio.sent("ann", 2000)
    ingested = done = 0
    began = studio.now
    for step in range(600):
        lease = studio.ledger.claim(files.task_id, ingested, "w2", f"i{step}")
        if lease:
            assert studio.now - began >= 60
            assert studio.ledger.renew(lease) == "ok", "an Item of its share was asked to yield"
            studio.now += 1
            assert studio.ledger.settle(lease, "done")
            ingested += 1
        studio.worked(long, done, 1)
        done += 1
        studio.ledger.sweep()
    assert 0.08 < ingested / (ingested + done - 60) < 0.12


def test_ingestion_gets_its_share_though_no_worker_comes_to_its_jobs(studio: Studio) -> None:
    files = studio.of("", 50, TaskKind.INGEST)
    studio.ledger.submit(files)
    long = studio.sent("ann", 500)
    named: list[int] = []
    for done in range(200):
        jobs = [job for job in studio.ledger.sweep() if job.task_id == files.task_id]
        for job in jobs:  # those that the sweep puts in front, and no others
            assert done >= 60
            assert job.front
            assert studio.ledger.sweep() == [], "it was named twice"
            studio.worked_for_a_second(files.task_id, job.item_id)
            named.append(job.item_id)
        studio.worked_for_a_second(long, done)
    assert 0.08 < len(named) / (len(named) + 140) < 0.12


def test_a_job_of_ingestion_is_named_again_but_ever_more_rarely(studio: Studio) -> None:
    files = studio.of("", 1, TaskKind.INGEST)
    studio.ledger.submit(files)
    long = studio.sent("ann", 2)
    studio.worked(long, 0, 1)
    times = []
    for _ in range(600):  # and no worker comes
        if any(job.task_id == files.task_id for job in studio.ledger.sweep()):
            times.append(round(studio.now - 1_000_000))
        studio.now += 1
    gaps = [later - former for former, later in itertools.pairwise(times)]
    assert gaps[0] <= 3
    assert gaps == sorted(gaps)
    assert 30 <= gaps[-1] <= 32


def test_ingestion_saves_up_no_share_while_it_has_nothing_to_do(studio: Studio) -> None:
    first = studio.of("", 1, TaskKind.INGEST)
    studio.ledger.submit(first)
    long = studio.sent("ann", 500)
    done = 0
    for done in range(200):
        studio.ledger.sweep()
        if done == 70:
            studio.worked(first.task_id, 0, 1)
        studio.worked(long, done, 1)
    studio.ledger.sweep()
    studio.ledger.submit(later := studio.of("", 9, TaskKind.INGEST))
    studio.worked(later.task_id, 0, 1)
    assert studio.ledger.claim(later.task_id, 1, "w", "n") is None


def test_below_a_minute_ingestion_yields(studio: Studio) -> None:
    files = studio.of("", 2, TaskKind.INGEST)
    studio.ledger.submit(files)
    lease = studio.claimed(files.task_id)
    studio.sent("ann")
    assert studio.ledger.renew(lease) == "yield"
    assert studio.ledger.claim(files.task_id, 1, "w", "n") is None


def test_workers_without_work_ingest_while_the_lock_passes(studio: Studio) -> None:
    files = studio.of("", 2, TaskKind.INGEST)
    studio.ledger.submit(files)
    long = studio.sent("ann", 5)
    in_hand = studio.claimed(long)
    studio.sent("bob")
    lease = studio.claimed(files.task_id)
    assert studio.ledger.renew(lease) == "ok"
    studio.ledger.settle(in_hand, "done")
    assert studio.ledger.renew(lease) == "yield"


def test_a_place_in_line_counts_the_turns_of_others(studio: Studio) -> None:
    studio.sent("ann")  # and no worker has come to it
    waiting = [studio.sent(owner, on_busy="queue") for owner in ("bob", "bob", "bob", "cy")]
    assert [studio.record(t).place for t in waiting] == [1, 3, 4, 2]


def test_a_task_of_an_earlier_version_is_everybodys_own(studio: Studio) -> None:
    old = studio.sent("")
    newer = studio.sent("ann")
    assert studio.record(old).superseded_by == newer
    assert studio.ledger.holder() == newer
    older = studio.sent("")
    assert studio.ledger.stop(owner="bob").task_id is None
    studio.ledger.stop(newer)
    assert studio.ledger.stop(owner="bob").task_id == older


def test_replace_lets_a_parked_task_that_was_to_wait_wait_on(studio: Studio) -> None:
    waiting = studio.sent("ann", on_busy="queue")
    studio.refused(waiting, 0)
    studio.sent("ann")
    assert studio.record(waiting).status is TaskState.QUEUED
    assert studio.ledger.stop(owner="ann").cancelled
    assert studio.ledger.stop(owner="ann").task_id == waiting


def test_a_task_says_why_its_items_are_handed_back(studio: Studio) -> None:
    task = studio.sent("ann")
    reason = WaitReason("root", "", "/m is empty on this machine.", queue="analysis")
    studio.ledger.handback(studio.claimed(task), reason)
    record = studio.record(task)
    assert (record.status, record.waiting_for) == (TaskState.QUEUED, reason)
    lease = studio.claimed(task)
    studio.ledger.progress(lease, type=VIDEO, fraction=0.5)
    assert studio.record(task).waiting_for is None


def test_time_that_a_task_waited_is_no_work(studio: Studio) -> None:
    task = studio.sent("ann", 2)
    studio.worked(task, 0, 10)
    studio.refused(task, 1)
    studio.pass_time(8 * 3600)
    assert studio.record(task).eta_seconds == pytest.approx(10, abs=0.5)
    studio.ledger.unpark(task)
    lease = studio.claimed(task, 1)
    studio.now += 5
    studio.ledger.progress(lease, type=VIDEO, fraction=0.5)
    assert studio.record(task).eta_seconds == pytest.approx(5, abs=0.5)


def test_the_task_that_gets_the_lock_of_a_parked_one_is_enqueued(studio: Studio) -> None:
    named: list[ItemJob] = []
    ledger = Ledger(studio.redis, INSTANCE, enqueue=named.extend, clock=lambda: studio.now)
    stuck, next_one = studio.sent("ann"), studio.sent("bob")
    assert ledger.park(stuck, WaitReason("worker", "analysis", "No worker."))
    assert named == [ItemJob(next_one, 0, "analysis", True)]


def test_a_task_whose_items_are_left_by_all_makes_way(studio: Studio) -> None:
    """Two machines have handed its Items back for a while: nobody claims any."""
    for owner in ("ann", "bob"):
        studio.worked(studio.sent(owner), 0, 1)
    left, waiting = studio.sent("ann", 3), studio.sent("bob")
    assert studio.ledger.holder() == left
    studio.pass_time(8)
    assert studio.ledger.holder() == waiting
    studio.worked(waiting, 0, 1)
    assert studio.ledger.holder() == left


def test_many_refusals_of_one_are_few_before_another_begins(studio: Studio) -> None:
    blocking = studio.sent("ann")
    absent, waiting = studio.sent("xen", 500), studio.sent("bob")
    studio.ledger.stop(blocking)
    assert studio.ledger.holder() == absent
    refused = 0
    while studio.ledger.holder() == absent:
        studio.refused(absent, refused)
        refused += 1
    assert refused <= 101
    assert studio.ledger.holder() == waiting


def test_lease_time_from_before_somebody_came_is_not_paid_twice(studio: Studio) -> None:
    long = studio.sent("ann", 100)
    lease = studio.claimed(long)
    studio.pass_leased(lease, 1800)
    short = studio.sent("bob", 5000)
    studio.ledger.settle(lease, "done")
    spent = 0
    while studio.ledger.holder() == short:
        studio.worked(short, spent, 1)
        spent += 1
    assert spent <= 12


def test_small_gaps_between_analyses_do_not_starve_ingestion(studio: Studio) -> None:
    files = studio.of("", 50, TaskKind.INGEST)
    studio.ledger.submit(files)
    got_in = 0
    for _ in range(10):
        studio.worked(studio.sent("ann"), 0, 50)
        studio.ledger.sweep()
        task = studio.sent("ann")
        lease = studio.claimed(task)
        if studio.can_claim(files.task_id, got_in):
            got_in += 1
        studio.ledger.settle(lease, "done")
    assert got_in >= 5


def test_turns_do_not_fill_the_queue_with_jobs(studio: Studio) -> None:
    named: list[ItemJob] = []
    ledger = Ledger(studio.redis, INSTANCE, enqueue=named.extend, clock=lambda: studio.now)
    for owner in ("ann", "bob"):
        task = studio.of(owner, 1000)
        ledger.submit(task)
    for _ in range(20):
        holder = ledger.holder()
        assert holder is not None
        item = int(studio.redis.zrange(f"rushes:{INSTANCE}:queued:{holder}", 0, 0)[0])
        lease = studio.claimed(holder, item)
        studio.pass_leased(lease, 12)
        ledger.settle(lease, "done")
    assert 20 <= len(named) <= 20 * 17
