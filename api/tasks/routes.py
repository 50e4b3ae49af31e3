"""Follow background tasks."""

from __future__ import annotations

from api.http.endpoint import Call, Endpoint, RootsRule
from api.http.parameters import flag
from api.http.services import CoreServices
from api.tasks.answers import PutFirst, TaskAnswer, TaskList
from api.tasks.bodies import PutFirstBody
from api.tasks.callers import (
    OF_OTHERS,
    caller,
    check_in_roots,
    check_rootless,
    is_in_roots,
    is_own,
    scopes_to_put_first,
)
from api.tasks.listing import AFTER, DETAILS, LIMIT, RECENT, STATE, add_details, listed_tasks
from api.tasks.progress import in_clients_form, reason_of, task_answer
from shared.errors import BadInput, Missing
from shared.rights import KeyScope

_FILES = flag("files", "`true` adds what became of every file, and which worker did it.")


def list_tasks(call: Call[None], services: CoreServices) -> TaskList:
    """Tasks."""
    return listed_tasks(call, services)


def get_task(call: Call[None], services: CoreServices) -> TaskAnswer:
    """Last progress state of a task."""
    task_id, paths = call.path["task_id"], services.paths
    record = services.ledger.record(task_id)
    if record is None:
        raise Missing(f"There is no task {task_id}.")
    answer = task_answer(paths, record, reason_of(services, record))
    if _FILES.read(call.query):
        files = services.ledger.files(task_id) if is_in_roots(paths, record) else ()
        answer.files = in_clients_form(paths, files)
    add_details(call, services, [record], [answer])
    return answer


def put_task_first(call: Call[PutFirstBody], services: CoreServices) -> PutFirst:
    """Put a waiting task first.

    An analysis that waits for its turn comes before the others of its key; with `of_all` its
    key's turn is the next one, too. What runs is not stopped. Another key's task, and `of_all`,
    need the scope admin; its owner is told.
    """
    task_id, ledger = call.path["task_id"], services.ledger
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


_RUNNING = {"status": "running", "message": "Analyzing pictures", "place": None, "files": None}

ENDPOINTS = (
    Endpoint(
        "GET /tasks",
        list_tasks,
        "Analysis",
        description=f"The newest {RECENT}, in whichever state, or those in one `state`. What has "
        "ended is remembered for a day, the newest 1,000 of it, and the newest 1,000 in which "
        "something failed.",
        roots=RootsRule.FILTERED,
        query=(STATE, LIMIT, AFTER, DETAILS),
        errors={BadInput: "state must be one of open, ended, failed, not 'done'."},
        answer_example={"tasks": [_RUNNING]},
    ),
    Endpoint(
        "GET /tasks/{task_id}",
        get_task,
        "Analysis",
        roots=RootsRule.FILTERED,
        query=(_FILES, DETAILS),
        answer_example=_RUNNING,
    ),
    Endpoint(
        "POST /tasks/{task_id}/first",
        put_task_first,
        "Analysis",
        KeyScope.ANALYZE,
        is_audited=True,
        errors=OF_OTHERS,
        example={"of_all": False},
        answer_example={"message": "It comes first now."},
    ),
)
