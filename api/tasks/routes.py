"""Follow background tasks."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool

from api.http.endpoint import Call, Endpoint, Parameter
from api.tasks.answers import TaskAnswer, TaskList
from api.tasks.progress import in_clients_form, no_worker, own_reason, reason_of, task_answer
from shared.errors import Missing
from shared.process import logs

RECENT = 100


async def list_tasks(call: Call[None]) -> TaskList:
    """The newest tasks."""

    def read() -> TaskList:
        records = call.services.ledger.recent(RECENT)
        services = call.services
        unserved = {kind: no_worker(services, kind) for kind in {one.kind for one in records}}
        return TaskList(
            tasks=[
                task_answer(services.paths, one, own_reason(one, unserved[one.kind]))
                for one in records
            ]
        )

    return await run_in_threadpool(read)


async def get_task(call: Call[None]) -> TaskAnswer:
    """One task; `?files=true` adds its files."""
    task_id = call.path["task_id"]
    logs.task_id_var.set(task_id)
    wants_files = call.query.get("files", "").lower() in ("true", "1", "yes")

    def read() -> TaskAnswer:
        record = call.services.ledger.record(task_id)
        if record is None:
            raise Missing(f"There is no task {task_id}.")
        paths = call.services.paths
        answer = task_answer(paths, record, reason_of(call.services, record))
        if wants_files:
            answer.files = in_clients_form(paths, call.services.ledger.files(task_id))
        return answer

    return await run_in_threadpool(read)


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

ENDPOINTS = (
    Endpoint(
        "GET",
        "/tasks",
        list_tasks,
        tag="Analysis",
        summary=f"The newest tasks, at most {RECENT}",
        answer=TaskList,
        answer_example={"tasks": [_TASK]},
    ),
    Endpoint(
        "GET",
        "/tasks/{task_id}",
        get_task,
        tag="Analysis",
        summary="Last progress state of a task",
        query=(
            Parameter(
                "files",
                "`true` adds what became of every file, and which worker did it.",
                {"type": "boolean", "default": False},
                True,
            ),
        ),
        answer=TaskAnswer,
        errors={Missing: "There is no task 8f14e45fceea167a5a36dedd4bea2543."},
        answer_example=_TASK,
    ),
)
