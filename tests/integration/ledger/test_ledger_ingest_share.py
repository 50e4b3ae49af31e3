"""Ingestion gets its share of the lease time while analyses run."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from shared.domain import TaskKind
from shared.redis.clients import connect
from tests.integration.ledger.ledger_world import Studio


@pytest.fixture
def studio(redis_url: str) -> Iterator[Studio]:
    with connect(redis_url) as client:
        yield Studio(client)


def test_ingestion_gets_one_tenth_after_it_was_held_back_for_a_minute(studio: Studio) -> None:
    files = studio.of("", 100, TaskKind.INGEST)
    studio.ledger.submit(files)
    long = studio.sent("ann", 500)
    ingested = done = 0
    began = studio.now
    for step in range(300):
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
