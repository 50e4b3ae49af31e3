"""`rushes tasks`: what the server works on, one task's files, and stopping it."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from api.tasks.bodies import PutFirstBody
from cli.arguments import declared
from cli.arguments.declared import Fields, with_fields
from cli.arguments.media_arguments import server_path
from cli.commands.following import finish, follow_to_the_end, reason_to_wait
from cli.commands.processes import redis_url
from cli.options import argument, option
from cli.remote import Remote, remote
from cli.terminal.output import CommandOutput, JsonOption, moment_of
from shared.domain import TaskKind
from shared.settings import Settings

app = typer.Typer(no_args_is_help=True, help="What the server works on, and has worked on.")
TaskId = Annotated[
    str, argument("As `rushes tasks list` shows.", autocompletion=declared.complete_task_ids)
]


@app.command("list")
@remote
def list_tasks(server: Remote) -> None:
    """List the newest tasks."""
    answer = server.api.get("/tasks")
    columns = ("task", "owner", "kind", "state", "done", "began", "took", "message")
    rows = (
        (
            task["task_id"],
            task.get("owner") or "",
            task["kind"],
            task["status"],
            f"{task['overall_progress']:.0f} %",
            moment_of(task["created_at"]),
            _took(task),
            reason_to_wait(task) or task["message"],
        )
        for task in answer["tasks"]
    )
    server.out.listing(answer, columns, rows, empty="There is no task yet.")


@app.command("show")
@remote
def show_task(server: Remote, task_id: TaskId) -> None:
    """Show one task and what became of each of its files."""
    task = server.api.get(f"/tasks/{task_id}", files="true")
    if server.out.document(task):
        return
    server.out.line(f"{task['kind']}, {task['status']}, {task['overall_progress']:.0f} %")
    server.out.line(reason_to_wait(task) or task["message"])
    if owner := task.get("owner"):
        client = task.get("client")
        origin = f" from {client['address']}, {client['name']}" if client else ""
        server.out.line(f"sent by {owner}{origin}")
    rows = [
        (file["state"], file["media_path"], file["worker"] or "", file["error"] or "")
        for file in task.get("files") or ()
    ]
    if rows:
        server.out.table(("state", "file", "worker", "error"), rows)


@app.command("follow")
@remote
def follow_task(server: Remote, task_id: TaskId) -> None:
    """Follow a task to its end."""
    finish(server, follow_to_the_end(server, task_id))


@app.command("cancel")
@remote
def cancel_task(
    server: Remote,
    task_id: Annotated[
        str,
        argument(
            "Default: the analysis that the same key has begun.",
            autocompletion=declared.complete_task_ids,
        ),
    ] = "",
) -> None:
    """Stop a task. What is finished stays."""
    answer = server.api.post("/analyze/cancel", {"task_id": task_id} if task_id else {})
    server.out.message(answer)


@app.command("first", epilog="Example: rushes tasks first 8f14e45fceea167a5a36dedd4bea2543")
@remote
@with_fields(PutFirstBody)
def put_task_first(server: Remote, fields: Fields, task_id: TaskId) -> None:
    """Put a waiting analysis first in line. What runs is not stopped."""
    answer = server.api.post(f"/tasks/{task_id}/first", fields)
    if not server.out.document(answer):
        place = f" Place {answer['place']}." if answer["place"] else ""
        server.out.line(f"{answer['message']}{place}")


@app.command("retry", epilog="Example: rushes tasks retry 8f14e45fceea167a5a36dedd4bea2543")
@remote
def retry_task(
    server: Remote,
    task_id: TaskId,
    paths: Annotated[list[str] | None, argument("Files that failed. Without: all of them.")] = None,
) -> None:
    """Try again what of a task has failed, with the settings that it had."""
    body = {"paths": [server_path(path) for path in paths]} if paths else {}
    answer = server.api.post(f"/tasks/{task_id}/retry", body)
    if not server.out.document(answer):
        server.out.line(answer["message"])
        server.out.hint(f"Follow it with: rushes tasks follow {answer['task_id']}")


@app.command("fail-open")
def fail_open_tasks(
    yes: Annotated[bool, option("Do it; without, only say how many there are.", "--yes")] = False,
    as_json: JsonOption = False,
) -> None:
    """Fail all open tasks, straight in Redis, once its damaged file has been repaired by hand.

    Some of them have ended since what the repair brought back, and would run again.
    """
    # Late: no other command here needs Redis, and its client takes long to load.
    from cli.processes.private_redis import LOST
    from shared.ledger.ledger import Ledger
    from shared.redis.clients import connect

    settings = Settings.from_env()
    with connect(redis_url(settings)) as client:
        ledger = Ledger(client, settings.instance)
        found = sum(len(ledger.open_tasks(kind)) for kind in TaskKind)
        if yes:
            found = ledger.fail_open(LOST)
    out = CommandOutput(as_json)
    if not out.document({"tasks": found, "failed": yes}):
        done = "have failed" if yes else "are open; --yes lets them fail"
        out.line(f"{found} tasks {done}")


def _took(task: dict[str, Any]) -> str:
    seconds = (task["finished_at"] or time.time()) - task["created_at"]
    hours, rest = divmod(int(max(seconds, 0)), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"
