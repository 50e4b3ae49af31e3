"""`rushes bench`: how fast this server is with the media of this house."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from cli.api_client import ApiClient, Refused
from cli.arguments.media_arguments import server_path
from cli.arguments.media_files import listed, media_files
from cli.benchmark import BATCH, RESULTS, Benchmark, BenchmarkPlan, Footage, Measurement
from cli.remote import Remote, remote
from shared.errors import BadInput

EPILOG = "Example: rushes bench /footage/A001.mov --scratch /footage/.bench"
Facts = dict[str, Any]


PathsArgument = Annotated[
    list[str],
    typer.Argument(help="Media files, and folders of them; `-`: read them from stdin, one a line."),
]
ScratchOption = Annotated[
    str,
    typer.Option(
        help="Cache folder of its own for the measuring; it is left there.", show_default=False
    ),
]
ArchiveOption = Annotated[
    str,
    typer.Option(
        help="Search in this cache folder, which is only read. Default: --scratch.",
        show_default=False,
    ),
]
RoundsOption = Annotated[
    int, typer.Option(min=1, max=100, help="Analyses after the one that warms up.")
]
SearchesOption = Annotated[int, typer.Option(min=1, max=10_000, help="Searches by words.")]
AtMostOption = Annotated[
    float, typer.Option(metavar="MINUTES", min=0.1, help="No new analysis begins after that.")
]
VisualOption = Annotated[bool, typer.Option(help="Analyze pictures.")]
SpeechOption = Annotated[bool, typer.Option(help="Transcribe.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say it and do nothing.")]


@remote
def bench(
    server: Remote,
    paths: PathsArgument,
    scratch: ScratchOption,
    archive: ArchiveOption = "",
    rounds: RoundsOption = 3,
    searches: SearchesOption = 50,
    at_most: AtMostOption = 10,
    visual: VisualOption = True,
    speech: SpeechOption = True,
    dry_run: DryRunOption = False,
) -> None:
    """Measure a server through its API: analysis, search, thumbnails, probing.

    It says what it will do, begins no analysis while another runs, and stops its own at Ctrl-C.
    Times of answers count the way to the server and back.
    """
    folder = server_path(scratch)
    searched = server_path(archive) if archive else folder
    plan = BenchmarkPlan(folder, searched, rounds, searches, at_most_s=at_most * 60)
    footage, facts = _footage(server, paths), _facts(server.api)
    _must_be_free(server.api, folder, len(footage.items))
    for line in _said(server.api, plan, footage, facts):
        server.out.hint(line)
    measured = [] if dry_run else _measured(server, plan, footage, (visual, speech))
    document = {
        "server": server.api.url,
        **facts,
        "files": len(footage.items),
        "seconds": _seconds(footage),
        "plan": dataclasses.asdict(plan),
        "measurements": [one.document() for one in measured],
    }
    if not server.out.document(document) and not dry_run:
        _show(server, measured)
    if any(one.note for one in measured):
        raise typer.Exit(1)


def _measured(
    server: Remote, plan: BenchmarkPlan, footage: Footage, parts: tuple[bool, bool]
) -> list[Measurement]:
    with server.out.aside.status("") as status:
        benchmark = Benchmark(server.api, plan, footage, status.update)
        try:
            return list(benchmark.run(*parts))
        except KeyboardInterrupt:
            if benchmark.task_id is not None:
                server.api.post("/analyze/cancel", {"task_id": benchmark.task_id})
                server.out.hint("The analysis that was measured is told to stop.")
            raise typer.Exit(130) from None


def _footage(server: Remote, paths: list[str]) -> Footage:
    """The files that the server can read. Raises BadInput where there are none."""
    found = list(media_files(listed(paths)).paths)
    if not found:
        raise BadInput("There is no media file in what was named.")
    items = server.api.post("/media/metadata", {"media_paths": found})["media"]
    for item in items:
        if item["error"]:
            server.out.hint(f"left out: {item['media_path']}: {item['error']}")
    readable = tuple(item for item in items if not item["error"])
    if not readable:
        raise BadInput("The server can read none of these files.")
    return Footage(readable)


def _facts(api: ApiClient) -> Facts:
    """Facts that the server tells: its workers and its active models."""
    models = api.get("/models/available")
    active = {
        kind: next((one["model_key"] for one in models[kind] if one["is_active"]), None)
        for kind in ("visual", "speech")
    }
    return {"workers": api.get("/ready", require="models,roots")["workers"], "models": active}


def _must_be_free(api: ApiClient, scratch: str, files: int) -> None:
    """Raise BadInput for a cache folder that somebody uses: its results would be made anew."""
    try:
        found = api.post("/analysis-data/load", {"cache_dir": scratch})
    except Refused as error:
        if error.status == 400:  # there is none yet
            return
        raise
    if max(found["visual_files"], found["transcription_files"]) > files:
        raise BadInput(
            f"{scratch} holds the analyses of more files than these: name another folder with "
            "--scratch, for measuring alone."
        )


def _said(api: ApiClient, plan: BenchmarkPlan, footage: Footage, facts: Facts) -> list[str]:
    seconds, files = round(_seconds(footage)), len(footage.items)
    workers = ", ".join(f"{count} {kind}" for kind, count in facts["workers"].items())
    models = ", ".join(f"{kind} {key}" for kind, key in facts["models"].items() if key)
    return [
        f"server    {api.url}; workers: {workers or 'none'}; models: {models}",
        f"media     {files:,} file{'' if files == 1 else 's'}, "
        f"{seconds // 60}:{seconds % 60:02d} minutes",
        f"analysis  {plan.rounds + 1} times anew into {plan.scratch}, in at most "
        f"{plan.at_most_s / 60:g} minutes",
        f"search    {2 * (plan.searches + 1)} times for {RESULTS} results in {plan.archive}",
        f"pictures  thumbnails, {BATCH} in a request",
    ]


def _seconds(footage: Footage) -> float:
    return float(sum(item["duration_seconds"] or 0 for item in footage.items))


def _show(server: Remote, measured: list[Measurement]) -> None:
    right = [Column(name, justify="right") for name in ("first", "median", "95 %", "runs")]
    table = Table("", *right, "", "remarks")
    for one in measured:
        numbers = (one.first, one.median, one.worst)
        shown = ("" if number is None else f"{number:,.1f}" for number in numbers)
        table.add_row(one.name, *shown, str(len(one.values)), one.unit, one.note)
    server.out.show(table)
