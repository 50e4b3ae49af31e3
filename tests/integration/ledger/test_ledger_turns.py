"""Owners of Tasks take turns; nobody is cancelled or starved by another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from shared.domain import TaskState
from shared.errors import Busy, Missing
from shared.ledger.ledger import Ledger
from shared.ledger.records import ItemJob, WaitReason
from shared.redis.clients import connect
from tests.integration.ledger.ledger_world import INSTANCE, Studio


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
    while studio.now < 1_000_000 + 300:
        owner = next(o for o, t in tasks.items() if t == studio.ledger.holder())
        studio.worked(tasks[owner], done[owner], seconds[owner])
        spent[owner] += round(seconds[owner])
        done[owner] += 1
    assert 0.8 < spent["ann"] / spent["bob"] < 1.25


def test_who_comes_back_at_once_has_not_more_than_its_share(studio: Studio) -> None:
    long = studio.sent("ann", 500)
    done = bobs = 0
    for _ in range(20):
        short = studio.sent("bob", 5)
        while studio.record(short).status is not TaskState.COMPLETED:
            if studio.ledger.holder() == long:
                studio.worked(long, done, 1)
                done += 1
            else:
                studio.worked(short, studio.record(short).current, 1)
                bobs += 1
    assert bobs / done < 1.2


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


def test_a_waiting_task_that_is_put_first_is_the_next_of_its_owner(studio: Studio) -> None:
    holder = studio.sent("ann", 1)
    second, third = (studio.sent("ann", 1, "queue") for _ in range(2))
    other = studio.sent("bob", 1)
    assert studio.ledger.put_first(third, of_all=False)
    assert (studio.record(third).place, studio.record(second).place) == (1, 3)
    studio.worked(holder, 0, 1)
    studio.worked(other, 0, 1)
    assert studio.ledger.holder() == third
    assert not studio.ledger.put_first(third, of_all=False), "it has begun"


def test_a_task_that_is_put_before_all_is_the_next_and_costs_others_one_turn(
    studio: Studio,
) -> None:
    holder = studio.sent("ann", 1)
    others = [studio.sent(owner, 1) for owner in ("bob", "cy")]
    last, more = studio.sent("dee", 1), studio.sent("dee", 1, "queue")
    assert studio.record(last).place == 3
    assert studio.ledger.put_first(last, of_all=True, by="Admin")
    told = studio.record(last)
    assert (told.place, told.put_first_by) == (1, "Admin")
    assert [studio.record(other).place for other in others] == [2, 3]
    studio.worked(holder, 0, 1)
    assert studio.ledger.holder() == last
    studio.worked(last, 0, 1)
    for other in others:
        assert studio.ledger.holder() == other
        studio.worked(other, 0, 1)
    assert studio.ledger.holder() == more


def test_put_before_all_by_who_holds_the_lock_is_the_next_too(studio: Studio) -> None:
    holder = studio.sent("ann", 1)
    bobs = studio.sent("bob", 3)
    more = studio.sent("ann", 1, "queue")
    assert studio.ledger.put_first(more, of_all=True)
    assert studio.record(more).place == 1
    studio.worked(holder, 0, 5)
    assert studio.ledger.holder() == more
    studio.worked(more, 0, 1)
    assert studio.ledger.holder() == bobs


def test_what_has_ended_or_was_never_there_is_not_put_first(studio: Studio) -> None:
    done = studio.sent("ann", 1)
    studio.worked(done, 0, 1)
    assert not studio.ledger.put_first(done, of_all=False)
    with pytest.raises(Missing):
        studio.ledger.put_first("0" * 32, of_all=True)


def test_what_waits_in_the_one_line_of_an_earlier_version_comes_in_its_order(
    studio: Studio,
) -> None:
    before = [studio.sent("", 1, "queue") for _ in range(3)]
    prefix = f"rushes:{INSTANCE}:"
    studio.redis.delete(*(f"{prefix}{name}" for name in ("line:", "owners", "served", "turn")))
    studio.redis.rpush(f"{prefix}waiting", *before[1:])
    after = studio.sent("ann", 1, "queue")
    for task_id in before:
        if task_id == before[1]:  # the new owner has had least
            assert studio.ledger.holder() == after
            studio.worked(after, 0, 1)
        studio.worked(task_id, 0, 1)
    assert {studio.record(t).status for t in (*before, after)} == {TaskState.COMPLETED}
    assert studio.ledger.holder() is None


def test_an_item_that_an_earlier_version_leased_ends_and_the_turn_passes(studio: Studio) -> None:
    begun = studio.sent("", 3)
    in_hand = studio.claimed(begun, 0)
    prefix = f"rushes:{INSTANCE}:"
    studio.redis.hdel(f"{prefix}item:{begun}:0", "leased_at")
    studio.redis.delete(*(f"{prefix}{name}" for name in ("owners", "served", "turn")))
    studio.now += 5
    short = studio.sent("ann", 1, "queue")
    assert studio.ledger.claim(begun, 1, "w", "n") is None, "an Item was taken out of turn"
    studio.ledger.settle(in_hand, "done")
    studio.ledger.sweep()
    assert studio.ledger.holder() == short
    studio.worked(short, 0, 1)
    assert studio.ledger.holder() == begun
    for n in (1, 2):
        studio.worked(begun, n, 1)
    assert studio.record(begun).status is TaskState.COMPLETED
