"""`rushes export`: clips cut into files on the server, timelines written on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from api.exports.clips.bodies import ExportClipsBody
from api.exports.timelines.bodies import TimelineBody
from cli.arguments.clip_sources import (
    AroundOption,
    ClipsArgument,
    FromOption,
    Picked,
    PickOption,
    clips_of,
)
from cli.arguments.declared import Fields, with_fields
from cli.arguments.export_options import (
    AnalyzedOption,
    DetachOption,
    HandlesOption,
    LocalFileOption,
    PathMapOption,
    SizeOption,
)
from cli.arguments.media_arguments import server_path
from cli.arguments.new_files import write_file
from cli.commands.following import follow_to_the_end, say_accepted
from cli.commands.tasks import TaskId
from cli.options import option
from cli.remote import Remote, remote
from shared.errors import BadInput

app = typer.Typer(no_args_is_help=True, help="Clips as files, timelines for editing systems.")


@app.command(
    "clips",
    epilog='Example: rushes search "a red car" --json | rushes export clips --from - --to out',
)
@remote
@with_fields(ExportClipsBody)
def export_clips(
    server: Remote,
    fields: Fields,
    clips: ClipsArgument = None,
    from_: FromOption = "",
    pick: PickOption = "",
    around: AroundOption = None,
    detach: DetachOption = False,
) -> None:
    """Cut clips into files of their own, on the server.

    Ctrl-C leaves it running, as --detach does: see `rushes tasks follow`, `rushes export result`.
    """
    body = {
        **fields,
        "clips": clips_of(clips, from_, Picked(pick, around)),
        "background": True,  # and followed: a long answer is cut off by what lies between
    }
    answer = server.api.post("/export/clips", body)
    if detach:
        say_accepted(server, answer)
    else:
        follow_to_the_end(server, answer["task_id"])
        _show_result(server, answer["task_id"])


@app.command("result", epilog="Example: rushes export result 8f14e45fceea167a5a36dedd4bea2543")
@remote
def show_result(
    server: Remote,
    task_id: TaskId,
) -> None:
    """Show what became of the clips of an export, so far."""
    _show_result(server, task_id)


@app.command(
    "timeline",
    epilog="Example: rushes export timeline --from found.json --format fcpxml --to found.fcpxml",
)
@remote
@with_fields(TimelineBody)
def export_timeline(
    server: Remote,
    fields: Fields,
    clips: ClipsArgument = None,
    to: LocalFileOption = "",
    from_: FromOption = "",
    pick: PickOption = "",
    around: AroundOption = None,
    handles: HandlesOption = 0.0,
    size: SizeOption = None,
    path_map: PathMapOption = None,
    cache: AnalyzedOption = "",
    force: Annotated[bool, option("Overwrite the file.", "--force")] = False,
) -> None:
    """Write clips as a timeline that an editing system opens."""
    target = Path(to) if to else None
    if target is not None and target.exists() and not force:
        raise BadInput(f"{target} is there already; overwrite it with --force.")
    found = clips_of(clips, from_, Picked(pick, around))
    body = {
        **fields,
        **_size(size),
        **({"cache_dir": server_path(cache)} if cache else {}),
        "clips": [clip | ({"handle_seconds": handles} if handles else {}) for clip in found],
        "path_map": [_pair(pair) for pair in path_map or ()],
    }
    answer = server.api.post("/export/premiere-xml", body)
    _deliver(server, answer, target, force)


def _deliver(server: Remote, answer: dict[str, Any], target: Path | None, force: bool) -> None:
    text = answer["xml"] or answer["text"]
    if target is not None:
        write_file(target, text.encode(), force)
    for warning in answer["warnings"]:
        server.out.hint(f"warning: {warning['message']}")
    if server.out.document(answer):
        return
    if target is None:
        typer.echo(text, nl=not text.endswith("\n"))
        return
    facts = answer["sequence"]
    rate = facts["fps"].removesuffix("/1")
    server.out.line(f"{target}: {facts['duration_frames']:,} frames at {rate} a second")


def _show_result(server: Remote, task_id: str) -> None:
    """Show the clips of an export; exit status 1 where one failed."""
    answer = server.api.get(f"/tasks/{task_id}/exports")
    if not server.out.document(answer):
        rows = []
        for clip in answer["exported"]:
            how = "was there" if clip["skipped"] else clip["method"] or ""
            frames = "" if clip["frames"] is None else f"{clip['frames']:,}"
            rows.append((clip["output_path"], frames, how, " ".join(clip["warnings"])))
        if rows:
            server.out.table(("…clip", ">frames", "how", "remarks"), rows)
        for clip in answer["failed"]:
            server.out.line(f"failed: {clip['media_path']}: {clip['error']}")
    if answer["failed"]:
        raise typer.Exit(1)


def _size(given: str | None) -> dict[str, int]:
    if not given:
        return {}
    width, _, height = given.lower().partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise BadInput(f"--size: write it as 1920x1080, not {given!r}.")
    return {"width": int(width), "height": int(height)}


def _pair(given: str) -> dict[str, str]:
    first, equals, second = given.partition("=")
    if not (first and equals and second):
        raise BadInput(f"--path-map: write it as FROM=TO, not {given!r}.")
    return {"from": first, "to": second}
