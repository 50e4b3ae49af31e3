"""Follows a Task to its end: a progress bar on a terminal, then what became of it."""

from __future__ import annotations

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cli.api_client import Event
from cli.arguments.media_arguments import pure_path
from cli.remote import Remote
from shared.printable import printable

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
