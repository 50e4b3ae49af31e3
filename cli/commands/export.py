"""`rushes export`: clips cut into files on the server, timelines written on this machine."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from api.exports.clips.bodies import ExportClipsBody
from api.exports.timelines.bodies import TimelineBody
from cli.arguments.declared import Fields, with_fields
from cli.arguments.media_arguments import seconds, server_path, write_file
from cli.commands.tasks import TaskId, follow_to_the_end, say_accepted
from cli.options import argument, option
from cli.remote import Remote, remote
from shared.errors import BadInput, os_errors_as
from shared.exports.clips import STILL_S

_SEQUENCE = "The timeline"
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
Clip = dict[str, Any]  # media_path, start_time, end_time and whatever else the API knows
ClipsArgument = Annotated[
    list[str] | None,
    argument(
        "Files with their in and out points: seconds, HH:MM:SS[.mmm] or timecode.",
        metavar="[FILE IN OUT]...",
    ),
]
_PANEL = "Clips of a search"
FromOption = Annotated[
    str,
    option(
        "JSON of `rushes search --json`, or a list of clips; - reads stdin.",
        "--from",
        panel=_PANEL,
        metavar="FILE",
    ),
]
PickOption = Annotated[
    str, option("Only these results, such as 1,3-5.", panel=_PANEL, metavar="NUMBERS")
]
AroundOption = Annotated[
    float | None,
    option(
        "Only so much before and after what was found, not its whole scene.",
        panel=_PANEL,
        metavar="SECONDS",
        min=0.0,
    ),
]


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
    detach: Annotated[bool, option("Do not wait for the clips.", "--detach")] = False,
) -> None:
    """Cut clips into files of their own, on the server.

    Ctrl-C leaves it running, as --detach does: see `rushes tasks follow`, `rushes export result`.
    """
    body = {
        **fields,
        "clips": clips_of(clips, from_, pick, around),
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
def show_result(server: Remote, task_id: TaskId) -> None:
    """Show what became of the clips of an export, so far."""
    _show_result(server, task_id)


PathMapOption = Annotated[
    list[str] | None,
    option(
        "How the editing system calls a folder; may be repeated.",
        panel=_SEQUENCE,
        metavar="FROM=TO",
    ),
]
AnalyzedOption = Annotated[
    str,
    option(
        "Folder with the analysis data: files that are away are laid out as known there.",
        "--cache",
        envvar="RUSHES_CACHE_DIR",
    ),
]


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
    to: Annotated[str, option("File on this machine. Default: print it.", metavar="FILE")] = "",
    from_: FromOption = "",
    pick: PickOption = "",
    around: AroundOption = None,
    handles: Annotated[
        float, option("Added before and after each clip.", metavar="SECONDS", min=0.0)
    ] = 0.0,
    size: Annotated[
        str | None,
        option("In pixels. Default: as the first clip.", panel=_SEQUENCE, metavar="WIDTHxHEIGHT"),
    ] = None,
    path_map: PathMapOption = None,
    cache: AnalyzedOption = "",
    force: Annotated[bool, option("Overwrite the file.", "--force")] = False,
) -> None:
    """Write clips as a timeline that an editing system opens."""
    target = Path(to) if to else None
    if target is not None and target.exists() and not force:
        raise BadInput(f"{target} is there already; overwrite it with --force.")
    found = clips_of(clips, from_, pick, around)
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


def clips_of(
    arguments: Sequence[str] | None, results: str, numbers: str = "", around_s: float | None = None
) -> list[Clip]:
    """The clips in the order in which they are named. Raises BadInput.

    Of results, `numbers` are wanted, and `around_s` before and after what was found.
    """
    if bool(arguments) == bool(results):
        raise BadInput(
            "Name clips as FILE IN OUT, or results of a search with --from: one of both."
        )
    if arguments:
        return list(_typed(arguments))
    found = _picked(_entries(results), numbers)
    clips = [_clip(entry, number, around_s) for number, entry in found]
    # Two moments of one scene are one clip.
    return [clip for n, clip in enumerate(clips) if clip not in clips[:n]]


def _typed(words: Sequence[str]) -> Iterator[Clip]:
    if len(words) % 3:
        raise BadInput(f"Clips are named as FILE IN OUT, by three words each, not {len(words)}.")
    for path, start, end in zip(*[iter(words)] * 3, strict=True):
        yield {"media_path": server_path(path), "start_time": _time(start), "end_time": _time(end)}


def _time(word: str) -> float | str:
    return float(word) if _NUMBER.fullmatch(word) else word


def _entries(name: str) -> list[Any]:
    try:
        with os_errors_as(BadInput, f"--from: {name} cannot be read"):
            text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        if not text.strip():
            raise BadInput("--from: there is nothing to read; has the search failed?")
        found = json.loads(text)
    except ValueError as error:
        raise BadInput("--from: this is no JSON, which `rushes search --json` prints.") from error
    if isinstance(found, dict):
        found = found.get("matches", found.get("clips"))
    if not isinstance(found, list):
        raise BadInput('--from: there is no list of "matches" or "clips" in this JSON.')
    if not found:
        raise BadInput("--from: the list is empty; nothing was found.")
    return found


def _picked(entries: list[Any], numbers: str) -> list[tuple[int, Any]]:
    """The wanted entries with their numbers, from 1, in the order in which they are wanted."""
    if not numbers:
        return list(enumerate(entries, 1))
    wanted: list[int] = []
    for part in numbers.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise BadInput(f"--pick: write numbers such as 1,3-5, not {numbers!r}.")
        ends = int(first), int(last if dash else first)
        if out := [number for number in ends if not 1 <= number <= len(entries)]:
            raise BadInput(f"--pick: there are {len(entries)} results, and none numbered {out[0]}.")
        wanted += range(ends[0], ends[1] + 1)
    return [(number, entries[number - 1]) for number in wanted]


def _clip(entry: Any, number: int, around_s: float | None) -> Clip:
    try:
        if "video_path" in entry:
            return _of_scene(entry, around_s)
        if "start_seconds" in entry:
            start, end = entry["start_seconds"], entry["end_seconds"]
            if around_s is not None:
                start, end = max(0.0, start - around_s), end + around_s
            return {"media_path": entry["media_path"], "start_time": start, "end_time": end}
        clip = dict(entry)
        if clip.keys() >= {"media_path", "start_time", "end_time"}:
            return clip
    except (TypeError, ValueError, KeyError):
        pass
    raise BadInput(f"--from: entry {number} is no match of a search, and no clip.")


def _of_scene(match: Clip, around_s: float | None) -> Clip:
    """The scene of a visual match: to the picture where its cuts are known, else to the second."""
    first, last = (
        float(match.get(f"cut_{end}_seconds", seconds(match[f"scene_{end}_timestamp"])))
        for end in ("start", "end")
    )
    if first == last:
        first, last = 0.0, STILL_S
    elif around_s is not None:
        found = seconds(match["timestamp"])
        first, last = max(first, found - around_s), min(last, found + max(around_s, 1.0))
    return {"media_path": match["video_path"], "start_time": first, "end_time": last}
