"""How Items end in the ledger: done, failed, handed back, or parked until somebody can do them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import msgspec
import redis
from opentelemetry.trace import get_current_span

from shared.domain import Fault
from shared.errors import RedisAway
from shared.ledger.reading import Clock, LedgerReader
from shared.ledger.records import ItemJob, Lease, Outcome, WaitReason

log = logging.getLogger(__name__)

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
