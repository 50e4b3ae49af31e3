"""Lists of tasks: the newest, those that are open, those that ended; and details of each."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import msgspec

from api.http.endpoint import Call
from api.http.parameters import choice, flag, path_cursor, path_of, text_parameter, whole_number
from api.http.services import CoreServices
from api.tasks.answers import TaskAnswer, TaskList
from api.tasks.callers import may_put_first, may_stop
from api.tasks.progress import no_worker, own_reason, task_answer
from shared.errors import BadInput
from shared.ledger.records import TaskRecord
from shared.ledger.task_lists import EndedAt, LinePlace, WorkDone, work_done
from shared.msgspec_decoding import UNDECODABLE

RECENT = 100
_MOST_TASKS = 1_000  # of one page
STATE = choice(
    "state",
    "`open`: all that run or wait, in the order of the line; `ended`: the last one "
    "first; `failed`: of these the ones with an error or with files that failed.",
    ("open", "ended", "failed"),
    "open",
)
LIMIT = whole_number("limit", f"At most so many tasks, 1 to {_MOST_TASKS}.", _MOST_TASKS, RECENT)
AFTER = text_parameter(
    "after",
    "The `next` of the page before, of the same state.",
    "WzEsMiwxNzY0MDI4ODAwLjAsIjhmMTRlNDVmY2VlYTE2N2E1YTM2ZGVkZDRiZWEyNTQzIl0",
)
DETAILS = flag(
    "details", "`true` adds how fast it goes, what has failed, and what the key may do with it."
)
P = TypeVar("P", LinePlace, EndedAt)


class _Page(NamedTuple):
    records: list[TaskRecord]
    next: str | None


def listed_tasks(call: Call[Any], services: CoreServices) -> TaskList:
    """What `GET /tasks` answers. Blocks."""
    query = call.query
    page = _page(services, STATE.read(query), AFTER.read(query), LIMIT.read(query))
    answer = TaskList(tasks=_answers(services, page.records))
    if "limit" in query or "after" in query:
        answer.next = page.next
    add_details(call, services, page.records, answer.tasks)
    return answer


def _page(services: CoreServices, state: str, after: str, limit: int) -> _Page:
    lists = services.task_lists
    if state == "open":
        place = _place(after, LinePlace)
        waiting = [pair for pair in lists.open() if place is None or pair[0] > place]
        shown = waiting[:limit]
        more = _cursor(shown[-1][0]) if len(waiting) > limit else None
        return _Page([record for _, record in shown], more)
    if state:
        ended = lists.ended(_place(after, EndedAt), limit + 1, failed=state == "failed")
        more = _cursor(ended[limit - 1]) if len(ended) > limit else None
        ids = [each.task_id for each in ended[:limit]]
    else:
        ids = lists.newest(path_of(after) if after else None, limit + 1)
        more = path_cursor(ids[limit - 1]) if len(ids) > limit else None
        ids = ids[:limit]
    return _Page([one for one in services.ledger.records(ids) if one is not None], more)


def _cursor(place: LinePlace | EndedAt) -> str:
    return path_cursor(msgspec.json.encode(tuple(place)).decode())


def _place(after: str, kind: type[P]) -> P | None:
    if not after:
        return None
    try:
        return msgspec.json.decode(path_of(after), type=kind, strict=True)
    except UNDECODABLE:
        raise BadInput(
            "after must be the `next` of an earlier answer with the same state."
        ) from None


def _answers(services: CoreServices, records: list[TaskRecord]) -> list[TaskAnswer]:
    unserved = {kind: no_worker(services, kind) for kind in {one.kind for one in records}}
    return [
        task_answer(services.paths, one, own_reason(one, unserved[one.kind])) for one in records
    ]


def add_details(
    call: Call[Any], services: CoreServices, records: list[TaskRecord], answers: list[TaskAnswer]
) -> None:
    """What `?details=true` asks for; nothing without it. Blocks."""
    if not DETAILS.read(call.query):
        return
    ids = [record.task_id for record in records]
    found = work_done(services.redis, services.settings.instance, ids)
    for record, answer, work in zip(records, answers, found, strict=True):
        answer.rate = work.rate
        answer.footage_seconds = work.footage_seconds
        answer.failed_count = work.failed_files
        answer.may_cancel = may_stop(call, record)
        answer.may_put_first = may_put_first(call, record)
        answer.cache_dir = _cache_dir(services, record, work)
        answer.is_own = bool(record.sender.owner) and record.sender.owner == call.sender.owner


def _cache_dir(services: CoreServices, record: TaskRecord, work: WorkDone) -> str | None:
    """In the form in which the task names its files."""
    if not work.cache_dir or not services.paths.is_of_key(work.cache_dir):
        return None
    failed = next((file.media_path for file in record.failed_files), None)
    return services.paths.back(work.cache_dir, like=record.media_path or failed)
