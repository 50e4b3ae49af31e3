"""`rushes data`: deletes results, and excludes files from analysis. Media stay."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.arguments import declared
from cli.arguments.media_arguments import CacheOption, PathsArgument, cache_dir, listed, media_files
from cli.options import argument, examples, option
from cli.remote import Remote, remote
from cli.terminal.output import YesOption, confirmed, moment_of, size_of
from shared.errors import BadInput

app = typer.Typer(
    no_args_is_help=True, help="Delete results of files, or leave files out of analysis."
)
_DELETE = examples(
    "rushes data delete /footage/day1/A001.mov --cache /footage/.rushes",
    "rushes data delete --model conse-lite0 --yes",
)
_SHOWN = 20  # files
_DELETING_S = 3600.0  # a cache folder may hold 100,000 files


@app.command("delete", epilog=_DELETE)
@remote
def delete_data(
    server: Remote,
    paths: Annotated[
        list[str] | None,
        argument(
            "Media files, and folders of them; `-`: read them from stdin. Without: all files "
            "of the cache folder."
        ),
    ] = None,
    cache: CacheOption = "",
    model: Annotated[
        str, option("Only what this model made.", autocompletion=declared.complete_models)
    ] = "",
    yes: YesOption = False,
) -> None:
    """Delete results: pictures, transcripts, faces. Media stay. It can be undone for a day."""
    if not paths and not model:
        raise BadInput("Name media files, or --model: what is to be deleted?")
    body: dict[str, Any] = {"cache_dir": cache_dir(cache)}
    if paths:
        body["media_paths"] = list(media_files(listed(paths), cache=body["cache_dir"]).paths)
    if model:
        body["model_key"] = model
    planned = server.api.post("/analysis-data/delete", body, _DELETING_S)
    if not server.out.as_json:
        _show(server, planned)
    if not planned["files"] or not confirmed(server.out, yes):
        server.out.document(planned)
        return
    answer = server.api.post("/analysis-data/delete", {**body, "dry_run": False}, _DELETING_S)
    if not server.out.document(answer):
        server.out.line(answer["message"])
        server.out.hint(f"Take it back with: rushes data undo {answer['deletion_id']}")


@app.command("deletions", epilog="Example: rushes data deletions --cache /footage/.rushes")
@remote
def list_deletions(server: Remote, cache: CacheOption = "") -> None:
    """List what was deleted and can be taken back, the newest first."""
    answer = server.api.get("/analysis-data/deletions", cache_dir=cache_dir(cache))
    rows = (
        (one["deletion_id"], moment_of(one["at"]), one["by"], f"{one['files']:,}")
        for one in answer["deletions"]
    )
    server.out.listing(answer, ("!deletion", "when", "by", ">files"), rows)


@app.command("undo", epilog="Example: rushes data undo 5f0c1de2a49b7c38")
@remote
def undo_deletion(
    server: Remote,
    deletion: Annotated[str, argument("As `rushes data deletions` shows.")],
    cache: CacheOption = "",
) -> None:
    """Take a deletion back. What was analyzed anew since stays as it is now."""
    body = {"cache_dir": cache_dir(cache), "deletion_id": deletion}
    server.out.message(server.api.post("/analysis-data/deletions/undo", body))


@app.command("leave-out", epilog="Example: rushes data leave-out /footage/day1/A002.mov")
@remote
def leave_out_files(
    server: Remote,
    paths: PathsArgument,
    cache: CacheOption = "",
    take_back: Annotated[bool, option("They are taken again.", "--take-back")] = False,
) -> None:
    """Leave files out of analysis: watch folders do not try them again. Results stay."""
    body: dict[str, Any] = {"cache_dir": cache_dir(cache), "left_out": not take_back}
    body["media_paths"] = list(media_files(listed(paths), cache=body["cache_dir"]).paths)
    server.out.message(server.api.post("/analysis-data/left-out", body))


def _show(server: Remote, planned: dict[str, Any]) -> None:
    for media in planned["media"][:_SHOWN]:
        kinds = ", ".join(sorted({data["kind"] for data in media["data"]}))
        server.out.line(f"{media['media_path'] or media['hash_str']}: {kinds}")
    if planned["files"] > _SHOWN:
        server.out.hint(f"… and {planned['files'] - _SHOWN:,} more files")
    for failure in planned["failed"]:
        server.out.hint(f"{failure['media_path']}: {failure['error']}")
    server.out.line(f"{planned['files']:,} files, {size_of(planned['bytes'])}")
