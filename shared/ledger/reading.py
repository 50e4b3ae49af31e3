"""Reading the ledger: what Redis keeps of Tasks as records. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import msgspec
import redis
from msgspec import UNSET

from shared.domain import FailedFile, Fault, NotApplicable, ProgressType, TaskKind, TaskState
from shared.errors import Missing
from shared.ledger.records import (
    NOBODY,
    WRITER_DIGITS,
    FileRecord,
    FileState,
    ItemFile,
    Sender,
    TaskRecord,
    WaitCode,
    WaitReason,
)
from shared.msgspec_decoding import decoded
from shared.redis.clients import key_prefix

_SHARE = 10_000  # SHARE in lua/library/1_basics.lua
_SHOWN_BEFORE_ETA = 0.01  # an estimate from less than this part of the work is noise
_OF_KIND = {
    TaskKind.ANALYZE: ProgressType.VIDEO,
    TaskKind.INGEST: ProgressType.VIDEO,
    TaskKind.RECLUSTER: ProgressType.RECLUSTER,
    TaskKind.EXPORT: ProgressType.EXPORT,
}
_OF_ITEM = {"leased": FileState.RUNNING, "cancelled": FileState.CANCELLED}

Clock = Callable[[], float]  # seconds

_LUA = Path(__file__).parent / "lua"


class LedgerReader:
    """Reads Tasks from the ledger. `client` must decode responses."""

    def __init__(self, client: redis.Redis, instance: str, *, clock: Clock | None = None) -> None:
        self._redis = client
        self._prefix = key_prefix(instance)
        self._clock = clock
        library = "".join(map(Path.read_text, sorted(_LUA.glob("library/*.lua"))))
        self._scripts = {
            path.stem: client.register_script(library + path.read_text(encoding="utf-8"))
            for path in _LUA.glob("*.lua")
        }

    def record(self, task_id: str) -> TaskRecord | None:
        """The newest state of a Task; None for an unknown id."""
        return _task_record(task_id, self._run("record", task_id))

    def recent(self, limit: int = 100) -> list[TaskRecord]:
        """The newest Tasks first, at most the last 1,000."""
        ids: Any = self._redis.lrange(f"{self._prefix}recent", 0, limit - 1)
        return [record for record in self.records(ids) if record is not None]

    def records(self, task_ids: Sequence[str]) -> list[TaskRecord | None]:
        """The newest state of each Task, in one round trip; None for an unknown id."""
        with self._redis.pipeline(transaction=False) as pipe:
            for task_id in task_ids:
                self._scripts["record"](args=[self._prefix, "", task_id], client=pipe)
            answers = pipe.execute()
        return list(map(_task_record, task_ids, answers))

    def task_states(self) -> tuple[dict[TaskState, int], dict[WaitCode, int]]:
        """How many of the last 1,000 Tasks are in each state, and how many wait for what."""
        found = self._run("count_tasks")
        counts = dict(zip(found[::2], found[1::2], strict=True))
        waits = {code: counts.pop(f"waiting:{code}", 0) for code in get_args(WaitCode)}
        return {TaskState(state): number for state, number in counts.items()}, waits

    def files(self, task_id: str) -> list[FileRecord]:
        """FileRecord of each file of a Task, in the order of the request. Raises Missing."""
        items: Any
        items, is_stopped = self._redis.hmget(f"{self._prefix}task:{task_id}", ["items", "stop"])
        if items is None:
            raise Missing(f"There is no task {task_id}.")
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(f"{self._prefix}ticks:{task_id}")
            for n in range(int(items)):
                pipe.hmget(f"{self._prefix}item:{task_id}:{n}", ["state", "worker", "files"])
            ticks, *rows = pipe.execute()
        records = []
        for n, (state, worker, files) in enumerate(rows):
            if state == "queued" and is_stopped:
                state = "cancelled"
            for index, file in enumerate(msgspec.json.decode(files or "[]", type=list[ItemFile])):
                entries = [ticks.get(f"{n}:{index}:{kind}") for kind in file.wants]
                records.append(_file_record(file, entries, state, worker))
        return records

    def results(self, task_id: str) -> list[dict[str, Any] | None]:
        """Result of each Item of a Task; None where there is none (yet). Raises Missing."""
        items: Any = self._redis.hget(f"{self._prefix}task:{task_id}", "items")
        if items is None:
            raise Missing(f"There is no task {task_id}.")
        with self._redis.pipeline(transaction=False) as pipe:
            for n in range(int(items)):
                pipe.hget(f"{self._prefix}item:{task_id}:{n}", "result")
            found = pipe.execute()
        return [None if raw is None else msgspec.json.decode(raw) for raw in found]

    def holder(self) -> str | None:
        """Return the foreground Task that holds the lock."""
        found: Any = self._redis.get(f"{self._prefix}lock")
        return found or None

    def parked(self) -> dict[str, list[WaitReason]]:
        """Why Tasks have Items that nobody can do, by Task."""
        found: Any = self._redis.hgetall(f"{self._prefix}parked")
        return {task_id: _reasons(raw) for task_id, raw in found.items()}

    def queued_items(self, task_id: str) -> int:
        """Number of a Task's Items that no worker has taken yet."""
        found: Any = self._redis.zcard(f"{self._prefix}queued:{task_id}")
        return int(found)

    def is_over(self, writer: str) -> bool:
        """Whether a lease (`Lease.writer`) was of this ledger and nobody holds it any more.

        False for one that it does not know: of another installation, or of long ago.
        """
        start, n, token = writer.rsplit("-", 2)
        ids: Any = self._redis.lrange(f"{self._prefix}recent", 0, -1)
        task_id = next((t for t in ids if t[:WRITER_DIGITS] == start), None)
        if task_id is None:
            return False
        item: Any = self._redis.hmget(f"{self._prefix}item:{task_id}:{n}", "state", "token")
        return bool(item != ["leased", token])

    def open_tasks(self, kind: TaskKind, queue: str = "") -> list[str]:
        """Ids of the Tasks of this kind that are not final; with `queue` those of that one alone.

        The watcher's own are those of ingestion in the queue `analysis`.
        """
        ids: Any = sorted(self._redis.smembers(f"{self._prefix}active"))
        with self._redis.pipeline(transaction=False) as pipe:
            for task_id in ids:
                pipe.hmget(f"{self._prefix}task:{task_id}", ["kind", "queue"])
            found = pipe.execute()
        return [
            task_id
            for task_id, (its_kind, its_queue) in zip(ids, found, strict=True)
            if its_kind == kind and queue in ("", its_queue)
        ]

    def spec(self, task_id: str, item_id: int = 0) -> bytes:
        """The spec of an Item; empty where there is none (any more)."""
        found: Any = self._redis.hget(f"{self._prefix}item:{task_id}:{item_id}", "spec")
        return found.encode() if found else b""

    def _run(self, name: str, *words: str | bytes | int) -> Any:
        now = "" if self._clock is None else str(round(self._clock() * 1000))
        return self._scripts[name](args=[self._prefix, now, *words])


def _task_record(task_id: str, found: Any) -> TaskRecord | None:
    """A TaskRecord from the answer of lua/record.lua; None for an unknown Task."""
    if found is None:
        return None
    fields = dict(zip(found[0][::2], found[0][1::2], strict=True))
    kind, status = TaskKind(fields["kind"]), TaskState(fields["state"])
    units = {ProgressType(name): n for name, n in msgspec.json.decode(fields["types"])}
    type_ = ProgressType(fields.get("type") or next(iter(units), _OF_KIND[kind]))
    overall, total = _share(fields, units), units.get(type_, 0)
    failed = dict.fromkeys(FailedFile(*msgspec.json.decode(entry)) for entry in found[1])
    parked, place, *holder, absent = found[2:]
    return TaskRecord(
        task_id=task_id,
        kind=kind,
        type=type_,
        status=status,
        progress=_percent(_share(fields, {type_: total}), status),
        overall_progress=_percent(overall, status),
        current=min(int(fields.get(f"ticked:{type_}", 0)), total),
        total=total,
        # Workers of earlier versions note the collection of a recluster.
        media_path=(kind is not TaskKind.RECLUSTER and fields.get("media_path")) or None,
        message=fields["message"],
        eta_seconds=_eta(fields, status, overall),
        failed_files=tuple(failed),
        error=fields.get("error"),
        superseded_by=fields.get("superseded_by"),
        seq=int(fields["seq"]),
        created_at=_seconds(fields["created"]),
        finished_at=_seconds(fields["finished"]) if "finished" in fields else None,
        sender=_sender(fields.get("sender")),
        waiting_for=_waiting_for(fields, parked, *holder),
        place=int(place) if place and status is TaskState.QUEUED else None,
        put_first_by=fields.get("put_first_by", ""),
        not_applicable=tuple(NotApplicable(*msgspec.json.decode(entry)) for entry in absent),
        finished_types=tuple(
            (kind, n) for kind, n in units.items() if 0 < n <= int(fields.get(f"ticked:{kind}", 0))
        ),
        folders=tuple(msgspec.json.decode(fields.get("folders", "[]"))),
    )


def _reasons(raw: str) -> list[WaitReason]:
    """The reasons that this version knows; a later one beside it may have others."""
    each = msgspec.json.decode(raw, type=list[msgspec.Raw])
    return [reason for one in each if (reason := decoded(bytes(one), WaitReason))]


def _sender(raw: str | None) -> Sender:
    return msgspec.json.decode(raw, type=Sender) if raw else NOBODY


def _waiting_for(
    fields: dict[str, str], parked: str, holder: str, holders_sender: str, holders_folders: str
) -> WaitReason | None:
    """Why a Task does not run, as far as the ledger knows it."""
    if "parked" in fields and parked:
        return next(iter(_reasons(parked)), None)
    if fields["state"] != TaskState.QUEUED:
        return None
    is_held_back = fields["kind"] == TaskKind.INGEST and holder
    if "waiting" in fields or is_held_back:
        sender = _sender(holders_sender)
        runs = "Another analysis is running." if holder else "Another analysis comes first."
        folders = tuple(msgspec.json.decode(holders_folders or "[]"))
        return WaitReason("turn", holder, runs, sender.label or sender.owner, folders=folders)
    held_up = fields.get("held_up")
    return msgspec.json.decode(held_up, type=WaitReason) if held_up else None


def _file_record(
    file: ItemFile, entries: list[str | None], state: str, worker: str | None
) -> FileRecord:
    """A file that has ended in all types has failed if it failed in any, else it is done."""
    ended = [msgspec.json.decode(entry) for entry in entries if entry]
    is_over = len(ended) == len(entries) or state not in ("leased", "queued")
    errors = [_failure(entry) for entry in ended if entry[1]]
    failed = [error for error in errors if error[2] is not Fault.NOTHING]
    absent = next((reason for _, reason, fault in errors if fault is Fault.NOTHING), UNSET)
    if failed and is_over:
        who, error, fault = failed[0]
        return FileRecord(file.media_path, FileState.FAILED, who, error, fault, absent)
    if len(ended) == len(entries):
        who = ended[-1][0] if ended else worker
        return FileRecord(file.media_path, FileState.DONE, who or None, None, not_applicable=absent)
    return FileRecord(
        file.media_path,
        _OF_ITEM.get(state, FileState.QUEUED),
        worker if state == "leased" else None,
        None,
    )


def _failure(entry: list[str]) -> tuple[str | None, str, Fault]:
    """Worker, error and Fault of an entry; an earlier version names no Fault."""
    return entry[0] or None, entry[1], Fault(entry[2]) if len(entry) > 2 else Fault.FILE


def _share(fields: dict[str, str], units: dict[ProgressType, int]) -> float:
    """Part of a Task's work that is done in these types, 0 to 1."""
    total = sum(units.values()) * _SHARE
    done = sum(int(fields.get(f"at:{name}", 0)) for name in units)
    return done / total if total else 0.0


def _percent(share: float, status: TaskState) -> float:
    if status is TaskState.COMPLETED:
        return 100.0
    return min(int(share * 1000) / 10, 100.0)


def _eta(fields: dict[str, str], status: TaskState, share: float) -> float | None:
    """Seconds of work that are left, at the pace of those in which it did not wait."""
    if status not in (TaskState.RUNNING, TaskState.QUEUED) or "started" not in fields:
        return None
    if share < _SHOWN_BEFORE_ETA:
        return None
    until = fields["waits_since"] if "waits_since" in fields else fields["updated"]
    waited = _seconds(fields.get("waited", "0"))
    spent = max(_seconds(until) - _seconds(fields["started"]) - waited, 0.0)
    return round(spent * (1 - share) / share, 1)


def _seconds(milliseconds: str) -> float:
    return int(milliseconds) / 1000


class HeldItem(NamedTuple):
    """An Item that a worker has in hand."""

    worker: str
    task_id: str
    media_path: str  # as the client wrote it; of several files one; "": it has none


def held_items(client: redis.Redis, instance: str) -> list[HeldItem]:
    """The Items that are leased, in two round trips however large their Tasks are.

    `client` must decode responses. Raises RedisAway.
    """
    prefix = key_prefix(instance)
    members: Any = client.zrange(f"{prefix}leases", 0, -1)
    places = [member.partition("/")[::2] for member in members]
    with client.pipeline(transaction=False) as pipe:
        for task_id, number in places:
            pipe.hmget(f"{prefix}item:{task_id}:{number}", ["worker", "files"])
            pipe.hget(f"{prefix}task:{task_id}", "media_path")
        found = pipe.execute()
    return [
        HeldItem(worker, task_id, _at_work(files, last))
        for (task_id, _), (worker, files), last in zip(places, found[::2], found[1::2], strict=True)
        if worker
    ]


def _at_work(files: str | None, last: str | None) -> str:
    """The file that the Task has spoken of last, if it is of this Item; else its first."""
    paths = [file.media_path for file in decoded(files, list[ItemFile]) or ()]
    if last and last in paths:
        return last
    return paths[0] if paths else ""
