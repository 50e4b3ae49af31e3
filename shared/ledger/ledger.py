"""The ledger: the truth about Tasks and Items, in Redis, changed only by the scripts in lua/.

Every script is atomic and may arrive twice. Jobs are enqueued by callers, or by the `enqueue` that
a Ledger is given. Beside it lie rates: how fast this server works, as its workers
measured it. A second of work is one that a worker process had for it alone: where it does two Items
at a time, each gets half. Loading models is not counted.
"""

from __future__ import annotations

import logging
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import msgspec
import redis
from opentelemetry.trace import get_current_span
from rq import Queue
from rq.serializers import JSONSerializer

from shared.domain import Fault, ModelKind, ProgressType, TaskKind, TaskState
from shared.errors import Busy, Missing, NotLeader, RedisAway, TriedBefore
from shared.ledger.reading import Clock, LedgerReader
from shared.ledger.records import (
    ItemJob,
    Lease,
    NewTask,
    OnBusy,
    Outcome,
    Renewal,
    StopResult,
    WaitReason,
)
from shared.process import traces
from shared.redis.clients import key_prefix, room
from shared.settings import Settings

log = logging.getLogger(__name__)

TotalName = tuple[str, ...]  # what is counted, then of what kind it is: ("files", "video", "done")


def totals_key(instance: str) -> str:
    """Key of the hash that holds all totals; its fields are names joined by colons."""
    return f"{key_prefix(instance)}totals"


def totals_by_name(found: Mapping[str, str]) -> dict[TotalName, int]:
    """The totals by name, from the hash's fields."""
    return {tuple(field.split(":")): int(number) for field, number in found.items()}


class LoadCount:
    """Adds to the totals by how much the count of model loads of one process has grown."""

    def __init__(self, client: redis.Redis, instance: str) -> None:
        self._redis = client
        self._key = totals_key(instance)
        self._told: dict[ModelKind, int] = {}

    def tell(self, loads: Mapping[ModelKind, int]) -> None:
        """Add the model loads that are new to the totals. Raises RedisAway; then tell again.

        `loads`: of each kind since the process began.
        """
        counted = dict(loads)  # other threads load models meanwhile
        new = {kind: n - self._told.get(kind, 0) for kind, n in counted.items()}
        if not any(new.values()):
            return
        with self._redis.pipeline() as pipe:
            for kind, more in new.items():
                pipe.hincrby(self._key, f"model_loads:{kind}", more)
            pipe.execute()
        self._told = counted


# Not a function any more: jobs of every version name it so, and workers before this one call it.
FUNCTION = "workers.worker.answer_bell"
# A job that nobody has taken for so long goes: the sweep enqueues again where an Item waits.
_TTL_S = 7 * 86_400
_AT_ONCE = 1000  # jobs in one pipeline: each must fit the socket timeout


def queue_name(instance: str, queue: str) -> str:
    """RQ name of one of our queues; a worker process listens to exactly one."""
    return f"rushes-{instance}-{queue}"


def queue_key(instance: str, queue: str) -> str:
    """The Redis list of a queue's job ids."""
    return f"rq:queue:{queue_name(instance, queue)}"


def job_key(job_id: bytes) -> bytes:
    """The Redis hash of a job."""
    return b"rq:job:" + job_id


def rq_queue(connection: redis.Redis, instance: str, queue: str) -> Queue:
    """The RQ queue of one of our queues. `connection` must not decode: RQ reads bytes."""
    return Queue(queue_name(instance, queue), connection=connection, serializer=JSONSerializer)


class JobQueues:
    """The RQ queues of one instance. `connection` must not decode responses.

    RQ writes them. Its statuses, retries, registries and workers are not used:
    `workers/worker.py` takes them. A lost or doubled job is harmless, because claiming in the
    ledger is atomic and `sweep` names the jobs to enqueue again.
    """

    def __init__(self, connection: redis.Redis, instance: str) -> None:
        self._connection = connection
        self._instance = instance

    def enqueue(self, jobs: Iterable[ItemJob], ttl_s: int = _TTL_S) -> None:
        """Enqueue jobs; those with `front` come, in order, before all that wait already.

        Of each kind some at least, which frees memory; raises RedisAway before they fill Redis.
        """
        by_queue: dict[tuple[str, bool], list[ItemJob]] = {}
        for job in jobs:
            by_queue.setdefault((job.queue, job.front), []).append(job)
        for (queue, front), group in by_queue.items():
            target = rq_queue(self._connection, self._instance, queue)
            # Each job at the front goes before the last one pushed.
            ordered = group[::-1] if front else group
            for start in range(0, len(ordered), _AT_ONCE):
                if start and room(self._connection) < 0:
                    raise RedisAway("Redis is nearly full.")
                some = ordered[start : start + _AT_ONCE]
                target.enqueue_many([_job(job, ttl_s) for job in some])

    def waiting(self, queue: str) -> int:
        """Number of jobs in a queue that no worker has taken yet."""
        return int(rq_queue(self._connection, self._instance, queue).count)


def _job(job: ItemJob, ttl_s: int) -> Any:
    return Queue.prepare_data(
        FUNCTION,
        kwargs={"task_id": job.task_id, "item_id": job.item_id},
        timeout=-1,
        ttl=ttl_s,
        result_ttl=0,
        failure_ttl=300,
        description=f"{job.task_id}/{job.item_id}",
        at_front=job.front,
    )


Unit = Literal["footage", "stills"]


class WorkKind(NamedTuple):
    """Work that is measured together: parts that are made in one pass, each with its model."""

    unit: Unit
    models: frozenset[tuple[ProgressType, str]]

    @classmethod
    def of(cls, unit: Unit, models: Mapping[ProgressType, str]) -> WorkKind:
        return cls(unit, frozenset(models.items()))

    @property
    def name(self) -> str:
        """Name of the kind in Redis."""
        return " ".join([self.unit, *(f"{part}={key}" for part, key in sorted(self.models))])


class MeasuredSpeed(NamedTuple):
    """What was measured of one kind of work."""

    amount: float  # seconds of footage, or stills
    seconds: float  # of a worker process

    @property
    def speed(self) -> float:
        return self.amount / self.seconds


class Rates:
    """What is known of all kinds of work, as it was read."""

    def __init__(self, known: Mapping[str, MeasuredSpeed]) -> None:
        self._known = known

    @classmethod
    def read(cls, client: redis.Redis, instance: str) -> Rates:
        """`client` must decode responses. Raises RedisAway."""
        found: Any = client.hgetall(f"{key_prefix(instance)}rates")
        measured: dict[str, dict[str, int]] = defaultdict(dict)
        for field, number in found.items():
            name, _, what = field.rpartition("|")
            measured[name][what] = int(number)
        return cls(
            {
                name: MeasuredSpeed(of_it["amount"] / 1000, of_it["ms"] / 1000)
                for name, of_it in measured.items()
                if of_it.get("amount", 0) > 0 and of_it.get("ms", 0) > 0
            }
        )

    def of(self, kind: WorkKind) -> MeasuredSpeed | None:
        """The rate of such work: as measured, else from that of its parts, each by itself, else
        from more that was made in one pass, which is a bit too low. None: nothing tells."""
        if exact := self._known.get(kind.name):
            return exact
        alone = [self._known.get(WorkKind(kind.unit, frozenset({one})).name) for one in kind.models]
        each = [rate for rate in alone if rate]
        if len(each) == len(alone):
            amount = min(rate.amount for rate in each)
            return MeasuredSpeed(amount, sum(amount / rate.speed for rate in each))
        words = set(kind.name.split(" "))
        larger = [rate for name, rate in self._known.items() if words <= set(name.split(" "))]
        return max(larger, key=lambda rate: rate.speed, default=None)


_WORDS_OF_SETTLE = 7


class SettlingLedger(LedgerReader):
    """Ends Items, and passes the lock on with the last one of a turn.

    `enqueue` gets the jobs that a call names beside its answer, of a Task whose turn has come;
    without it the next sweep names them.
    """

    def __init__(
        self,
        client: redis.Redis,
        instance: str,
        *,
        enqueue: Callable[[list[ItemJob]], object] | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(client, instance, clock=clock)
        self._enqueue = enqueue

    def settle(
        self,
        lease: Lease,
        outcome: Outcome,
        reason: str = "",
        fault: Fault = Fault.INTERNAL,
        result: bytes = b"",
    ) -> bool:
        """End an Item; the last one ends the Task. False: the lease is lost.

        "failed" counts an error and gives the Item back, the third time it fails for good. A
        "done" Item none of whose files could be used counts as failed, for `reason` if one is
        given. `fault` goes to the files of an Item that fails for good. `result`, JSON, is kept
        with a "done" Item, whatever it counts as (`LedgerReader.results`).
        """
        return self._settle(lease, outcome, reason, fault, result)

    def handback(self, lease: Lease, reason: WaitReason | None = None) -> bool:
        """Queue an Item again without counting a try. False: the lease is lost.

        `reason`: why it cannot be done here for a moment.
        """
        words = (reason.message, "", "", reason.code, reason.key) if reason else ()
        return self._settle(lease, "handback", *words)

    def refuse(self, lease: Lease, reason: WaitReason, host: str, hosts: Sequence[str]) -> bool:
        """Hand back an Item that this machine cannot do now. False: the lease is lost.

        When none of `hosts`, all that have workers for it, can do it, it is parked: nobody claims
        it until `unpark`. A Task of which nothing else is left waits without lock or place.
        """
        who = host, msgspec.json.encode(list(hosts))
        words = (reason.message, "", "", reason.code, reason.key, *who)
        return self._settle(lease, "refused", *words)

    def unpark(self, task_id: str) -> None:
        """Queue what is parked of a Task again: what it waited for may be there."""
        self._pass_on(self._run("unpark", task_id))

    def park(self, task_id: str, reason: WaitReason) -> bool:
        """Park a Task of which nobody does anything; whether it is parked now."""
        is_parked, *named = self._run("park", task_id, reason.code, reason.key, reason.message)
        self._pass_on(named)
        return bool(is_parked)

    def _settle(self, lease: Lease, outcome: str, *words: str | bytes) -> bool:
        padded = (*words, *[""] * (_WORDS_OF_SETTLE - len(words)))
        is_ours, *named = self._run("settle", *of(lease), outcome, *padded)
        get_current_span().set_attribute("rushes.outcome", outcome if is_ours else "lost")
        self._pass_on(named)
        return bool(is_ours)

    def _pass_on(self, words: Sequence[str]) -> None:
        """Enqueue the jobs of the Task whose turn has come."""
        if words and self._enqueue is None:
            self._run("unrung", words[0])
        elif words and self._enqueue is not None:
            try:
                self._enqueue(jobs_in(words))
            except RedisAway as error:
                log.warning("Jobs of task %s are enqueued later: %s", words[0], error.message)


def jobs_in(words: Sequence[str]) -> list[ItemJob]:
    """Jobs from the words of a script's answer."""
    return [
        ItemJob(words[at], int(words[at + 1]), words[at + 2], words[at + 3] == "1")
        for at in range(0, len(words), 4)
    ]


def of(lease: Lease) -> tuple[str, int, int]:
    """The words that name a lease to a script."""
    return lease.task_id, lease.item_id, lease.token


SWEEP_EVERY_S = 2.0
INGEST_SHARE = 0.1  # of the lease time, once ingestion has been held back for a minute
REPLACE_WAIT_S = 2.0  # how long a request waits for the Task that it asked to stop
_LOOK_EVERY_S = 0.02
_RESERVATION_SLACK_S = 0.5  # for the way from the last look to the second submit
_JOBS_A_SWEEP = 1000
_JOBS_OF_TURN_TTL_S = 600  # turns change often, and what was not taken in one is named in the next
_ITEMS_AT_ONCE = 1000  # more would hold up everybody else's calls
_ITEM_BYTES = 1000  # in Redis, beside its spec and its files
_FAILED_AT_ONCE = 25  # each may have 64 files, each with several types


def progress_channel(instance: str) -> str:
    """Channel that publishes the id of each Task that changed."""
    return f"{key_prefix(instance)}progress"


class Ledger(SettlingLedger):
    """Tasks, Items, leases and the lock of one instance.

    `client` must decode responses. `enqueue` gets the jobs that a call names beside its answer, of
    a Task whose turn has come; without it the next sweep names them. Time comes from Redis; only a
    test passes its own `clock` (seconds) and `pause` (called between looks while `submit` waits).
    """

    def __init__(
        self,
        client: redis.Redis,
        instance: str,
        *,
        enqueue: Callable[[list[ItemJob]], object] | None = None,
        ingest_share: float = INGEST_SHARE,
        clock: Clock | None = None,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        super().__init__(client, instance, enqueue=enqueue, clock=clock)
        self._rq_queues = f"rq:queue:rushes-{instance}-"
        self._pause = pause
        self._ingest_share = ingest_share

    def submit(
        self, task: NewTask, on_busy: OnBusy = "replace", wait_s: float = REPLACE_WAIT_S
    ) -> bool:
        """Enter a Task. True: enqueue its jobs now; False: the Task waits in line, enqueue none.

        Raises Busy when the Task of its owner that it replaces does not end within `wait_s`, at
        once when another request of its owner is before this one or when `on_busy` is "refuse",
        and at once when an open Task holds what this one wants to itself (`NewTask.exclusive`).
        Tasks of other owners are waited for, except by "replace-any". Raises NotLeader when
        `NewTask.leader` is not the active watcher, RedisAway also where Redis has no room for it.
        """
        self._stage(task)
        answer, holder = self._enter(task, on_busy, on_busy, wait_s)
        if answer == "wait":
            answer, holder = self._when_reserved(task, holder, on_busy, wait_s)
        if answer == "stood_down":
            raise NotLeader
        if answer == "incomplete":
            raise RedisAway("Redis lost a part of the request. Nothing was accepted.")
        if answer == "busy" and task.kind is not TaskKind.ANALYZE:
            raise Busy(f"Task {holder} groups the same collection; wait for its end or cancel it.")
        if answer == "busy":
            raise Busy(
                f"Another analysis ({holder}) is running."
                if on_busy == "refuse"
                else f"Another analysis ({holder}) is still stopping or starting; retry shortly."
            )
        get_current_span().set_attribute("rushes.task_id", task.task_id)
        return answer == "started"

    def claim(
        self, task_id: str, item_id: int, worker: str, nonce: str, *, untried: bool = False
    ) -> Lease | None:
        """Take an Item; None where it cannot be had (taken, ended, stopping, waiting, yielding).

        A repeated call with the same nonce gets the same lease. `untried`: only where no try of it
        has failed; raises TriedBefore.
        """
        found = self._run("claim", task_id, item_id, worker, nonce, "1" if untried else "")
        if found is None:
            return None
        if found == "tried":
            raise TriedBefore
        token, spec, tries, kind, trace, given_up = found
        return Lease(
            task_id=task_id,
            item_id=item_id,
            token=int(token),
            nonce=nonce,
            spec=spec.encode(),
            tries=int(tries),
            worker=worker,
            kind=TaskKind(kind),
            trace=trace,
            given_up=tuple(map(int, given_up.split())),
        )

    def renew(self, lease: Lease, stalls_at: str = "") -> Renewal:
        """Renew the lease of a live worker, for LEASE_MS of lua/library/1_basics.lua.

        "yield": hand back, a foreground Task wants in. `stalls_at`: where its work has long been
        without advancing, as "<number of the file in the Item> <words>": a file at one place of
        which two workers end so is given up.
        """
        answer: Renewal = self._run("renew", *of(lease), stalls_at)
        return answer

    def progress(
        self,
        lease: Lease,
        *,
        type: ProgressType,
        fraction: float,
        media_path: str = "",
        message: str = "",
        status: TaskState = TaskState.RUNNING,
    ) -> bool:
        """Report how many files of an Item are done in `type`, from 0 to all, partly too.

        `status` is RUNNING or LOADING_MODEL. False: the lease is lost.
        """
        return bool(
            self._run("progress", *of(lease), type, f"{fraction:.6f}", media_path, message, status)
        )

    def file_ended(
        self,
        lease: Lease,
        *,
        type: ProgressType,
        index: int,
        media_path: str,
        error: str | None = None,
        fault: Fault = Fault.FILE,
        skipped: bool = False,
    ) -> bool:
        """Note that file `index` of an Item has ended in `type`; `error`, `fault`: why it failed.

        `skipped`: what was wanted of it had been done before. Counts once, however often it is
        called and the Item retried. False: the lease is lost.
        """
        words = (type, index, media_path, error or "", lease.worker, fault, "1" if skipped else "")
        return bool(self._run("file_ended", *of(lease), *words))

    def worked(self, lease: Lease, type: ProgressType, seconds: float) -> bool:
        """Add to the totals: `type` was made of `seconds` of the Item's footage so far.

        Only what is more than before counts, also after a retry. False: the lease is lost.
        """
        return bool(self._run("count_footage", *of(lease), type, round(seconds * 1000)))

    def measured(self, kind: str, amount: float, seconds: float) -> None:
        """Note how long work of a kind (`WorkKind.name`) took: see rates.py."""
        self._run("measured", kind, round(amount * 1000), round(seconds * 1000))

    def stop(
        self, task_id: str | None = None, owner: str | None = None, by: str = ""
    ) -> StopResult:
        """Ask a Task to stop. Raises Missing for an unknown id.

        Without an id the foreground one; of an `owner` the one that it has begun, else the first
        of those that wait to replace others, else of all that wait. `by`: what people call who
        stops it, where that is not its owner, who is told.
        """
        answer = self._run("stop", task_id or "", "any" if owner is None else owner, by)
        if answer is None:
            raise Missing(f"There is no task {task_id}.")
        self._pass_on(answer[2:])
        return StopResult(bool(answer[0]), answer[1] or None)

    def put_first(self, task_id: str, *, of_all: bool, by: str = "") -> bool:
        """Put a waiting analysis first in its owner's line; `of_all`: and its owner before others.

        `by`: as in `stop`. False where it does not wait for its turn. Raises Missing.
        """
        answer = self._run("put_first", task_id, "1" if of_all else "", by)
        if answer is None:
            raise Missing(f"There is no task {task_id}.")
        return bool(answer)

    def fail_open(self, reason: str) -> int:
        """Fail every Task that has not ended, for `reason`; how many there were."""
        number = int(self._redis.scard(f"{self._prefix}active"))
        while self._run("fail_open", reason, _FAILED_AT_ONCE):
            pass
        return number

    def sweep(self, ended: Sequence[str] = ()) -> list[ItemJob]:
        """Take Items from dead workers; returns the jobs to enqueue again.

        `ended`: names of workers that are known to have ended, whose leases need not run out.
        """
        share = f"{self._ingest_share:.4f}"
        return jobs_in(self._run("sweep", self._rq_queues, _JOBS_A_SWEEP, share, *ended))

    def _stage(self, task: NewTask) -> None:
        sizes = [_ITEM_BYTES + len(item.spec) + len(_json(item.files)) for item in task.items]
        # As much again goes to its jobs, and then to what became of its files.
        expected = 2 * sum(sizes)
        for first in range(0, len(task.items), _ITEMS_AT_ONCE):
            self._check_room(expected)
            expected -= sum(sizes[first : first + _ITEMS_AT_ONCE])
            words: list[str | bytes | int] = [task.task_id, first]
            for item in task.items[first : first + _ITEMS_AT_ONCE]:
                words += [item.spec, _json(item.files), _json(list(item.units.items()))]
            self._run("stage", *words)

    def _check_room(self, expected: int) -> None:
        left = room(self._redis)
        if expected > left:
            raise RedisAway(
                f"Redis is nearly full: the task may take {math.ceil(expected / 1e6)} MB of it, "
                f"and {max(int(left / 1e6), 0)} MB are left. Nothing was accepted: send fewer "
                "files at once, wait until earlier tasks have been over for a day, or raise its "
                "maxmemory."
            )

    def _enter(self, task: NewTask, asked: OnBusy, on_busy: str, wait_s: float) -> tuple[str, str]:
        reserved_ms = round((wait_s + _RESERVATION_SLACK_S) * 1000)
        words: list[str | bytes | int] = [task.task_id, task.kind, task.queue, on_busy, reserved_ms]
        words += [task.message, _json(list(task.units.items())), len(task.items), task.exclusive]
        words += [task.leader, traces.carried(), task.sender.owner, asked, _json(task.sender)]
        words.append(_json(task.folders))
        answer, holder, *named = self._run("submit", *words)
        self._pass_on(named)
        return answer, holder

    def _when_reserved(
        self, task: NewTask, holder: str, asked: OnBusy, wait_s: float
    ) -> tuple[str, str]:
        """Wait for `holder` to end; the place of `task` is kept until then."""
        clock = self._clock or time.monotonic
        deadline = clock() + wait_s
        answer = "wait"
        while answer == "wait" and clock() < deadline:
            self._pause(_LOOK_EVERY_S)
            answer = self._run("check_reservation", task.task_id, task.sender.owner, holder, "")
        if answer == "wait":
            answer = self._run("check_reservation", task.task_id, task.sender.owner, holder, "1")
        if answer == "free":
            return self._enter(task, asked, "reserved", wait_s)
        return "busy", holder


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)


def ledger_of(settings: Settings, client: redis.Redis, jobs: JobQueues) -> Ledger:
    """The ledger of a process that enqueues what its calls name."""
    enqueue = partial(jobs.enqueue, ttl_s=_JOBS_OF_TURN_TTL_S)
    return Ledger(client, settings.instance, enqueue=enqueue, ingest_share=settings.ingest_share)
