"""`rushes watch`: folders whose new files are analyzed by themselves, and what comes of them."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table

from api.watch.bodies import WatchFolderBody, WatchFolderChanges
from cli.api_client import ApiClient, Event
from cli.arguments.declared import Fields, with_fields
from cli.arguments.media_arguments import CacheOption, VocabularyOption, cache_dir, server_path
from cli.arguments.media_arguments import vocabulary as words_of
from cli.options import argument, option
from cli.remote import Remote, remote
from cli.terminal.output import table_of
from shared.errors import BadInput, Missing
from shared.printable import printable
from shared.watch.options import FileGroup

Schedule = Annotated[
    str | None,
    option(
        'Hours in which it may be worked on, by the server\'s clock; "": always.',
        panel="When",
        metavar="HH:MM-HH:MM",
    ),
]
app = typer.Typer(no_args_is_help=True, help="Folders whose new files are analyzed by themselves.")
FolderArgument = Annotated[
    str, argument("Its id, as `rushes watch list` shows, or path.", metavar="FOLDER")
]
_MOST_FAILURES = 10


def folder_fields(
    typed: Fields, vocabulary: list[str] | None = None, schedule: str | None = None
) -> Fields:
    """The API's fields of the options that were given; an empty word resets one."""
    fields = dict(typed)
    for name in ("excluded_filename_globs", "excluded_extensions"):
        if name in fields:
            fields[name] = [word for word in fields[name] if word]
    for name in ("cluster_job_name", "language"):
        if name in fields:
            fields[name] = fields[name] or None
    if fields.get("cluster_job_name"):
        fields.setdefault("analyze_faces", True)
    if vocabulary is not None:
        fields["vocabulary"] = words_of(vocabulary)
    if schedule is not None:
        start, _, stop = schedule.partition("-")
        hours = {"start": start.strip(), "stop": stop.strip()}
        fields["schedule"] = hours if schedule else None
    return fields


@app.command("list")
@remote
def list_folders(server: Remote) -> None:
    """List the watched folders."""
    answer = server.api.get("/watch-folders")
    rows = (
        (
            folder["id"],
            folder["path"],
            folder["cache_dir"],
            _analyzed(folder),
            ", ".join([*folder["excluded_filename_globs"], *folder["excluded_extensions"]]),
        )
        for folder in answer["watch_folders"]
    )
    columns = ("!id", "…folder", "…cache folder", "analyzed", "leaves out")
    server.out.listing(answer, columns, rows, "No folder is watched: see `rushes watch add`.")


@app.command("add", epilog="Example: rushes watch add /footage/incoming --speech --start")
@remote
@with_fields(WatchFolderBody, but={"enabled"})
def add_folder(
    server: Remote,
    fields: Fields,
    folder: Annotated[str, argument("Folder to watch.")],
    cache: CacheOption = "",
    vocabulary: VocabularyOption = None,
    schedule: Schedule = None,
    start: Annotated[bool, option("Start watching, too.", "--start")] = False,
) -> None:
    """Watch a folder. By default its pictures are analyzed, of all media in it, however deep."""
    places = {"path": server_path(folder), "cache_dir": cache_dir(cache)}
    answer = server.api.post("/watch-folders", places | folder_fields(fields, vocabulary, schedule))
    if start:
        server.api.post("/watch-folders/service/start")
    if server.out.document(answer):
        return
    server.out.line(f"{answer['id']} {answer['path']}: {_analyzed(answer)}")
    if server.api.get("/watch-folders/service/status")["state"] == "stopped":
        server.out.hint("Nothing is watched until `rushes watch start`.")


@app.command("change", epilog="Example: rushes watch change /footage/incoming --no-speech")
@remote
@with_fields(WatchFolderChanges)
def change_folder(
    server: Remote,
    fields: Fields,
    folder: FolderArgument,
    path: Annotated[str | None, option("Where it is now.")] = None,
    new_cache: Annotated[str | None, option("Another cache folder.")] = None,
    vocabulary: VocabularyOption = None,
    schedule: Schedule = None,
) -> None:
    """Change a watched folder: only what is named changes."""
    changes = folder_fields(fields, vocabulary, schedule)
    places = {"path": path, "cache_dir": new_cache}
    changes |= {name: server_path(to) for name, to in places.items() if to}
    if not changes:
        raise BadInput("Name what to change, such as --no-speech.")
    answer = server.api.put(f"/watch-folders/{_id_of(server.api, folder)}", changes)
    if not server.out.document(answer):
        server.out.line(f"{answer['id']} {answer['path']}: {_analyzed(answer)}")


@app.command("remove")
@remote
def remove_folder(server: Remote, folder: FolderArgument) -> None:
    """Watch a folder no more. Its media and its analysis data stay."""
    server.out.message(server.api.delete(f"/watch-folders/{_id_of(server.api, folder)}"))


@app.command("start")
@remote
def start_service(server: Remote) -> None:
    """Start watching; it goes on over restarts until it is stopped."""
    server.out.message(server.api.post("/watch-folders/service/start"))


@app.command("stop")
@remote
def stop_service(server: Remote) -> None:
    """Stop watching, also after restarts."""
    server.out.message(server.api.post("/watch-folders/service/stop"))


@app.command("status")
@remote
def show_status(server: Remote) -> None:
    """Show what the watch folders do now."""
    answer = server.api.get("/watch-folders/service/status")
    if not server.out.document(answer):
        server.out.show(WatchView(server.api).whole(answer))


@app.command("files", epilog="Example: rushes watch files /footage/incoming --state failed")
@remote
def list_files(
    server: Remote,
    folder: FolderArgument,
    state: Annotated[FileGroup, option("What became of them.")] = FileGroup.PENDING,
    limit: Annotated[int, option("At most so many.", min=1)] = 100,
    after: Annotated[str, option("Where the page before ended.")] = "",
) -> None:
    """List files of a watched folder."""
    query = {"state": state.value, "limit": str(limit)} | ({"after": after} if after else {})
    answer = server.api.get(f"/watch-folders/{_id_of(server.api, folder)}/files", **query)
    if server.out.document(answer):
        return
    rows = [
        (file["path"], f"{file['size'] / 1e6:,.1f}", str(file["tries"]), file["reason"] or "")
        for file in answer["files"]
    ]
    server.out.line(f"{answer['total']:,} {state.value}")
    if rows:
        server.out.table(("…file", ">MB", ">tries", "reason"), rows)
    if answer["next"]:
        server.out.hint(f"There are more; go on with --after {answer['next']}")


@app.command("retry", epilog="Example: rushes watch retry /footage/incoming")
@remote
def retry_files(
    server: Remote,
    folder: FolderArgument,
    paths: Annotated[list[str] | None, argument("Failed files. Default: all.")] = None,
) -> None:
    """Try failed files again."""
    body = {"paths": [server_path(path) for path in paths]} if paths else {}
    server.out.message(server.api.post(f"/watch-folders/{_id_of(server.api, folder)}/retry", body))


@app.command("follow", epilog="Example: rushes watch follow --until-done")
@remote
def follow_folders(
    server: Remote,
    until_done: Annotated[
        bool, option("End when nothing is left to do; 1 if files failed.", "--until-done")
    ] = False,
) -> None:
    """Follow live what the watch folders do, until Ctrl-C.

    A table on a terminal, else a line for each change, with --json each event on a line.
    """
    status: Event = {}
    try:
        with _shown(server) as show:
            for status in server.api.follow_watching():
                show(status)
                if until_done and status["state"] == "stopped":
                    raise BadInput("Nothing is watched: start it with `rushes watch start`.")
                if until_done and is_done(status):
                    break
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if any(stats["files_failed"] for stats in status["folder_stats"].values()):
        raise typer.Exit(1)


@contextlib.contextmanager
def _shown(server: Remote) -> Iterator[Callable[[Event], None]]:
    """What shows each status: a table on a terminal, else a line for each change."""
    as_json, last = server.out.as_json, ""

    def print_line(status: Event) -> None:
        nonlocal last
        text = json.dumps(status) if as_json else printable(headline(status))
        if text != last:
            last = text
            print("" if as_json else time.strftime("%H:%M:%S "), text, sep="", flush=True)

    if as_json or not sys.stdout.isatty():
        yield print_line
        return
    view = WatchView(server.api)
    with Live(console=server.out.console, auto_refresh=False) as live:
        yield lambda status: live.update(view.whole(status), refresh=True)


def _id_of(api: ApiClient, folder: str) -> str:
    """The id, also of a folder that is named by its path. Raises Missing or BadInput."""
    folders = api.get("/watch-folders")["watch_folders"]
    if any(one["id"] == folder for one in folders):
        return folder
    path = server_path(folder).rstrip("/\\")
    found = [one["id"] for one in folders if one["path"].rstrip("/\\") == path]
    if not found:
        raise Missing(f"{folder} is not watched: see `rushes watch list`.")
    if len(found) > 1:
        raise BadInput(f"{folder} is watched for several cache folders: name an id, {found}.")
    return str(found[0])


def _analyzed(folder: dict[str, Any]) -> str:
    language = f" ({folder['language']})" if folder["language"] else ""
    speakers = ""
    if "speakers" in folder:
        speakers = " with speakers" if folder["speakers"] else " without speakers"
    parts = (
        "pictures" if folder["analyze_visual"] else "",
        f"speech{language}{speakers}" if folder["analyze_speech"] else "",
        f"faces into {folder['cluster_job_name']}" if folder["analyze_faces"] else "",
    )
    words = ", ".join(part for part in parts if part) or "nothing"
    if folder["schedule"]:
        words += f", {folder['schedule']['start']} to {folder['schedule']['stop']}"
    return words if folder["enabled"] else f"{words}; disabled"


class WatchView:
    """Knows what the folders are called: a status has their ids only."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api
        self._paths: dict[str, str] = {}

    def whole(self, status: Event) -> RenderableType:
        """Everything, for a terminal."""
        parts: list[RenderableType] = [headline(status)]
        if status["last_error"]:
            parts.append(f"last error: {status['last_error']}")
        if status["folder_stats"]:
            parts.append(self._table(status["folder_stats"]))
        parts += _failures(status["folder_stats"])
        return Group(*parts)

    def _table(self, folders: dict[str, dict[str, Any]]) -> Table:
        rows = (
            (
                self._path(folder_id),
                stats["state"],
                f"{stats['files_pending']:,}",
                f"{stats['files_processed']:,}",
                f"{stats['files_failed']:,}",
                f"{stats['files_skipped'] + stats['files_unsupported']:,}",
                stats["reason"] or "",
            )
            for folder_id, stats in folders.items()
        )
        numbers = (">pending", ">done", ">failed", ">left out")
        return table_of(("…folder", "state", *numbers, "what holds it up"), rows)

    def _path(self, folder_id: str) -> str:
        if folder_id not in self._paths:
            found = self._api.get("/watch-folders")["watch_folders"]
            self._paths = {folder["id"]: folder["path"] for folder in found}
        return self._paths.get(folder_id, folder_id)


def headline(status: Event) -> str:
    """The service in one line."""
    words = [status["state"]]
    if status["current_file"]:
        words.append(status["current_file"])
    if status["paused_until"]:
        until = time.strftime("%H:%M", time.localtime(status["paused_until"]))
        words.append(f"an analysis has precedence, until about {until}")
    failed = sum(stats["files_failed"] for stats in status["folder_stats"].values())
    words.append(
        f"{status['files_pending']:,} pending, {status['files_processed_this_session']:,} done "
        f"since the start, {failed:,} failed"
    )
    return "; ".join(words)


def is_done(status: Event) -> bool:
    """Whether every folder was looked through and nothing is left to do."""
    stats = status["folder_stats"].values()
    return (
        status["state"] == "waiting"
        and not status["files_pending"]
        and all(one["last_scan_at"] for one in stats if one["state"] != "stopped")
    )


def _failures(folders: dict[str, dict[str, Any]]) -> list[str]:
    failures = [failure for stats in folders.values() for failure in stats["failures"]]
    lines = [f"failed: {one['path']}: {one['error']}" for one in failures[:_MOST_FAILURES]]
    if len(failures) > _MOST_FAILURES:
        lines.append("… see `rushes watch files FOLDER --state failed`")
    return lines
