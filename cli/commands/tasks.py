"""`rushes tasks`: what the server works on, following a task to its end, and stopping it."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from api.tasks.bodies import PutFirstBody
from cli.api_client import Event
from cli.arguments import declared
from cli.arguments.declared import Fields, with_fields
from cli.arguments.media_arguments import pure_path, server_path
from cli.commands.processes import redis_url
from cli.options import argument, option
from cli.remote import Remote, remote
from cli.terminal.output import CommandOutput, JsonOption, moment_of
from shared.domain import TaskKind
from shared.printable import printable
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
    server.out.message(server.api.post("/analyze/cancel", {"task_id": task_id} if task_id else {}))


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


_LONGEST_NAME = 40
_TYPES = {"video": "pictures", "audio": "speech"}


def follow_to_the_end(remote: Remote, task_id: str) -> Event:
    """Follow a Task; its last event. Ctrl-C leaves it running, says how to go on, exits 130."""
    event: Event = {}
    reason = ""
    try:
        with _bar(remote) as bar:
            line = bar.add_task("", total=100, files="", left="", what="waiting")
            for event in remote.api.follow(task_id):
                bar.update(
                    line,
                    completed=event["overall_progress"],
                    files=f"{event['current']}/{event['total']}",
                    left=_left(event["eta_seconds"]),
                    what=_what(event),
                )
                told = event.get("waiting_for") or {"message": reason}
                if bar.disable and told["message"] != reason:
                    reason = told["message"]
                    remote.out.hint(f"It waits: {reason_to_wait(event)}")
    except KeyboardInterrupt:
        remote.out.hint(
            f"Task {task_id} goes on. See it with `rushes tasks show {task_id}`, stop it with "
            f"`rushes tasks cancel {task_id}`."
        )
        raise typer.Exit(130) from None
    return event


def end_of(remote: Remote, answer: Event, is_detached: bool) -> None:
    """Finish a Task that was accepted: follow it to its end, or print its id if detached."""
    if is_detached:
        say_accepted(remote, answer)
    else:
        finish(remote, follow_to_the_end(remote, answer["task_id"]))


def say_accepted(remote: Remote, answer: Event) -> None:
    """Print the id of a Task that is not waited for."""
    if not remote.out.document(answer):
        remote.out.line(answer["task_id"])
        remote.out.hint(f"Follow it with `rushes tasks follow {answer['task_id']}`.")


def finish(remote: Remote, event: Event) -> None:
    """Print the end of a Task; exit status 1 unless it is completed without a failed file."""
    failed = event.get("failed_files") or ()
    if not remote.out.document(event):
        end = event.get("error") or event["message"]
        for file in failed:
            if file["error"] != end:  # what stopped everything is said once
                remote.out.line(f"failed: {file['media_path']}: {file['error']}")
        for file in event.get("not_applicable") or ():
            remote.out.line(f"note: {file['media_path']}: {file['reason']}")
        remote.out.line(end)
    if event["status"] != "completed" or failed:
        raise typer.Exit(1)


def reason_to_wait(task: Event) -> str:
    """Why a Task waits, whose Task it waits for and at which place; "" for one that does not."""
    told = task.get("waiting_for")
    if not told:
        return ""
    owner = f" It is of {told['owner']}." if told.get("owner") else ""
    place = f" Place {task['place']} in line." if task.get("place") else ""
    return printable(f"{told['message']}{owner}{place}")


def name_of(path: str | None) -> str:
    """The file's name in a path of any system; cut in the middle where it is long."""
    if not path:
        return ""
    name = pure_path(path).name
    if len(name) > _LONGEST_NAME:
        half = _LONGEST_NAME // 2
        name = f"{name[: half - 1]}…{name[-half:]}"
    return name


def _left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d} left"


def _what(event: Event) -> str:
    kind, status = event["type"], event["status"]
    words = [_TYPES.get(kind, kind)]
    if status == "running":
        words.append(f"{event['progress']:.0f}%")
    else:
        words.append(status.replace("_", " "))
    if reason := reason_to_wait(event):
        words.append(reason)
    elif status in ("queued", "loading_model"):
        words.append(event["message"])
    words.append(name_of(event["media_path"]))
    return printable(" ".join(word for word in words if word))


def _bar(remote: Remote) -> Progress:
    return Progress(
        TextColumn("{task.percentage:3.0f}%"),
        BarColumn(30),
        TextColumn("{task.fields[files]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.fields[what]}", markup=False),
        console=remote.out.aside,
        transient=True,
        disable=remote.out.as_json or not remote.out.aside.is_terminal,
    )
