"""Follow background tasks."""

from __future__ import annotations

from typing import get_args

from starlette.concurrency import run_in_threadpool

from api.http.bodies import LONGEST_WORD
from api.http.endpoint import Call, Endpoint, Parameter, RootsRule
from api.http.errors import ScopeMissing
from api.http.services import CoreServices
from api.tasks.answers import PutFirst, TaskAnswer, TaskList
from api.tasks.bodies import PutFirstBody
from api.tasks.callers import (
    caller,
    check_in_roots,
    check_rootless,
    is_in_roots,
    is_own,
    scopes_to_put_first,
)
from api.tasks.listing import MOST_TASKS, RECENT, ListedState, add_details, listed_tasks
from api.tasks.progress import in_clients_form, reason_of, task_answer
from shared.errors import BadInput, Missing, NotAllowed
from shared.process import logs
from shared.rights import KeyScope


async def list_tasks(call: Call[None], services: CoreServices) -> TaskList:
    """The newest tasks, or those in one state."""
    return await run_in_threadpool(listed_tasks, call, services)


async def get_task(call: Call[None], services: CoreServices) -> TaskAnswer:
    """One task; `?files=true` adds its files."""
    task_id = call.path["task_id"]
    logs.task_id_var.set(task_id)
    wants_files = call.is_asked("files")

    def read() -> TaskAnswer:
        record = services.ledger.record(task_id)
        if record is None:
            raise Missing(f"There is no task {task_id}.")
        paths = services.paths
        answer = task_answer(paths, record, reason_of(services, record))
        if wants_files:
            files = services.ledger.files(task_id) if is_in_roots(paths, record) else ()
            answer.files = in_clients_form(paths, files)
        add_details(call, services, [record], [answer])
        return answer

    return await run_in_threadpool(read)


async def put_task_first(call: Call[PutFirstBody], services: CoreServices) -> PutFirst:
    """Before the others of the same key; before those of all keys only by the scope admin."""
    task_id = call.path["task_id"]
    logs.task_id_var.set(task_id)
    return await run_in_threadpool(_put_first, call, services, task_id)


def _put_first(call: Call[PutFirstBody], services: CoreServices, task_id: str) -> PutFirst:
    ledger = services.ledger
    record = ledger.record(task_id)
    if record is None:
        raise Missing(f"There is no task {task_id}.")
    for scope in scopes_to_put_first(call, record, of_all=call.body.of_all):
        call.check(scope)
    check_in_roots(call, record)
    if call.body.of_all:
        check_rootless(services.paths, "of_all")
    by = "" if is_own(call, record) else caller(call)
    moved = ledger.put_first(task_id, of_all=call.body.of_all, by=by)
    now = ledger.record(task_id)
    return PutFirst(
        message="It comes first now." if moved else "It does not wait for its turn.",
        moved=moved,
        place=now.place if now else None,
    )


_TASK = {
    "task_id": "8f14e45fceea167a5a36dedd4bea2543",
    "type": "video",
    "status": "running",
    "progress": 42.5,
    "overall_progress": 42.5,
    "current": 4,
    "total": 10,
    "media_path": "/footage/day1/A005.mov",
    "message": "Analyzing pictures",
    "eta_seconds": 73.0,
    "failed_files": [],
    "error": None,
    "superseded_by": None,
    "waiting_for": None,
    "place": None,
    "owner": "Editing 1",
    "client": {"address": "10.0.0.17", "name": "rushes-cli/1.0"},
    "kind": "analyze",
    "created_at": 1764028800.0,
    "finished_at": None,
    "files": None,
}

_DETAILS = Parameter(
    "details",
    "`true` adds how fast it goes, what has failed, and what the key may do with it.",
    {"type": "boolean", "default": False},
    True,
)

ENDPOINTS = (
    Endpoint(
        "GET",
        "/tasks",
        list_tasks,
        roots=RootsRule.FILTERED,
        tag="Analysis",
        summary="Tasks",
        description=f"The newest {RECENT}, in whichever state, or those in one `state`. What has "
        "ended is remembered for a day, the newest 1,000 of it, and the newest 1,000 in which "
        "something failed.",
        query=(
            Parameter(
                "state",
                "`open`: all that run or wait, in the order of the line; `ended`: the last one "
                "first; `failed`: of these the ones with an error or with files that failed.",
                {"type": "string", "enum": list(get_args(ListedState))},
                "open",
            ),
            Parameter(
                "limit",
                f"At most so many tasks, 1 to {MOST_TASKS}.",
                {"type": "integer", "minimum": 1, "maximum": MOST_TASKS, "default": RECENT},
                RECENT,
            ),
            Parameter(
                "after",
                "The `next` of the page before, of the same state.",
                {"type": "string", "maxLength": LONGEST_WORD},
                "WzEsMiwxNzY0MDI4ODAwLjAsIjhmMTRlNDVmY2VlYTE2N2E1YTM2ZGVkZDRiZWEyNTQzIl0",
            ),
            _DETAILS,
        ),
        answer=TaskList,
        errors={BadInput: "state must be one of open, ended, failed, not 'done'."},
        answer_example={"tasks": [_TASK]},
    ),
    Endpoint(
        "GET",
        "/tasks/{task_id}",
        get_task,
        roots=RootsRule.FILTERED,
        tag="Analysis",
        summary="Last progress state of a task",
        query=(
            Parameter(
                "files",
                "`true` adds what became of every file, and which worker did it.",
                {"type": "boolean", "default": False},
                True,
            ),
            _DETAILS,
        ),
        answer=TaskAnswer,
        errors={Missing: "There is no task 8f14e45fceea167a5a36dedd4bea2543."},
        answer_example=_TASK,
    ),
    Endpoint(
        "POST",
        "/tasks/{task_id}/first",
        put_task_first,
        scope=KeyScope.ANALYZE,
        is_audited=True,
        tag="Analysis",
        summary="Put a waiting task first",
        description="An analysis that waits for its turn comes before the others of its key; with "
        "`of_all` its key's turn is the next one, too. What runs is not stopped. Another key's "
        "task, and `of_all`, need the scope admin; its owner is told.",
        body=PutFirstBody,
        answer=PutFirst,
        errors={
            Missing: "There is no task 8f14e45fceea167a5a36dedd4bea2543.",
            NotAllowed: "Task 8f14e45fceea167a5a36dedd4bea2543 works on files outside the folders "
            "of this licence key.",
            ScopeMissing: "This licence key lacks the scope 'admin'; it has analyze.",
        },
        example={"of_all": False},
        answer_example={"message": "It comes first now.", "moved": True, "place": 1},
    ),
)
